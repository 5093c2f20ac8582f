"""Events on their way to a function: accepted at once, tried again, done with in one of two ways.

Source: "Invoking a Lambda function asynchronously" and "Handling errors for asynchronous
invocations", AWS Lambda Developer Guide; the look ahead to the age: recorded from AWS.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count

from rapid_mock.service.requests import InvokeRequest

FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 300.0
RETRY_SECONDS = (60.0, 120.0)
"""How long an event waits after its first and its second failure."""

SUCCESS, RETRIES_EXHAUSTED = "Success", "RetriesExhausted"
EVENT_AGE_EXCEEDED, ZERO_RESERVED = "EventAgeExceeded", "ZeroReservedConcurrency"


@dataclass(slots=True)
class QueuedEvent:
    """An event: when it was accepted (monotonic seconds), what was tried, what may be tried.

    `delay` is how long it waits the next time that there is no room for it.
    """

    request: InvokeRequest
    accepted: float
    retries: int = 2
    max_age: float = 6 * 3600.0
    attempts: int = 0
    delay: float = FIRST_DELAY_SECONDS


@dataclass(slots=True)
class EventQueue:
    """The events that wait for their next attempt."""

    _waiting: list[tuple[float, int, QueuedEvent]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def put_off(self, event: QueuedEvent, now: float) -> str | None:
        """There was no room: no attempt. None when it waits, else the condition it ends with."""
        due, event.delay = now + event.delay, min(2 * event.delay, LONGEST_DELAY_SECONDS)
        return self._wait(event, due)

    def failed(self, event: QueuedEvent, now: float) -> str | None:
        """The function failed. None when the event is tried again, else how it ends."""
        event.attempts += 1
        if event.attempts > event.retries:
            return RETRIES_EXHAUSTED
        return self._wait(event, now + RETRY_SECONDS[event.attempts - 1])

    @property
    def deadline(self) -> float | None:
        """When the next attempt is due, monotonic seconds."""
        return self._waiting[0][0] if self._waiting else None

    def due(self, now: float) -> list[QueuedEvent]:
        """Take what is due, the oldest attempt first."""
        events = []
        while self._waiting and self._waiting[0][0] <= now:
            events.append(heapq.heappop(self._waiting)[2])
        return events

    def __len__(self) -> int:
        return len(self._waiting)

    def _wait(self, event: QueuedEvent, due: float) -> str | None:
        """An event that would be too old by then ends now."""
        if due - event.accepted > event.max_age:
            return EVENT_AGE_EXCEEDED
        heapq.heappush(self._waiting, (due, next(self._order), event))
        return None
