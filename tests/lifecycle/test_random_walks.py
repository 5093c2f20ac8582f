"""Random walks through the life of an environment, each beginning somewhere inside a usual life.

A walk from nothing seldom gets far enough to meet the rarer slips (a poll that is not forgotten
needs nine events in order); a prefix of a life takes it there. What must hold at every step is in
`tests.support.lifecycle_ledger`. WALKS=5000 in the environment walks for longer.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rapid_mock.lifecycle.events import ProcessExited
from rapid_mock.lifecycle.state import Phase
from tests.support.lifecycle_ledger import RESTING
from tests.support.lifecycle_lives import (
    CONCURRENT_STATES,
    LIVES,
    RESTORED_STATES,
    RUNTIME_STATES,
    happenings,
    length,
    live,
)
from tests.support.lifecycle_script import Script

LENGTHS = {name: length(name) for name in LIVES}


class Walk(RuleBasedStateMachine):
    """One environment to which anything happens."""

    script: Script

    @initialize(name=st.sampled_from(sorted(LIVES)), data=st.data())
    def begin(self, name: str, data: st.DataObject) -> None:
        self.script = live(name, data.draw(st.integers(0, LENGTHS[name])))

    @rule(data=st.data())
    def anything(self, data: st.DataObject) -> None:
        """Whatever can happen, wise or not."""
        possible = happenings(self.script)
        possible[data.draw(st.sampled_from(sorted(possible)))](self.script)

    @precondition(lambda self: self.script.environment.phase not in RESTING)
    @rule()
    def time_runs_out(self) -> None:
        """The next deadline passes."""
        self.script.advance(self.script.time_left or 0.0)

    @rule(seconds=st.sampled_from([0.125, 0.5, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        """Deadlines take effect as they come."""
        self.script.advance(seconds)

    @rule(seconds=st.sampled_from([1.0, 4.0, 30.0]))
    def a_timer_is_late(self, seconds: float) -> None:
        """The clock moves on, but nobody looks at the deadline yet."""
        self.script.clock += seconds

    @rule()
    def a_timer_fires(self) -> None:
        """A timer may fire early, on time or late."""
        self.script.time_out()

    @precondition(lambda self: self.script.environment.phase is not Phase.GONE)
    @rule()
    def everybody_does_their_duty(self) -> None:
        """Processes that are told to end do so; the others ask for their next event."""
        duty(self.script)

    @invariant()
    def states_are_those_of_the_matrix(self) -> None:
        mode = self.script.settings.mode
        serial = RESTORED_STATES if mode.is_restored else RUNTIME_STATES
        assert self.script.runtime_state in (serial if mode.is_serial else CONCURRENT_STATES)

    def teardown(self) -> None:
        """However a walk ends, the environment can be brought to rest, and then to its end."""
        self.script.wait_for_nobody()
        self.script.shut_down()
        self.script.wait_for_nobody()
        assert self.script.environment.phase is Phase.GONE
        assert set(self.script.answers) == set(self.script.reports)


def duty(script: Script) -> None:
    """One step of everybody towards the end of whatever is under way."""
    for process, _signal in script.signals:
        if process in script.ledger.alive:
            script.tell(ProcessExited(process, signal="killed"))
    for name in script.settings.extensions:
        script.register(name, *script.settings.mode.external_events)
        script.extension_next(name)
    for request_id in sorted(script.ledger.unanswered):
        script.respond(request_id)
    if script.runtime_state not in (("READY", None), ("READY", "RETURNED")):
        script.runtime_next()


SETTINGS = settings(
    deadline=None,
    database=None,
    derandomize="CI" in os.environ,
    max_examples=int(os.environ.get("WALKS", "100")),
    stateful_step_count=25,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_random_walks() -> None:
    """Whatever happens, in whatever order: answers, processes and deadlines stay in order."""
    run_state_machine_as_test(Walk, settings=SETTINGS)
