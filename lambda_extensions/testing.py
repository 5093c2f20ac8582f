"""Records to test a telemetry handler with, as Lambda makes them.

    ship([function_log("hello"), *invocation("6d68ca91", "hello", status="error")])

Values nobody gives are plausible ones. Source: "Lambda Telemetry API Event schema reference".
"""

from __future__ import annotations

from lambda_extensions.records import TelemetryRecord, record_of
from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

TIME = "2026-01-31T12:00:00.000Z"


def record(kind: str, content: Any, time: str = TIME) -> TelemetryRecord:
    """Make any record: `record("platform.tomorrow", {"a": 1})`."""
    return record_of({"time": time, "type": kind, "record": content})


def function_log(message: str | dict[str, Any], time: str = TIME) -> TelemetryRecord:
    """A line of the function; an object as with the JSON log format."""
    return record(contract.TELEMETRY_FUNCTION, message, time)


def extension_log(message: str | dict[str, Any], time: str = TIME) -> TelemetryRecord:
    """A line of an extension."""
    return record(contract.TELEMETRY_EXTENSION, message, time)


def platform_start(request_id: str, version: str = "$LATEST") -> TelemetryRecord:
    return record(contract.PLATFORM_START, {"requestId": request_id, "version": version})


def platform_runtime_done(
    request_id: str, *, status: str = contract.STATUS_SUCCESS, duration_ms: float = 1.0
) -> TelemetryRecord:
    content = {
        "requestId": request_id,
        "status": status,
        "metrics": {"durationMs": duration_ms, "producedBytes": 2},
    }
    return record(contract.PLATFORM_RUNTIME_DONE, content)


def platform_report(
    request_id: str,
    *,
    status: str = contract.STATUS_SUCCESS,
    duration_ms: float = 1.0,
    init_duration_ms: float | None = None,
    memory_size_mb: int = contract.DEFAULT_MEMORY_MB,
    max_memory_used_mb: int = 40,
) -> TelemetryRecord:
    """A REPORT; with `init_duration_ms` that of a cold start, which bills it."""
    metrics: dict[str, float] = {
        "durationMs": duration_ms,
        "billedDurationMs": int(-(-(duration_ms + (init_duration_ms or 0.0)) // 1)),
        "memorySizeMB": memory_size_mb,
        "maxMemoryUsedMB": max_memory_used_mb,
    }
    if init_duration_ms is not None:
        metrics["initDurationMs"] = init_duration_ms
    content = {"requestId": request_id, "status": status, "metrics": metrics}
    return record(contract.PLATFORM_REPORT, content)


def platform_logs_dropped(records: int, size: int, reason: str = "slow") -> TelemetryRecord:
    content = {"droppedRecords": records, "droppedBytes": size, "reason": reason}
    return record(contract.PLATFORM_LOGS_DROPPED, content)


def invocation(
    request_id: str, *lines: str, status: str = contract.STATUS_SUCCESS
) -> list[TelemetryRecord]:
    """All records of one warm invocation, in Lambda's order."""
    return [
        platform_start(request_id),
        *map(function_log, lines),
        platform_runtime_done(request_id, status=status),
        platform_report(request_id, status=status),
    ]


def batch(records: Iterable[TelemetryRecord]) -> bytes:
    """The body of an HTTP delivery with these records."""
    import json

    return json.dumps([one.raw for one in records]).encode()
