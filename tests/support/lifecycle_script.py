"""Drives one `Environment` by hand: a clock that stands still, events as verbs, effects kept.

    script = Script("shipper")                     # one external extension
    script.invoke("r1")                            # -> platform.initStart, Spawn
    script.register("shipper", "INVOKE")           # -> Reply, Spawn of the runtime
    poll = script.runtime_next()                   # a Call: parked until its Reply comes
    script.advance(10.0)                           # every deadline on the way takes effect

Each step is checked by `tests.support.lifecycle_ledger`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rapid_mock.lifecycle.effects import (
    Answer,
    Effect,
    Emit,
    Explain,
    Finish,
    InvocationDelivered,
    Message,
    Outcome,
    Refused,
    Reply,
    Report,
    Signal,
    Spawn,
    SubscriptionRefused,
)
from rapid_mock.lifecycle.environment import Environment
from rapid_mock.lifecycle.events import (
    Ending,
    Event,
    ExchangeVanished,
    ExtensionExitFailed,
    ExtensionInitFailed,
    ExtensionNext,
    ExtensionRegistered,
    InitRequested,
    Invocation,
    InvokeArrived,
    MemoryExceeded,
    MemorySampled,
    Now,
    ProcessExited,
    RestoreRequested,
    RuntimeErrorReported,
    RuntimeInitFailed,
    RuntimeNext,
    RuntimeResponseBegun,
    RuntimeResponseEnded,
    RuntimeRestoreFailed,
    RuntimeRestoreNext,
    ShutdownRequested,
    SpawnFailed,
    TelemetrySubscribed,
)
from rapid_mock.lifecycle.state import Settings
from rapid_mock.lifecycle.subscriptions import Buffering, Destination, Subscription
from tests.support.lifecycle_ledger import RESTING, Ledger

START = 100.0
"""The monotonic clock when a script begins."""

EPOCH = 1_700_000_000.0
"""The wall clock when a script begins, epoch seconds."""

ARN = "arn:aws:lambda:us-east-1:123456789012:function:hello"


FAULTY = SubscriptionRefused("types should not be empty")
"""What the HTTP layer makes of a subscription that it cannot read."""


def subscription(*types: str, is_logs_api: bool = False, **buffering: Any) -> Subscription:
    """A subscription to all types, or to these, in the newest schema, on port 4243."""
    schema = "2021-03-18" if is_logs_api else "2025-01-29"
    return Subscription(
        is_logs_api,
        schema,
        types or ("platform", "function", "extension"),
        Destination("HTTP", 4243),
        Buffering(**buffering),
    )


def invocation(request_id: str) -> Invocation:
    """An invocation whose payload can be told from any other's."""
    return Invocation(request_id, ARN, f"event of {request_id}".encode())


@dataclass(frozen=True)
class Call:
    """One API call; `reply` is what it was answered with, None while it is parked."""

    script: Script
    exchange: int

    @property
    def reply(self) -> Message | None:
        return self.script.replies.get(self.exchange)

    @property
    def is_parked(self) -> bool:
        return self.reply is None

    @property
    def refusal(self) -> tuple[int, str, str]:
        """Status, error type and text; only of a refused call."""
        reply = self.reply
        assert isinstance(reply, Refused), f"not refused: {reply}"
        return reply.status, reply.error_type, reply.message

    @property
    def delivered(self) -> str:
        """The request id of the invocation that a runtime's poll was answered with."""
        reply = self.reply
        assert isinstance(reply, InvocationDelivered), f"nothing delivered: {reply}"
        return reply.invocation.request_id


