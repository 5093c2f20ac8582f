from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.service.placement import (
    Assign,
    Availability,
    Launch,
    Placement,
    Throttle,
)


def test_first_invocation_starts_an_environment() -> None:
    """With no environment at all, the first invocation starts one and is its first work."""
    assert Placement(10).submit("a", 0.0) == [Launch("a", 1)]


def test_idle_environment_is_reused() -> None:
    """An idle environment takes the next invocation; none is started."""
    placement = Placement(10)
    placement.submit("a", 0.0)
    placement.changed(1, Availability.IDLE)
    assert placement.submit("b", 1.0) == [Assign("b", 1)]


def test_most_recently_used_environment_comes_first() -> None:
    """Of several idle environments the one that came back last is taken."""
    placement = Placement(10)
    placement.submit("a", 0.0)
    placement.submit("b", 0.0)
    placement.changed(2, Availability.IDLE)
    placement.changed(1, Availability.IDLE)
    assert placement.submit("c", 1.0) == [Assign("c", 1)]


def test_overlapping_invocations_get_environments_of_their_own() -> None:
    """Four invocations at once start four environments."""
    placement = Placement(10)
    decisions = [placement.submit(name, 0.0) for name in "abcd"]
    assert decisions == [[Launch("a", 1)], [Launch("b", 2)], [Launch("c", 3)], [Launch("d", 4)]]


def test_above_the_limit_is_throttled() -> None:
    """When the limit of environments is busy, the next invocation is refused at once."""
    placement = Placement(1)
    placement.submit("a", 0.0)
    assert placement.submit("b", 0.0) == [Throttle("b")]
    assert placement.deadline is None


def test_returning_environment_is_waited_for() -> None:
    """An environment that has answered but not yet asked again is waited for 100 ms, not longer."""
    placement = Placement(1)
    placement.submit("a", 0.0)
    placement.changed(1, Availability.RETURNING)
    assert placement.submit("b", 5.0) == []
    assert placement.deadline == 5.1
    assert placement.changed(1, Availability.IDLE) == [Assign("b", 1)]
    assert placement.deadline is None


def test_patience_ends_in_a_new_environment_or_a_refusal() -> None:
    """When the returning environment is late, another is started, or at the limit 429 given."""
    for limit, expected in ((2, [Launch("b", 2)]), (1, [Throttle("b")])):
        placement = Placement(limit)
        placement.submit("a", 0.0)
        placement.changed(1, Availability.RETURNING)
        placement.submit("b", 5.0)
        assert placement.handle_timeout(5.05) == []
        assert placement.handle_timeout(5.1) == expected


def test_only_as_many_wait_as_environments_return() -> None:
    """Two invocations do not wait for one returning environment: the second starts its own."""
    placement = Placement(10)
    placement.submit("a", 0.0)
    placement.changed(1, Availability.RETURNING)
    placement.submit("b", 0.0)
    assert placement.submit("c", 0.0) == [Launch("c", 2)]


def test_end_of_a_returning_environment_frees_its_waiter() -> None:
    """Who waited for an environment that ended gets a new one at once."""
    placement = Placement(1)
    placement.submit("a", 0.0)
    placement.changed(1, Availability.RETURNING)
    placement.submit("b", 0.0)
    assert placement.gone(1) == [Launch("b", 2)]


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from("smrigt"), st.integers(1, 6)), max_size=60),
)
def test_every_invocation_is_decided_once(limit: int, script: list[tuple[str, int]]) -> None:
    """Whatever happens, each invocation gets one decision, and the limit holds."""
    placement = Placement(limit)
    open_environments: set[int] = set()
    decided: dict[str, int] = {}
    submitted: set[str] = set()
    now = 0.0

    def take(decisions: list[Assign | Launch | Throttle]) -> None:
        for decision in decisions:
            decided[decision.request_id] = decided.get(decision.request_id, 0) + 1
            if isinstance(decision, Launch):
                open_environments.add(decision.environment)
            if isinstance(decision, Assign):
                assert decision.environment in open_environments
        assert len(open_environments) <= limit

    for action, number in script:
        now += 0.03
        if action == "s":
            name = f"r{len(submitted)}"
            submitted.add(name)
            take(placement.submit(name, now))
        elif action == "t":
            take(placement.handle_timeout(now))
        elif number in open_environments:
            if action == "g":
                open_environments.discard(number)
                take(placement.gone(number))
            else:
                states = {
                    "m": Availability.BUSY,
                    "r": Availability.RETURNING,
                    "i": Availability.IDLE,
                }
                take(placement.changed(number, states[action]))
    take(placement.handle_timeout(now + 1.0))
    assert decided == dict.fromkeys(submitted, 1)
