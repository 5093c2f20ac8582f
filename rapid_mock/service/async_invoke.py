"""Events on their way to a function: accepted at once, delivered when there is room.

Source: "Invoking a Lambda function asynchronously", AWS Lambda Developer Guide. An event that the
function has answered, also with an error, is done with here.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count

from rapid_mock.service.requests import InvokeRequest

MAX_AGE_SECONDS = 6 * 3600.0
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 300.0


@dataclass(slots=True)
class QueuedEvent:
    """An event: when it was accepted (monotonic seconds), and how long it waits the next time."""

    request: InvokeRequest
    accepted: float
    delay: float = FIRST_DELAY_SECONDS


@dataclass(slots=True)
class EventQueue:
    """The events that found no room and wait for their next attempt."""

    _waiting: list[tuple[float, int, QueuedEvent]] = field(default_factory=list)
    _order: count[int] = field(default_factory=count)

    def put_off(self, event: QueuedEvent, now: float) -> bool:
        """Keep a throttled event for its next attempt; False when it would be too old by then."""
        due = now + event.delay
        if due - event.accepted > MAX_AGE_SECONDS:
            return False
        event.delay = min(2 * event.delay, LONGEST_DELAY_SECONDS)
        heapq.heappush(self._waiting, (due, next(self._order), event))
        return True

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
