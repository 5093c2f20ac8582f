"""SnapStart: init to the snapshot, the restore and its hooks, and what can go wrong on the way.

Order, limit and error types: "Lambda SnapStart", AWS Lambda Developer Guide.
"""

from __future__ import annotations

from typing import Any

import pytest

from rapid_mock.lifecycle.effects import InvocationDelivered, Refusal, Restored
from rapid_mock.lifecycle.modes import SNAP_START
from rapid_mock.lifecycle.state import Standing
from tests.support.lifecycle_script import Script


def at_the_snapshot(*extensions: str, **settings: Any) -> Script:
    """An environment whose runtime has hooks and waits for the restore."""
    script = Script(
        *extensions, mode=SNAP_START, initialization_type="snap-start", init_timeout=130, **settings
    )
    script.init()
    for name in extensions:
        script.register(name, "INVOKE", "SHUTDOWN")
        script.extension_next(name)
    script.restore_next()
    script.news()
    return script


def test_a_whole_life() -> None:
    """Init ends at the snapshot; the first invocation restores; the second finds all ready."""
    script = Script(mode=SNAP_START, initialization_type="snap-start")
    script.init()
    script.advance(0.5)
    poll = script.restore_next()
    assert script.phase == "snapshot"
    assert script.records("platform.initReport")[0]["status"] == "success"
    script.advance(3600.0)
    script.news()
    script.invoke("r1")
    assert script.phase == "restore"
    assert poll.reply == Restored()
    script.advance(0.25)
    script.runtime_next()
    script.respond("r1")
    script.runtime_next()
    assert script.news() == [
        "platform.restoreStart",
        "reply 1 Restored",
        "drain",
        "platform.restoreRuntimeDone",
        "platform.restoreReport",
        "platform.start",
        "reply 2 InvocationDelivered",
        "reply 3 Accepted",
        "answer r1",
        "drain",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
        "finish r1",
    ]
    script.invoke("r2")
    script.respond("r2")
    script.runtime_next()
    assert len(script.records("platform.restoreStart")) == 1


def test_records_of_the_restore() -> None:
    """Each record has the members and names of the Telemetry API's schema."""
    script = at_the_snapshot(memory_mb=256, log_stream="stream")
    script.invoke("r1")
    script.advance(0.25)
    script.runtime_next()
    assert script.records("platform.restoreStart") == [
        {
            "runtimeVersion": "",
            "runtimeVersionArn": "",
            "functionName": "hello",
            "functionVersion": "$LATEST",
            "instanceId": "stream",
            "instanceMaxMemory": 268435456,
        }
    ]
    assert script.records("platform.restoreRuntimeDone") == [{"status": "success"}]
    assert script.records("platform.restoreReport") == [
        {"status": "success", "metrics": {"durationMs": 250.0}}
    ]


def test_report_has_the_restore_and_not_the_init() -> None:
    """The first REPORT after a restore has its duration, rounded up for the bill; no other has."""
    script = at_the_snapshot()
    script.invoke("r1")
    script.advance(0.1255)
    script.runtime_next()
    script.advance(0.25)
    script.respond("r1")
    script.runtime_next()
    script.invoke("r2")
    script.respond("r2")
    script.runtime_next()
    first, second = script.reports["r1"], script.reports["r2"]
    assert (first.restore_ms, first.init_ms, first.billed_ms) == (125.5, None, 250)
    assert second.restore_ms is None
    metrics = script.records("platform.report")[0]["metrics"]
    assert isinstance(metrics, dict)
    assert metrics["restoreDurationMs"] == 125.5
    assert metrics["billedRestoreDurationMs"] == 126
    assert "initDurationMs" not in metrics


def test_function_timeout_begins_after_the_restore() -> None:
    """The hooks' time is their own: the invocation has all of its timeout afterwards."""
    script = at_the_snapshot(timeout=3.0)
    script.invoke("r1")
    script.advance(9.0)
    poll = script.runtime_next()
    assert isinstance(poll.reply, InvocationDelivered)
    assert script.time_left == 3.0


def test_runtime_without_hooks() -> None:
    """A runtime that asks for its first event at once is restored in no time."""
    script = Script(mode=SNAP_START)
    script.init()
    poll = script.runtime_next()
    assert script.phase == "snapshot"
    script.advance(3600.0)
    script.invoke("r1")
    assert isinstance(poll.reply, InvocationDelivered)
    assert script.records("platform.restoreReport") == [
        {"status": "success", "metrics": {"durationMs": 0.0}}
    ]


def test_restore_ahead_of_any_invocation() -> None:
    """An explicit restore leaves an idle environment, for which the next one changes nothing."""
    script = at_the_snapshot()
    script.restore()
    script.runtime_next()
    assert script.phase == "idle"
    assert script.restore() == []
    script.invoke("r1")
    script.respond("r1")
    script.runtime_next()
    assert script.reports["r1"].restore_ms == 0.0


