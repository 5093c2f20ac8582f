"""When records are delivered, as decisions: no clock, no thread."""

from __future__ import annotations

from typing import Any

import pytest

from lambda_extensions.flush import FlushPolicy

CAPACITY = 1000


@pytest.mark.parametrize(
    ("policy", "items", "size", "age", "due"),
    [
        (FlushPolicy.continuous(), 0, 0, 0.0, None),
        (FlushPolicy.continuous(), 1, 1, 0.0, 0.0),
        (FlushPolicy.every(10), 1, 1, 4.0, 6.0),
        (FlushPolicy.every(10), 1, 1, 10.0, 0.0),
        (FlushPolicy.every(10), 1, 1, 3600.0, 0.0),  # thawed after an hour
        (FlushPolicy.every(10, items=5), 4, 4, 0.0, 10.0),
        (FlushPolicy.every(10, items=5), 5, 5, 0.0, 0.0),
        (FlushPolicy.every(10, bytes=100), 1, 99, 0.0, 10.0),
        (FlushPolicy.every(10, bytes=100), 1, 100, 0.0, 0.0),
        (FlushPolicy.every(10, bytes=10**9), 1, 500, 0.0, 0.0),
        (FlushPolicy.on_shutdown(), 400, 499, 3600.0, None),
        (FlushPolicy.on_shutdown(), 1, 500, 0.0, 0.0),
        (FlushPolicy.end_of_invoke(), 1, 499, 3600.0, None),
        (FlushPolicy.end_of_invoke(), 1, 500, 0.0, 0.0),
        (FlushPolicy.adaptive(), 1, 1, 2.0, 8.0),
    ],
)
def test_due(policy: FlushPolicy, items: int, size: int, age: float, due: float | None) -> None:
    """A backlog is due by items, bytes or age as the policy says, and always at half its room."""
    assert policy.due_in(items, size, age, CAPACITY) == due


@pytest.mark.parametrize(
    ("policy", "invocation", "rest", "held"),
    [
        (FlushPolicy.end_of_invoke(0.5), 1, 0.0, 0.5),
        (FlushPolicy.end_of_invoke(0.5), 1000, 0.0, 0.5),
        (FlushPolicy.adaptive(0.5), 1, 0.0, 0.5),
        (FlushPolicy.adaptive(0.5), 3, 0.0, 0.5),
        (FlushPolicy.adaptive(0.5), 4, 9.9, 0.0),
        (FlushPolicy.adaptive(0.5), 4, 10.0, 0.5),
        (FlushPolicy.every(1), 1, 3600.0, 0.0),
        (FlushPolicy.on_shutdown(), 1, 3600.0, 0.0),
        (FlushPolicy.continuous(), 1, 3600.0, 0.0),
    ],
)
def test_hold(policy: FlushPolicy, invocation: int, rest: float, held: float) -> None:
    """Invocations are held always, never, or when they are the first or come after a rest."""
    assert policy.hold(invocation, rest) == held
    assert policy.may_hold == (policy.max_wait > 0)


def test_without_invoke_events() -> None:
    """Where no INVOKE comes, what would be held is delivered every second; others stay."""
    assert FlushPolicy.end_of_invoke().without_invoke().due_in(1, 1, 0.0, CAPACITY) == 1.0
    assert FlushPolicy.adaptive().without_invoke().due_in(1, 1, 0.0, CAPACITY) == 1.0
    assert not FlushPolicy.adaptive().without_invoke().may_hold
    every = FlushPolicy.every(7)
    assert every.without_invoke() is every


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"seconds": -1.0}, "seconds must be at least 0, not -1.0"),
        ({"max_wait": -0.1}, "max_wait must be at least 0, not -0.1"),
        ({"items": 0}, "items must be at least 1, not 0"),
        ({"bytes": 0}, "bytes must be at least 1, not 0"),
    ],
)
def test_policy_that_makes_no_sense(arguments: dict[str, Any], text: str) -> None:
    """A negative time and an empty list are refused where they are written."""
    with pytest.raises(ValueError, match=text):
        FlushPolicy(**arguments)
