"""Attributes that are looked up in a record's JSON: one line each, and none ever raises."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lambda_extensions.records import TelemetryRecord


class Field:
    """A member of the record's object; of a record that is no object all are missing."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def value(self, record: TelemetryRecord) -> Any:
        return _member(getattr(record, "record", None), self.name)


class Text(Field):
    """Empty when missing."""

    __slots__ = ()

    def __get__(self, record: TelemetryRecord, owner: object = None) -> str:
        value = self.value(record)
        return value if isinstance(value, str) else ""


class OptionalText(Field):
    __slots__ = ()

    def __get__(self, record: TelemetryRecord, owner: object = None) -> str | None:
        value = self.value(record)
        return value if isinstance(value, str) else None


class Texts(Field):
    """A list of strings; others are left out."""

    __slots__ = ()

    def __get__(self, record: TelemetryRecord, owner: object = None) -> list[str]:
        value = self.value(record)
        return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


class Whole(Field):
    __slots__ = ()

    def __get__(self, record: TelemetryRecord, owner: object = None) -> int | None:
        value = self.value(record)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


class Number(Field):
    """0 when missing."""

    __slots__ = ()

    def __get__(self, record: TelemetryRecord, owner: object = None) -> float:
        return _number(self.value(record)) or 0


class Tracing(Field):
    """A member of `tracing`: the X-Ray header or the span's id; None for what is not traced."""

    __slots__ = ("member",)

    def __init__(self, member: str) -> None:
        super().__init__("tracing")
        self.member = member

    def __get__(self, record: TelemetryRecord, owner: object = None) -> str | None:
        value = _member(self.value(record), self.member)
        return value if isinstance(value, str) else None


class Span:
    """A part of the time: `start` in ISO 8601, `duration_ms` in milliseconds."""

    __slots__ = ("duration_ms", "name", "start")

    def __init__(self, raw: dict[str, Any]) -> None:
        name, start = raw.get("name"), raw.get("start")
        self.name = name if isinstance(name, str) else ""
        self.start = start if isinstance(start, str) else ""
        self.duration_ms = _number(raw.get("durationMs")) or 0.0


class Spans(Field):
    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("spans")

    def __get__(self, record: TelemetryRecord, owner: object = None) -> list[Span]:
        value = self.value(record)
        given = value if isinstance(value, list) else []
        return [Span(raw) for raw in given if isinstance(raw, dict)]


class MetricValues:
    """Milliseconds, MB and bytes; None where the schema or the record has no such metric."""

    __slots__ = (
        "billed_duration_ms",
        "billed_restore_duration_ms",
        "duration_ms",
        "init_duration_ms",
        "max_memory_used_mb",
        "memory_size_mb",
        "produced_bytes",
        "raw",
        "restore_duration_ms",
    )

    def __init__(self, raw: object) -> None:
        def metric(name: str) -> float | None:
            return _number(_member(raw, name))

        self.raw = raw
        self.duration_ms = metric("durationMs")
        self.billed_duration_ms = metric("billedDurationMs")
        self.memory_size_mb = metric("memorySizeMB")
        self.max_memory_used_mb = metric("maxMemoryUsedMB")
        self.init_duration_ms = metric("initDurationMs")
        self.restore_duration_ms = metric("restoreDurationMs")
        self.billed_restore_duration_ms = metric("billedRestoreDurationMs")
        self.produced_bytes = metric("producedBytes")


class Metrics(Field):
    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("metrics")

    def __get__(self, record: TelemetryRecord, owner: object = None) -> MetricValues:
        return MetricValues(self.value(record))


def _member(value: object, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _number(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
