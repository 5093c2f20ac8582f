"""What `event/next` delivers: INVOKE, SHUTDOWN, and whatever else a server may send.

Source: "Lambda Extensions API reference" (AWS Lambda Developer Guide). Only `eventType` is taken
for granted: servers leave out `tracing`, the event identifier and more.
"""

from __future__ import annotations

import time

from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Event:
    """What all events have.

    `event_type`: AWS's word; `deadline_ms`: milliseconds since the epoch, 0 when not told;
    `event_id`: of this delivery, None when not told; `raw`: the whole JSON object.
    """

    __slots__ = ("deadline_ms", "event_id", "event_type", "raw")

    def __init__(self, raw: Mapping[str, Any], event_id: str | None = None) -> None:
        self.event_type: str = raw["eventType"]
        self.deadline_ms = _whole(raw.get("deadlineMs"))
        self.event_id = event_id
        self.raw = raw

    def remaining(self) -> float:
        """Seconds until the deadline, never below 0."""
        return max(0.0, self.deadline_ms / 1000 - time.time())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.raw!r})"


class InvokeEvent(Event):
    """An invocation has begun; its payload never reaches an extension.

    `deadline_ms` is the runtime's; `trace_id`: the X-Ray header, None when the invocation has
    none.
    """

    __slots__ = ("invoked_function_arn", "request_id", "trace_id")

    def __init__(self, raw: Mapping[str, Any], event_id: str | None = None) -> None:
        super().__init__(raw, event_id)
        self.request_id = _text(raw.get("requestId"))
        self.invoked_function_arn = _text(raw.get("invokedFunctionArn"))
        tracing = raw.get("tracing")
        value = tracing.get("value") if isinstance(tracing, dict) else None
        self.trace_id = value if isinstance(value, str) and value else None


class ShutdownEvent(Event):
    """The execution environment ends; at `deadline_ms` whoever is left is killed.

    `reason`: `spindown`, `timeout`, `failure`, or any other word a server uses.
    """

    __slots__ = ("reason",)

    def __init__(self, raw: Mapping[str, Any], event_id: str | None = None) -> None:
        super().__init__(raw, event_id)
        self.reason = _text(raw.get("shutdownReason"))

    def time_left(self) -> float:
        """Seconds until we are killed: Lambda's two where the event names no sensible deadline."""
        budget = contract.SHUTDOWN_BUDGET_MS_EXTERNAL / 1000
        return min(self.remaining(), budget) if self.deadline_ms else budget


class UnknownEvent(Event):
    """An event type that this version does not know; `raw` has all of it."""

    __slots__ = ()


def event_of(
    raw: Mapping[str, Any], event_id: str | None = None
) -> InvokeEvent | ShutdownEvent | UnknownEvent:
    """Tell the events apart; raises KeyError when there is no `eventType`."""
    kind = _KINDS.get(raw["eventType"], UnknownEvent)
    return kind(raw, event_id)


_KINDS: dict[str, type[InvokeEvent | ShutdownEvent | UnknownEvent]] = {
    contract.EVENT_INVOKE: InvokeEvent,
    contract.EVENT_SHUTDOWN: ShutdownEvent,
}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int:
    """A number that can be calculated with; 0 for anything else."""
    return value if isinstance(value, int) and abs(value) < 1 << 63 else 0
