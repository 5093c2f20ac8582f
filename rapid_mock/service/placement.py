"""Which execution environment takes an invocation: an idle one, a returning one, a new one, none.

Decides synchronously and returns what must be done; the caller does it. Source of the order:
"Understanding Lambda function scaling", AWS Lambda Developer Guide; the patience for returning
environments is ours.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum


class Availability(Enum):
    """What an environment can do for the next invocation."""

    BUSY = "busy"
    RETURNING = "returning"
    IDLE = "idle"


BUSY, RETURNING, IDLE = Availability.BUSY, Availability.RETURNING, Availability.IDLE
"""Read at every event; through its class an enum's member costs 0.1 us each time."""


@dataclass(slots=True)
class Assign:
    """Give the invocation to an environment that is idle."""

    request_id: str
    environment: int


@dataclass(slots=True)
class Launch:
    """Start a new environment; the invocation is its first."""

    request_id: str
    environment: int


@dataclass(slots=True)
class Prepare:
    """Start a new environment ahead of any invocation."""

    environment: int


@dataclass(slots=True)
class Throttle:
    """Refuse the invocation: 429."""

    request_id: str


Decision = Assign | Launch | Prepare | Throttle


@dataclass(slots=True)
class _Place:
    """An environment as placement sees it; `load`: invocations given to it and not finished."""

    availability: Availability
    load: int


class Placement:
    """The environments of one function and the invocations waiting for one; no I/O.

    `limit`: most environments at once. `patience`: seconds an invocation waits for an environment
    that has answered but not yet asked for its next event, before another is started. `room`: how
    many invocations an environment takes at once, also while it is being started.
    """

    def __init__(self, limit: int, patience: float = 0.1, room: int = 1) -> None:
        self._limit = limit
        self._patience = patience
        self._room = room
        self._environments: dict[int, _Place] = {}
        self._idle: list[int] = []
        self._queue: deque[tuple[str, float]] = deque()
        self._launched = 0

    def submit(self, request_id: str, now: float) -> list[Decision]:
        """Place one invocation; no decision means that it waits until `deadline`."""
        if self._idle and not self._queue:
            return [self._assign(request_id)]
        if self._prospects() > len(self._queue):
            self._queue.append((request_id, now + self._patience))
            return self._serve()
        return [self._launch_or_throttle(request_id)]

    def prepare(self) -> list[Decision]:
        """Start an environment that waits for invocations, unless the limit is reached."""
        if len(self._environments) >= self._limit:
            return []
        self._launched += 1
        self._environments[self._launched] = _Place(IDLE, load=0)
        self._idle.append(self._launched)
        return [Prepare(self._launched)]

    def changed(self, environment: int, availability: Availability) -> list[Decision]:
        """An environment became busy, returning or idle, or said so again after its work."""
        place = self._environments.get(environment)
        if place is None:
            return []
        before = place.availability
        if before is not availability:
            place.availability = availability
            if availability is IDLE and place.load < self._room:
                self._idle.append(environment)
            elif before is IDLE and environment in self._idle:
                self._idle.remove(environment)
        return self._serve() if self._queue else []

    def finished(self, environment: int) -> None:
        """An invocation is over; its room is given to whoever waits by `changed`, which follows."""
        place = self._environments.get(environment)
        if place is not None:
            place.load -= 1
            if place.availability is IDLE and environment not in self._idle:
                self._idle.append(environment)

    def gone(self, environment: int) -> list[Decision]:
        """An environment has ended; whoever waited for it may get a new one at once."""
        self._environments.pop(environment, None)
        if environment in self._idle:
            self._idle.remove(environment)
        hopeful = self._prospects()
        decisions: list[Decision] = []
        while len(self._queue) > hopeful:
            decisions.append(self._launch_or_throttle(self._queue.pop()[0]))
        return decisions

    @property
    def deadline(self) -> float | None:
        """When the patience of the oldest waiting invocation ends, monotonic seconds."""
        return self._queue[0][1] if self._queue else None

    def handle_timeout(self, now: float) -> list[Decision]:
        """Stop waiting for environments that did not come back in time."""
        decisions: list[Decision] = []
        while self._queue and self._queue[0][1] <= now:
            decisions.append(self._launch_or_throttle(self._queue.popleft()[0]))
        return decisions

    def _serve(self) -> list[Decision]:
        decisions: list[Decision] = []
        while self._queue and self._idle:
            decisions.append(self._assign(self._queue.popleft()[0]))
        return decisions

    def _assign(self, request_id: str) -> Decision:
        environment = self._idle[-1]
        place = self._environments[environment]
        place.load += 1
        if place.load >= self._room:
            self._idle.pop()
        return Assign(request_id, environment)

    def _launch_or_throttle(self, request_id: str) -> Decision:
        if self._idle:
            return self._assign(request_id)
        if len(self._environments) >= self._limit:
            return Throttle(request_id)
        self._launched += 1
        self._environments[self._launched] = _Place(IDLE, load=1)
        if self._room > 1:
            self._idle.append(self._launched)
        return Launch(request_id, self._launched)

    def _prospects(self) -> int:
        """How many invocations those that are idle, or return soon, will take."""
        return sum(
            self._room if place.availability is RETURNING else self._room - place.load
            for place in self._environments.values()
            if place.availability is not BUSY
        )
