"""The init phase: who is started when, who is waited for, and what happens when it fails.

Source: "Understanding the Lambda execution environment lifecycle" and "Using the Lambda Extensions
API", AWS Lambda Developer Guide; order of the starts: AWS's Runtime Interface Emulator.
"""

from __future__ import annotations

import pytest

from rapid_mock.lifecycle.effects import Outcome, ProcessKind, Spawn
from tests.support.lifecycle_script import Script

# --- When all goes well -----------------------------------------------------------------------


def test_cold_start_without_extensions() -> None:
    """The first invocation starts the runtime; it is delivered when the runtime asks."""
    script = Script()
    script.invoke("r1")
    assert script.news() == ["begintelemetry", "platform.initStart", "spawn runtime"]
    poll = script.runtime_next()
    assert script.news() == [
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "reply 1 InvocationDelivered",
    ]
    assert poll.delivered == "r1"
    assert script.phase == "invoke"


def test_cold_start_with_external_extensions() -> None:
    """All external extensions start at once, and the runtime when the last one has registered."""
    script = Script("a", "b")
    script.invoke("r1")
    assert script.news() == ["begintelemetry", "platform.initStart", "spawn a", "spawn b"]
    script.register("b", "INVOKE")
    assert script.news() == ["reply 1 RegistrationAccepted"]
    script.register("a", "INVOKE")
    assert script.news() == ["reply 2 RegistrationAccepted", "spawn runtime"]
    script.extension_next("b")
    script.runtime_next()
    assert script.news() == []
    script.extension_next("a")
    assert script.news() == [
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "reply 5 InvokeEvent",
        "reply 3 InvokeEvent",
        "reply 4 InvocationDelivered",
    ]


def test_processes_are_told_apart_by_kind() -> None:
    """The order to start a process says what it is, and which extension."""
    script = Script("shipper")
    script.init()
    script.register("shipper")
    spawns = [effect for effect in script.effects if isinstance(effect, Spawn)]
    assert spawns == [
        Spawn(1, ProcessKind.EXTENSION, "shipper"),
        Spawn(2, ProcessKind.RUNTIME, "runtime"),
    ]


def test_init_ahead_of_any_invocation() -> None:
    """An environment can be made ready for work that comes later; asking again changes nothing."""
    script = Script()
    script.init()
    assert script.phase == "init"
    script.news()
    script.init()
    assert script.news() == []
    poll = script.runtime_next()
    assert script.phase == "idle"
    assert poll.is_parked
    script.invoke("r1")
    assert poll.delivered == "r1"


def test_internal_extension() -> None:
    """An extension inside the runtime's process may register until the runtime's first next."""
    script = Script()
    script.invoke("r1")
    script.register("inner", "INVOKE")
    poll = script.runtime_next()
    assert poll.is_parked
    event = script.extension_next("inner")
    assert poll.delivered == "r1"
    assert not event.is_parked


def test_extension_without_events_is_awaited_in_init_only() -> None:
    """An extension with no events must ask for its next event once, and is never told anything."""
    script = Script("quiet")
    script.invoke("r1")
    script.register("quiet")
    poll = script.runtime_next()
    assert poll.is_parked
    event = script.extension_next("quiet")
    assert poll.delivered == "r1"
    script.respond("r1")
    script.runtime_next()
    assert script.phase == "idle"
    assert event.is_parked


