"""Extensions at work: who is told of an invocation, who is waited for, and their error reports.

Source: "Using the Lambda Extensions API to create extensions", AWS Lambda Developer Guide; states
and texts: AWS's Runtime Interface Emulator.
"""

from __future__ import annotations

import pytest

from rapid_mock.lifecycle.effects import InvokeEvent
from rapid_mock.lifecycle.events import Invocation, InvokeArrived
from rapid_mock.lifecycle.state import Standing
from tests.support.lifecycle_script import ARN, Call, Script


def parked(*subscriptions: tuple[str, ...]) -> tuple[Script, list[Call]]:
    """An idle environment with external extensions x0, x1 ... and their parked polls."""
    script = Script(*(f"x{number}" for number in range(len(subscriptions))))
    script.init()
    for number, events in enumerate(subscriptions):
        script.register(f"x{number}", *events)
    polls = [script.extension_next(f"x{number}") for number in range(len(subscriptions))]
    script.runtime_next()
    script.news()
    return script, polls


# --- INVOKE -----------------------------------------------------------------------------------


def test_invoke_event() -> None:
    """INVOKE carries the runtime's deadline, the request id, the ARN and the trace id."""
    script, [poll] = parked(("INVOKE",))
    script.advance(0.5)
    script.tell(InvokeArrived(Invocation("r1", ARN, b"secret", trace_id="Root=1-5;Sampled=1")))
    assert poll.reply == InvokeEvent(1_700_000_003_500, "r1", ARN, "Root=1-5;Sampled=1")


def test_order_of_delivery() -> None:
    """External extensions are told first, then internal ones, then the runtime."""
    script = Script("outer")
    script.invoke("r1")
    script.register("outer", "INVOKE")
    script.register("inner", "INVOKE")
    runtime = script.runtime_next()
    inner = script.extension_next("inner")
    script.news()
    outer = script.extension_next("outer")
    assert [line for line in script.news() if line.startswith("reply")] == [
        f"reply {outer.exchange} InvokeEvent",
        f"reply {inner.exchange} InvokeEvent",
        f"reply {runtime.exchange} InvocationDelivered",
    ]


def test_only_who_asked_for_invoke_is_told() -> None:
    """Without INVOKE among its events an extension stays parked."""
    script, [told, untold, quiet] = parked(("INVOKE", "SHUTDOWN"), ("SHUTDOWN",), ())
    script.invoke("r1")
    assert (told.is_parked, untold.is_parked, quiet.is_parked) == (False, True, True)


def test_invocation_waits_for_every_extension_that_was_told() -> None:
    """The environment is idle again when the runtime and the last told extension are back."""
    script, _ = parked(("INVOKE",), ("INVOKE",))
    script.invoke("r1")
    script.respond("r1")
    script.extension_next("x1")
    script.runtime_next()
    seen = [(script.phase, script.environment.standing)]
    script.extension_next("x0")
    seen.append((script.phase, script.environment.standing))
    assert seen == [("invoke", Standing.RETURNING), ("idle", Standing.FREE)]


def test_extension_may_come_back_before_the_runtime() -> None:
    """In whatever order they come back, the last one ends the invocation."""
    script, _ = parked(("INVOKE",))
    script.invoke("r1")
    script.extension_next("x0")
    script.respond("r1")
    assert script.phase == "invoke"
    script.runtime_next()
    assert script.phase == "idle"


def test_shutdown_only_extension_is_not_awaited() -> None:
    """An extension that is not told of invocations holds none up, parked or not."""
    script, [poll] = parked(("SHUTDOWN",))
    script.vanish(poll)
    script.invoke("r1")
    script.respond("r1")
    script.runtime_next()
    assert script.phase == "idle"


def test_no_second_invocation_before_everybody_is_back() -> None:
    """Neither the runtime nor an extension hears of the next invocation too early."""
    script, _ = parked(("INVOKE",), ("INVOKE",))
    script.invoke("r1")
    script.invoke("r2")
    script.respond("r1")
    runtime = script.runtime_next()
    quick = script.extension_next("x0")
    assert runtime.is_parked
    assert quick.is_parked
    script.extension_next("x1")
    assert runtime.delivered == "r2"
    assert isinstance(quick.reply, InvokeEvent)
    assert quick.reply.request_id == "r2"


def test_extension_whose_client_vanished() -> None:
    """A poll that is gone takes no INVOKE: the extension gets it from its next call."""
    script, [lost] = parked(("INVOKE",))
    script.vanish(lost)
    script.invoke("r1")
    assert lost.is_parked
    script.respond("r1")
    script.runtime_next()
    assert script.phase == "invoke"
    event = script.extension_next("x0")
    assert isinstance(event.reply, InvokeEvent)
    assert script.phase == "invoke"
    script.extension_next("x0")
    assert script.phase == "idle"


