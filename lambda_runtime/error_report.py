"""A user's exception as Lambda reports it: error JSON, X-Ray cause, and the line in the log.

Formats: AWS's Python runtime interface client; the X-Ray cause is documented under "Error
handling" of the Lambda runtime API. Loaded when something has failed.
"""

from __future__ import annotations

import json
import os
from traceback import extract_tb

from lambda_runtime.errors import FaultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from traceback import FrameSummary

_OWN_DIRECTORY = os.path.dirname(__file__) + os.sep  # noqa: PTH120  pathlib costs a cold start
_IMPORT_SYSTEM = ("<frozen importlib._bootstrap", "<frozen importlib._bootstrap_external")
_FAULT_TYPE = "LambdaValidationError"


class ErrorReport:
    """`error_type`, `message`, `stack_trace` (formatted lines) and `frames` of one failure."""

    __slots__ = ("error_type", "frames", "message", "stack_trace")

    def __init__(self, error: BaseException) -> None:
        self.message = _text(error)
        self.frames: list[FrameSummary] = []
        if isinstance(error, FaultError):
            self.error_type = error.error_type
            self.stack_trace = error.stack_trace
            return
        self.error_type = type(error).__name__
        self.frames = _user_frames(extract_tb(error.__traceback__))
        self.stack_trace = [_format(frame) for frame in self.frames]

    def body(self, request_id: str) -> bytes:
        """The error JSON, members in AWS's order."""
        members = {
            "errorMessage": self.message,
            "errorType": self.error_type,
            "requestId": request_id,
            "stackTrace": self.stack_trace,
        }
        return _encoded(json.dumps(members, ensure_ascii=False))

    def xray_cause(self) -> str:
        """The X-Ray cause on one line of ASCII, fit for a header."""
        is_fault = not self.frames and bool(self.error_type.startswith("Runtime."))
        cause = {
            "working_directory": _working_directory(),
            "exceptions": [
                {
                    "message": self.message,
                    "type": _FAULT_TYPE if is_fault else self.error_type,
                    "stack": [
                        {"label": frame.name, "path": frame.filename, "line": frame.lineno}
                        for frame in self.frames
                    ],
                }
            ],
            "paths": list(dict.fromkeys(frame.filename for frame in self.frames)),
        }
        return json.dumps(cause)

    def log_line(self) -> str:
        """`[ERROR] Type: message`, then the trace, joined by carriage returns into one line."""
        parts = [part for part in (self.error_type, self.message) if part]
        head = "[ERROR] " + ": ".join(parts) if parts else "[ERROR]"
        lines = [line for entry in self.stack_trace for line in entry.splitlines() or [""]]
        return (
            "\r".join([head, "Traceback (most recent call last):", *map(_indented, lines)]) + "\n"
        )


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001  a report must not fail because of what it reports
        return f"<the message cannot be shown: {type(broken).__name__} in __str__>"


def _user_frames(frames: Iterable[FrameSummary]) -> list[FrameSummary]:
    """Without leading frames of ours and of the import system; with them if no other is left."""
    everything = list(frames)
    kept = everything
    while kept and _is_framework(kept[0]):
        kept = kept[1:]
    return kept or everything


def _is_framework(frame: FrameSummary) -> bool:
    return frame.filename.startswith((_OWN_DIRECTORY, *_IMPORT_SYSTEM))


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
