"""What is known about one execution environment: data and small questions about it.

`calls.py` and `phases.py` change it; `environment.py` is the door. Times are monotonic seconds
unless they end in `_ms`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from lambda_runtime import contract
from rapid_mock.lifecycle.effects import Effect, InvokeEvent, Outcome, Refusal, Reply, ShutdownEvent
from rapid_mock.lifecycle.events import Invocation, Now, RuntimeNext
from rapid_mock.lifecycle.machines import (
    EXTENSION,
    ExtensionAction,
    ExtensionState,
    InvocationAction,
    InvocationState,
    InvocationTable,
    RuntimeAction,
    RuntimeState,
    Word,
)
from rapid_mock.lifecycle.modes import CLASSIC, Mode
from rapid_mock.lifecycle.subscriptions import Subscription


class Phase(Word):
    """Where the environment is in its life; STOPPING ends in COLD (a reset) or in GONE.

    At SNAPSHOT it has been initialised and waits, for as long as a snapshot is kept, for RESTORE.
    """

    COLD = "cold"
    INIT = "init"
    SNAPSHOT = "snapshot"
    RESTORE = "restore"
    IDLE = "idle"
    INVOKE = "invoke"
    STOPPING = "stopping"
    GONE = "gone"


class Standing(Word):
    """What an environment can do for the next invocation: FREE ones take it, RETURNING ones soon.

    BUSY ones take none now; LEAVING ones, and those that are GONE, never again.
    """

    FREE = "free"
    BUSY = "busy"
    RETURNING = "returning"
    LEAVING = "leaving"
    GONE = "gone"


class Stage(Enum):
    """How far a shutdown has come: who is being waited for."""

    RUNTIME = "runtime"
    TELEMETRY = "telemetry"
    EXTENSIONS = "extensions"
    KILLED = "killed"


# Read at every event; through its class an enum's member costs 0.1 us each time.
RESPONDED, RETURNED = InvocationState.RESPONDED, InvocationState.RETURNED
REGISTRATION_IS_OPEN = (RuntimeState.ABSENT, RuntimeState.STARTED, RuntimeState.INIT_ERROR)
COLD, IDLE, INVOKE, GONE = Phase.COLD, Phase.IDLE, Phase.INVOKE, Phase.GONE
FREE, BUSY, RETURNING = Standing.FREE, Standing.BUSY, Standing.RETURNING
LEAVING = Standing.LEAVING

OVERDUE_KEPT = 1000
"""How many ids of timed-out invocations are remembered for the answers that may still come."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What does not change during an environment's life; times in seconds, memory in MB."""

    function_name: str
    handler: str
    version: str = "$LATEST"
    timeout: float = contract.DEFAULT_TIMEOUT_SECONDS
    memory_mb: int = contract.DEFAULT_MEMORY_MB
    extensions: tuple[str, ...] = ()
    init_timeout: float = contract.INIT_TIMEOUT_SECONDS
    restore_timeout: float = contract.RESTORE_TIMEOUT_SECONDS
    account_id: str = "123456789012"
    initialization_type: str = contract.INITIALIZATION_ON_DEMAND
    log_stream: str = ""
    mode: Mode = CLASSIC


@dataclass(slots=True)
class Extension:
    """One extension; `poll` is its parked exchange, `owed` an event not yet fetched.

    `subscription` is what it gets of the environment's telemetry.
    """

    name: str
    external: bool
    state: ExtensionState
    process: int | None = None
    identifier: str = ""
    events: tuple[str, ...] = ()
    poll: int | None = None
    owed: InvokeEvent | ShutdownEvent | None = None
    error_type: str | None = None
    subscription: Subscription | None = None

    def may(self, action: ExtensionAction) -> bool:
        return action in EXTENSION[self.state]

    def step(self, action: ExtensionAction) -> None:
        self.state = EXTENSION[self.state][action]


@dataclass(slots=True)
class Fault:
    """The first fatal thing; `message` without the request id, `payload` if one was posted."""

    error_type: str
    message: str
    sentence: str
    status: str = contract.STATUS_ERROR
    payload: object = None
    process: int | None = None
    refusal: Refusal | None = None


@dataclass(slots=True)
class Running:
    """An invocation that has begun; `outcome` is what the invoker gets, `fault` what ended it.

    `table` says what it may do; `invocation_id` is the id of its delivery, where deliveries have
    one. `first_byte` and `last_byte` are when its answer came, `produced` how long it was.
    """

    invocation: Invocation
    started: float
    deadline: float
    deadline_ms: int
    table: InvocationTable
    state: InvocationState = InvocationState.PENDING
    outcome: Outcome | None = None
    fault: Fault | None = None
    first_byte: float | None = None
    last_byte: float | None = None
    produced: int = 0
    runtime_done: float | None = None
    invocation_id: str | None = None

    def may(self, action: InvocationAction) -> bool:
        return action in self.table[self.state]

    def step(self, action: InvocationAction) -> None:
        self.state = self.table[self.state][action]

    def attempt(self, action: InvocationAction) -> bool:
        """Take a step if the table has it; False is a refusal."""
        after = self.table[self.state].get(action)
        if after is None:
            return False
        self.state = after
        return True


