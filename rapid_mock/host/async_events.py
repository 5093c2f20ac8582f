"""Delivers the events of asynchronous invocations, again if need be, and tells how they ended."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from lambda_runtime import contract
from rapid_mock.console import Console
from rapid_mock.errors import ResourceNotFound, ServiceError
from rapid_mock.host.clock import Cancellable, Clock
from rapid_mock.service.async_invoke import (
    RETRIES_EXHAUSTED,
    SUCCESS,
    ZERO_RESERVED,
    EventQueue,
    QueuedEvent,
)
from rapid_mock.service.event_invoke import MAX_AGE_SECONDS, MAX_RETRIES, EventInvokeConfig
from rapid_mock.service.invocation_record import invocation_record
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer

Invoke = Callable[[InvokeRequest, OnAnswer], None]


class Handling(NamedTuple):
    """How the events of a function are handled: of a qualifier, with its ARN.

    `dead_letters` is where the events themselves go that were given up; `has_no_room` says that the
    function's reserved concurrency is zero.
    """

    config: EventInvokeConfig | None
    function_arn: str
    dead_letters: str | None
    has_no_room: bool


class EventDelivery:
    """Gives each event to `invoke` until it succeeds or is given up.

    `handling` says how, by request, and raises ServiceError for a function that is not there;
    `send(destination, record)` tells a destination.
    """

    def __init__(
        self,
        invoke: Invoke,
        handling: Callable[[InvokeRequest], Handling],
        send: Callable[[str, Any], None],
        clock: Clock,
        console: Console,
    ) -> None:
        self._invoke = invoke
        self._handling = handling
        self._send = send
        self._clock = clock
        self._console = console
        self._queue = EventQueue()
        self._timer: Cancellable | None = None
        self._timer_due = 0.0

    def accept(self, request: InvokeRequest) -> None:
        """Deliver soon: the caller has its answer first. A client context is not passed on."""
        config = self._handling(request).config
        request.invocation_type = contract.INVOCATION_REQUEST_RESPONSE
        request.client_context = None
        request.wait_for_report = False
        now = self._clock.now().monotonic
        event = QueuedEvent(request, now, MAX_RETRIES, MAX_AGE_SECONDS)
        if config is not None:
            event.retries = MAX_RETRIES if config.retries is None else config.retries
            event.max_age = MAX_AGE_SECONDS if config.max_age is None else config.max_age
        self._clock.call_at(now, partial(self._deliver, event))

    def close(self) -> None:
        """Say what will not be delivered any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._queue:
            self._console.explain(f"{len(self._queue)} waiting events were not delivered")

    def _deliver(self, event: QueuedEvent) -> None:
        self._invoke(event.request, partial(self._answered, event))

    def _answered(self, event: QueuedEvent, answer: InvokeAnswer | ServiceError) -> None:
        now = self._clock.now().monotonic
        if isinstance(answer, ResourceNotFound):
            self._console.explain(f"event {event.request.request_id} was dropped: {answer}")
        elif isinstance(answer, ServiceError):
            self._refused(event, now)
        elif answer.function_error is None:
            event.attempts += 1
            self._end(event, SUCCESS, answer)
        else:
            condition = self._queue.failed(event, now)
            if condition is not None:
                self._end(event, condition, answer)
        self._arm()

    def _refused(self, event: QueuedEvent, now: float) -> None:
        """Throttled, or an update is under way: that is no attempt."""
        if self._handling(event.request).has_no_room:
            self._end(event, ZERO_RESERVED, None)
            return
        condition = self._queue.put_off(event, now)
        if condition is not None:
            self._end(event, condition, None)

    def _end(self, event: QueuedEvent, condition: str, answer: InvokeAnswer | None) -> None:
        """Tell the destination for this end, and keep the event itself as a dead letter."""
        try:
            config, arn, dead_letters, _ = self._handling(event.request)
        except ServiceError as gone:
            self._console.explain(f"event {event.request.request_id} was dropped: {gone}")
            return
        is_success = condition == SUCCESS
        if config is not None:
            destination = config.on_success if is_success else config.on_failure
            if destination is not None:
                wall = self._clock.now().wall
                self._send(destination, invocation_record(event, condition, answer, arn, wall))
        if not is_success:
            self._console.explain(
                f"event {event.request.request_id} of {arn.split(':')[6]} was given up after "
                f"{event.attempts} attempts: {condition}"
            )
            if dead_letters is not None:
                self._send(dead_letters, _dead_letter(event, condition, answer))

    def _arm(self) -> None:
        deadline = self._queue.deadline
        if deadline is None or (self._timer is not None and self._timer_due <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = deadline
        self._timer = self._clock.call_at(deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        for event in self._queue.due(self._clock.now().monotonic):
            self._deliver(event)
        self._arm()


def _dead_letter(event: QueuedEvent, condition: str, answer: InvokeAnswer | None) -> Any:
    """The event unchanged, with the attributes that its message has on AWS."""
    message = condition
    if answer is not None and condition == RETRIES_EXHAUSTED:
        message = answer.payload.decode("utf-8", "replace")
    attributes = {
        "RequestID": event.request.request_id,
        "ErrorCode": "200" if answer is not None else "429",
        "ErrorMessage": message[:1024],
    }
    return {"body": json.loads(event.request.payload), "messageAttributes": attributes}