def test_init_records() -> None:
    """Each record of the init phase has the members and names of the Telemetry API's schema."""
    script = Script("shipper", log_stream="2026/01/31/[$LATEST]0")
    script.init()
    script.advance(0.25)
    script.register("shipper", "SHUTDOWN", "INVOKE")
    script.extension_next("shipper")
    script.advance(0.25)
    script.runtime_next()
    kind = {"initializationType": "on-demand", "phase": "init"}
    assert script.records("platform.initStart") == [
        {
            **kind,
            "runtimeVersion": "",
            "runtimeVersionArn": "",
            "functionName": "hello",
            "functionVersion": "$LATEST",
            "instanceId": "2026/01/31/[$LATEST]0",
            "instanceMaxMemory": 128 * 1024 * 1024,
        }
    ]
    assert script.records("platform.initRuntimeDone") == [{**kind, "status": "success"}]
    assert script.records("platform.extension") == [
        {"name": "shipper", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    ]
    assert script.records("platform.initReport") == [
        {**kind, "status": "success", "metrics": {"durationMs": 500.0}}
    ]


# --- Init that takes too long -----------------------------------------------------------------


def test_init_timeout_is_repeated_inside_the_invocation() -> None:
    """Init has 10 s; then all is ended and init begins again under the function timeout."""
    script = Script(timeout=3.0)
    script.invoke("r1")
    script.advance(9.75)
    assert script.news() == ["begintelemetry", "platform.initStart", "spawn runtime"]
    script.advance(0.25)
    assert script.news() == ["platform.initRuntimeDone", "platform.initReport", "SIGKILL 1"]
    assert script.records("platform.initReport")[0]["status"] == "timeout"
    script.exit("runtime", signal="killed")
    assert script.news() == [
        "drain",
        "begintelemetry",
        "platform.start",
        "platform.initStart",
        "spawn runtime",
    ]
    assert script.time_left == 3.0
    assert script.records("platform.initStart")[1]["phase"] == "invoke"
    poll = script.runtime_next()
    assert poll.delivered == "r1"


def test_init_inside_the_invocation_spends_the_function_timeout() -> None:
    """The repeated init and the handler share one deadline, which the event carries."""
    script = Script(timeout=3.0)
    script.invoke("r1")
    script.fail_to_start("runtime", "fork/exec /x: text file busy")
    script.advance(2.0)
    script.runtime_next()
    assert script.phase == "invoke"
    assert script.time_left == 1.0
    script.respond("r1")
    script.runtime_next()
    assert script.reports["r1"].duration_ms == 2000.0
    assert script.reports["r1"].init_ms is None


def test_init_that_times_out_twice_times_the_invocation_out() -> None:
    """When the repeated init exceeds the function timeout too, the invoker is told `timed out`."""
    script = Script(timeout=3.0)
    script.invoke("r1")
    script.wait_for_nobody()
    assert script.answers == {
        "r1": Outcome(
            "timeout",
            error_type="Sandbox.Timedout",
            error={
                "errorType": "Sandbox.Timedout",
                "errorMessage": "RequestId: r1 Error: Task timed out after 3.00 seconds",
            },
        )
    }
    assert script.phase == "cold"
    assert "runtime did not call next within 3.0 s" in script.sentences


def test_init_timeout_without_work_is_explained_and_leaves_a_cold_environment() -> None:
    """An init nobody waits for ends cold, with a sentence that names who was waited for."""
    script = Script("slow", "quick")
    script.init()
    script.register("quick", "INVOKE")
    script.advance(10.0)
    assert script.sentences == ['extension "slow" did not register within 10.0 s']
    script.wait_for_nobody()
    assert script.phase == "cold"


def test_init_requested_after_a_reset_has_the_function_timeout() -> None:
    """A later init is of phase `invoke`; its sentence names the limit that applied."""
    script = Script(timeout=3.0)
    script.init()
    script.exit("runtime", 1)
    script.init()
    assert script.time_left == 3.0
    script.advance(3.0)
    assert script.sentences[-1] == "runtime did not call next within 3.0 s"


def test_init_timeout_is_a_setting() -> None:
    """Provisioned environments may take longer than 10 s."""
    script = Script(init_timeout=130.0)
    script.init()
    assert script.time_left == 130.0


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (0, 'extension "shipper" did not register'),
        (1, "runtime did not call next"),
        (2, 'extension "shipper" did not call next'),
    ],
)
def test_the_sentence_names_whoever_was_waited_for(steps: int, sentence: str) -> None:
    """A timeout of init says who did not do what."""
    script = Script("shipper")
    script.init()
    if steps > 0:
        script.register("shipper")
    if steps > 1:
        script.runtime_next()
    script.advance(10.0)
    assert script.sentences == [f"{sentence} within 10.0 s"]


def test_the_sentence_inside_the_invocation_names_the_extension_too() -> None:
    """A repeated init that waits for an extension does not blame the runtime, which has asked."""
    script = Script("shipper")
    script.invoke("r1")
    script.fail_to_start("shipper", "fork/exec /opt/extensions/shipper: text file busy")
    script.register("shipper", "INVOKE")
    script.runtime_next()
    script.advance(3.0)
    assert script.sentences == ['extension "shipper" did not call next within 3.0 s']
