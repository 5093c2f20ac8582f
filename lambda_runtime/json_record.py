"""Log records as one line of JSON; what JSON does not know is spelled by `str`."""

from __future__ import annotations

import json
from time import gmtime, strftime, time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lambda_runtime.error_report import ErrorReport


def error_record(report: ErrorReport, request_id: str) -> str:
    """The record of what a handler raised."""
    members: dict[str, object] = {
        "timestamp": timestamp(time()),
        "level": "ERROR",
        "errorMessage": report.message,
        "errorType": report.error_type,
        "requestId": request_id,
        "stackTrace": report.stack_trace,
    }
    return line({**members, **details(report)})


def note_record(sentence: str, request_id: str) -> str:
    """The record of what the runtime itself has to say."""
    members: dict[str, object] = {
        "timestamp": timestamp(time()),
        "level": "ERROR",
        "message": sentence,
        "logger": "lambda_runtime",
        "requestId": request_id,
    }
    return line(members)


def details(report: ErrorReport) -> dict[str, object]:
    """Causes, notes and members of a group, where there are any."""
    members = [
        {"errorMessage": one.message, "errorType": one.error_type, "stackTrace": one.stack_trace}
        for one in report.members
    ]
    found = {"cause": report.causes_json(), "notes": report.notes, "exceptions": members}
    return {name: value for name, value in found.items() if value}


def timestamp(seconds: float) -> str:
    """UTC with milliseconds: `2026-01-02T03:04:05.678Z`."""
    milliseconds = int(seconds * 1000)
    whole = strftime("%Y-%m-%dT%H:%M:%S", gmtime(milliseconds // 1000))
    return f"{whole}.{milliseconds % 1000:03d}Z"


def line(members: dict[str, object]) -> str:
    """One line, line break included; never raises because of a value."""
    try:
        return json.dumps(members, ensure_ascii=False, default=_text) + "\n"
    except (TypeError, ValueError, RecursionError):
        plain = {name: _spellable(value) for name, value in members.items()}
        return json.dumps(plain, ensure_ascii=False) + "\n"


def _spellable(value: object) -> object:
    try:
        json.dumps(value, default=_text)
    except (TypeError, ValueError, RecursionError):
        return _text(value)
    return value


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001  a record must not be lost for one value
        return f"<{type(value).__name__} without text: {type(error).__name__}>"
