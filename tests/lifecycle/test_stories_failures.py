"""Crashes: what the invoker gets, what is reported, and how the environment recovers.

Bodies of the errors: recorded from AWS; order of events: AWS's Runtime Interface Emulator.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rapid_mock.lifecycle.effects import Outcome
from rapid_mock.lifecycle.state import Standing
from tests.support.lifecycle_script import Script

# --- The runtime exits ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "signal", "text"),
    [
        (0, None, "Runtime exited without providing a reason"),
        (1, None, "Runtime exited with error: exit status 1"),
        (255, None, "Runtime exited with error: exit status 255"),
        (None, "killed", "Runtime exited with error: signal: killed"),
        (
            None,
            "segmentation fault",
            "Runtime exited with error: signal: segmentation fault",
        ),
    ],
)
def test_runtime_exits_during_an_invocation(
    code: int | None, signal: str | None, text: str
) -> None:
    """The invoker gets Runtime.ExitError, errorType first, with AWS's words for the ending."""
    script = Script.idle()
    script.invoke("r1")
    script.exit("runtime", code, signal)
    error = script.answers["r1"].error
    assert error is not None
    assert list(error.items()) == [
        ("errorType", "Runtime.ExitError"),
        ("errorMessage", f"RequestId: r1 Error: {text}"),
    ]
    assert script.phase == "cold"


def test_everything_that_follows_a_crash() -> None:
    """A crash during an invocation without extensions, effect by effect."""
    script = Script.idle()
    script.invoke("r1")
    script.news()
    script.advance(0.5)
    script.exit("runtime", 3)
    assert script.news() == [
        "explain",
        "platform.runtimeDone",
        "platform.fault",
        "drain",
        "answer r1",
        "platform.end",
        "platform.report",
        "finish r1",
    ]
    assert script.sentences == ["runtime exited during an invocation (exit status 3)"]
    assert script.records("platform.runtimeDone") == [
        {
            "requestId": "r1",
            "status": "error",
            "metrics": {"durationMs": 500.0},
            "errorType": "Runtime.ExitError",
        }
    ]
    assert script.records("platform.fault") == [
        {
            "message": "RequestId: r1 Error: Runtime exited with error: exit status 3\n"
            "Runtime.ExitError",
            "status": "error",
        }
    ]
    assert script.records("platform.report")[0]["errorType"] == "Runtime.ExitError"


def _spawned(_script: Script) -> None:
    pass


def _ready(script: Script) -> None:
    script.runtime_next()


def _delivered(script: Script) -> None:
    script.runtime_next()
    script.extension_next("inner")


def _responding(script: Script) -> None:
    _delivered(script)
    script.begin_response("r1")


def _responded(script: Script) -> None:
    _delivered(script)
    script.respond("r1", b"good")


def _returned(script: Script) -> None:
    _responded(script)
    script.runtime_next()


@pytest.mark.parametrize(
    ("until", "answered"),
    [
        (_spawned, False),
        (_ready, False),
        (_delivered, False),
        (_responding, False),
        (_responded, True),
        (_returned, True),
    ],
)
def test_runtime_exits_at_any_point_of_the_invocation(
    until: Callable[[Script], None], answered: bool
) -> None:
    """A response that was complete stands; else the exit is the answer. The REPORT says error."""
    script = Script()
    script.invoke("r1")
    script.exit("runtime", 1)
    script.register("inner", "INVOKE")
    until(script)
    script.exit("runtime", 9)
    if answered:
        assert script.answers["r1"] == Outcome("success", b"good", "application/json")
    else:
        assert script.answers["r1"].error_type == "Runtime.ExitError"
    assert script.reports["r1"].status == "error"
    assert script.reports["r1"].error_type == "Runtime.ExitError"
    assert script.phase == "cold"


def test_runtime_that_came_back_is_not_done_twice() -> None:
    """platform.runtimeDone is told once, even when the invocation fails after it."""
    script = Script.idle("shipper")
    script.invoke("r1")
    script.respond("r1")
    script.runtime_next()
    script.exit("runtime", 1)
    script.exit("shipper", 0)
    assert len(script.records("platform.runtimeDone")) == 1
    assert script.records("platform.runtimeDone")[0]["status"] == "success"
    assert script.reports["r1"].status == "error"


def test_environment_recovers_from_a_crash() -> None:
    """The next invocation finds fresh processes, started inside it."""
    script = Script.idle()
    script.invoke("r1")
    script.exit("runtime", 1)
    script.news()
    script.invoke("r2")
    assert script.news() == [
        "begintelemetry",
        "platform.start",
        "platform.initStart",
        "spawn runtime",
    ]
    script.runtime_next()
    script.respond("r2")
    script.runtime_next()
    assert script.reports["r2"].status == "success"


