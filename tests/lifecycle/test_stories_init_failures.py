"""Init that fails: the second attempt inside the invocation, and what the invoker gets.

Source: "Understanding the Lambda execution environment lifecycle", AWS Lambda Developer Guide;
bodies of the errors: recorded from AWS; types: AWS's Runtime Interface Emulator.
"""

from __future__ import annotations

from rapid_mock.lifecycle.effects import Outcome, ShutdownEvent
from tests.support.lifecycle_script import Script


def test_posted_init_error_reaches_the_invoker_verbatim() -> None:
    """Init error and exit, twice: the invoker gets the body that the runtime posted last."""
    script = Script()
    script.invoke("r1")
    script.report_init_error(b"first")
    assert script.phase == "init"
    script.exit("runtime", 1)
    assert script.answers == {}
    script.report_init_error(b"second")
    script.exit("runtime", 1)
    assert script.answers == {
        "r1": Outcome("error", b"second", error_type="Runtime.ImportModuleError")
    }
    assert script.reports["r1"].status == "error"
    assert script.reports["r1"].error_type == "Runtime.ImportModuleError"
    assert script.sentences == [
        "runtime reported Runtime.ImportModuleError and exited (exit status 1)"
    ]


def test_empty_init_error_is_verbatim_too() -> None:
    """A posted body without bytes is what the invoker gets."""
    script = Script()
    script.invoke("r1")
    script.exit("runtime", 1)
    script.report_init_error(b"")
    script.exit("runtime", 0)
    assert script.answers["r1"] == Outcome("error", b"", error_type="Runtime.ImportModuleError")


def test_init_error_alone_ends_nothing() -> None:
    """A runtime that reports an init error and lives on is waited for until the deadline."""
    script = Script()
    script.invoke("r1")
    script.report_init_error()
    assert script.phase == "init"
    assert script.time_left == 10.0


def test_init_error_is_forgotten_with_its_process() -> None:
    """The second attempt's own failure is what the invoker hears of."""
    script = Script()
    script.invoke("r1")
    script.report_init_error()
    script.exit("runtime", 1)
    script.exit("runtime", 7)
    assert script.answers["r1"].error == {
        "errorType": "Runtime.ExitError",
        "errorMessage": "RequestId: r1 Error: Runtime exited with error: exit status 7",
    }


def test_failed_init_ends_the_extensions_with_spindown() -> None:
    """After a failed init the registered extensions are shut down before the second attempt."""
    script = Script("shipper")
    script.invoke("r1")
    script.register("shipper", "SHUTDOWN")
    event = script.extension_next("shipper")
    script.exit("runtime", 1)
    assert event.reply == ShutdownEvent(1_700_000_002_000, "spindown")
    script.news()
    script.exit("shipper", 0)
    assert script.news() == [
        "drain",
        "begintelemetry",
        "platform.start",
        "platform.initStart",
        "spawn shipper",
    ]


def test_init_timeout_ends_the_extensions_with_spindown_first_and_timeout_then() -> None:
    """The reason is `timeout` only when an invocation ran out of its time."""
    script = Script("shipper")
    script.invoke("r1")
    reasons = []
    for seconds in (10.0, 3.0):
        script.register("shipper", "SHUTDOWN")
        event = script.extension_next("shipper")
        script.advance(seconds)
        script.exit("runtime", signal="terminated")
        assert isinstance(event.reply, ShutdownEvent)
        reasons.append(event.reply.reason)
        script.exit("shipper", 0)
    assert reasons == ["spindown", "timeout"]


def test_runtime_that_cannot_start() -> None:
    """A bootstrap that cannot be executed fails the invocation after the second attempt."""
    script = Script()
    script.invoke("r1")
    message = "fork/exec /var/task/bootstrap: permission denied"
    script.fail_to_start("runtime", message)
    assert script.answers == {}
    script.fail_to_start("runtime", message)
    assert script.answers["r1"].error == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": f"RequestId: r1 Error: {message}",
    }
    assert script.sentences == [f"runtime did not start: {message}"]
    assert script.signals == []


def test_extension_that_cannot_start() -> None:
    """An extension that cannot be executed fails init; the runtime is never started."""
    script = Script("a", "b")
    script.invoke("r1")
    for _attempt in range(2):
        script.fail_to_start("a", "fork/exec /opt/extensions/a: permission denied")
        script.exit("b", signal="killed")
    assert script.answers["r1"].error_type == "Extension.LaunchError"
    assert script.signals == [(2, "SIGKILL"), (4, "SIGKILL")]
    assert "runtime" not in script.processes
    assert script.records("platform.extension")[0] == {
        "name": "a",
        "state": "LaunchError",
        "events": [],
    }


def test_more_than_ten_extensions() -> None:
    """Eleven external extensions fail init before any is started."""
    script = Script(*(f"x{number}" for number in range(11)))
    script.invoke("r1")
    assert script.processes == {}
    assert script.answers["r1"].error == {
        "errorType": "Extension.TooManyExtensions",
        "errorMessage": "RequestId: r1 Error: Extension limit (10) reached",
    }
    assert script.sentences == ["11 extensions given, Lambda allows 10"]
    assert script.phase == "cold"


def test_every_invocation_waiting_for_init_gets_its_own_attempt() -> None:
    """Two invocations that wait for a hopeless init fail one after the other."""
    script = Script()
    script.invoke("r1")
    script.invoke("r2")
    for _attempt in range(3):
        assert script.phase == "init"
        script.exit("runtime", 1)
    assert list(script.answers) == ["r1", "r2"]
    assert list(script.reports) == ["r1", "r2"]
    assert script.phase == "cold"


def test_recovery_after_a_failed_init() -> None:
    """The next invocation starts fresh processes and can succeed; no Init Duration is reported."""
    script = Script()
    script.invoke("r1")
    script.exit("runtime", 1)
    script.exit("runtime", 1)
    script.invoke("r2")
    poll = script.runtime_next()
    assert poll.delivered == "r2"
    script.respond("r2")
    script.runtime_next()
    assert script.reports["r2"].status == "success"
    assert script.reports["r2"].init_ms is None