def test_extension_whose_client_vanishes_in_init() -> None:
    """An extension must be parked when init ends; a poll that is gone does not count."""
    script = Script("shipper")
    script.init()
    script.register("shipper")
    script.vanish(script.extension_next("shipper"))
    script.runtime_next()
    assert script.phase == "init"
    script.extension_next("shipper")
    assert script.phase == "idle"


def test_extension_that_never_comes_back() -> None:
    """An extension has the function timeout, as the runtime has; the response stands."""
    script, _ = parked(("INVOKE",))
    script.invoke("r1")
    script.respond("r1", b"good")
    script.runtime_next()
    script.advance(3.0)
    assert script.sentences == ['extension "x0" did not call next within 3.0 s']
    script.wait_for_nobody()
    assert script.answers["r1"].payload == b"good"
    assert script.reports["r1"].status == "timeout"


def test_the_sentence_blames_nobody_who_was_not_awaited() -> None:
    """A SHUTDOWN-only extension that is away has not held the invocation up."""
    script, [poll, _] = parked(("SHUTDOWN",), ("INVOKE",))
    script.vanish(poll)
    script.invoke("r1")
    script.respond("r1")
    script.runtime_next()
    script.advance(3.0)
    assert script.sentences == ['extension "x1" did not call next within 3.0 s']


# --- Error reports ----------------------------------------------------------------------------


def test_init_error_then_exit() -> None:
    """The error an extension reported first gives its crash the type, and the sentence its name."""
    script = Script("shipper")
    script.invoke("r1")
    for _attempt in range(2):
        script.register("shipper", "INVOKE")
        script.extension_init_error("shipper")
        assert script.phase == "init"
        script.exit("shipper", 1)
        script.exit("runtime", signal="terminated")
    assert script.answers["r1"].error == {
        "errorType": "Extension.InitError",
        "errorMessage": "RequestId: r1 Error: exit status 1",
    }
    assert script.sentences == [
        'extension "shipper" exited during init after reporting Extension.Oops (exit status 1)'
    ]
    assert script.records("platform.extension")[0] == {
        "name": "shipper",
        "state": "Exited",
        "events": ["INVOKE"],
        "errorType": "Extension.Oops",
    }


def test_exit_error_then_exit() -> None:
    """An extension that announces its end in an invocation fails it with Extension.ExitError."""
    script, _ = parked(("INVOKE",))
    script.invoke("r1")
    script.extension_exit_error("x0")
    assert script.phase == "invoke"
    script.exit("x0", 1)
    script.exit("runtime", signal="terminated")
    assert script.answers["r1"].error == {
        "errorType": "Extension.ExitError",
        "errorMessage": "RequestId: r1 Error: exit status 1",
    }


def test_error_of_an_internal_extension() -> None:
    """What an internal extension reported is the type of its runtime's end."""
    script = Script()
    script.invoke("r1")
    script.exit("runtime", 1)
    script.register("inner", "INVOKE")
    script.extension_init_error("inner")
    script.exit("runtime", 1)
    assert script.answers["r1"].error == {
        "errorType": "Extension.InitError",
        "errorMessage": "RequestId: r1 Error: Runtime exited with error: exit status 1",
    }


def test_exit_error_alone_ends_nothing() -> None:
    """An extension that reports its end and lives on is waited for if it was told of the work."""
    script, _ = parked(("INVOKE",), ("SHUTDOWN",))
    script.extension_exit_error("x1")
    script.invoke("r1")
    script.respond("r1")
    script.runtime_next()
    script.extension_next("x0")
    assert script.phase == "idle"
    script.extension_exit_error("x0")
    script.invoke("r2")
    script.respond("r2")
    script.runtime_next()
    assert script.phase == "invoke"
    script.advance(3.0)
    assert script.phase == "stopping"


@pytest.mark.parametrize("name", ["x0", "stranger"])
def test_identifiers_die_with_their_environment(name: str) -> None:
    """An identifier of an earlier life is as unknown as a stranger's."""
    script, _ = parked(("INVOKE",))
    script.invoke("r1")
    script.exit("runtime", 1)
    script.exit("x0", signal="killed")
    unknown = "Extension.UnknownExtensionIdentifier"
    next_text = f"Unknown extension id-{name}"
    error_text = "Unknown Lambda-Extension-Identifier"
    assert script.extension_next(name).refusal == (403, unknown, next_text)
    assert script.extension_init_error(name).refusal == (403, unknown, error_text)
    assert script.extension_exit_error(name).refusal == (403, unknown, error_text)
