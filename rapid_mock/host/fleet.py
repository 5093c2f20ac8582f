"""The execution environments of one function: placement decides, drivers work, this joins them.

Each version that was deployed has a pool of its own; placement decides for all pools together.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from lambda_runtime import contract
from rapid_mock.errors import (
    InvalidParameterValue,
    ServiceError,
    SnapStartFailed,
    SnapStartTimeout,
    TooManyRequests,
)
from rapid_mock.host.clock import Cancellable, Clock
from rapid_mock.host.environments import FunctionDefinition
from rapid_mock.lifecycle.effects import Outcome, Refusal, Report
from rapid_mock.lifecycle.events import (
    Event,
    InitRequested,
    Invocation,
    InvokeArrived,
    ShutdownRequested,
)
from rapid_mock.lifecycle.state import Phase, Standing
from rapid_mock.service.concurrency import Share
from rapid_mock.service.placement import Placement
from rapid_mock.service.pools import (
    BUSY,
    IDLE,
    RETURNING,
    Assign,
    Decision,
    Launch,
    Pool,
    Prepare,
    Retire,
)
from rapid_mock.service.requests import ChunkTaker, InvokeAnswer, OnAnswer

_AVAILABILITY = {
    Standing.FREE: IDLE,
    Standing.BUSY: BUSY,
    Standing.RETURNING: RETURNING,
}
_REFUSALS: dict[Refusal, Callable[[], ServiceError]] = {
    Refusal.RESTORE_FAILED: SnapStartFailed,
    Refusal.RESTORE_TIMED_OUT: SnapStartTimeout,
}


class Driver(Protocol):
    """What a fleet needs of `EnvironmentDriver`."""

    @property
    def phase(self) -> Phase: ...

    def dispatch(self, event: Event) -> None: ...


class RunningEnvironment(Protocol):
    """One environment with its listener (`host.environments.open_environment` makes it)."""

    @property
    def driver(self) -> Driver: ...

    async def close(self) -> None: ...


OpenEnvironment = Callable[
    ["Fleet", FunctionDefinition, bool], Coroutine[Any, Any, RunningEnvironment]
]
"""Opens an environment for a definition; True makes it one of provisioned concurrency."""


@dataclass(slots=True)
class Pending:
    """An invocation whose caller has not had its answer, or whose REPORT is still to come."""

    invocation: Invocation
    pool: Pool
    on_answer: OnAnswer
    wait_for_report: bool
    on_report: Callable[[Report], None] | None = None
    open_stream: Callable[[str], ChunkTaker] | None = None
    outcome: Outcome | None = None
    environment: int = 0


@dataclass(slots=True)
class _Opening:
    """An environment that is being opened, and the invocations that have come for it meanwhile."""

    pool: Pool
    request_ids: list[str]
    is_provisioned: bool = False


class Fleet:
    """Takes invocations for one function and gives each to an environment of its version.

    `on_empty` hears of each retired pool whose last environment is gone.
    """

    def __init__(
        self,
        *,
        share: Share,
        clock: Clock,
        open_environment: OpenEnvironment,
        on_empty: Callable[[FunctionDefinition], None] = lambda _definition: None,
    ) -> None:
        self._clock = clock
        self._open_environment = open_environment
        self._on_empty = on_empty
        self._placement = Placement(share)
        self._definitions: dict[Pool, FunctionDefinition] = {}
        self._pending: dict[str, Pending] = {}
        self._environments: dict[int, RunningEnvironment] = {}
        self._pools: dict[int, Pool] = {}
        self._opening: dict[int, _Opening] = {}
        self._provisioning: dict[int, Pool] = {}
        self._numbers: dict[Driver, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: Cancellable | None = None
        self._progress = asyncio.Event()

    # --- Versions ---------------------------------------------------------------------------

    def deploy(self, definition: FunctionDefinition) -> Pool:
        """Make a definition invocable.

        Managed instances, and who attaches, are there before any invocation, and stay; a snapshot
        is taken before any.
        """
        room = definition.settings.max_concurrency
        is_lasting = room is not None or definition.on_attach is not None
        pool = Pool(
            definition.settings.version,
            limit=definition.concurrency,
            room=room or 1,
            is_lasting=is_lasting,
        )
        self._definitions[pool] = definition
        if is_lasting or definition.is_restored:
            self._carry_out(self._placement.prepare(pool))
        return pool

    def retire(self, pool: Pool) -> None:
        """Give a pool no more invocations; its environments end as soon as they are idle."""
        self._carry_out(self._placement.retire(pool))
        self._tidy(pool)

    def provision(self, pool: Pool, count: int) -> None:
        """Keep `count` environments initialised for this pool, and for nobody else."""
        pool.has_failed = False
        self._carry_out(self._placement.provision(pool, count))

    def definition(self, pool: Pool) -> FunctionDefinition:
        """What the environments of a pool run."""
        return self._definitions[pool]

    @property
    def code_places(self) -> set[str]:
        """Where the code of everything that runs, or may run, is kept."""
        definitions = self._definitions.values()
        return {place for definition in definitions for place in definition.code_places}

    def reap(self) -> None:
        """End the environments that nobody has used since the last time."""
        self._carry_out(self._placement.reap())

    # --- Invocations ------------------------------------------------------------------------

    def invoke(self, pending: Pending) -> None:
        """Place one invocation; its `on_answer` is called once, at once or later.

        A request id that an invocation here still goes by, until its REPORT, is refused.
        """
        request_id = pending.invocation.request_id
        if request_id in self._pending:
            pending.on_answer(InvalidParameterValue(f"Request id {request_id} is in use."))
            return
        self._pending[request_id] = pending
        now = self._clock.now().monotonic
        self._carry_out(self._placement.submit(request_id, pending.pool, now))

    async def shut_down(self, reason: str = contract.SHUTDOWN_SPINDOWN) -> None:
        """End every environment through its shutdown phase and wait until all are gone."""
        for pool in list(self._definitions):
            self.retire(pool)
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
        return pending.open_stream(pending.pool.version)

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
        if self._provisioning and number in self._provisioning:
            self._provisioned(number, driver.phase)
        availability = _AVAILABILITY.get(standing)
        if availability is not None:
            if number not in self._provisioning:
                decisions = self._placement.changed(number, availability)
                if decisions:
                    self._carry_out(decisions)
            return
        if standing is Standing.GONE:
            del self._numbers[driver]
            self._start(self._close(number, self._environments.pop(number)))
        self._carry_out(self._placement.gone(number))

    def _provisioned(self, number: int, phase: Phase) -> None:
        """Whether an environment of provisioned concurrency is ready, or its init has failed."""
        if phase is Phase.INIT:
            return
        pool = self._provisioning.pop(number)
        if phase is not Phase.IDLE:
            pool.has_failed = True
            self._environments[number].driver.dispatch(
                ShutdownRequested(contract.SHUTDOWN_SPINDOWN)
            )
            self._carry_out(self._placement.gone(number))

    # --- Placement --------------------------------------------------------------------------

    def _carry_out(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if isinstance(decision, Assign):
                self._assign(decision.request_id, decision.environment)
            elif isinstance(decision, Launch):
                self._open(decision.environment, _Opening(decision.pool, [decision.request_id]))
            elif isinstance(decision, Prepare):
                opening = _Opening(decision.pool, [], decision.is_provisioned)
                self._open(decision.environment, opening)
            elif isinstance(decision, Retire):
                self._retire(decision.environment)
            else:
                refusal = TooManyRequests("Rate Exceeded.", decision.reason)
                self._refuse(decision.request_id, refusal)
        deadline = self._placement.deadline
        if deadline is not None and self._timer is None:
            self._timer = self._clock.call_at(deadline, self._patience_ended)

    def _patience_ended(self) -> None:
        self._timer = None
        self._carry_out(self._placement.handle_timeout(self._clock.now().monotonic))

    def _assign(self, request_id: str, number: int) -> None:
        if number in self._opening:
            self._opening[number].request_ids.append(request_id)
            return
        pending = self._pending[request_id]
        pending.environment = number
        self._environments[number].driver.dispatch(InvokeArrived(pending.invocation))

    def _retire(self, number: int) -> None:
        self._provisioning.pop(number, None)
        if number in self._opening:
            del self._opening[number]
        else:
            driver = self._environments[number].driver
            driver.dispatch(ShutdownRequested(contract.SHUTDOWN_SPINDOWN))

    def _open(self, number: int, opening: _Opening) -> None:
        self._opening[number] = opening
        self._start(self._launch(number, opening))

    async def _launch(self, number: int, opening: _Opening) -> None:
        """Open an environment and give it the invocations that have come for it meanwhile."""
        definition = self._definitions[opening.pool]
        try:
            environment = await self._open_environment(self, definition, opening.is_provisioned)
        except (OSError, ServiceError) as failure:
            if self._opening.pop(number, None) is not None:
                for request_id in opening.request_ids:
                    self._refuse(request_id, ServiceError(str(failure)))
                opening.pool.has_failed |= opening.is_provisioned
                self._carry_out(self._placement.gone(number))
            self._tidy(opening.pool)
            return
        if self._opening.pop(number, None) is None:
            await environment.close()
            self._tidy(opening.pool)
            return
        self._environments[number] = environment
        self._pools[number] = opening.pool
        self._numbers[environment.driver] = number
        if opening.is_provisioned:
            self._provisioning[number] = opening.pool
        if not opening.request_ids:
            environment.driver.dispatch(InitRequested())
        for request_id in opening.request_ids:
            self._assign(request_id, number)

    async def _close(self, number: int, environment: RunningEnvironment) -> None:
        await environment.close()
        self._tidy(self._pools.pop(number))

    def _tidy(self, pool: Pool) -> None:
        """Forget a retired pool that nobody waits for and whose last environment is gone."""
        if not pool.is_retired or pool not in self._definitions:
            return
        in_use = any(one.pool is pool for one in self._opening.values()) or any(
            one.pool is pool for one in self._pending.values()
        )
        if not in_use and pool not in self._pools.values():
            self._on_empty(self._definitions.pop(pool))

    def _refuse(self, request_id: str, error: ServiceError) -> None:
        pending = self._pending.pop(request_id)
        pending.on_answer(error)
        self._tidy(pending.pool)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._progress.set()
        task.result()

    def _answer(
        self, pending: Pending, outcome: Outcome, log: bytes = b""
    ) -> InvokeAnswer | ServiceError:
        if outcome.refusal is not None:
            return _REFUSALS[outcome.refusal]()
        failed = outcome.status != contract.STATUS_SUCCESS
        return InvokeAnswer(
            request_id=pending.invocation.request_id,
            payload=_payload(outcome),
            executed_version=pending.pool.version,
            content_type=outcome.content_type,
            function_error=contract.FUNCTION_ERROR_UNHANDLED if failed else None,
            error_type=outcome.error_type,
            log=log,
        )


def _payload(outcome: Outcome) -> bytes:
    if isinstance(outcome.payload, bytes):
        return outcome.payload
    return json.dumps(outcome.error or {}, separators=(",", ":")).encode()
