"""ExecutionEnvironment: the Runtime and Extensions APIs, and no process: the test plays them all.

    with ExecutionEnvironment() as env:
        shipper = env.extension("shipper")           # before the init: an external extension
        env.init()
        shipper.register("INVOKE", "SHUTDOWN")
        waiting, poll = shipper.next(), env.runtime.next()
        invocation = env.invoke({"name": "Ada"})
        env.runtime.respond(poll.event.request_id, b'"hello"')
        env.advance(3.0)                             # nobody polls: a timeout that takes no time
        assert invocation.result().function_error == "Unhandled"

The calls go over real connections to `env.runtime_api`, and so may those of the client, runtime or
extension under test. Time stands still until `advance`.
"""

from __future__ import annotations

import asyncio
import io
import json
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from lambda_runtime import contract
from rapid_mock.console import Console, LogConfig
from rapid_mock.errors import SetupError
from rapid_mock.functions import LOG_FORMATS
from rapid_mock.host.clock import ManualClock
from rapid_mock.host.environments import add_apis
from rapid_mock.host.played import PlayedDriver
from rapid_mock.host.watchdog import Watchdog
from rapid_mock.http.router import Router
from rapid_mock.http.server import HttpServer
from rapid_mock.lifecycle.effects import Outcome, Report
from rapid_mock.lifecycle.events import (
    Event,
    InitRequested,
    Invocation,
    InvokeArrived,
    RestoreRequested,
    ShutdownRequested,
)
from rapid_mock.lifecycle.modes import CLASSIC, SNAP_START, Mode, managed_instances
from rapid_mock.lifecycle.state import Phase, Settings, Standing
from rapid_mock.played_processes import PlayedExtension, PlayedRuntime
from rapid_mock.results import InvocationResult
from rapid_mock.trace import Trace
from rapid_mock.tracing import new_trace_header
from rapid_mock.wire import ANSWER_SECONDS, ApiAnswer, ApiCall, call

_T = TypeVar("_T")


class PlayedInvocation:
    """An invocation of an ExecutionEnvironment; `request_id` is what the runtime is told."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.outcome: Outcome | None = None
        self._over = threading.Event()
        self._report: tuple[Report, bytes] | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the invoker has its answer; the REPORT may still be missing."""
        return self.outcome is not None

    def result(self) -> InvocationResult:
        """Wait for the REPORT. Raises TimeoutError after 10 real seconds: advance the clock?"""
        if not self._over.wait(ANSWER_SECONDS):
            raise TimeoutError(f"invocation {self.request_id} is not over; does env.advance lack?")
        assert self.outcome is not None  # noqa: S101  an invocation is answered before its REPORT
        assert self._report is not None  # noqa: S101  set before `_over` is
        return _result(self.request_id, self.outcome, *self._report)

    def finish(self, report: Report, log: bytes) -> None:
        self._report = report, log
        self._over.set()


