"""Platform records as the lines that Lambda writes to a function's log: text, or JSON.

Formats: recorded AWS logs; "Sending Lambda function logs to CloudWatch Logs" and "Lambda Telemetry
API event schema", AWS Lambda Developer Guide.
"""

from __future__ import annotations

import codecs
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TextIO, cast

from lambda_runtime import contract
from rapid_mock.lifecycle.effects import Emit
from rapid_mock.system_log_levels import INFO, is_logged
from rapid_mock.telemetry_records import envelope, iso_time

Record = dict[str, Any]


class Stream(Protocol):
    """A byte stream to print to; `sys.stderr.buffer` is one."""

    def write(self, data: bytes, /) -> object: ...

    def flush(self) -> object: ...


_TEXT_ONLY = frozenset({contract.PLATFORM_END, contract.PLATFORM_FAULT})


@dataclass(frozen=True, slots=True)
class LogConfig:
    """A function's `Text` or `JSON`, and in JSON the level from which platform records count."""

    log_format: str = contract.LOG_FORMAT_TEXT
    system_level: str = INFO

    @property
    def is_json(self) -> bool:
        return self.log_format == contract.LOG_FORMAT_JSON

    def render(self, emit: Emit, wall: float) -> str | None:
        """The line(s) of a platform record, or None; the time in epoch seconds."""
        return (
            render_json(emit, wall, self.system_level) if self.is_json else render_text(emit, wall)
        )


def render_text(emit: Emit, wall: float) -> str | None:
    """The text line(s) of a platform record with the newline, or None where AWS prints nothing."""
    render = _TEXT.get(emit.type)
    return render(emit.record, wall) if render else None


def render_json(emit: Emit, wall: float, system_level: str = INFO) -> str | None:
    """The JSON line of a platform record, or None for what AWS has in text only, or filters."""
    if emit.type in _TEXT_ONLY or not is_logged(system_level, emit.type, emit.record):
        return None
    return envelope(emit.type, emit.record, wall) + "\n"


def _start(record: Record, _wall: float) -> str:
    separator = "\t" if "functionArn" in record else " "  # managed instances: RIE
    return f"START RequestId: {record['requestId']}{separator}Version: {record['version']}\n"


def _end(record: Record, _wall: float) -> str:
    return f"END RequestId: {record['requestId']}\n"


def _report(record: Record, _wall: float) -> str:
    metrics = record["metrics"]
    if "billedDurationMs" not in metrics:
        return (
            f"REPORT RequestId: {record['requestId']}\tDuration: {metrics['durationMs']:.2f} ms\n"
        )
    parts = [
        f"REPORT RequestId: {record['requestId']}",
        f"Duration: {metrics['durationMs']:.2f} ms",
        f"Billed Duration: {metrics['billedDurationMs']} ms",
        f"Memory Size: {metrics['memorySizeMB']} MB",
        f"Max Memory Used: {metrics['maxMemoryUsedMB']} MB",
    ]
    if "initDurationMs" in metrics:
        parts.append(f"Init Duration: {metrics['initDurationMs']:.2f} ms")
    if "restoreDurationMs" in metrics:
        parts.append(f"Restore Duration: {metrics['restoreDurationMs']:.2f} ms")
        parts.append(f"Billed Restore Duration: {metrics['billedRestoreDurationMs']} ms")
    parts += _verdict(record)
    return "\t".join(parts) + "\t\n"


def _init_report(record: Record, _wall: float) -> str | None:
    if record["status"] == contract.STATUS_SUCCESS:
        return None
    parts = [
        f"INIT_REPORT Init Duration: {record['metrics']['durationMs']:.2f} ms",
        f"Phase: {record['phase']}",
        *_verdict(record),
    ]
    return "\t".join(parts) + "\n"


def _restore_report(record: Record, _wall: float) -> str:
    duration = f"RESTORE_REPORT Restore Duration: {record['metrics']['durationMs']:.2f} ms"
    return "\t".join([duration, *_verdict(record)]) + "\n"


def _verdict(record: Record) -> list[str]:
    status = record["status"]
    if status == contract.STATUS_SUCCESS:
        return []
    parts = [f"Status: {status}"]
    if "errorType" in record and status != contract.STATUS_TIMEOUT:
        parts.append(f"Error Type: {record['errorType']}")
    return parts


def _extension(record: Record, _wall: float) -> str:
    events = ",".join(record["events"])
    return f"EXTENSION\tName: {record['name']}\tState: {record['state']}\tEvents: [{events}]\n"


def _subscription(api: str) -> Callable[[Record, float], str]:
    def render(record: Record, _wall: float) -> str:
        types = ",".join(kind.capitalize() for kind in record["types"])
        return f"{api}\tName: {record['name']}\tState: {record['state']}\tTypes: [{types}]\n"

    return render


def _fault(record: Record, wall: float) -> str:
    if record["status"] == contract.STATUS_TIMEOUT:
        return f"{iso_time(wall)} {record['message']}\n\n"
    return f"{record['message']}\n"


# AWS's INIT_START and RESTORE_START say nothing but a version, which a local runtime has not
_TEXT: dict[str, Callable[[Record, float], str | None]] = {
    contract.PLATFORM_START: _start,
    contract.PLATFORM_END: _end,
    contract.PLATFORM_REPORT: _report,
    contract.PLATFORM_INIT_REPORT: _init_report,
    contract.PLATFORM_RESTORE_REPORT: _restore_report,
    contract.PLATFORM_EXTENSION: _extension,
    contract.PLATFORM_TELEMETRY_SUBSCRIPTION: _subscription("TELEMETRY"),
    contract.PLATFORM_LOGS_SUBSCRIPTION: _subscription("LOGS"),
    contract.PLATFORM_FAULT: _fault,
}


class Console:
    """Where platform lines, function output and our own sentences go: by default stderr."""

    def __init__(
        self, stream: Stream | TextIO | None = None, subject: Callable[[], str] | None = None
    ) -> None:
        self._stream = _of_bytes(sys.stderr if stream is None else stream)
        self._subject = subject

    def about(self, subject: Callable[[], str]) -> Console:
        """The same console, whose sentences begin with what `subject` says at the time."""
        return Console(self._stream, subject)

    def write(self, data: bytes) -> None:
        """Write at once; a reader that went away must not take the local Lambda down."""
        try:
            self._stream.write(data)
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = _Nowhere()

    def explain(self, sentence: str, tail: str = "") -> None:
        """One sentence that names who did what, with the last output of that process below it."""
        subject = "" if self._subject is None else self._subject()
        lines = [f"rapid-mock: {subject}{sentence}", *(f"  | {line}" for line in tail.splitlines())]
        self.write(("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))


class _Decoding:
    """A text stream that has no bytes below it."""

    def __init__(self, stream: io.TextIOBase) -> None:
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode

    def write(self, data: bytes, /) -> None:
        self._stream.write(self._decode(data))

    def flush(self) -> None:
        self._stream.flush()


def _of_bytes(stream: Stream | TextIO) -> Stream:
    if isinstance(stream, io.TextIOBase):
        below = getattr(stream, "buffer", None)
        return _Decoding(stream) if below is None else cast("Stream", below)
    return cast("Stream", stream)


class _Nowhere:
    def write(self, _data: bytes, /) -> None:
        return

    def flush(self) -> None:
        return