def test_work_that_waited_survives_a_crash() -> None:
    """An invocation that waited behind the one that crashed is served by the fresh processes."""
    script = Script.idle()
    script.invoke("r1")
    script.invoke("r2")
    script.exit("runtime", 1)
    assert script.phase == "init"
    assert script.runtime_next().delivered == "r2"


def test_crash_while_idle_retires_the_environment() -> None:
    """A runtime that dies with nothing to do fails nobody; the environment goes for good."""
    script = Script.idle()
    script.exit("runtime", signal="killed")
    assert script.sentences == ["runtime exited while idle (signal: killed)"]
    assert script.phase == "gone"
    assert script.answers == {}


# --- An extension exits -----------------------------------------------------------------------


def test_extension_exits_before_it_registers() -> None:
    """Whatever its exit code, an extension that ends before it registered fails init."""
    script = Script("shipper")
    script.invoke("r1")
    for _attempt in range(2):
        script.exit("shipper", 0)
    assert script.answers["r1"].error == {
        "errorType": "Extension.Crash",
        "errorMessage": "RequestId: r1 Error: exit code 0",
    }
    assert script.sentences == ['extension "shipper" exited before registering (exit status 0)']


def test_extension_exits_after_it_registered() -> None:
    """An extension that ends during init takes the runtime with it."""
    script = Script("shipper", "other")
    script.init()
    script.register("shipper", "INVOKE")
    script.register("other", "INVOKE")
    script.exit("shipper", 1)
    assert script.signals == [(3, "SIGTERM")]
    assert script.sentences == ['extension "shipper" exited during init (exit status 1)']
    script.exit("runtime", signal="terminated")
    assert script.signals[1:] == [(2, "SIGKILL")]


@pytest.mark.parametrize("is_back", [False, True])
def test_extension_exits_during_an_invocation(is_back: bool) -> None:
    """An extension that dies fails the invocation, whether it had come back already or not."""
    script = Script.idle("shipper")
    script.invoke("r1")
    if is_back:
        script.extension_next("shipper")
    script.exit("shipper", 3)
    script.exit("runtime", signal="terminated")
    assert script.answers["r1"].error == {
        "errorType": "Extension.Crash",
        "errorMessage": "RequestId: r1 Error: exit status 3",
    }


def test_extension_exits_after_the_response() -> None:
    """A response that was given before the extension died stands; the REPORT says what happened."""
    script = Script.idle("shipper")
    script.invoke("r1")
    script.respond("r1", b"good")
    script.runtime_next()
    script.exit("shipper", 3)
    script.exit("runtime", signal="terminated")
    assert script.answers["r1"].payload == b"good"
    assert script.reports["r1"].error_type == "Extension.Crash"


def test_extension_that_is_not_awaited_fails_the_invocation_all_the_same() -> None:
    """Any extension's end is fatal, also of one that only wants SHUTDOWN."""
    script = Script("watcher")
    script.invoke("r1")
    script.register("watcher", "SHUTDOWN")
    script.extension_next("watcher")
    script.runtime_next()
    script.exit("watcher", signal="killed")
    script.exit("runtime", signal="terminated")
    assert script.answers["r1"].error == {
        "errorType": "Extension.Crash",
        "errorMessage": "RequestId: r1 Error: signal: killed",
    }


def test_extension_dies_while_idle() -> None:
    """An extension that dies with nothing to do retires the environment, through a shutdown."""
    script = Script.idle("shipper")
    script.exit("shipper", 1)
    assert script.phase == "stopping"
    assert script.signals == [(2, "SIGTERM")]
    script.exit("runtime", signal="terminated")
    assert script.phase == "gone"


def test_the_first_fault_is_the_cause() -> None:
    """What dies during the reset that a fault caused changes neither the answer nor the report."""
    script = Script.idle("shipper", "other")
    script.invoke("r1")
    script.exit("shipper", 3)
    script.exit("runtime", 1)
    script.exit("other", 4)
    assert script.answers["r1"].error == {
        "errorType": "Extension.Crash",
        "errorMessage": "RequestId: r1 Error: exit status 3",
    }
    assert script.reports["r1"].error_type == "Extension.Crash"
    assert len(script.sentences) == 1


# --- Too much memory --------------------------------------------------------------------------


