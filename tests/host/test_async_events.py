"""Asynchronous events on a clock moved by hand: attempts, waits, and where each event ends."""

from __future__ import annotations

import io
from typing import Any

from rapid_mock.console import Console
from rapid_mock.errors import TooManyRequests
from rapid_mock.host.async_events import EventDelivery, Handling
from rapid_mock.host.clock import ManualClock
from rapid_mock.service.event_invoke import EventInvokeConfig
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer

ARN = "arn:aws:lambda:us-east-1:123456789012:function:worker:$LATEST"
CONFIG = EventInvokeConfig(ARN, 0.0, on_success="file:///good", on_failure="file:///bad")


class Delivering:
    """Deliveries to a function that is throttled, or fails, as often as it is told."""

    def __init__(self, *, throttled: int = 0, failing: int = 0) -> None:
        self.clock = ManualClock(monotonic=0.0)
        self.attempts: list[tuple[float, str]] = []
        self.sent: list[tuple[float, str, Any]] = []
        self._throttled, self._failing = throttled, failing
        self.delivery = EventDelivery(
            self.invoke,
            lambda _request: Handling(CONFIG, ARN, None, has_no_room=False),
            lambda where, record: self.sent.append((self.time, where, record)),
            self.clock,
            Console(io.BytesIO()),
        )

    @property
    def time(self) -> float:
        return self.clock.now().monotonic

    def invoke(self, request: InvokeRequest, on_answer: OnAnswer) -> None:
        self.attempts.append((self.time, request.request_id))
        count = len(self.attempts)
        if count <= self._throttled:
            on_answer(
                TooManyRequests(
                    "Rate Exceeded.", "ReservedFunctionConcurrentInvocationLimitExceeded"
                )
            )
            return
        fails = count <= self._throttled + self._failing
        error = "Unhandled" if fails else None
        on_answer(InvokeAnswer("other", b'{"n": 1}', "$LATEST", function_error=error))


def test_a_failure_reaches_its_destination_after_both_retries() -> None:
    """A minute and two minutes later, under one id; the record leaves with the last attempt."""
    world = Delivering(failing=3)
    world.delivery.accept(InvokeRequest("id", "worker", b'{"x": 1}'))
    world.clock.advance(179.9)
    assert (world.attempts, world.sent) == ([(0.0, "id"), (60.0, "id")], [])
    world.clock.advance(86_400)
    assert world.attempts[2:] == [(180.0, "id")]
    ((when, where, record),) = world.sent
    assert (when, where) == (180.0, "file:///bad")
    assert record["requestContext"] == {
        "requestId": "id",
        "functionArn": ARN,
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }


def test_a_throttled_event_is_put_off_without_an_attempt() -> None:
    """After 1, 2 and 4 seconds; it may still fail twice and succeed, which it does once."""
    world = Delivering(throttled=3, failing=2)
    world.delivery.accept(InvokeRequest("id", "worker", b"{}"))
    world.clock.advance(86_400)
    assert [when for when, _ in world.attempts] == [0.0, 1.0, 3.0, 7.0, 67.0, 187.0]
    ((when, where, record),) = world.sent
    assert (when, where) == (187.0, "file:///good")
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["approximateInvokeCount"] == 3
