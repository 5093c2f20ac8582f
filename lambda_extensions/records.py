"""Telemetry records, typed: what the Telemetry API and the Logs API deliver, in every schema.

    match record:
        case PlatformReport(request_id=request_id, metrics=metrics): ...
        case FunctionLog(message=str() as line): ...
        case FunctionLog(message=dict() as fields): ...   # JSON log format

Reading never raises. Attributes are looked up in `raw` when they are asked for; what is missing or
of another kind is empty or None; what is of no known type is an UnknownRecord. Sources: "Lambda
Telemetry API Event schema reference" (2022-07-01, 2022-12-13, 2025-01-29) and "Lambda Logs API"
(2020-08-15, 2021-03-18).
"""

from __future__ import annotations

from lambda_extensions.fields import (
    Metrics,
    Number,
    OptionalText,
    Spans,
    Text,
    Texts,
    Tracing,
    Whole,
)
from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class TelemetryRecord:
    """One record.

    `raw`: the envelope as it came; `record`: what the envelope holds, an object or a string;
    `type` and `time` (`2026-01-31T12:00:00.000Z`) are empty where the envelope has none.
    """

    __slots__ = ("raw",)

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    @property
    def type(self) -> str:
        return _text(self.raw, "type")

    @property
    def time(self) -> str:
        return _text(self.raw, "time")

    @property
    def record(self) -> Any:
        return self.raw.get("record") if isinstance(self.raw, dict) else None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"


class UnknownRecord(TelemetryRecord):
    """A type of the future, or no record at all: then `raw` is whatever stood in its place."""

    __slots__ = ()


class PlatformRecord(TelemetryRecord):
    """Base of what the platform itself says."""

    __slots__ = ()


class PlatformInitStart(PlatformRecord):
    """`instance_max_memory` in bytes."""

    __slots__ = ()
    initialization_type = Text("initializationType")
    phase = Text("phase")
    runtime_version = OptionalText("runtimeVersion")
    runtime_version_arn = OptionalText("runtimeVersionArn")
    function_name = OptionalText("functionName")
    function_arn = OptionalText("functionArn")
    function_version = OptionalText("functionVersion")
    instance_id = OptionalText("instanceId")
    instance_max_memory = Whole("instanceMaxMemory")
    trace_id = Tracing("value")
    span_id = Tracing("spanId")


class PlatformInitRuntimeDone(PlatformRecord):
    __slots__ = ()
    initialization_type = Text("initializationType")
    phase = Text("phase")
    status = Text("status")
    error_type = OptionalText("errorType")
    spans = Spans()
    trace_id = Tracing("value")
    span_id = Tracing("spanId")


class PlatformInitReport(PlatformRecord):
    """`status` and `error_type` exist from schema 2022-12-13 on."""

    __slots__ = ()
    initialization_type = Text("initializationType")
    phase = Text("phase")
    status = OptionalText("status")
    error_type = OptionalText("errorType")
    metrics = Metrics()
    spans = Spans()
    trace_id = Tracing("value")
    span_id = Tracing("spanId")


class PlatformRestoreStart(PlatformRecord):
    """`instance_max_memory` in bytes."""

    __slots__ = ()
    runtime_version = OptionalText("runtimeVersion")
    runtime_version_arn = OptionalText("runtimeVersionArn")
    function_name = OptionalText("functionName")
    function_version = OptionalText("functionVersion")
    instance_id = OptionalText("instanceId")
    instance_max_memory = Whole("instanceMaxMemory")


class PlatformRestoreRuntimeDone(PlatformRecord):
    __slots__ = ()
    status = Text("status")
    error_type = OptionalText("errorType")
    spans = Spans()
    trace_id = Tracing("value")
    span_id = Tracing("spanId")


class PlatformRestoreReport(PlatformRecord):
    __slots__ = ()
    status = Text("status")
    error_type = OptionalText("errorType")
    metrics = Metrics()
    spans = Spans()


class PlatformStart(PlatformRecord):
    __slots__ = ()
    request_id = Text("requestId")
    version = OptionalText("version")
    function_arn = OptionalText("functionArn")
    tenant_id = OptionalText("tenantId")
    trace_id = Tracing("value")
    span_id = Tracing("spanId")


class PlatformRuntimeDone(PlatformRecord):
    """The runtime has answered; `status`: `success`, `error`, `failure` or `timeout`."""

    __slots__ = ()
    request_id = Text("requestId")
    status = Text("status")
    error_type = OptionalText("errorType")
    metrics = Metrics()
    spans = Spans()
    tenant_id = OptionalText("tenantId")
    trace_id = Tracing("value")
    span_id = Tracing("spanId")