def test_hooks_that_take_too_long() -> None:
    """After 10 s the restore fails with Runtime.RestoreHookUserTimeout, and so does who waits."""
    script = at_the_snapshot(timeout=60.0)
    script.invoke("r1")
    assert script.time_left == 10.0
    script.advance(10.0)
    script.exit("runtime", signal="killed")
    assert script.records("platform.restoreReport") == [
        {
            "status": "error",
            "errorType": "Runtime.RestoreHookUserTimeout",
            "metrics": {"durationMs": 10000.0},
        }
    ]
    outcome = script.answers["r1"]
    assert outcome.refusal is Refusal.RESTORE_TIMED_OUT
    assert outcome.error == {
        "errorType": "Runtime.RestoreHookUserTimeout",
        "errorMessage": "RequestId: r1 Error: Restore timed out after 10.00 seconds",
    }
    assert script.sentences == ["runtime did not call next within 10.0 s of the restore"]
    assert script.phase == "cold"


@pytest.mark.parametrize("report", [Script.report_restore_error, Script.report_init_error])
def test_hook_that_fails(report: Any) -> None:
    """The invoker hears of it when the process has ended; nothing is repeated."""
    script = at_the_snapshot()
    script.invoke("r1")
    report(script, b"it broke")
    assert script.phase == "restore"
    script.exit("runtime", 65)
    outcome = script.answers["r1"]
    assert (outcome.status, outcome.payload) == ("error", b"it broke")
    assert outcome.refusal is Refusal.RESTORE_FAILED
    assert script.records("platform.restoreReport")[0]["errorType"] == outcome.error_type
    assert script.phase == "cold"
    assert set(script.reports) == {"r1"}


def test_failed_hook_whose_process_stays() -> None:
    """A reported error is the reason, also when only the limit ends the restore."""
    script = at_the_snapshot()
    script.invoke("r1")
    script.report_restore_error(b"it broke")
    script.advance(10.0)
    script.exit("runtime", signal="killed")
    assert script.answers["r1"].payload == b"it broke"
    assert script.answers["r1"].refusal is Refusal.RESTORE_FAILED
    assert script.sentences == [
        "runtime reported Runtime.AfterRestoreError and did not exit within 10.0 s"
    ]


def test_runtime_that_dies_in_the_restore() -> None:
    """An exit without a report is Runtime.ExitError."""
    script = at_the_snapshot()
    script.invoke("r1")
    script.exit("runtime", 7)
    assert script.answers["r1"].error_type == "Runtime.ExitError"
    assert script.sentences == ["runtime exited during the restore (exit status 7)"]


def test_failed_restore_with_nobody_waiting() -> None:
    """It is explained, and the environment begins again with the next invocation."""
    script = at_the_snapshot()
    script.restore()
    script.exit("runtime", 7)
    assert script.phase == "cold"
    assert script.answers == {}
    assert len(script.sentences) == 1


def test_before_the_snapshot() -> None:
    """A hook that fails before the snapshot fails the init."""
    script = Script(mode=SNAP_START)
    script.init()
    script.report_init_error(b"not now")
    script.exit("runtime", 64)
    assert script.records("platform.initReport")[0]["status"] == "error"
    assert script.phase == "cold"


def test_snapshot_that_dies_is_retired() -> None:
    """A process that ends at the snapshot fails nobody."""
    script = at_the_snapshot()
    script.exit("runtime", 1)
    assert script.phase == "gone"
    assert script.sentences == ["runtime exited after the snapshot (exit status 1)"]


def test_init_inside_an_invocation_restores_at_once() -> None:
    """After a crash the next invocation inits, and restores, within its own time."""
    script = at_the_snapshot(timeout=3.0)
    script.invoke("r1")
    script.runtime_next()
    script.exit("runtime", 1)
    script.invoke("r2")
    script.advance(1.0)
    poll = script.restore_next()
    assert poll.reply == Restored()
    assert (script.phase, script.time_left) == ("restore", 2.0)
    script.advance(2.0)
    script.exit("runtime", signal="killed")
    assert script.answers["r2"].error_type == "Sandbox.Timedout"
    assert script.answers["r2"].refusal is None


def test_standing() -> None:
    """A snapshot takes an invocation; while it is restored for one, it takes no other."""
    script = at_the_snapshot()
    seen = [script.environment.standing]
    script.invoke("r1")
    seen.append(script.environment.standing)
    assert seen == [Standing.FREE, Standing.BUSY]


def test_registration_is_closed_at_the_snapshot() -> None:
    """Registration closes when the runtime asks for the restore, as when it asks for an event."""
    script = at_the_snapshot()
    assert script.register("late", "INVOKE").refusal[1] == "Extension.RegistrationClosed"


def test_snapshot_waits_for_the_extensions() -> None:
    """The snapshot is taken when every extension waits for its next event, too."""
    script = Script("shipper", mode=SNAP_START)
    script.init()
    script.register("shipper", "INVOKE")
    script.restore_next()
    assert script.phase == "init"
    script.extension_next("shipper")
    assert script.phase == "snapshot"
