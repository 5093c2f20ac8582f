"""Delivers the events of asynchronous invocations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lambda_runtime import contract
from rapid_mock.console import Console
from rapid_mock.errors import ServiceError, TooManyRequests
from rapid_mock.host.clock import Cancellable, Clock
from rapid_mock.service.async_invoke import EventQueue, QueuedEvent
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer

Invoke = Callable[[InvokeRequest, OnAnswer], None]


class EventDelivery:
    """Gives each event to `invoke` once, again only when there was no room for it."""

    def __init__(self, invoke: Invoke, clock: Clock, console: Console) -> None:
        self._invoke = invoke
        self._clock = clock
        self._console = console
        self._queue = EventQueue()
        self._timer: Cancellable | None = None

    def accept(self, request: InvokeRequest) -> None:
        """Deliver soon: the caller has its answer first. A client context is not passed on."""
        request.invocation_type = contract.INVOCATION_REQUEST_RESPONSE
        request.client_context = None
        request.wait_for_report = False
        now = self._clock.now().monotonic
        self._clock.call_at(now, partial(self._deliver, QueuedEvent(request, now)))

    def close(self) -> None:
        """Say what will not be delivered any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._queue:
            self._console.explain(f"{len(self._queue)} waiting events were not delivered")

    def _deliver(self, event: QueuedEvent) -> None:
        self._invoke(event.request, partial(self._answered, event))

    def _answered(self, event: QueuedEvent, answer: InvokeAnswer | ServiceError) -> None:
        if isinstance(answer, TooManyRequests):
            kept = self._queue.put_off(event, self._clock.now().monotonic)
            self._arm()
            if not kept:
                self._console.explain(f"event {event.request.request_id} is too old: dropped")
        elif isinstance(answer, ServiceError):
            self._console.explain(f"event {event.request.request_id} was dropped: {answer}")

    def _arm(self) -> None:
        deadline = self._queue.deadline
        if deadline is not None and self._timer is None:
            self._timer = self._clock.call_at(deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        for event in self._queue.due(self._clock.now().monotonic):
            self._deliver(event)
        self._arm()
