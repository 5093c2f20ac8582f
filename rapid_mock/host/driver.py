"""The only place where events meet effects: drives one execution environment.

What happened (a call, an exit, a deadline) goes into `Environment.handle`; the orders that come
back are carried out here, in order and without waiting. One driver per environment, single
threaded, no await.
"""

from __future__ import annotations

import contextlib
import signal
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from lambda_runtime import contract
from rapid_mock.console import Console, LogConfig
from rapid_mock.host.clock import Cancellable, Clock
from rapid_mock.host.hints import hint
from rapid_mock.host.launch import Launch
from rapid_mock.host.memory import peak_memory_mb
from rapid_mock.host.memory_limit import MemoryWatch
from rapid_mock.host.supervisor import ExitStatus, SpawnFailed, Supervisor
from rapid_mock.host.telemetry import TelemetryFeed
from rapid_mock.host.watchdog import Watchdog
from rapid_mock.lifecycle import effects as order
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle.effects import Effect, Message, Outcome, Report
from rapid_mock.lifecycle.environment import Environment
from rapid_mock.lifecycle.events import Event
from rapid_mock.lifecycle.state import Phase, Settings, Standing
from rapid_mock.lifecycle.subscriber import Loss
from rapid_mock.service.requests import ChunkTaker
from rapid_mock.trace import Trace

_SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGKILL": signal.SIGKILL}
OUTPUT_CATEGORIES = {
    order.ProcessKind.RUNTIME: contract.TELEMETRY_FUNCTION,
    order.ProcessKind.EXTENSION: contract.TELEMETRY_EXTENSION,
}
_NEWLINE = ord("\n")
DEFAULT_LOG = LogConfig()
MEMORY_SAMPLE_SECONDS = 0.01
_MEMORY_IS_SEEN = frozenset(
    {happened.RuntimeNext, happened.RuntimeInitFailed, happened.MemoryExceeded, type(None)}
)
"""When an invocation or an init ends, or is about to be ended, by its deadline (None) or by us."""
LOG_LIMIT_BYTES = 4 * 1024 * 1024
"""How much of one invocation's log is kept for its caller; the oldest bytes go first."""


class Observer(Protocol):
    """Who is told about the work of an environment (the fleet it belongs to)."""

    def taker(self, request_id: str) -> ChunkTaker | None: ...

    def answered(self, request_id: str, outcome: Outcome) -> None: ...

    def finished(self, request_id: str, report: Report, log: bytes) -> None: ...

    def moved(self, driver: EnvironmentDriver, standing: Standing) -> None: ...


