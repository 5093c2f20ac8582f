"""One execution environment: one door for facts, one for time, one thing to look at.

    effects = environment.handle(event, now)
    environment.deadline                       # when handle_timeout() wants to be called
    effects = environment.handle_timeout(now)

Nothing in here does anything: no clock, socket, process or log. The driver tells what happened
and carries out what comes back, in order. Read on in `machines.py` (what each party may do), then
`phases.py` (how they wait for each other).
"""

from __future__ import annotations

from rapid_mock.lifecycle import diagnosis, phases, restore, shutdown
from rapid_mock.lifecycle.calls import HANDLERS
from rapid_mock.lifecycle.effects import Effect
from rapid_mock.lifecycle.events import Event, Now
from rapid_mock.lifecycle.machines import InvocationState
from rapid_mock.lifecycle.state import Phase, Settings, Standing, State


class Environment:
    """The lifecycle of one execution environment, from cold to gone, resets included."""

    __slots__ = ("_state",)

    def __init__(self, settings: Settings) -> None:
        self._state = State(settings)

    def handle(self, event: Event, now: Now) -> list[Effect]:
        """Take one fact; return the orders that follow from it."""
        state = self._state
        state.now = now
        HANDLERS[type(event)](state, event)
        phases.settle(state)
        effects, state.effects = state.effects, []
        return effects

    def handle_timeout(self, now: Now) -> list[Effect]:
        """Let all deadlines that have passed take effect; afterwards `deadline` lies ahead."""
        state = self._state
        state.now = now
        while (deadline := self.deadline) is not None and deadline <= now.monotonic:
            _overrun(state)
            phases.settle(state)
        effects, state.effects = state.effects, []
        return effects

    @property
    def deadline(self) -> float | None:
        """Monotonic seconds; None when nobody is waited for.

        So it is only while cold, at the snapshot, idle or gone.
        """
        state = self._state
        if state.init is not None:
            return state.init.deadline
        if state.stop is not None:
            return state.stop.deadline
        for running in state.running.values():
            return running.deadline  # the oldest has the earliest: all have the same timeout
        return None

    @property
    def phase(self) -> Phase:
        return self._state.phase

    @property
    def standing(self) -> Standing:
        return self._state.standing()


def _overrun(state: State) -> None:
    if state.phase is Phase.STOPPING:
        shutdown.overrun(state)
    elif state.phase is Phase.RESTORE:
        restore.overrun(state)
    elif state.init is not None and not state.running:
        state.fail(diagnosis.timed_out(state, state.init.deadline - state.init.started))
    elif state.settings.mode.is_timeout_fatal or _nobody_polls(state):
        state.fail(diagnosis.timed_out(state, state.settings.timeout))
    else:
        shutdown.expire(state)


def _nobody_polls(state: State) -> bool:
    """Whether nobody asked for the oldest event in all its time: no worker is left that works."""
    running = state.current
    return running is not None and running.state is InvocationState.PENDING
