"""Subscriptions to telemetry in the life of an environment, and the records of it.

Sources: "Lambda Telemetry API" and "Lambda Logs API", AWS Lambda Developer Guide; RIE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rapid_mock.lifecycle.effects import Span, Subscribe, Subscribed, SubscriptionRefused
from rapid_mock.lifecycle.events import InvokeArrived
from rapid_mock.lifecycle.modes import SNAP_START
from tests.support.lifecycle_script import EPOCH, Script, invocation, subscription

TRACE = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"
LOGS = subscription(is_logs_api=True)


def in_init(*extensions: str) -> Script:
    """Everyone has registered and nobody has asked for an event."""
    script = Script(*extensions)
    script.init()
    for name in extensions:
        script.register(name, "INVOKE", "SHUTDOWN")
    script.news()
    return script


def subscribed() -> Script:
    """An idle environment with the subscriber `shipper`."""
    script = in_init("shipper")
    script.subscribe("shipper")
    script.extension_next("shipper")
    script.runtime_next()
    script.news()
    return script


# --- Subscriptions ----------------------------------------------------------------------------


def test_a_subscription_is_carried_out_and_recorded() -> None:
    """The feed begins before the record, so that the subscriber gets that, too."""
    script = in_init("shipper")
    call = script.subscribe("shipper", subscription("platform", "function"))
    assert call.reply == Subscribed()
    assert script.news() == [
        "subscribe",
        "platform.telemetrySubscription",
        f"reply {call.exchange} Subscribed",
    ]
    assert script.records("platform.telemetrySubscription") == [
        {"name": "shipper", "state": "Subscribed", "types": ["platform", "function"]}
    ]


def test_a_second_subscription_is_answered_as_the_first_and_changes_nothing() -> None:
    """Whatever it asks for: no record, no second feed, and the first destination stays."""
    script = in_init("shipper")
    first = subscription("platform")
    script.subscribe("shipper", first)
    again = script.subscribe("shipper", subscription("function", timeout=0.025))
    assert again.reply == Subscribed()
    assert len(script.records("platform.telemetrySubscription")) == 1
    assert [e for e in script.effects if isinstance(e, Subscribe)] == [Subscribe("shipper", first)]


@pytest.mark.parametrize(
    ("first", "second", "error_type", "text"),
    [
        (
            subscription(),
            LOGS,
            "Logs.ValidationError",
            "shipper is subscribed to the Telemetry API; it cannot use the Logs API too",
        ),
        (
            LOGS,
            subscription(),
            "ValidationError",
            "shipper is subscribed to the Logs API; it cannot use the Telemetry API too",
        ),
    ],
    ids=["Telemetry API first", "Logs API first"],
)
def test_one_extension_is_not_on_both_apis(
    first: object, second: object, error_type: str, text: str
) -> None:
    """The second API is refused with a 400; another extension may use it."""
    script = in_init("other", "shipper")
    script.subscribe("shipper", first)  # type: ignore[arg-type]
    assert script.subscribe("shipper", second).reply == SubscriptionRefused(  # type: ignore[arg-type]
        text, error_type
    )
    assert script.subscribe("other", second).reply == Subscribed()  # type: ignore[arg-type]


def idle() -> Script:
    return Script.idle("shipper")


def at_work() -> Script:
    script = Script.idle("shipper")
    script.invoke("r1")
    return script


def at_the_snapshot() -> Script:
    script = Script("shipper", mode=SNAP_START)
    script.init()
    script.register("shipper", "INVOKE", "SHUTDOWN")
    script.extension_next("shipper")
    script.restore_next()
    return script


def in_a_restore() -> Script:
    script = at_the_snapshot()
    script.restore()
    assert script.phase == "restore"
    return script


def in_shutdown() -> Script:
    script = Script.idle("shipper")
    script.shut_down()
    return script


@pytest.mark.parametrize(
    "begin", [idle, at_work, at_the_snapshot, in_a_restore, in_shutdown], ids=lambda f: f.__name__
)
def test_subscriptions_close_with_the_init_phase(begin: Callable[[], Script]) -> None:
    """From then on they are 403, also with a fault; a stranger is a stranger first."""
    script = begin()
    telemetry = (403, "Telemetry.SubscriptionClosed", "Telemetry API subscription is closed")
    assert script.subscribe("shipper").refusal == telemetry
    assert script.subscribe("shipper", SubscriptionRefused("no")).refusal == telemetry
    assert script.subscribe("shipper", LOGS).refusal == (
        403,
        "Logs.SubscriptionClosed",
        "Logs API subscription is closed",
    )
    assert script.subscribe("stranger").refusal == (
        403,
        "Extension.UnknownExtensionIdentifier",
        "Unknown extension id-stranger",
    )


def test_a_repeated_init_takes_subscriptions_again() -> None:
    """After a reset everyone begins anew, and so do the feeds."""
    script = subscribed()
    script.invoke("r1")
    script.exit("runtime", 1)
    script.exit("shipper", 0)
    script.invoke("r2")
    script.register("shipper", "INVOKE", "SHUTDOWN")
    assert script.subscribe("shipper").reply == Subscribed()


# --- The end of a life ------------------------------------------------------------------------


def test_the_last_records_go_before_the_extensions_hear_of_the_shutdown() -> None:
    """When the runtime is gone telemetry is flushed; when all are gone nobody listens any more."""
    script = subscribed()
    script.invoke("r1")
    poll = script.extension_next("shipper")
    script.exit("runtime", 1)
    assert script.news()[-2:] == ["platform.fault", "flushtelemetry"]
    script.advance(0.999)
    assert script.news() == []
    script.advance(0.001)
    assert script.news() == [f"reply {poll.exchange} ShutdownEvent"]
    script.exit("shipper", 0)
    assert script.news()[:2] == ["drain", "endtelemetry"]


def test_nobody_waits_for_a_subscriber_that_died() -> None:
    """What is left for an extension that crashed holds up no reset."""
    script = subscribed()
    script.invoke("r1")
    script.exit("shipper", 1)
    script.exit("runtime", signal="terminated")
    lines = script.news()
    assert "flushtelemetry" not in lines
    assert lines[-4:] == ["answer r1", "platform.end", "platform.report", "finish r1"]


# --- Records ----------------------------------------------------------------------------------


def traced(script: Script, request_id: str, trace_id: str, tenant_id: str | None = None) -> None:
    wanted = replace(invocation(request_id), trace_id=trace_id, tenant_id=tenant_id)
    script.tell(InvokeArrived(wanted))


def test_a_sampled_trace_and_a_tenant_are_in_every_record_of_the_invocation() -> None:
    """`platform.start`, `runtimeDone` and `report` have `tenantId` and `tracing`."""
    script = Script.idle()
    traced(script, "r1", TRACE, "blue")
    script.respond("r1")
    script.runtime_next()
    tracing = {"type": "X-Amzn-Trace-Id", "value": TRACE}
    for kind in ("platform.start", "platform.runtimeDone", "platform.report"):
        (record,) = script.records(kind)
        assert (record["tenantId"], record["tracing"]) == ("blue", tracing), kind


@pytest.mark.parametrize("trace", [TRACE.replace("Sampled=1", "Sampled=0"), "Sampled=1", "Root=1"])
def test_other_traces_are_in_no_record(trace: str) -> None:
    """Only one with a Root that is sampled is a trace context."""
    script = Script.idle()
    traced(script, "r1", trace)
    script.respond("r1")
    script.runtime_next()
    for kind in ("platform.start", "platform.runtimeDone", "platform.report"):
        assert "tracing" not in script.records(kind)[0]


def test_the_report_tells_how_long_extensions_were_waited_for() -> None:
    """From `platform.runtimeDone` on; SHUTDOWN-only extensions are not waited for."""
    script = Script.idle("shipper")
    script.advance(1.0)
    script.invoke("r1")
    script.respond("r1")
    script.runtime_next()
    script.advance(0.25)
    script.extension_next("shipper")
    (report,) = script.records("platform.report")
    assert report["spans"] == [Span("extensionOverhead", EPOCH + 1.0, 250.0)]
    assert list(report) == ["requestId", "status", "metrics", "spans"]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("spindown", ("failure", "Sandbox.Failure")), (None, ("error", "Runtime.ExitError"))],
)
def test_a_runtime_that_is_not_done_has_an_error_type(
    reason: str | None, expected: tuple[str, str]
) -> None:
    """`failure` for what the platform did, `error` for what the function did (RIE)."""
    script = Script.idle()
    script.invoke("r1")
    if reason:
        script.shut_down(reason)
    else:
        script.exit("runtime", 1)
    (done,) = script.records("platform.runtimeDone")
    assert (done["status"], done["errorType"]) == expected


def test_a_timeout_has_no_error_type() -> None:
    """Neither in `platform.runtimeDone` nor in `platform.report`."""
    script = Script.idle()
    script.invoke("r1")
    script.advance(3.0)
    script.exit("runtime", signal="killed")
    for kind in ("platform.runtimeDone", "platform.report"):
        (record,) = script.records(kind)
        assert record["status"] == "timeout"
        assert "errorType" not in record


def test_a_failed_init_says_so_in_all_its_records() -> None:
    """`initRuntimeDone` and `initReport` have status and error type."""
    script = in_init("shipper")
    script.exit("shipper", 1)
    assert script.records("platform.initRuntimeDone") == [
        {
            "initializationType": "on-demand",
            "status": "error",
            "phase": "init",
            "errorType": "Extension.Crash",
        }
    ]
    (report,) = script.records("platform.initReport")
    assert (report["status"], report["errorType"]) == ("error", "Extension.Crash")
    assert list(report) == ["initializationType", "metrics", "phase", "status", "errorType"]