def test_runtime_that_outgrows_the_memory_size() -> None:
    """It is killed; its end is Runtime.OutOfMemory, and the sentence tells both sizes."""
    script = Script.idle(memory_mb=256)
    script.invoke("r1")
    script.sample_memory(301)
    script.outgrow("runtime")
    assert script.signals == [(1, "SIGKILL")]
    assert script.phase == "invoke"
    script.exit("runtime", signal="killed")
    error = script.answers["r1"].error
    assert error is not None
    assert list(error.items()) == [
        ("errorType", "Runtime.OutOfMemory"),
        ("errorMessage", "RequestId: r1 Error: Runtime exited with error: signal: killed"),
    ]
    report = script.reports["r1"]
    assert (report.status, report.error_type) == ("error", "Runtime.OutOfMemory")
    assert (report.max_memory_mb, report.memory_size_mb) == (301, 256)
    assert script.sentences == [
        "runtime outgrew the environment and was killed: "
        "all processes used 301 MB, the memory size is 256 MB"
    ]
    assert script.phase == "cold"


def test_what_killed_processes_used_is_not_reported_again() -> None:
    """After a reset the maximum is that of the new processes; without one it stays."""
    script = Script.idle()
    script.invoke("r1")
    script.sample_memory(301)
    script.outgrow("runtime")
    script.exit("runtime", signal="killed")
    script.invoke("r2")
    script.runtime_next()
    script.sample_memory(40)
    script.respond("r2")
    script.runtime_next()
    script.invoke("r3")
    script.sample_memory(30)
    script.respond("r3")
    script.runtime_next()
    assert [report.max_memory_mb for report in script.reports.values()] == [301, 40, 40]


def test_memory_that_was_given_back_in_time_is_told_of() -> None:
    """Nobody was killed for it here, but might be on Lambda: one sentence, for each new peak."""
    script = Script.idle(memory_mb=256)
    for request_id, megabytes in (("r1", 256), ("r2", 257), ("r3", 200), ("r4", 301)):
        script.invoke(request_id)
        script.sample_memory(megabytes)
        script.respond(request_id)
        script.runtime_next()
    assert script.sentences == [
        f"the peaks of all processes together, {peak} MB, were above the memory size of 256 MB: "
        "Lambda may have killed the function"
        for peak in (257, 301)
    ]


def test_extension_that_outgrows_the_memory_size() -> None:
    """The largest process is the one that is killed; an extension's end is Extension.Crash."""
    script = Script.idle("shipper", memory_mb=256)
    script.invoke("r1")
    script.sample_memory(301)
    script.outgrow("shipper")
    assert script.signals == [(1, "SIGKILL")]
    script.exit("shipper", signal="killed")
    script.exit("runtime", signal="terminated")
    assert script.answers["r1"].error == {
        "errorType": "Extension.Crash",
        "errorMessage": "RequestId: r1 Error: signal: killed",
    }
    assert script.sentences == [
        'extension "shipper" outgrew the environment and was killed: '
        "all processes used 301 MB, the memory size is 256 MB"
    ]


def test_init_that_outgrows_the_memory_size_is_repeated() -> None:
    """An init killed for its memory runs again inside the first invocation, and fails it there."""
    script = Script(memory_mb=256)
    script.init()
    script.outgrow("runtime")
    script.exit("runtime", signal="killed")
    assert script.records("platform.initReport")[0]["errorType"] == "Runtime.OutOfMemory"
    script.invoke("r1")
    script.outgrow("runtime")
    script.exit("runtime", signal="killed")
    assert script.reports["r1"].error_type == "Runtime.OutOfMemory"


def test_later_crash_is_not_blamed_on_memory() -> None:
    """What was killed for its memory is forgotten with the environment's reset."""
    script = Script.idle()
    script.invoke("r1")
    script.outgrow("runtime")
    script.exit("runtime", signal="killed")
    script.invoke("r2")
    script.exit("runtime", signal="killed")
    assert script.reports["r2"].error_type == "Runtime.ExitError"


@pytest.mark.parametrize("phase", ["idle", "stopping"])
def test_memory_is_nobodys_end_outside_of_work(phase: str) -> None:
    """An environment that is frozen, or being shut down anyway, kills nobody for memory."""
    script = Script.idle()
    if phase == "stopping":
        script.invoke("r1")
        script.advance(3.0)
        assert script.phase == "stopping"
    before = script.signals
    script.outgrow("runtime")
    assert script.signals == before


# --- Who waits for whom -----------------------------------------------------------------------


def test_environment_that_is_reset_is_returning() -> None:
    """New work may wait for an environment under reset, and not for one that goes for good."""
    script = Script.idle("shipper")
    script.invoke("r1")
    seen = [script.environment.standing]
    script.exit("runtime", 1)
    seen.append(script.environment.standing)
    script.shut_down()
    seen.append(script.environment.standing)
    assert script.phase == "stopping"
    assert seen == [Standing.BUSY, Standing.RETURNING, Standing.LEAVING]
