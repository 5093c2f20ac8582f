"""Shutdown and reset: who is told, who is signalled, who is killed, and when.

Source: "Shutdown phase", AWS Lambda Developer Guide; the runtime's share of the budget and who is
killed at once: AWS's Runtime Interface Emulator.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rapid_mock.lifecycle.effects import Outcome, ShutdownEvent
from tests.support.lifecycle_lives import LIVES, length, live
from tests.support.lifecycle_script import Script

RUNTIME, SHIPPER = 2, 1
"""Process numbers in an environment with one external extension."""

# --- Budgets ----------------------------------------------------------------------------------


def test_without_extensions_there_is_no_time() -> None:
    """0 ms: the runtime is killed at once and gets no SIGTERM."""
    script = Script.idle()
    script.shut_down()
    assert script.signals == [(1, "SIGKILL")]
    assert script.phase == "stopping"
    script.exit("runtime", signal="killed")
    assert script.phase == "gone"


def test_with_an_internal_extension_the_runtime_has_500_ms() -> None:
    """500 ms: SIGTERM at once, SIGKILL at the end; the internal extension is told nothing."""
    script = Script()
    script.init()
    script.register("inner", "INVOKE")
    event = script.extension_next("inner")
    script.runtime_next()
    script.shut_down()
    assert script.signals == [(1, "SIGTERM")]
    script.advance(0.499)
    assert script.signals[1:] == []
    script.advance(0.001)
    assert script.signals[1:] == [(1, "SIGKILL")]
    assert event.is_parked
    script.exit("runtime", signal="killed")
    assert script.phase == "gone"


def test_with_an_external_extension_the_runtime_has_600_of_2000_ms() -> None:
    """2000 ms: the runtime's share is 30 %; SHUTDOWN comes when it is gone, SIGKILL at the end."""
    script = Script.idle("shipper")
    event = script.extension_next("shipper")
    assert event.refusal[0] == 403
    script.shut_down()
    assert script.signals == [(RUNTIME, "SIGTERM")]
    script.advance(0.59)
    assert script.signals[1:] == []
    script.advance(0.01)
    assert script.signals[1:] == [(RUNTIME, "SIGKILL")]
    script.news()
    script.exit("runtime", signal="killed")
    assert script.news() == ["reply 2 ShutdownEvent"]
    script.advance(1.39)
    assert script.signals[2:] == []
    script.advance(0.01)
    assert script.signals[2:] == [(SHIPPER, "SIGKILL")]
    script.exit("shipper", signal="killed")
    assert script.phase == "gone"


def test_all_go_in_peace() -> None:
    """Who ends in time is not killed."""
    script = Script.idle("shipper")
    script.shut_down()
    script.exit("runtime", signal="terminated")
    assert script.phase == "stopping"
    script.exit("shipper", 0)
    assert script.signals == [(RUNTIME, "SIGTERM")]
    assert script.phase == "gone"


def test_extensions_that_never_registered_give_no_time() -> None:
    """A shutdown before anybody registered kills at once."""
    script = Script("a", "b")
    script.init()
    script.shut_down()
    assert script.signals == [(1, "SIGKILL"), (2, "SIGKILL")]


def test_registered_extension_has_its_time_even_without_a_runtime() -> None:
    """When no runtime was started yet, the extension is told of the shutdown at once."""
    script = Script("shipper", "slow")
    script.init()
    script.register("shipper", "SHUTDOWN")
    event = script.extension_next("shipper")
    script.shut_down()
    assert event.reply == ShutdownEvent(1_700_000_002_000, "spindown")
    assert script.signals == [(2, "SIGKILL")]
    assert script.time_left == 2.0


def test_runtime_that_survives_its_killing_costs_the_extensions_their_event() -> None:
    """A runtime that is not gone when the budget is: everybody is killed, nobody is told."""
    script = Script.idle("shipper")
    script.shut_down()
    script.advance(2.0)
    assert script.signals == [
        (RUNTIME, "SIGTERM"),
        (RUNTIME, "SIGKILL"),
        (RUNTIME, "SIGKILL"),
        (SHIPPER, "SIGKILL"),
    ]


def test_process_that_survives_sigkill_is_left_behind_with_a_sentence() -> None:
    """Two seconds after the last SIGKILL the environment goes without whoever is left."""
    script = Script.idle("shipper")
    script.shut_down()
    script.advance(3.999)
    assert script.phase == "stopping"
    script.advance(0.001)
    assert script.phase == "gone"
    assert script.sentences == ["runtime, shipper did not exit after SIGKILL"]