class Script:
    """One environment, its clock, and everything that came out of it so far."""

    def __init__(self, *extensions: str, **settings: Any) -> None:
        self.settings = Settings("hello", "app.handler", extensions=extensions, **settings)
        self.environment = Environment(self.settings)
        self.ledger = Ledger(self.settings.mode)
        self.clock = START
        self.effects: list[Effect] = []
        self.last_effects: list[Effect] = []
        self.replies: dict[int, Message] = {}
        self.processes: dict[str, int] = {}
        self.events: list[Event] = []
        self._exchanges = 0
        self._read = 0

    @classmethod
    def idle(cls, *extensions: str, **settings: Any) -> Script:
        """An environment past its init; its extensions took every event there is for them."""
        script = cls(*extensions, **settings)
        script.init()
        for name in extensions:
            script.register(name, *script.settings.mode.external_events)
            script.extension_next(name)
        script.runtime_next()
        script.news()
        return script

    # --- Driving ----------------------------------------------------------------------------

    def tell(self, event: Event) -> list[Effect]:
        """Handle one event at the present moment; returns its effects."""
        self.events.append(event)
        self.ledger.happened(event, self.environment.phase)
        return self._keep(self.environment.handle(event, self.now))

    def call(self, event: Event) -> Call:
        """Handle an API call; the event's exchange must be `self.exchange()`."""
        self.tell(event)
        return Call(self, self._exchanges)

    def exchange(self) -> int:
        self._exchanges += 1
        return self._exchanges

    def advance(self, seconds: float) -> list[Effect]:
        """Let time pass; every deadline on the way takes effect at its own moment."""
        end, before = self.clock + seconds, len(self.effects)
        while (deadline := self.environment.deadline) is not None and deadline <= end:
            self.clock = deadline
            self.time_out()
        self.clock = end
        return self.effects[before:]

    def time_out(self) -> None:
        """Call `handle_timeout` now; a deadline that has passed must be consumed."""
        self.ledger.happened(None, self.environment.phase)
        self._keep(self.environment.handle_timeout(self.now))
        deadline = self.environment.deadline
        assert deadline is None or deadline > self.clock, "a deadline in the past stays armed"

    def wait_for_nobody(self) -> int:
        """Nobody moves any more: deadline after deadline passes; returns how many it took."""
        count = 0
        while (deadline := self.environment.deadline) is not None:
            assert count < 100, "the environment never comes to rest"
            count += 1
            self.clock = max(self.clock, deadline)
            self.time_out()
        assert self.environment.phase in RESTING
        return count

    def _keep(self, effects: list[Effect]) -> list[Effect]:
        self.last_effects = effects
        self.effects += effects
        for effect in effects:
            self.ledger.ordered(effect)
            if isinstance(effect, Spawn):
                self.processes[effect.name] = effect.process
            elif isinstance(effect, Reply):
                self.replies[effect.exchange] = effect.message
        self.ledger.stands(self.environment)
        return effects

    # --- Looking ----------------------------------------------------------------------------

    @property
    def now(self) -> Now:
        return Now(self.clock, EPOCH + (self.clock - START))

    @property
    def phase(self) -> str:
        return self.environment.phase.value

    @property
    def runtime_state(self) -> tuple[str, str | None]:
        """The states of the runtime's process and of the oldest open invocation, by name."""
        state = self.environment._state
        return state.runtime.name, state.current.state.name if state.current else None

    @property
    def time_left(self) -> float | None:
        """Seconds until the deadline; None when nobody is waited for."""
        deadline = self.environment.deadline
        return None if deadline is None else deadline - self.clock

    @property
    def answers(self) -> dict[str, Outcome]:
        return {e.request_id: e.outcome for e in self.effects if isinstance(e, Answer)}

    @property
    def reports(self) -> dict[str, Report]:
        return {e.request_id: e.report for e in self.effects if isinstance(e, Finish)}

    @property
    def signals(self) -> list[tuple[int, str]]:
        return [(e.process, e.signal) for e in self.effects if isinstance(e, Signal)]

    @property
    def sentences(self) -> list[str]:
        return [e.sentence for e in self.effects if isinstance(e, Explain)]

    def records(self, kind: str) -> list[dict[str, object]]:
        """The records of one platform event type, oldest first."""
        return [e.record for e in self.effects if isinstance(e, Emit) and e.type == kind]

    def news(self) -> list[str]:
        """One short line for each effect since the last look."""
        new, self._read = self.effects[self._read :], len(self.effects)
        return [_line(effect) for effect in new]

    # --- The service above ------------------------------------------------------------------

    def init(self) -> list[Effect]:
        return self.tell(InitRequested())

    def restore(self) -> list[Effect]:
        return self.tell(RestoreRequested())

    def invoke(self, request_id: str = "r1") -> list[Effect]:
        return self.tell(InvokeArrived(invocation(request_id)))

    def shut_down(self, reason: str = "spindown") -> list[Effect]:
        return self.tell(ShutdownRequested(reason))

    def sample_memory(self, megabytes: int) -> list[Effect]:
        return self.tell(MemorySampled(megabytes))

    def outgrow(self, name: str) -> list[Effect]:
        """All processes together have outgrown the memory size, the one of this name most."""
        return self.tell(MemoryExceeded(self.processes[name]))

    # --- Processes --------------------------------------------------------------------------

    def exit(self, name: str, code: int | None = 0, signal: str | None = None) -> list[Effect]:
        """The process last spawned under this name ends."""
        return self.tell(
            ProcessExited(self.processes[name], code if signal is None else None, signal)
        )

    def fail_to_start(self, name: str, message: str) -> list[Effect]:
        return self.tell(SpawnFailed(self.processes[name], message))

    def vanish(self, call: Call) -> list[Effect]:
        """The client of a parked call goes away."""
        return self.tell(ExchangeVanished(call.exchange))

    # --- The Runtime API --------------------------------------------------------------------

    def runtime_next(self) -> Call:
        """On managed instances the delivery to exchange 7 is `delivery-7`."""
        number = self.exchange()
        has_id = self.settings.mode.has_invocation_ids
        return self.call(RuntimeNext(number, f"delivery-{number}" if has_id else None))

    def begin_response(
        self, request_id: str = "r1", mode: str | None = None, invocation_id: str | None = None
    ) -> Call:
        return self.call(RuntimeResponseBegun(self.exchange(), request_id, mode, invocation_id))

    def end_response(
        self,
        call: Call,
        request_id: str = "r1",
        payload: object = b"ok",
        ending: Ending = Ending.COMPLETE,
        **trailers: Any,
    ) -> list[Effect]:
        content = "application/json"
        return self.tell(
            RuntimeResponseEnded(
                call.exchange,
                request_id,
                payload,
                content,
                ending,
                size=len(payload) if isinstance(payload, bytes) else 0,
                **trailers,
            )
        )

    def respond(
        self, request_id: str = "r1", payload: object = b"ok", invocation_id: str | None = None
    ) -> Call:
        """A whole response; a refused head has no end."""
        call = self.begin_response(request_id, invocation_id=invocation_id)
        if call.is_parked:
            self.end_response(call, request_id, payload)
        return call

    def report_error(
        self, request_id: str = "r1", payload: object = b"oops", invocation_id: str | None = None
    ) -> Call:
        number, content = self.exchange(), "application/json"
        return self.call(
            RuntimeErrorReported(
                number, request_id, "Function.Oops", payload, content, invocation_id
            )
        )

    def report_init_error(self, payload: object = b"no module") -> Call:
        return self.call(RuntimeInitFailed(self.exchange(), "Runtime.ImportModuleError", payload))

    def restore_next(self) -> Call:
        return self.call(RuntimeRestoreNext(self.exchange()))

    def report_restore_error(self, payload: object = b"no network") -> Call:
        return self.call(
            RuntimeRestoreFailed(self.exchange(), "Runtime.AfterRestoreError", payload)
        )

    # --- The Extensions API -----------------------------------------------------------------

    def register(self, name: str, *events: str, wants_account_id: bool = False) -> Call:
        """The identifier of `shipper` is `id-shipper`."""
        return self.call(
            ExtensionRegistered(self.exchange(), name, events, f"id-{name}", wants_account_id)
        )

    def subscribe(
        self, name: str, wanted: Subscription | SubscriptionRefused | None = None
    ) -> Call:
        wanted = subscription() if wanted is None else wanted
        is_logs_api = isinstance(wanted, Subscription) and wanted.is_logs_api
        return self.call(TelemetrySubscribed(self.exchange(), f"id-{name}", wanted, is_logs_api))

    def extension_next(self, name: str) -> Call:
        return self.call(ExtensionNext(self.exchange(), f"id-{name}"))

    def extension_init_error(self, name: str) -> Call:
        return self.call(ExtensionInitFailed(self.exchange(), f"id-{name}", "Extension.Oops"))

    def extension_exit_error(self, name: str) -> Call:
        return self.call(ExtensionExitFailed(self.exchange(), f"id-{name}", "Extension.Oops"))


def _line(effect: Effect) -> str:
    text = type(effect).__name__.lower()
    match effect:
        case Spawn(_, _, name):
            text = f"spawn {name}"
        case Signal(process, signal):
            text = f"{signal} {process}"
        case Reply(exchange, message):
            text = f"reply {exchange} {type(message).__name__}"
        case Answer(request_id) | Finish(request_id):
            text = f"{text} {request_id}"
        case Emit(kind):
            text = kind
    return text
