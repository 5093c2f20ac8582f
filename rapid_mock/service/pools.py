"""Execution environments as placement counts them, and what it decides about them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rapid_mock.service.concurrency import ACCOUNT_REASON


class Availability(Enum):
    """What an environment can do for the next invocation."""

    STARTING = "starting"
    BUSY = "busy"
    RETURNING = "returning"
    IDLE = "idle"


STARTING, BUSY = Availability.STARTING, Availability.BUSY
RETURNING, IDLE = Availability.RETURNING, Availability.IDLE
"""Read at every event; through its class an enum's member costs 0.1 us each time."""


@dataclass(slots=True)
class Assign:
    """Give the invocation to an environment that is idle."""

    request_id: str
    environment: int


@dataclass(slots=True)
class Launch:
    """Start a new environment of `pool`; the invocation is its first."""

    request_id: str
    environment: int
    pool: Pool


@dataclass(slots=True)
class Prepare:
    """Start a new environment of `pool` ahead of any invocation."""

    environment: int
    pool: Pool
    is_provisioned: bool = False


@dataclass(slots=True)
class Retire:
    """End an environment that has nothing to do; it is no longer counted."""

    environment: int


@dataclass(slots=True)
class Throttle:
    """Refuse the invocation: 429 with this reason."""

    request_id: str
    reason: str = ACCOUNT_REASON


Decision = Assign | Launch | Prepare | Retire | Throttle


class Pool:
    """The environments of one version of a function, as it was deployed.

    `room`: how many invocations each takes at once, also while it is being started. `limit`: most
    environments of this pool at once, None for no limit but the function's share. `idle` and
    `provisioned_idle`: those with room, the one that came back last at the end. `ready`: how many
    of the `provisioned` have been initialised. `has_failed`: one of those could not be.
    `leaving`: those that end when they are back, given to nobody. `is_lasting`: none is reaped.
    """

    __slots__ = (
        "count",
        "has_failed",
        "idle",
        "is_lasting",
        "is_retired",
        "leaving",
        "limit",
        "provisioned",
        "provisioned_idle",
        "ready",
        "room",
        "version",
    )

    def __init__(
        self,
        version: str,
        *,
        limit: int | None = None,
        room: int = 1,
        is_lasting: bool = False,
    ) -> None:
        self.version = version
        self.limit = limit
        self.room = room
        self.count = 0
        self.idle: list[int] = []
        self.provisioned_idle: list[int] = []
        self.leaving: list[int] = []
        self.provisioned: set[int] = set()
        self.is_lasting = is_lasting
        self.ready = 0
        self.is_retired = False
        self.has_failed = False
