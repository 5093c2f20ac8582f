from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.service.concurrency import Account, Share
from rapid_mock.service.placement import Placement
from rapid_mock.service.pools import (
    Assign,
    Availability,
    Decision,
    Launch,
    Pool,
    Prepare,
    Retire,
    Throttle,
)


class OnePool(Placement):
    """The environments of a function with one version, at most `limit`."""

    def __init__(self, limit: int, room: int = 1) -> None:
        super().__init__(Share(Account()))
        self.pool = Pool("$LATEST", limit=limit, room=room)

    def invoke(self, request_id: str, now: float) -> list[Decision]:
        return self.submit(request_id, self.pool, now)

    def launch(self, request_id: str, environment: int) -> Launch:
        return Launch(request_id, environment, self.pool)


def came_back(placement: Placement, environment: int) -> list[Decision]:
    """An environment has finished its work and says that it is idle."""
    placement.finished(environment)
    return placement.changed(environment, Availability.IDLE)


def test_first_invocation_starts_an_environment() -> None:
    """With no environment at all, the first invocation starts one and is its first work."""
    placement = OnePool(10)
    assert placement.invoke("a", 0.0) == [placement.launch("a", 1)]


def test_idle_environment_is_reused() -> None:
    """An idle environment takes the next invocation; none is started."""
    placement = OnePool(10)
    placement.invoke("a", 0.0)
    came_back(placement, 1)
    assert placement.invoke("b", 1.0) == [Assign("b", 1)]


def test_most_recently_used_environment_comes_first() -> None:
    """Of several idle environments the one that came back last is taken."""
    placement = OnePool(10)
    placement.invoke("a", 0.0)
    placement.invoke("b", 0.0)
    came_back(placement, 2)
    came_back(placement, 1)
    assert placement.invoke("c", 1.0) == [Assign("c", 1)]


def test_overlapping_invocations_get_environments_of_their_own() -> None:
    """Four invocations at once start four environments."""
    placement = OnePool(10)
    decisions = [placement.invoke(name, 0.0) for name in "abcd"]
    assert decisions == [
        [placement.launch("a", 1)],
        [placement.launch("b", 2)],
        [placement.launch("c", 3)],
        [placement.launch("d", 4)],
    ]


def test_above_the_limit_is_throttled() -> None:
    """When the limit of environments is busy, the next invocation is refused at once."""
    placement = OnePool(1)
    placement.invoke("a", 0.0)
    assert placement.invoke("b", 0.0) == [Throttle("b")]
    assert placement.deadline is None


def test_returning_environment_is_waited_for() -> None:
    """An environment that has answered but not yet asked again is waited for 100 ms, not longer."""
    placement = OnePool(1)
    placement.invoke("a", 0.0)
    placement.changed(1, Availability.RETURNING)
    assert placement.invoke("b", 5.0) == []
    assert placement.deadline == 5.1
    assert came_back(placement, 1) == [Assign("b", 1)]
    assert placement.deadline is None


def test_patience_ends_in_a_new_environment_or_a_refusal() -> None:
    """When the returning environment is late, another is started, or at the limit 429 given."""
    for limit in (2, 1):
        placement = OnePool(limit)
        expected = [placement.launch("b", 2)] if limit == 2 else [Throttle("b")]
        placement.invoke("a", 0.0)
        placement.changed(1, Availability.RETURNING)
        placement.invoke("b", 5.0)
        assert placement.handle_timeout(5.05) == []
        assert placement.handle_timeout(5.1) == expected


def test_only_as_many_wait_as_environments_return() -> None:
    """Two invocations do not wait for one returning environment: the second starts its own."""
    placement = OnePool(10)
    placement.invoke("a", 0.0)
    placement.changed(1, Availability.RETURNING)
    placement.invoke("b", 0.0)
    assert placement.invoke("c", 0.0) == [placement.launch("c", 2)]


def test_end_of_a_returning_environment_frees_its_waiter() -> None:
    """Who waited for an environment that ended gets a new one at once."""
    placement = OnePool(1)
    placement.invoke("a", 0.0)
    placement.changed(1, Availability.RETURNING)
    placement.invoke("b", 0.0)
    assert placement.gone(1) == [placement.launch("b", 2)]