@dataclass(slots=True)
class InitRun:
    """One run of the init phase: `phase` is `init`, or `invoke` when an invocation repeats it.

    A restore is one too, whose phase is `restore`.
    """

    phase: str
    started: float
    deadline: float


@dataclass(slots=True)
class Stop:
    """One shutdown or reset under way; `then` is COLD or GONE.

    `stage_until` bounds the stages before the extensions', `until` the whole.
    """

    reason: str
    then: Phase
    stage: Stage
    stage_until: float
    until: float
    deadline_ms: int

    @property
    def deadline(self) -> float:
        is_early = self.stage is Stage.RUNTIME or self.stage is Stage.TELEMETRY
        return self.stage_until if is_early else self.until


@dataclass(slots=True)
class State:
    """Everything about one environment, and the effects of the step being taken."""

    settings: Settings
    now: Now = field(default_factory=lambda: Now(0.0, 0.0))
    phase: Phase = Phase.COLD
    effects: list[Effect] = field(default_factory=list)
    processes: int = 0
    runtime: RuntimeState = RuntimeState.ABSENT
    runtime_process: int | None = None
    polls: deque[RuntimeNext] = field(default_factory=deque)
    extensions: dict[str, Extension] = field(default_factory=dict)
    waiting: deque[Invocation] = field(default_factory=deque)
    running: dict[str, Running] = field(default_factory=dict)
    overdue: deque[str] = field(default_factory=lambda: deque(maxlen=OVERDUE_KEPT))
    next_init_phase: str = contract.PHASE_INIT
    init: InitRun | None = None
    init_ms: float | None = None
    restore_ms: float | None = None
    restore_poll: int | None = None
    leaving: str | None = None  # why this environment ends when its answered work is over
    stop: Stop | None = None
    fault: Fault | None = None
    init_error: Fault | None = None
    max_memory_mb: int = 0
    told_memory_mb: int = 0  # the largest that was above the memory size and killed nobody
    outgrown: int | None = None  # the process that was killed for its memory

    def new_process(self) -> int:
        self.processes += 1
        return self.processes

    def fail(self, fault: Fault) -> None:
        """Remember what is fatal; in a shutdown, ends are what was asked for, or follow from it."""
        if self.phase is not Phase.STOPPING:
            self.fault = fault

    def step_runtime(self, action: RuntimeAction) -> None:
        self.runtime = self.settings.mode.runtime[self.runtime][action]

    @property
    def current(self) -> Running | None:
        """The oldest open invocation: the one that a serial runtime is busy with."""
        for running in self.running.values():
            return running
        return None

    @property
    def externals(self) -> list[Extension]:
        return [extension for extension in self.extensions.values() if extension.external]

    def by_identifier(self, identifier: str) -> Extension | None:
        for extension in self.extensions.values():
            if extension.identifier == identifier:
                return extension
        return None

    def is_answered(self) -> bool:
        """Whether every invocation at work has been answered and only has to come back."""
        for running in self.running.values():
            if running.state is not RESPONDED and running.state is not RETURNED:
                return False
        return True

    def standing(self) -> Standing:
        """An environment under reset returns, one that shuts down for good leaves."""
        phase = self.phase
        if phase is INVOKE:
            if len(self.running) < self.settings.mode.concurrency:
                return FREE
            return RETURNING if self.is_answered() else BUSY
        if phase is IDLE or phase is COLD or phase is Phase.SNAPSHOT:
            return FREE
        if phase is GONE:
            return Standing.GONE
        if self.stop is None:
            taken = len(self.running) + len(self.waiting)
            return FREE if taken < self.settings.mode.concurrency else BUSY
        return RETURNING if self.stop.then is COLD else LEAVING

    def is_registration_open(self) -> bool:
        """Registration closes when the runtime first asks for an event, or for the restore."""
        return self.runtime in REGISTRATION_IS_OPEN

    def are_extensions_ready(self) -> bool:
        """Whether every extension that is told of invocations waits for its next event."""
        for extension in self.extensions.values():
            if (
                contract.EVENT_INVOKE in extension.events
                and extension.state is not ExtensionState.READY
            ):
                return False
        return True

    def has_invoke_extensions(self) -> bool:
        """Whether any extension is told of invocations."""
        for extension in self.extensions.values():
            if contract.EVENT_INVOKE in extension.events:
                return True
        return False

    def admit(self) -> Running:
        """Take the oldest waiting invocation; from here the function timeout runs."""
        invocation = self.waiting.popleft()
        started, wall = self.now
        timeout = self.settings.timeout
        deadline_ms = int((wall + timeout) * 1000)
        table = self.settings.mode.invocation
        running = Running(invocation, started, started + timeout, deadline_ms, table)
        self.running[invocation.request_id] = running
        return running

    def deliver(self, extension: Extension, event: InvokeEvent | ShutdownEvent) -> None:
        """Answer the parked poll, or owe the event until the extension asks."""
        if extension.poll is None:
            extension.owed = event
            return
        extension.step(ExtensionAction.RELEASE)
        self.effects.append(Reply(extension.poll, event))
        extension.poll = None