def test_timer_that_is_late_by_two_deadlines() -> None:
    """All deadlines that have passed take effect in one step, and the next one lies ahead."""
    script = Script.idle("shipper")
    script.shut_down()
    script.clock += 2.5
    script.time_out()
    assert script.signals[-1] == (SHIPPER, "SIGKILL")
    assert script.time_left == 2.0


# --- Who is told ------------------------------------------------------------------------------


def test_shutdown_only_for_those_who_asked_for_it() -> None:
    """An extension without SHUTDOWN is killed as soon as the runtime is gone."""
    script = Script("teller", "shipper")
    script.init()
    script.register("teller", "SHUTDOWN")
    script.register("shipper", "INVOKE")
    told = script.extension_next("teller")
    untold = script.extension_next("shipper")
    script.runtime_next()
    script.shut_down()
    script.exit("runtime", signal="terminated")
    assert told.reply == ShutdownEvent(1_700_000_002_000, "spindown")
    assert untold.is_parked
    assert script.signals == [(3, "SIGTERM"), (2, "SIGKILL")]


def test_shutdown_waits_for_an_extension_that_is_busy() -> None:
    """An extension that is not parked gets SHUTDOWN from its next call."""
    script = Script.idle("shipper")
    script.invoke("r1")
    script.shut_down()
    script.exit("runtime", signal="terminated")
    script.advance(0.5)
    event = script.extension_next("shipper")
    assert event.reply == ShutdownEvent(1_700_000_002_000, "spindown")


def test_extension_that_registered_and_never_asked() -> None:
    """An extension that has not called next yet is told when it does."""
    script = Script("shipper")
    script.init()
    script.register("shipper", "SHUTDOWN")
    script.shut_down()
    script.exit("runtime", signal="terminated")
    event = script.extension_next("shipper")
    assert event.reply == ShutdownEvent(1_700_000_002_000, "spindown")


@pytest.mark.parametrize("report", [Script.extension_init_error, Script.extension_exit_error])
def test_extension_that_gave_up_is_killed(report: Callable[[Script, str], object]) -> None:
    """An extension that reported an error may not call next; it is killed with no event."""
    script = Script("shipper")
    script.init()
    script.register("shipper", "SHUTDOWN")
    report(script, "shipper")
    script.shut_down()
    script.exit("runtime", signal="terminated")
    assert script.signals == [(RUNTIME, "SIGTERM"), (SHIPPER, "SIGKILL")]


def test_parked_extension_that_gave_up_is_told_nothing_more() -> None:
    """A parked next of an extension that reported an exit error is never answered."""
    script = Script("shipper")
    script.init()
    script.register("shipper", "INVOKE", "SHUTDOWN")
    event = script.extension_next("shipper")
    script.runtime_next()
    script.extension_exit_error("shipper")
    script.invoke("r1")
    script.shut_down()
    script.exit("runtime", signal="terminated")
    assert event.is_parked
    assert script.signals[-1] == (SHIPPER, "SIGKILL")


def test_extension_whose_client_vanished_is_told_when_it_asks_again() -> None:
    """A poll that is gone swallows no SHUTDOWN."""
    script = Script("shipper")
    script.init()
    script.register("shipper", "SHUTDOWN")
    lost = script.extension_next("shipper")
    script.runtime_next()
    script.vanish(lost)
    script.shut_down()
    script.exit("runtime", signal="terminated")
    assert lost.is_parked
    assert script.extension_next("shipper").reply == ShutdownEvent(1_700_000_002_000, "spindown")


def test_extension_that_registers_during_the_shutdown() -> None:
    """An extension that registers while the runtime still has time is told like the others."""
    script = Script("early", "late")
    script.init()
    script.register("early", "INVOKE")
    script.register("late", "SHUTDOWN")
    script.shut_down()
    event = script.extension_next("late")
    script.exit("runtime", signal="terminated")
    assert isinstance(event.reply, ShutdownEvent)


# --- Reasons ----------------------------------------------------------------------------------


def _time_out(script: Script) -> None:
    script.invoke("r1")
    script.advance(3.0)


def _crash(script: Script) -> None:
    script.invoke("r1")
    script.exit("runtime", 1)