class EnvironmentDriver:
    """One execution environment at work; implements `host.dispatch.Dispatch` for the HTTP layer."""

    def __init__(
        self,
        settings: Settings,
        *,
        launch: Callable[[order.Spawn], Launch],
        clock: Clock,
        console: Console,
        observer: Observer,
        watchdog: Watchdog,
        log: LogConfig = DEFAULT_LOG,
        trace: Trace | None = None,
    ) -> None:
        self._environment = Environment(settings)
        self._trace = trace
        self._launch = launch
        self._clock = clock
        self._console = console
        self._observer = observer
        self._render = log.render
        self._supervisor = Supervisor(
            on_output=self._output,
            on_message=self._message,
            on_exit=self._exited,
            watchdog=watchdog,
        )
        self._telemetry = TelemetryFeed(
            clock, log, on_flushed=self._telemetry_flushed, on_lost=self._telemetry_lost
        )
        self._told_losses: set[tuple[str, str]] = set()
        self._categories: dict[int, str] = {}  # of output, by process
        self._memory_watch = MemoryWatch(
            settings.memory_mb,
            processes=self._supervisor.processes,
            is_working=lambda: self._environment.deadline is not None,
            on_outgrown=lambda process: self.dispatch(happened.MemoryExceeded(process)),
        )
        self._responders: dict[int, Callable[[Message], None]] = {}
        self._exchanges = 0
        self._todo: deque[Event | None] = deque()
        self._timer: Cancellable | None = None
        self._timer_due = 0.0
        self._sampled = float("-inf")
        self._log = bytearray()
        self._log_starts: dict[object, int] = {}  # of the invocations at work, by request id
        self._unprinted = b""
        self._now = clock.now()
        self._perform: dict[type, Callable[[Any], None]] = {
            order.Reply: self._reply,
            order.Emit: self._emit,
            order.Answer: self._answer,
            order.Drain: self._drain,
            order.Finish: self._finish,
            order.Spawn: self._spawn,
            order.Signal: self._signal,
            order.Explain: self._explain,
            order.Subscribe: self._subscribe,
            order.FlushTelemetry: self._flush_telemetry,
            order.BeginTelemetry: self._begin_telemetry,
            order.EndTelemetry: self._end_telemetry,
        }

    # --- What the HTTP layer and the service call -------------------------------------------

    def open_exchange(self, responder: Callable[[Message], None]) -> int:
        """A number for one API call; `responder` gets its one answer."""
        self._exchanges += 1
        self._responders[self._exchanges] = responder
        return self._exchanges

    def taker(self, request_id: str) -> ChunkTaker | None:
        return self._observer.taker(request_id)

    def is_open(self, exchange: int) -> bool:
        return exchange in self._responders

    def vanished(self, exchange: int) -> None:
        """The client of an unanswered exchange has gone."""
        if self._responders.pop(exchange, None) is not None:
            self.dispatch(happened.ExchangeVanished(exchange))

    def dispatch(self, event: Event | None) -> None:
        """Tell one event, or None when a deadline has passed, and carry out what follows.

        What the effects themselves cause waits until all of them have been carried out.
        """
        todo = self._todo
        todo.append(event)
        if len(todo) == 1:
            self._run()

    @property
    def phase(self) -> Phase:
        return self._environment.phase

    async def close(self) -> None:
        """Kill whatever is left and give back every descriptor."""
        if self._timer is not None:
            self._timer.cancel()
        self._memory_watch.close()
        await self._supervisor.close()
        await self._telemetry.close()

    # --- Time -------------------------------------------------------------------------------

    def _arm(self, deadline: float) -> None:
        """One timer, moved only when the deadline moved forward: a warm invoke touches none."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = deadline
        self._timer = self._clock.call_at(deadline, self._timeout)

    def _timeout(self) -> None:
        self._timer = None
        self.dispatch(None)

    # --- Effects ----------------------------------------------------------------------------

    def _run(self) -> None:
        environment, todo = self._environment, self._todo
        try:
            while todo:
                self._step(todo[0])
                todo.popleft()
        except BaseException:
            todo.clear()
            raise
        finally:
            if self._unprinted:
                self._print()
        self._observer.moved(self, environment.standing)
        deadline = environment.deadline
        if deadline is not None:
            self._memory_watch.wake()
            if self._timer is None or deadline < self._timer_due:
                self._arm(deadline)

    def _step(self, event: Event | None) -> None:
        self._now = now = self._clock.now()
        if type(event) in _MEMORY_IS_SEEN:
            self._sample_memory()
        if event is None:
            effects = self._environment.handle_timeout(now)
        else:
            effects = self._environment.handle(event, now)
        if self._trace is not None:
            self._trace.add(now, event, effects)
        self._carry_out(effects)

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._perform[type(effect)](effect)

    def _reply(self, effect: order.Reply) -> None:
        responder = self._responders.pop(effect.exchange, None)
        if responder is not None:
            responder(effect.message)

    def _answer(self, effect: order.Answer) -> None:
        self._observer.answered(effect.request_id, effect.outcome)

    def _finish(self, effect: order.Finish) -> None:
        start = self._log_starts.pop(effect.request_id)
        self._observer.finished(effect.request_id, effect.report, bytes(self._log[start:]))

    def _emit(self, effect: order.Emit) -> None:
        """Print a record; an invocation's log begins at its START, whoever prints meanwhile."""
        if effect.type == contract.PLATFORM_START:
            if not self._log_starts:
                self._log.clear()
                self._supervisor.forget_output()
            self._log_starts[effect.record["requestId"]] = len(self._log)
        if self._telemetry.is_wanted:
            self._telemetry.platform(effect.type, effect.record, self._now)
        self._write_record(effect)

    def _write_record(self, record: order.Emit) -> None:
        text = self._render(record, self._now.wall)
        if text is not None:
            line = text.encode("utf-8", "backslashreplace")
            self._write(b"\n" + line if self._log and self._log[-1] != _NEWLINE else line)

    def _drain(self, _effect: order.Drain) -> None:
        self._supervisor.drain()
        if self._telemetry.is_wanted and len(self._log_starts) <= 1:  # a line of another goes on
            self._telemetry.end_lines(self._now, contract.TELEMETRY_FUNCTION)

    def _subscribe(self, effect: order.Subscribe) -> None:
        self._telemetry.subscribe(effect.name, effect.subscription, self._now, effect.connection)

    def _begin_telemetry(self, _effect: order.BeginTelemetry) -> None:
        self._telemetry.begin()

    def _flush_telemetry(self, _effect: order.FlushTelemetry) -> None:
        self._telemetry.flush(self._now)

    def _end_telemetry(self, _effect: order.EndTelemetry) -> None:
        self._telemetry.end()

    def _telemetry_lost(self, loss: Loss) -> None:
        """As AWS logs it; a sentence for each new reason, as the extension may never hear of it."""
        self._now = self._clock.now()
        self._write_record(order.Emit(contract.PLATFORM_LOGS_DROPPED, loss.members))
        if (loss.name, loss.reason) not in self._told_losses:
            self._told_losses.add((loss.name, loss.reason))
            so_far = f"{loss.records} so far"
            sentence = f'extension "{loss.name}" loses telemetry records ({so_far}): {loss.reason}'
            self._explain(order.Explain(sentence))
        if not self._todo and self._unprinted:
            self._print()

    def _telemetry_flushed(self) -> None:
        self.dispatch(happened.TelemetryFlushed())

    def _spawn(self, effect: order.Spawn) -> None:
        try:
            self._categories[effect.process] = OUTPUT_CATEGORIES[effect.kind]
            launch = self._launch(effect)
            self._supervisor.spawn(
                effect.process,
                launch.argv,
                env=launch.env,
                cwd=launch.cwd,
                log_variable=launch.log_variable,
            )
        except SpawnFailed as failure:
            self._todo.append(happened.SpawnFailed(effect.process, str(failure)))

    def _signal(self, effect: order.Signal) -> None:
        self._supervisor.signal(effect.process, _SIGNALS[effect.signal])

    def _explain(self, effect: order.Explain) -> None:
        if effect.sentence:
            if self._unprinted:
                self._print()
            tail = self._supervisor.tail(effect.process) if effect.process is not None else ""
            self._console.explain(effect.sentence, tail)
            advice = hint(tail)
            if advice is not None:
                self._console.explain(advice)

    # --- Processes --------------------------------------------------------------------------

    def _output(self, process: int, data: bytes) -> None:
        self._write(data)
        category = self._categories.get(process)  # None: a grandchild of one that has exited
        if category and self._telemetry.is_wanted:
            self._telemetry.output(process, category, data, self._clock.now())
        if not self._todo and self._unprinted:
            self._print()

    def _message(self, process: int, message: bytes) -> None:
        """A log message with a frame of its own: one record, however many lines it has."""
        self._write(message if message.endswith(b"\n") else message + b"\n")
        category = self._categories.get(process)
        if category and self._telemetry.is_wanted:
            self._telemetry.message(category, message, self._clock.now())
        if not self._todo and self._unprinted:
            self._print()

    def _exited(self, process: int, status: ExitStatus) -> None:
        self._categories.pop(process, None)
        self._telemetry.end_lines_of(process, self._clock.now())
        self.dispatch(happened.ProcessExited(process, status.code, status.signal_name))

    def _write(self, data: bytes) -> None:
        self._log += data
        excess = len(self._log) - LOG_LIMIT_BYTES
        if excess > 0:
            del self._log[:excess]
            for request_id, start in self._log_starts.items():
                self._log_starts[request_id] = max(0, start - excess)
        self._unprinted += data

    def _print(self) -> None:
        """All lines of one step in one write: END and REPORT cost one system call, not two."""
        data, self._unprinted = self._unprinted, b""
        self._console.write(data)

    def _sample_memory(self) -> None:
        if self._now.monotonic - self._sampled < MEMORY_SAMPLE_SECONDS:
            return
        self._sampled = self._now.monotonic
        with contextlib.suppress(OSError):
            megabytes = peak_memory_mb(self._supervisor.pids())
            if megabytes is not None:
                self._carry_out(
                    self._environment.handle(happened.MemorySampled(megabytes), self._now)
                )
