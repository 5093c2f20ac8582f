"""The execution environments of one function: placement decides, drivers work, this joins them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from lambda_runtime import contract
from rapid_mock.errors import InvalidParameterValue, ServiceError, TooManyRequests
from rapid_mock.host.clock import Cancellable, Clock
from rapid_mock.lifecycle.effects import Outcome, Report
from rapid_mock.lifecycle.events import (
    Event,
    InitRequested,
    Invocation,
    InvokeArrived,
    ShutdownRequested,
)
from rapid_mock.lifecycle.state import Standing
from rapid_mock.service.placement import (
    BUSY,
    IDLE,
    RETURNING,
    Assign,
    Decision,
    Launch,
    Placement,
    Prepare,
    Throttle,
)
from rapid_mock.service.requests import ChunkTaker, InvokeAnswer, OnAnswer

_AVAILABILITY = {
    Standing.FREE: IDLE,
    Standing.BUSY: BUSY,
    Standing.RETURNING: RETURNING,
}


class Driver(Protocol):
    """What a fleet needs of `EnvironmentDriver`."""

    def dispatch(self, event: Event) -> None: ...


class RunningEnvironment(Protocol):
    """One environment with its listener (`host.environments.open_environment` makes it)."""

    @property
    def driver(self) -> Driver: ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class Pending:
    """An invocation whose caller has not had its answer, or whose REPORT is still to come."""

    invocation: Invocation
    on_answer: OnAnswer
    wait_for_report: bool
    on_report: Callable[[Report], None] | None = None
    open_stream: Callable[[str], ChunkTaker] | None = None
    outcome: Outcome | None = None
    environment: int = 0


class Fleet:
    """Takes invocations for one function version and gives each to an environment."""

    def __init__(
        self,
        *,
        version: str,
        limit: int,
        clock: Clock,
        open_environment: Callable[[Fleet], Coroutine[Any, Any, RunningEnvironment]],
        room: int = 1,
    ) -> None:
        self._version = version
        self._clock = clock
        self._open_environment = open_environment
        self._placement = Placement(limit, room=room)
        self._pending: dict[str, Pending] = {}
        self._environments: dict[int, RunningEnvironment] = {}
        self._opening: dict[int, list[str]] = {}
        self._numbers: dict[Driver, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: Cancellable | None = None
        self._progress = asyncio.Event()

    def invoke(self, pending: Pending) -> None:
        """Place one invocation; its `on_answer` is called once, at once or later.

        A request id that an invocation here still goes by, until its REPORT, is refused.
        """
        request_id = pending.invocation.request_id
        if request_id in self._pending:
            pending.on_answer(InvalidParameterValue(f"Request id {request_id} is in use."))
            return
        self._pending[request_id] = pending
        self._carry_out(self._placement.submit(request_id, self._clock.now().monotonic))

    def prepare(self) -> None:
        """Start an environment ahead of any invocation."""
        self._carry_out(self._placement.prepare())

    async def shut_down(self, reason: str = contract.SHUTDOWN_SPINDOWN) -> None:
        """End every environment through its shutdown phase and wait until all are gone."""
        while self._environments or self._tasks:
            self._progress.clear()
            for environment in list(self._environments.values()):
                environment.driver.dispatch(ShutdownRequested(reason))
            await self._progress.wait()
        if self._timer is not None:
            self._timer.cancel()

    async def kill(self) -> None:
        """End every environment at once, without a shutdown phase."""
        for environment in list(self._environments.values()):
            await environment.close()

    # --- Observer of the drivers ------------------------------------------------------------

    def taker(self, request_id: str) -> ChunkTaker | None:
        pending = self._pending.get(request_id)
        if pending is None or pending.open_stream is None or pending.outcome is not None:
            return None
        return pending.open_stream(self._version)

    def answered(self, request_id: str, outcome: Outcome) -> None:
        pending = self._pending[request_id]
        pending.outcome = outcome
        if not pending.wait_for_report:
            pending.on_answer(self._answer(pending, outcome))

    def finished(self, request_id: str, report: Report, log: bytes) -> None:
        pending = self._pending.pop(request_id)
        self._placement.finished(pending.environment)
        if pending.on_report is not None:
            pending.on_report(report)
        if pending.wait_for_report and pending.outcome is not None:
            pending.on_answer(self._answer(pending, pending.outcome, log))

    def moved(self, driver: Driver, standing: Standing) -> None:
        number = self._numbers.get(driver)
        if number is None:
            return
        availability = _AVAILABILITY.get(standing)
        if availability is not None:
            decisions = self._placement.changed(number, availability)
            if decisions:
                self._carry_out(decisions)
            return
        if standing is Standing.GONE:
            del self._numbers[driver]
            self._start(self._environments.pop(number).close())
        self._carry_out(self._placement.gone(number))

    # --- Placement --------------------------------------------------------------------------

    def _carry_out(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Throttle):
                self._refuse(decision.request_id, _throttled())
            elif isinstance(decision, Launch):
                self._opening[decision.environment] = [decision.request_id]
                self._start(self._launch(decision.environment))
            elif isinstance(decision, Prepare):
                self._opening[decision.environment] = []
                self._start(self._launch(decision.environment))
            else:
                self._assign(decision)
        deadline = self._placement.deadline
        if deadline is not None and self._timer is None:
            self._timer = self._clock.call_at(deadline, self._patience_ended)

    def _patience_ended(self) -> None:
        self._timer = None
        self._carry_out(self._placement.handle_timeout(self._clock.now().monotonic))

    def _assign(self, decision: Assign) -> None:
        number = decision.environment
        if number in self._opening:
            self._opening[number].append(decision.request_id)
            return
        pending = self._pending[decision.request_id]
        pending.environment = number
        self._environments[number].driver.dispatch(InvokeArrived(pending.invocation))

    async def _launch(self, number: int) -> None:
        """Open an environment and give it the invocations that have come for it meanwhile."""
        try:
            environment = await self._open_environment(self)
        except (OSError, ServiceError) as failure:
            for request_id in self._opening.pop(number):
                self._refuse(request_id, ServiceError(str(failure)))
            self._carry_out(self._placement.gone(number))
            return
        self._environments[number] = environment
        self._numbers[environment.driver] = number
        awaited = self._opening.pop(number)
        if not awaited:
            environment.driver.dispatch(InitRequested())
        for request_id in awaited:
            self._assign(Assign(request_id, number))

    def _refuse(self, request_id: str, error: ServiceError) -> None:
        self._pending.pop(request_id).on_answer(error)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._progress.set()
        task.result()

    def _answer(self, pending: Pending, outcome: Outcome, log: bytes = b"") -> InvokeAnswer:
        failed = outcome.status != contract.STATUS_SUCCESS
        return InvokeAnswer(
            request_id=pending.invocation.request_id,
            payload=_payload(outcome),
            executed_version=self._version,
            content_type=outcome.content_type,
            function_error=contract.FUNCTION_ERROR_UNHANDLED if failed else None,
            error_type=outcome.error_type,
            log=log,
        )


def _payload(outcome: Outcome) -> bytes:
    if isinstance(outcome.payload, bytes):
        return outcome.payload
    return json.dumps(outcome.error or {}, separators=(",", ":")).encode()


def _throttled() -> TooManyRequests:
    return TooManyRequests("Rate Exceeded.", "ConcurrentInvocationLimitExceeded")
