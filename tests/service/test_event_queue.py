"""Events that found no room, and when they try again."""

from __future__ import annotations

from rapid_mock.service.async_invoke import EventQueue, QueuedEvent
from rapid_mock.service.requests import InvokeRequest


def event(name: str, accepted: float = 0.0) -> QueuedEvent:
    return QueuedEvent(InvokeRequest(name, "f", b"{}"), accepted)


def test_waits_double_up_to_five_minutes() -> None:
    """The attempts of an event come after 1, 2, 4 ... and at most 300 seconds."""
    queue, one, now, waits = EventQueue(), event("a"), 0.0, []
    for _ in range(11):
        assert queue.put_off(one, now) is None
        assert queue.deadline is not None
        waits.append(queue.deadline - now)
        now = queue.deadline
        assert queue.due(now - 0.1) == []
        assert queue.due(now) == [one]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_an_event_is_given_up_after_six_hours() -> None:
    """An event whose next attempt would come after six hours is not kept."""
    queue = EventQueue()
    assert queue.put_off(event("a"), 6 * 3600 - 1) is None
    assert queue.put_off(event("b"), 6 * 3600 - 0.5) == "EventAgeExceeded"
    assert len(queue) == 1


def test_a_failed_event_is_tried_after_one_and_two_minutes() -> None:
    """Two retries; then it is exhausted."""
    queue, one = EventQueue(), event("a")
    waits = []
    for now in (0.0, 60.0):
        assert queue.failed(one, now) is None
        assert queue.deadline is not None
        waits.append(queue.deadline - now)
        assert queue.due(queue.deadline) == [one]
    assert waits == [60, 120]
    assert (queue.failed(one, 180.0), one.attempts) == ("RetriesExhausted", 3)


def test_the_age_is_looked_at_in_advance() -> None:
    """An event that would be too old at its retry ends at once; being throttled is no attempt."""
    queue, one = EventQueue(), event("a")
    one.max_age = 60.0
    assert queue.put_off(one, 0.5) is None
    queue.due(9.0)
    assert (queue.failed(one, 1.0), one.attempts) == ("EventAgeExceeded", 1)


def test_the_oldest_attempt_comes_first() -> None:
    """What is due at once comes in the order of its attempts."""
    queue, first, second = EventQueue(), event("a"), event("b")
    queue.put_off(second, 1.0)
    queue.put_off(first, 0.5)
    assert queue.due(5.0) == [first, second]
    assert queue.deadline is None
