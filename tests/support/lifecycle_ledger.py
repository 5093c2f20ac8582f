"""What must hold of an execution environment at any time, judged from outside.

The ledger sees the events that go in and the effects that come out, never the core's own state, so
that a slip in the core's bookkeeping cannot excuse itself. `tests.support.lifecycle_script` keeps
one for every environment it drives.
"""

from __future__ import annotations

from rapid_mock.lifecycle.effects import (
    Answer,
    Effect,
    Emit,
    Finish,
    InvocationDelivered,
    InvokeEvent,
    Message,
    ProcessKind,
    Refused,
    RegistrationAccepted,
    Reply,
    ShutdownEvent,
    Signal,
    Spawn,
)
from rapid_mock.lifecycle.environment import Environment
from rapid_mock.lifecycle.events import (
    Event,
    ExchangeVanished,
    ExtensionNext,
    InvokeArrived,
    ProcessExited,
    RuntimeNext,
    RuntimeResponseEnded,
    SpawnFailed,
)
from rapid_mock.lifecycle.modes import Mode
from rapid_mock.lifecycle.state import Phase

RESTING = (Phase.COLD, Phase.SNAPSHOT, Phase.IDLE, Phase.GONE)


class Ledger:
    """Counts answers, processes and debts of one environment; every method may fail the test."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.open: dict[int, Event] = {}
        self.alive: set[int] = set()
        self.killed: set[int] = set()
        self.spawned: set[int] = set()
        self.unanswered: set[str] = set()
        self.unfinished: set[str] = set()
        self.events: dict[str, tuple[str, ...]] = {}
        self.deliveries: dict[str, str | None] = {}
        self._arrived: list[str] = []
        self._told: dict[str, str] = {}
        self._held: dict[str, bool] = {}  # by request id: whether the runtime has asked again
        self._began_in = Phase.COLD
        self._has_begun = False

    # --- What goes in -----------------------------------------------------------------------

    def happened(self, event: Event | None, phase: Phase) -> None:
        """An event, or a timeout, is about to be handled in `phase`."""
        if isinstance(event, InvokeArrived):
            self.unanswered.add(event.invocation.request_id)
            self.unfinished.add(event.invocation.request_id)
            self._arrived.append(event.invocation.request_id)
        elif isinstance(event, ProcessExited | SpawnFailed):
            self.alive.discard(event.process)
        elif isinstance(event, ExchangeVanished):
            self.open.pop(event.exchange, None)
        elif event and (exchange := getattr(event, "exchange", None)) is not None:
            if not isinstance(event, RuntimeResponseEnded):
                assert exchange not in self.open, "the test reused an exchange"
            self.open[exchange] = event
        if isinstance(event, RuntimeNext):
            self._held.update((held, True) for held in self._held if held not in self.unanswered)
        self._began_in = phase

    # --- What comes out ---------------------------------------------------------------------

    def ordered(self, effect: Effect) -> None:
        """An effect came out."""
        match effect:
            case Reply(exchange, message):
                assert exchange in self.open, f"{exchange} is answered twice, or nobody listens"
                if not self.mode.is_serial and isinstance(message, InvocationDelivered):
                    polls = [n for n, event in self.open.items() if isinstance(event, RuntimeNext)]
                    assert exchange == polls[0], "another poll has waited for longer"
                self._replied(self.open.pop(exchange), message)
            case Answer(request_id):
                assert request_id in self.unanswered, f"{request_id} is answered twice"
                self.unanswered.remove(request_id)
            case Finish(request_id, report):
                self._finished(request_id, succeeded=report.status == "success")
            case Spawn(process, kind):
                self._spawned(process, kind)
            case Signal(process, signal):
                assert process in self.alive, f"{signal} for {process}, which does not run"
                if signal == "SIGKILL":
                    self.killed.add(process)
            case Emit("platform.initStart") if self._began_in is not Phase.COLD:
                self.events.clear()

    def _replied(self, event: Event, message: Message) -> None:
        match event, message:
            case RuntimeNext(_, offered), InvocationDelivered(invocation, _, invocation_id):
                assert invocation_id == offered, "a delivery goes by another id"
                self._delivered(invocation.request_id, invocation_id)
            case ExtensionNext(_, identifier), InvokeEvent(_, request_id):
                assert "INVOKE" in self.events[identifier], f"{identifier} is told of an invoke"
                self._told[identifier] = request_id
            case ExtensionNext(_, identifier), ShutdownEvent():
                assert "SHUTDOWN" in self.events[identifier], f"{identifier} is told of a shutdown"
            case RuntimeNext() | ExtensionNext(), _:
                assert isinstance(message, Refused), f"{message} for a poll"
            case _, RegistrationAccepted(identifier):
                self.events[identifier] = getattr(event, "events", ())

    def _finished(self, request_id: str, *, succeeded: bool) -> None:
        assert request_id in self.unfinished, f"{request_id} finishes twice"
        assert request_id not in self.unanswered, f"{request_id} finishes without its answer"
        self.unfinished.remove(request_id)
        if succeeded:
            assert request_id in self._held, f"the runtime never had {request_id}"
            has_come_back = self._held[request_id] or not self.mode.is_serial
            assert has_come_back, f"{request_id} succeeds before the runtime came back"
            assert self._awaited(request_id) == [], "extensions did not come back"
        self._held.pop(request_id, None)
        self._arrived.remove(request_id)

    def _delivered(self, request_id: str, invocation_id: str | None) -> None:
        """The runtime gets an invocation: no more than it may have, the oldest first, and once."""
        self._held[request_id] = False
        count = len(self._held)
        assert count <= self.mode.concurrency, f"{sorted(self._held)} are at work at once"
        waiting = [name for name in self._arrived if name not in self._held]
        assert all(self._arrived.index(request_id) < self._arrived.index(w) for w in waiting)
        if not self.mode.is_serial:
            assert request_id not in self.deliveries, f"{request_id} is delivered twice"
        self.deliveries[request_id] = invocation_id

    def _awaited(self, request_id: str) -> list[str]:
        """Who is told of invocations and has not asked for its next event since."""
        polling = {e.identifier for e in self.open.values() if isinstance(e, ExtensionNext)}
        return [
            identifier
            for identifier, events in self.events.items()
            if "INVOKE" in events
            and (self._told.get(identifier) != request_id or identifier not in polling)
        ]

    def _spawned(self, process: int, kind: ProcessKind) -> None:
        assert process not in self.spawned, f"process number {process} is used twice"
        self.spawned.add(process)
        self.alive.add(process)
        if kind is ProcessKind.RUNTIME:
            assert self.mode.restarts or not self._has_begun, "a failed environment begins again"
            self._has_begun = True
            self._held.clear()

    # --- What stands after every step -------------------------------------------------------

    def stands(self, environment: Environment) -> None:
        """A step is over: deadlines, processes and debts fit the phase."""
        phase = environment.phase
        assert (environment.deadline is None) == (phase in RESTING), f"{phase} and its deadline"
        if phase in (Phase.COLD, Phase.GONE):
            assert self.alive <= self.killed, "a process outlives its environment"
        if phase is Phase.COLD and self._began_in is not Phase.COLD:
            self.events.clear()
        if phase in RESTING:
            assert self.unfinished == set(), f"a {phase.value} environment owes a REPORT"
