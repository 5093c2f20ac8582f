"""Timeouts: what the invoker gets, who is blamed, and how the environment recovers.

Bodies of the errors: recorded from AWS; order of events: AWS's Runtime Interface Emulator.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rapid_mock.lifecycle.effects import Outcome, Report
from tests.support.lifecycle_script import Script


def test_function_timeout() -> None:
    """The invoker gets Sandbox.Timedout once all processes are gone; Duration is the timeout."""
    script = Script.idle(timeout=3.0, memory_mb=512)
    script.invoke("r1")
    script.news()
    script.advance(3.0)
    assert script.news() == ["explain", "platform.runtimeDone", "platform.fault", "SIGKILL 1"]
    assert script.answers == {}
    script.advance(0.125)
    script.exit("runtime", signal="killed")
    assert script.answers["r1"] == Outcome(
        "timeout",
        error_type="Sandbox.Timedout",
        error={
            "errorType": "Sandbox.Timedout",
            "errorMessage": "RequestId: r1 Error: Task timed out after 3.00 seconds",
        },
    )
    assert script.reports["r1"] == Report(
        "r1", "timeout", 3000.0, 3000, 512, 0, init_ms=0.0, error_type="Sandbox.Timedout"
    )
    assert script.records("platform.fault") == [
        {"message": "r1 Task timed out after 3.00 seconds", "status": "timeout"}
    ]
    assert "errorType" not in script.records("platform.report")[0]
    assert "errorType" not in script.records("platform.runtimeDone")[0]
    assert script.phase == "cold"


def test_nothing_happens_before_the_deadline() -> None:
    """A timer that fires early changes nothing."""
    script = Script.idle(timeout=3.0)
    script.invoke("r1")
    script.news()
    script.advance(2.875)
    script.time_out()
    assert script.news() == []
    assert script.time_left == 0.125


def test_duration_is_never_more_than_the_timeout() -> None:
    """A timer that fires late does not make the invocation longer."""
    script = Script.idle(timeout=3.0)
    script.invoke("r1")
    script.clock += 4.5
    script.time_out()
    script.exit("runtime", signal="killed")
    assert script.reports["r1"].duration_ms == 3000.0


@pytest.mark.parametrize(
    ("until", "sentence"),
    [
        (lambda _: None, "handler did not respond"),
        (lambda s: s.begin_response("r1"), "runtime did not finish its response"),
        (lambda s: s.respond("r1"), "runtime responded but did not call next"),
        (
            lambda s: (s.respond("r1"), s.runtime_next()),
            'extension "shipper" did not call next',
        ),
    ],
)
def test_the_sentence_names_whoever_was_waited_for(
    until: Callable[[Script], object], sentence: str
) -> None:
    """A timeout says in one sentence who did not do what, and how long it was waited for."""
    script = Script.idle("shipper", timeout=3.0)
    script.invoke("r1")
    until(script)
    script.advance(3.0)
    assert script.sentences == [f"{sentence} within 3.0 s"]


def test_timeout_after_the_response() -> None:
    """A response that was given stands; the invocation times out and the environment is reset."""
    script = Script.idle(timeout=3.0)
    script.invoke("r1")
    script.respond("r1", b"good")
    script.advance(3.0)
    script.exit("runtime", signal="killed")
    assert script.answers["r1"] == Outcome("success", b"good", "application/json")
    assert script.reports["r1"].status == "timeout"


def test_timeout_when_the_runtime_never_asked() -> None:
    """An invocation whose runtime lost its poll and never came back runs out of time."""
    script = Script()
    script.init()
    script.vanish(script.runtime_next())
    script.invoke("r1")
    script.advance(3.0)
    assert script.sentences == ["runtime did not ask for the event within 3.0 s"]


def test_late_response_after_the_timeout() -> None:
    """From the timeout on the id is unknown, before the reset is over and after it."""
    script = Script.idle(timeout=1.0)
    script.invoke("r1")
    begun = script.begin_response("r1")
    script.advance(1.0)
    invalid = (400, "InvalidRequestID", "Invalid request ID")
    script.end_response(begun, "r1", b"late")
    assert begun.refusal == invalid
    assert script.respond("r1").refusal == invalid
    assert script.report_error("r1").refusal == invalid
    script.exit("runtime", signal="killed")
    assert script.respond("r1").refusal == invalid
    assert script.answers["r1"].status == "timeout"


def test_next_of_a_runtime_whose_invocation_is_lost() -> None:
    """After a timeout the dying runtime gets no event, neither the lost one nor another."""
    script = Script()
    script.init()
    script.register("inner")
    script.extension_next("inner")
    script.runtime_next()
    script.invoke("r1")
    script.advance(3.0)
    poll = script.runtime_next()
    script.invoke("r2")
    assert poll.is_parked
    script.exit("runtime", signal="terminated")
    assert poll.is_parked
    assert script.phase == "init"


def test_reset_and_init_in_phase_invoke() -> None:
    """After a timeout the next invocation starts everything anew, inside itself."""
    script = Script.idle("shipper", timeout=3.0)
    script.invoke("r1")
    script.advance(3.0)
    script.exit("runtime", signal="terminated")
    script.exit("shipper", signal="killed")
    assert script.phase == "cold"
    assert script.extension_next("shipper").refusal == (
        403,
        "Extension.UnknownExtensionIdentifier",
        "Unknown extension id-shipper",
    )
    script.invoke("r2")
    assert script.records("platform.initStart")[-1]["phase"] == "invoke"
    script.register("shipper", "INVOKE")
    script.runtime_next()
    script.extension_next("shipper")
    script.respond("r2")
    script.runtime_next()
    script.extension_next("shipper")
    assert script.reports["r2"].status == "success"
