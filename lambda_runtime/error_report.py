"""A user's exception as Lambda reports it: error JSON, X-Ray cause, and the line in the log.

Formats: AWS's Python runtime interface client; the X-Ray cause is documented under "Error
handling" of the Lambda runtime API. Loaded when something has failed.
"""

from __future__ import annotations

import json
import os
from traceback import extract_tb

from lambda_runtime import contract
from lambda_runtime.errors import FaultError, HandlerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from traceback import FrameSummary

_OWN_DIRECTORY = os.path.dirname(__file__) + os.sep  # noqa: PTH120  pathlib costs a cold start
_ASYNCIO = os.path.dirname(os.__file__) + f"{os.sep}asyncio{os.sep}"  # noqa: PTH120  as above
_IMPORT_SYSTEM = ("<frozen importlib._bootstrap", "<frozen importlib._bootstrap_external")
_FAULT_TYPE = "LambdaValidationError"
MAX_CAUSES = 10


class ErrorReport:
    """`error_type`, `message`, `stack_trace` (formatted lines) and `frames` of one failure.

    `causes` are the reports of the exceptions that led to it, nearest first; `members` those of
    an exception group; `is_fault` says that the runtime is to blame.
    """

    __slots__ = (
        "causes",
        "error_type",
        "frames",
        "is_fault",
        "members",
        "message",
        "notes",
        "stack_trace",
    )

    def __init__(self, error: BaseException, *, alone: bool = False) -> None:
        self.message = _text(error)
        self.notes: list[str] = [str(note) for note in getattr(error, "__notes__", None) or ()]
        self.causes: list[ErrorReport] = [] if alone else _causes(error)
        self.members: list[ErrorReport] = _members(error)
        self.frames: list[FrameSummary] = []
        self.is_fault = isinstance(error, FaultError)
        if isinstance(error, FaultError):
            self.error_type = error.error_type
            self.stack_trace = error.stack_trace
            return
        self.error_type = _type_name(error)
        self.frames = _user_frames(extract_tb(error.__traceback__))
        self.stack_trace = [_format(frame) for frame in self.frames]

    def body(self, request_id: str) -> bytes:
        """The error JSON, members in AWS's order; a `cause` is ours."""
        members: dict[str, object] = {
            "errorMessage": self.message,
            "errorType": self.error_type,
            "requestId": request_id,
            "stackTrace": self.stack_trace,
        }
        if self.frames and self.causes:
            members["cause"] = self.causes_json()
        return _encoded(json.dumps(members, ensure_ascii=False))

    def causes_json(self) -> list[dict[str, object]]:
        """The causes as members of a JSON record."""
        return [
            {
                "errorMessage": one.message,
                "errorType": one.error_type,
                "stackTrace": one.stack_trace,
            }
            for one in self.causes
        ]

    def xray_cause(self) -> str:
        """The X-Ray cause on one line of ASCII, fit for a header."""
        cause = {
            "working_directory": _working_directory(),
            "exceptions": [
                {
                    "message": self.message,
                    "type": _FAULT_TYPE if self.is_fault else self.error_type,
                    "stack": [
                        {"label": frame.name, "path": frame.filename, "line": frame.lineno}
                        for frame in self.frames
                    ],
                }
            ],
            "paths": list(dict.fromkeys(frame.filename for frame in self.frames)),
        }
        return json.dumps(cause)

    def log_line(self, separator: str = "\r") -> str:
        """`[ERROR] Type: message`, then the trace, joined by carriage returns into one line."""
        title = self._title()
        head = f"[ERROR] {title}" if title else "[ERROR]"
        return (
            separator.join([head, "Traceback (most recent call last):", *self._log_lines()]) + "\n"
        )

    def _title(self) -> str:
        return ": ".join(part for part in (self.error_type, self.message) if part)

    def _log_lines(self) -> list[str]:
        lines = [line for entry in self.stack_trace for line in entry.splitlines() or [""]]
        found = [_indented(line) for line in lines]
        found += [f"Note: {line}" for note in self.notes for line in note.splitlines()]
        for title, reports in (("Caused by", self.causes), ("Together with", self.members)):
            for report in reports:
                found += [f"{title}: {report._title()}", *report._log_lines()]
        return found


def _causes(error: BaseException) -> list[ErrorReport]:
    """The exceptions behind `error`, as Python would show them, at most ten."""
    found: list[BaseException] = [error]
    while len(found) <= MAX_CAUSES:
        last = found[-1]
        hidden = last.__suppress_context__
        behind = last.__cause__ or (None if hidden else last.__context__)
        if behind is None or any(behind is one for one in found):
            break
        found.append(behind)
    return [ErrorReport(one, alone=True) for one in found[1:]]


def _members(error: BaseException) -> list[ErrorReport]:
    group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return [ErrorReport(one) for one in group]


def _type_name(error: BaseException) -> str:
    if isinstance(error, HandlerError):
        return str(error.error_type)
    if isinstance(error, SystemExit):
        return contract.ERROR_RUNTIME_EXIT
    return type(error).__name__


def _text(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the handler ended the process: exit {error.code}"
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001  a report must not fail because of what it reports
        return f"<the message cannot be shown: {type(broken).__name__} in __str__>"


def _user_frames(frames: Iterable[FrameSummary]) -> list[FrameSummary]:
    """Without leading frames of ours, of asyncio, of imports; with them if no other is left."""
    everything = list(frames)
    kept = everything
    while kept and _is_framework(kept[0]):
        kept = kept[1:]
    return kept or everything


def _is_framework(frame: FrameSummary) -> bool:
    return frame.filename.startswith((_OWN_DIRECTORY, _ASYNCIO, *_IMPORT_SYSTEM))


def _format(frame: FrameSummary) -> str:
    """Two lines, as `traceback` formats them before it knew carets."""
    text = f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n'
    return f"{text}    {frame.line}\n" if frame.line else text


def _indented(line: str) -> str:
    """Leading blanks are kept by no-break spaces in the one line of the log."""
    content = line.lstrip(" ")
    return "\u00a0" * (len(line) - len(content)) + content


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _working_directory() -> str:
    try:
        return os.getcwd()  # noqa: PTH109  pathlib costs a cold start
    except OSError:
        return ""