def test_environment_with_room_takes_several() -> None:
    """With room for three, three invocations share one environment, and the fourth gets its own."""
    placement = OnePool(10, room=3)
    decisions = [placement.invoke(name, 0.0) for name in "abcd"]
    assert decisions == [
        [placement.launch("a", 1)],
        [Assign("b", 1)],
        [Assign("c", 1)],
        [placement.launch("d", 2)],
    ]


def test_full_environments_at_the_limit_are_throttled() -> None:
    """When every environment has as many as it takes, the next is refused; one end makes room."""
    placement = OnePool(1, room=2)
    placement.invoke("a", 0.0)
    placement.invoke("b", 0.0)
    assert placement.invoke("c", 0.0) == [Throttle("c")]
    came_back(placement, 1)
    assert placement.invoke("d", 0.0) == [Assign("d", 1)]
    assert placement.invoke("e", 0.0) == [Throttle("e")]


def test_environment_that_leaves_takes_no_more() -> None:
    """An environment that has ended is not given what it had room for."""
    placement = OnePool(10, room=2)
    placement.invoke("a", 0.0)
    placement.gone(1)
    placement.finished(1)
    assert placement.invoke("b", 0.0) == [placement.launch("b", 2)]


def test_prepared_environment_takes_the_first_invocation() -> None:
    """What was started ahead is used before anything is started; not more than the limit is."""
    placement = OnePool(1)
    assert placement.prepare(placement.pool) == [Prepare(1, placement.pool)]
    assert placement.prepare(placement.pool) == []
    assert placement.invoke("a", 0.0) == [Assign("a", 1)]


class Model:
    """The environments as the caller sees them, next to the placement that decides for them."""

    def __init__(self, limit: int, room: int) -> None:
        self.placement = OnePool(limit, room=room)
        self.limit, self.room = limit, room
        self.loads: dict[int, int] = {}
        self.said: dict[int, Availability] = {}
        self.decided: dict[str, int] = {}
        self.submitted: set[str] = set()

    def take(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Prepare):
                self.loads[decision.environment] = 0
                self.said[decision.environment] = Availability.IDLE
                continue
            assert not isinstance(decision, Retire)
            self.decided[decision.request_id] = self.decided.get(decision.request_id, 0) + 1
            if not isinstance(decision, Assign):
                assert not self.has_room(), f"{decision}, though there is room"
            if isinstance(decision, Launch):
                self.loads[decision.environment] = 1
                self.said[decision.environment] = Availability.IDLE
            elif isinstance(decision, Assign):
                assert self.said[decision.environment] is Availability.IDLE
                self.loads[decision.environment] += 1
                assert self.loads[decision.environment] <= self.room
        assert len(self.loads) <= self.limit

    def has_room(self) -> bool:
        return any(
            self.said[number] is Availability.IDLE and load < self.room
            for number, load in self.loads.items()
        )

    def submit(self, now: float) -> None:
        name = f"r{len(self.submitted)}"
        self.submitted.add(name)
        self.take(self.placement.invoke(name, now))

    def say(self, number: int, availability: Availability) -> None:
        self.said[number] = availability
        self.take(self.placement.changed(number, availability))

    def finish(self, number: int) -> None:
        """An end, and what the environment says of itself afterwards: the same as before."""
        if self.loads[number] > 0:
            self.loads[number] -= 1
            self.placement.finished(number)
            self.say(number, self.said[number])

    def end(self, number: int) -> None:
        del self.loads[number], self.said[number]
        self.take(self.placement.gone(number))


SAYINGS = {"m": Availability.BUSY, "r": Availability.RETURNING, "i": Availability.IDLE}


@settings(max_examples=500, deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from("sspmrigft"), st.integers(1, 6)), max_size=60),
)
def test_every_invocation_is_decided_once(
    limit: int, room: int, script: list[tuple[str, int]]
) -> None:
    """Whatever happens, each invocation gets one decision, and limit and room hold.

    None is refused, and no environment started, while one that is idle has room.
    """
    model = Model(limit, room)
    now = 0.0
    for action, number in script:
        now += 0.03
        if action == "s":
            model.submit(now)
        elif action == "p":
            model.take(model.placement.prepare(model.placement.pool))
        elif action == "t":
            model.take(model.placement.handle_timeout(now))
        elif number in model.loads:
            if action == "g":
                model.end(number)
            elif action == "f":
                model.finish(number)
            else:
                model.say(number, SAYINGS[action])
    model.take(model.placement.handle_timeout(now + 1.0))
    assert model.decided == dict.fromkeys(model.submitted, 1)
