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
        assert queue.put_off(one, now)
        assert queue.deadline is not None
        waits.append(queue.deadline - now)
        now = queue.deadline
        assert queue.due(now - 0.1) == []
        assert queue.due(now) == [one]
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_an_event_is_given_up_after_six_hours() -> None:
    """An event whose next attempt would come after six hours is not kept."""
    queue = EventQueue()
    assert queue.put_off(event("a"), 6 * 3600 - 1)
    assert not queue.put_off(event("b"), 6 * 3600 - 0.5)
    assert len(queue) == 1


def test_the_oldest_attempt_comes_first() -> None:
    """What is due at once comes in the order of its attempts."""
    queue, first, second = EventQueue(), event("a"), event("b")
    queue.put_off(second, 1.0)
    queue.put_off(first, 0.5)
    assert queue.due(5.0) == [first, second]
    assert queue.deadline is None