def _die_idle(script: Script) -> None:
    script.exit("runtime", 1)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (Script.shut_down, ShutdownEvent(1_700_000_002_000, "spindown")),
        (lambda s: s.shut_down("failure"), ShutdownEvent(1_700_000_002_000, "failure")),
        (_time_out, ShutdownEvent(1_700_000_005_000, "timeout")),
        (_crash, ShutdownEvent(1_700_000_002_000, "failure")),
        (_die_idle, ShutdownEvent(1_700_000_002_000, "failure")),
    ],
)
def test_reasons(end: Callable[[Script], object], expected: ShutdownEvent) -> None:
    """Extensions are told why, and until when: 2000 ms after the shutdown began, in epoch ms."""
    script = Script("shipper")
    script.init()
    script.register("shipper", "SHUTDOWN")
    event = script.extension_next("shipper")
    script.runtime_next()
    end(script)
    script.advance(0.5)
    if script.processes["runtime"] in script.ledger.alive:
        script.exit("runtime", signal="terminated")
    assert event.reply == expected


# --- Whatever runs or waits is answered -------------------------------------------------------

MOMENTS = [(name, steps) for name in LIVES for steps in range(length(name) + 1)]


@pytest.mark.parametrize(("name", "steps"), MOMENTS)
def test_shutdown_at_any_moment(name: str, steps: int) -> None:
    """Whatever the environment was doing, every invocation gets one answer and one REPORT."""
    script = live(name, steps)
    script.invoke("late1")
    script.shut_down()
    script.invoke("late2")
    script.wait_for_nobody()
    assert script.phase == "gone"
    assert {"late1", "late2"} <= set(script.answers)
    assert set(script.answers) == set(script.reports)


def test_shutdown_is_a_failure_for_whoever_is_served() -> None:
    """The invocation at work gets Sandbox.Failure; one that waited never began."""
    script = Script.idle()
    script.invoke("r1")
    script.invoke("r2")
    script.advance(1.0)
    script.shut_down()
    script.exit("runtime", signal="killed")
    for request_id in ("r1", "r2"):
        assert script.answers[request_id] == Outcome(
            "failure",
            error_type="Sandbox.Failure",
            error={
                "errorType": "Sandbox.Failure",
                "errorMessage": f"RequestId: {request_id} Error: execution environment was shut "
                "down",
            },
        )
    assert script.reports["r1"].duration_ms == 1000.0
    assert script.reports["r2"].duration_ms == 0.0


def test_shutdown_during_a_reset() -> None:
    """A reset that is under way becomes the shutdown; who waited was not timed out."""
    script = Script.idle("shipper", timeout=3.0)
    script.invoke("r1")
    script.invoke("r2")
    script.advance(3.0)
    script.shut_down()
    script.exit("runtime", signal="terminated")
    script.exit("shipper", 0)
    assert script.phase == "gone"
    assert script.answers["r1"].status == "timeout"
    assert script.answers["r2"].status == "failure"
    assert script.reports["r2"].error_type == "Sandbox.Failure"


def test_shutdown_of_a_cold_environment() -> None:
    """A cold environment is gone at once, without a process ever having run."""
    script = Script("shipper")
    script.shut_down()
    assert script.phase == "gone"
    assert script.processes == {}


def test_second_shutdown_changes_nothing() -> None:
    """Asking again gives neither more time nor less."""
    script = Script.idle("shipper")
    script.shut_down()
    script.advance(0.5)
    script.news()
    script.shut_down("failure")
    assert script.news() == []
    script.advance(0.1)
    assert script.signals == [(RUNTIME, "SIGTERM"), (RUNTIME, "SIGKILL")]


def test_nothing_begins_in_an_environment_that_is_gone() -> None:
    """An environment that is gone starts nothing; an invocation that comes too late fails."""
    script = Script.idle()
    script.shut_down()
    script.exit("runtime", signal="killed")
    script.news()
    script.init()
    script.shut_down()
    assert script.news() == []
    script.invoke("r1")
    assert script.answers["r1"].error_type == "Sandbox.Failure"
    assert script.phase == "gone"


# --- A shutdown while answered work comes back --------------------------------------------------


def test_answered_work_comes_back_before_the_shutdown() -> None:
    """An invocation that has been answered ends by itself; then the shutdown begins."""
    script = Script.idle("shipper")
    script.invoke()
    script.respond()
    script.runtime_next()
    script.shut_down()
    assert script.phase == "invoke"
    assert script.signals == []
    script.extension_next("shipper")
    assert script.reports["r1"].status == "success"
    assert script.signals == [(RUNTIME, "SIGTERM")]
    assert script.phase == "stopping"


def test_answered_work_that_does_not_come_back_is_not_waited_for_beyond_its_deadline() -> None:
    """The function timeout bounds the waiting, and the environment is gone afterwards."""
    script = Script.idle()
    script.invoke()
    script.respond()
    script.shut_down()
    script.advance(3.0)
    script.exit("runtime", signal="killed")
    assert script.phase == "gone"
    assert script.reports["r1"].status == "timeout"