class PlatformReport(PlatformRecord):
    """Durations and memory of an invocation; it usually arrives during the next one."""

    __slots__ = ()
    request_id = Text("requestId")
    status = Text("status")
    error_type = OptionalText("errorType")
    metrics = Metrics()
    spans = Spans()
    tenant_id = OptionalText("tenantId")
    trace_id = Tracing("value")
    span_id = Tracing("spanId")


class PlatformEnd(PlatformRecord):
    """Logs API only."""

    __slots__ = ()
    request_id = Text("requestId")


class PlatformFault(PlatformRecord):
    """Logs API only: why an invocation failed, as text."""

    __slots__ = ()

    @property
    def message(self) -> str:
        return self.record if isinstance(self.record, str) else ""


class PlatformExtension(PlatformRecord):
    """An extension at the end of init; `state`: `Ready`, `Registered` ..."""

    __slots__ = ()
    name = Text("name")
    state = Text("state")
    events = Texts("events")
    error_type = OptionalText("errorType")


class PlatformSubscription(PlatformRecord):
    """An extension subscribed, to the Telemetry API or to the Logs API."""

    __slots__ = ()
    name = Text("name")
    state = Text("state")
    types = Texts("types")


class PlatformLogsDropped(PlatformRecord):
    """Records that were lost because a subscriber was too slow or failed."""

    __slots__ = ()
    reason = Text("reason")
    dropped_records = Number("droppedRecords")
    dropped_bytes = Number("droppedBytes")


class LogRecord(TelemetryRecord):
    """A line of output; `message` is a string, or an object with the JSON log format."""

    __slots__ = ()

    @property
    def message(self) -> Any:
        return self.record

    level = OptionalText("level")
    request_id = OptionalText("requestId")


class FunctionLog(LogRecord):
    """A line of the function; `level` and `request_id` only where the JSON log format has them."""

    __slots__ = ()


class ExtensionLog(LogRecord):
    """A line of an extension, maybe of this one: whoever prints what it gets will get more."""

    __slots__ = ()


KINDS: dict[str, type[TelemetryRecord]] = {
    contract.TELEMETRY_FUNCTION: FunctionLog,
    contract.TELEMETRY_EXTENSION: ExtensionLog,
    contract.PLATFORM_INIT_START: PlatformInitStart,
    contract.PLATFORM_INIT_RUNTIME_DONE: PlatformInitRuntimeDone,
    contract.PLATFORM_INIT_REPORT: PlatformInitReport,
    contract.PLATFORM_RESTORE_START: PlatformRestoreStart,
    contract.PLATFORM_RESTORE_RUNTIME_DONE: PlatformRestoreRuntimeDone,
    contract.PLATFORM_RESTORE_REPORT: PlatformRestoreReport,
    contract.PLATFORM_START: PlatformStart,
    contract.PLATFORM_RUNTIME_DONE: PlatformRuntimeDone,
    contract.PLATFORM_REPORT: PlatformReport,
    contract.PLATFORM_END: PlatformEnd,
    contract.PLATFORM_FAULT: PlatformFault,
    contract.PLATFORM_EXTENSION: PlatformExtension,
    contract.PLATFORM_TELEMETRY_SUBSCRIPTION: PlatformSubscription,
    contract.PLATFORM_LOGS_SUBSCRIPTION: PlatformSubscription,
    contract.PLATFORM_LOGS_DROPPED: PlatformLogsDropped,
}


def record_of(raw: Any) -> TelemetryRecord:
    """Type one decoded envelope."""
    kind = raw.get("type") if isinstance(raw, dict) else None
    return (KINDS.get(kind, UnknownRecord) if isinstance(kind, str) else UnknownRecord)(raw)


def read_batch(body: bytes) -> list[TelemetryRecord]:
    """The records of one HTTP delivery, a JSON array.

    Each that is broken, or that Python cannot decode (nested too deep, a number too long), is an
    UnknownRecord with its text as `raw`; one whose end cannot be found is the last.
    """
    value = _decoded(body)
    if value is _BROKEN:
        from lambda_extensions.salvage import salvage

        value = salvage(body.decode("utf-8", "replace"))
    return [record_of(raw) for raw in (value if isinstance(value, list) else [value])]


def read_line(line: bytes) -> TelemetryRecord:
    """The record of one line of a TCP delivery."""
    value = _decoded(line)
    return record_of(line.decode("utf-8", "replace") if value is _BROKEN else value)


_BROKEN = object()


def _decoded(body: bytes) -> Any:
    import json

    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _BROKEN


def _text(raw: Any, name: str) -> str:
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if isinstance(value, str) else ""
