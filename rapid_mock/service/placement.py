"""Which execution environment takes an invocation: an idle one, a returning one, a new one, none.

Decides synchronously and returns what must be done; the caller does it. Sources: "Understanding
Lambda function scaling" and "Configuring provisioned concurrency for a function", AWS Lambda
Developer Guide; the patience for returning environments is ours.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from rapid_mock.service.concurrency import SCALING_REASON, ScalingRate, Share
from rapid_mock.service.pools import (
    IDLE,
    RETURNING,
    STARTING,
    Assign,
    Availability,
    Decision,
    Launch,
    Pool,
    Prepare,
    Retire,
    Throttle,
)


@dataclass(slots=True)
class _Place:
    """An environment as placement sees it; `load`: invocations given to it and not finished.

    `share` is what it gives back when it stops working; `is_rested`: unused since the last `reap`.
    """

    pool: Pool
    idle: list[int]
    availability: Availability
    load: int
    share: Share | None = None
    is_rested: bool = False


class _Waiting(NamedTuple):
    request_id: str
    pool: Pool
    deadline: float


class Placement:
    """The environments of one function and the invocations waiting for one; no I/O.

    `patience`: seconds an invocation waits for an environment that has answered but not yet asked
    for its next event, before another is started or the invocation refused.
    """

    def __init__(
        self, share: Share, *, patience: float = 0.1, scaling: ScalingRate | None = None
    ) -> None:
        self._share = share
        self._patience = patience
        self._scaling = scaling or ScalingRate()
        self._now = 0.0
        self._environments: dict[int, _Place] = {}
        self._queue: deque[_Waiting] = deque()
        self._launched = 0

    # --- Invocations ------------------------------------------------------------------------

    def submit(self, request_id: str, pool: Pool, now: float) -> list[Decision]:
        """Place one invocation; no decision means that it waits until `deadline`."""
        self._now = now
        if not self._queue or not self._waits_for(pool):
            decision = self._assign(request_id, pool)
            if decision is not None:
                return [decision]
        if self._is_hopeful(pool):
            self._queue.append(_Waiting(request_id, pool, now + self._patience))
            return []
        return [self._launch_or_throttle(request_id, pool)]

    def finished(self, environment: int) -> None:
        """An invocation is over; its room is given to whoever waits by `changed`, which follows."""
        place = self._environments.get(environment)
        if place is not None:
            place.load -= 1
            if place.availability is IDLE:
                if not place.load:
                    self._rest(place)
                if environment not in place.idle:
                    place.idle.append(environment)

    def changed(self, environment: int, availability: Availability) -> list[Decision]:
        """An environment became busy, returning or idle, or said so again after its work."""
        place = self._environments.get(environment)
        if place is None:
            return []
        before = place.availability
        if before is not availability:
            place.availability = availability
            if before is STARTING:
                place.pool.ready += 1
            if place.load < place.pool.room:
                if availability is IDLE:
                    place.idle.append(environment)
                elif before is IDLE and environment in place.idle:
                    place.idle.remove(environment)
        if availability is IDLE and not place.load:
            if place.share is not None:
                place.share.give_back()
                place.share = None
            is_over = place.pool.is_retired and not self._waits_for(place.pool)
            if is_over or place.idle is place.pool.leaving:
                return [self._retire(environment), *self._review()]
        return self._review() if self._queue else []

    def gone(self, environment: int) -> list[Decision]:
        """An environment has ended; whoever waited for it may get a new one at once.

        A provisioned one that had been idle or at work is replaced.
        """
        place = self._forget(environment)
        decisions = self._review() if self._queue else []
        if (
            place is not None
            and place.idle is place.pool.provisioned_idle
            and place.availability is not STARTING
            and not place.pool.is_retired
        ):
            decisions.append(self._prepare(place.pool, is_provisioned=True))
        return decisions

    @property
    def deadline(self) -> float | None:
        """When the patience of the oldest waiting invocation ends, monotonic seconds."""
        return self._queue[0].deadline if self._queue else None

    def handle_timeout(self, now: float) -> list[Decision]:
        """Stop waiting for environments that did not come back in time."""
        self._now = now
        decisions: list[Decision] = []
        while self._queue and self._queue[0].deadline <= now:
            waiting = self._queue.popleft()
            decisions.append(self._launch_or_throttle(waiting.request_id, waiting.pool))
        return decisions

    # --- Environments without invocations ---------------------------------------------------

    def prepare(self, pool: Pool) -> list[Decision]:
        """Start an environment that takes invocations from now on, unless the limit is reached."""
        if pool.limit is not None and pool.count >= pool.limit:
            return []
        return [self._prepare(pool, is_provisioned=False)]

    def provision(self, pool: Pool, count: int) -> list[Decision]:
        """Keep `count` environments for this pool alone: start or retire what is different.

        One that is at work is retired when it comes back.
        """
        decisions: list[Decision] = []
        while len(pool.provisioned) < count:
            decisions.append(self._prepare(pool, is_provisioned=True))
        surplus = len(pool.provisioned) - count
        idle_first = sorted(pool.provisioned, key=lambda number: self._environments[number].load)
        for number in idle_first[:surplus]:
            if self._environments[number].load:
                self._demote(number)
            else:
                decisions.append(self._retire(number))
        return decisions

    def retire(self, pool: Pool) -> list[Decision]:
        """Give this pool no more invocations but those that wait; end what is idle."""
        pool.is_retired = True
        unused = [
            number
            for number, place in self._environments.items()
            if place.pool is pool and not place.load and place.availability in (IDLE, STARTING)
        ]
        return [self._retire(number) for number in unused]

    def reap(self) -> list[Decision]:
        """End the on-demand environments that were not used since the last time."""
        unused = []
        for number, place in self._environments.items():
            is_idle = place.availability is IDLE and not place.load
            if is_idle and place.idle is place.pool.idle and not place.pool.is_lasting:
                if place.is_rested:
                    unused.append(number)
                place.is_rested = True
        return [self._retire(number) for number in unused]

    # --- Inside -----------------------------------------------------------------------------

    def _assign(self, request_id: str, pool: Pool) -> Decision | None:
        """The idle environment that came back last, provisioned ones first; None without one."""
        if pool.provisioned_idle:
            return self._give(request_id, pool.provisioned_idle, None)
        if pool.idle:
            if self._environments[pool.idle[-1]].load:
                return self._give(request_id, pool.idle, None)
            if self._share.take():
                return self._give(request_id, pool.idle, self._share)
        return None

    def _give(self, request_id: str, idle: list[int], share: Share | None) -> Decision:
        environment = idle[-1]
        place = self._environments[environment]
        place.load += 1
        place.is_rested = False
        if share is not None:
            place.share = share
        if place.load >= place.pool.room:
            idle.pop()
        return Assign(request_id, environment)

    def _launch_or_throttle(self, request_id: str, pool: Pool) -> Decision:
        decision = self._assign(request_id, pool)
        if decision is not None:
            return decision
        if pool.limit is not None and pool.count >= pool.limit:
            return Throttle(request_id)
        if not self._share.take():
            return Throttle(request_id, self._share.reason)
        if not self._scaling.take(self._now):
            self._share.give_back()
            return Throttle(request_id, SCALING_REASON)
        number, place = self._new_place(pool, pool.idle, IDLE)
        place.load, place.share = 1, self._share
        if pool.room > 1:
            pool.idle.append(number)
        return Launch(request_id, number, pool)

    def _prepare(self, pool: Pool, *, is_provisioned: bool) -> Decision:
        if is_provisioned:
            number, _ = self._new_place(pool, pool.provisioned_idle, STARTING)
            pool.provisioned.add(number)
        else:
            number, _ = self._new_place(pool, pool.idle, IDLE)
            pool.idle.append(number)
        return Prepare(number, pool, is_provisioned)

    def _new_place(
        self, pool: Pool, idle: list[int], availability: Availability
    ) -> tuple[int, _Place]:
        self._launched += 1
        place = self._environments[self._launched] = _Place(pool, idle, availability, load=0)
        pool.count += 1
        return self._launched, place

    def _retire(self, environment: int) -> Decision:
        self._forget(environment)
        return Retire(environment)

    def _forget(self, environment: int) -> _Place | None:
        place = self._environments.pop(environment, None)
        if place is not None:
            place.pool.count -= 1
            self._unprovision(environment, place)
            if environment in place.idle:
                place.idle.remove(environment)
            self._rest(place)
        return place

    def _unprovision(self, environment: int, place: _Place) -> None:
        if environment in place.pool.provisioned:
            place.pool.provisioned.remove(environment)
            place.pool.ready -= place.availability is not STARTING

    def _rest(self, place: _Place) -> None:
        if place.share is not None:
            place.share.give_back()
            place.share = None

    def _demote(self, environment: int) -> None:
        """It takes no more invocations; its work, not counted yet, is that of an on-demand one."""
        place = self._environments[environment]
        self._unprovision(environment, place)
        if environment in place.idle:
            place.idle.remove(environment)
        place.idle, place.share = place.pool.leaving, self._share
        self._share.take_over()

    # --- Waiting ----------------------------------------------------------------------------

    def _review(self) -> list[Decision]:
        """Place whoever waits and can be placed, or has nothing left to wait for."""
        decisions: list[Decision] = []
        waiting, self._queue = self._queue, deque()
        for one in waiting:
            decision = self._assign(one.request_id, one.pool)
            if decision is None and not self._is_hopeful(one.pool):
                decision = self._launch_or_throttle(one.request_id, one.pool)
            if decision is None:
                self._queue.append(one)
            else:
                decisions.append(decision)
        return decisions

    def _waits_for(self, pool: Pool) -> int:
        return sum(one.pool is pool for one in self._queue)

    def _is_hopeful(self, pool: Pool) -> bool:
        """Whether an environment of this pool, or room in the share, comes back soon."""
        own = others = 0
        for place in self._environments.values():
            if place.availability is RETURNING:
                own += place.pool.room * (place.pool is pool and place.idle is not pool.leaving)
                others += place.share is not None
        if own > self._waits_for(pool):
            return True
        return others > len(self._queue) and not self._share.has_room