class ExecutionEnvironment:
    """One environment whose processes are played over its APIs.

    `timeout` in seconds, `memory` in MB; `log_format` is `text` or `json`; `max_concurrency` makes
    it one of Lambda Managed Instances, `snapstart` one whose init ends at a snapshot. Settings and
    external extensions are fixed at the first `init` or `invoke`. Raises SetupError for both of
    these, and for another log format.
    """

    def __init__(
        self,
        *,
        timeout: float = contract.DEFAULT_TIMEOUT_SECONDS,
        memory: int = contract.DEFAULT_MEMORY_MB,
        function_name: str = "function",
        handler: str = "app.handler",
        log_format: str = "text",
        max_concurrency: int | None = None,
        snapstart: bool = False,
    ) -> None:
        if snapstart and max_concurrency is not None:
            raise SetupError("managed instances are not restored from snapshots")
        self._settings = Settings(
            function_name,
            handler,
            timeout=timeout,
            memory_mb=memory,
            mode=_mode(max_concurrency, snapstart=snapstart),
        )
        if log_format not in LOG_FORMATS:
            raise SetupError(f"the log format is text or json, not {log_format}")
        self._log = LogConfig(LOG_FORMATS[log_format])
        self._externals: list[str] = []
        self._sent: list[ApiCall] = []  # a call that nobody holds goes on, too
        self._clock = ManualClock()
        self._trace = Trace()
        self._output = io.BytesIO()
        self._invocations: dict[str, PlayedInvocation] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="played environment")
        self._driver: PlayedDriver | None = None
        self._server: HttpServer | None = None
        self.runtime = PlayedRuntime(self)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._await(self._close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            for sent in self._sent:
                sent.vanish()

    # --- What the test does -----------------------------------------------------------------

    def extension(self, name: str) -> PlayedExtension:
        """An extension: external when named before the init begins, else internal."""
        if self._driver is None and name not in self._externals:
            self._externals.append(name)
        return PlayedExtension(self, name)

    def init(self) -> None:
        """Begin the init phase: external extensions are started, then the runtime."""
        self._tell(InitRequested())

    def restore(self) -> None:
        """Restore from the snapshot; an invocation does so, too."""
        self._tell(RestoreRequested())

    def invoke(
        self,
        event: object = None,
        *,
        request_id: str | None = None,
        tenant_id: str | None = None,
        client_context: str | None = None,
        trace_id: str | None = None,
    ) -> PlayedInvocation:
        """Begin an invocation; `event` is any JSON value, or bytes sent as they are."""
        payload = event if isinstance(event, bytes) else json.dumps(event or {}).encode()
        invocation = PlayedInvocation(request_id or str(uuid.uuid4()))
        self._invocations[invocation.request_id] = invocation
        place = f"arn:aws:lambda:{contract.DEFAULT_REGION}:{self._settings.account_id}"
        arrived = Invocation(
            invocation.request_id,
            f"{place}:function:{self._settings.function_name}",
            payload,
            trace_id=trace_id or new_trace_header(),
            client_context=client_context,
            tenant_id=tenant_id,
        )
        self._tell(InvokeArrived(arrived))
        return invocation

    def advance(self, seconds: float) -> None:
        """Let time pass: what falls due on the way happens, in order."""
        self._do(lambda: self._clock.advance(seconds))

    def shut_down(self, reason: str = contract.SHUTDOWN_SPINDOWN) -> None:
        """Begin the shutdown phase; its budgets are time for `advance`."""
        self._tell(ShutdownRequested(reason))

    # --- What it sees -----------------------------------------------------------------------

    @property
    def runtime_api(self) -> str:
        """`host:port`, the value of AWS_LAMBDA_RUNTIME_API; for clients of the test's own."""
        self._driven()
        if self._server is None:
            raise SetupError("the execution environment is not running: use a with statement")
        return "{}:{}".format(*self._server.address)

    @property
    def phase(self) -> str:
        """`cold`, `init`, `idle`, `invoke`, `stopping` or `gone`; `snapshot` and `restore` too."""
        return self._driven().phase.value

    @property
    def processes(self) -> list[str]:
        """The names of the processes that run; the runtime's is `runtime`."""
        return list(self._driven().playing)

    @property
    def signals(self) -> list[tuple[str, str]]:
        """What was sent to whom, oldest first: `("runtime", "SIGTERM")`."""
        return self._driven().signals

    @property
    def log(self) -> str:
        """Platform lines, what the processes printed, and sentences of failures."""
        return self._output.getvalue().decode("utf-8", "replace")

    @property
    def trace(self) -> list[str]:
        """Every event and what followed from it, a line each."""
        return self._trace.lines

    # --- What the played processes do -------------------------------------------------------

    def exit(self, name: str, code: int | None, signal_name: str | None) -> None:
        """End a process by name. Raises SetupError when it does not run."""
        self._require(name)
        self._do(lambda: self._driven().exit(name, code, signal_name))

    def print(self, name: str, text: str) -> None:
        """Let a process print. Raises SetupError when it does not run."""
        self._require(name)
        self._do(lambda: self._driven().print(name, text.encode()))

    def ignore_sigterm(self, name: str) -> None:
        """Let a process outlive SIGTERM."""
        self._driven().ignores_sigterm.add(name)

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> ApiCall:
        """Send a request to the environment, and let it be dealt with; it may be parked then."""
        driver = self._driven()
        before = self._do(lambda: driver.handled)  # on the loop: the call before is over there
        until = time.monotonic() + ANSWER_SECONDS
        sent = call(self.runtime_api, method, path, headers, body)
        self._sent.append(sent)
        while driver.handled == before and sent.is_parked:
            if time.monotonic() > until:
                raise TimeoutError(f"{method} {path} was not dealt with")
            self._do(lambda: None)
        return sent

    def ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> ApiAnswer:
        """Send a request that is answered at once; returns when all that follows has happened."""
        sent = self.send(method, path, headers, body)
        try:
            return sent.answer()
        finally:
            self._do(lambda: None)  # the answer is the first thing that follows

    # --- The driver's observer --------------------------------------------------------------

    def taker(self, _request_id: str) -> None:
        """Nobody takes streams as they come: they are collected."""

    def answered(self, request_id: str, outcome: Outcome) -> None:
        self._invocations[request_id].outcome = outcome

    def finished(self, request_id: str, report: Report, log: bytes) -> None:
        self._invocations.pop(request_id).finish(report, log)

    def moved(self, driver: object, standing: Standing) -> None:
        """Nobody waits for a free environment."""

    # --- Inside -----------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        driver = self._driven()
        self._do(lambda: driver.dispatch(event))

    def _require(self, name: str) -> None:
        if name not in self._driven().playing:
            raise SetupError(f"process {name!r} does not run: env.init() starts it")

    def _driven(self) -> PlayedDriver:
        if self._driver is None:
            self._await(self._open())
        assert self._driver is not None  # noqa: S101  just opened
        return self._driver

    async def _open(self) -> None:
        settings = replace(self._settings, extensions=tuple(self._externals))
        self._driver = PlayedDriver(
            settings,
            launch=lambda _spawn: None,
            clock=self._clock,
            console=Console(self._output),
            observer=self,
            watchdog=Watchdog(),
            log=self._log,
            trace=self._trace,
        )
        router = Router()
        add_apis(router, self._driver, settings.mode, token=str(uuid.uuid4()))
        self._server = HttpServer(router)
        await self._server.start()

    async def _close(self) -> None:
        if self._driver is not None and self._server is not None:
            if self._driver.phase is not Phase.GONE:
                self._driver.dispatch(ShutdownRequested(contract.SHUTDOWN_SPINDOWN))
            await self._driver.close()
            await self._server.close()

    def _do(self, action: Callable[[], _T]) -> _T:
        async def act() -> _T:
            return action()

        return self._await(act())

    def _await(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _mode(max_concurrency: int | None, *, snapstart: bool) -> Mode:
    if snapstart:
        return SNAP_START
    return CLASSIC if max_concurrency is None else managed_instances(max_concurrency)


def _result(request_id: str, outcome: Outcome, report: Report, log: bytes) -> InvocationResult:
    raw = outcome.payload
    if not isinstance(raw, bytes):
        raw = json.dumps(outcome.error or {}, separators=(",", ":")).encode()
    is_error = outcome.status != contract.STATUS_SUCCESS
    return InvocationResult.of(
        raw,
        function_error=contract.FUNCTION_ERROR_UNHANDLED if is_error else None,
        log=log,
        report=report,
        executed_version="$LATEST",
        request_id=request_id,
    )
