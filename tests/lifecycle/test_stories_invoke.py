"""The invoke phase: one invocation after the other, its deadline, its answer and its report.

Source: "Using the Lambda runtime API for custom runtimes", AWS Lambda Developer Guide; texts of
refusals: AWS's Runtime Interface Emulator; errors that the invoker gets: recorded from AWS.
"""

from __future__ import annotations

import pytest

from rapid_mock.lifecycle.effects import InvocationDelivered, Outcome, Report, Span
from rapid_mock.lifecycle.events import Ending, Invocation, InvokeArrived
from rapid_mock.lifecycle.state import Standing
from tests.support.lifecycle_script import EPOCH, Script, invocation

INVALID_ID = (400, "InvalidRequestID", "Invalid request ID")

# --- The plain course -------------------------------------------------------------------------


def test_warm_invocation() -> None:
    """An invocation is delivered to the parked poll, answered by the response, over with next."""
    script = Script.idle()
    script.invoke("r1")
    assert script.news() == ["platform.start", "reply 1 InvocationDelivered"]
    call = script.begin_response("r1")
    assert script.news() == []
    script.end_response(call, "r1", b"42")
    assert script.news() == ["reply 2 Accepted", "answer r1"]
    assert script.environment.standing is Standing.RETURNING
    script.runtime_next()
    assert script.news() == [
        "drain",
        "platform.runtimeDone",
        "platform.end",
        "platform.report",
        "finish r1",
    ]
    assert script.phase == "idle"
    assert script.time_left is None


def test_response_is_the_answer() -> None:
    """The invoker gets the runtime's bytes and content type, and success."""
    script = Script.idle()
    script.invoke("r1")
    script.respond("r1", b'{"a":1}')
    assert script.answers == {"r1": Outcome("success", b'{"a":1}', "application/json")}


def test_error_report_is_the_answer() -> None:
    """A handler's error goes to the invoker verbatim; the process lives and serves on."""
    script = Script.idle()
    script.invoke("r1")
    script.report_error("r1", b'{"errorMessage":"oops"}')
    assert script.answers == {
        "r1": Outcome(
            "error", b'{"errorMessage":"oops"}', "application/json", error_type="Function.Oops"
        )
    }
    poll = script.runtime_next()
    assert script.phase == "idle"
    script.invoke("r2")
    assert poll.delivered == "r2"


def test_error_at_the_end_of_a_stream() -> None:
    """Error trailers make a streamed response a function error; their body is the payload."""
    script = Script.idle()
    script.invoke("r1")
    call = script.begin_response("r1", "streaming")
    script.end_response(call, "r1", b"part", error_type="Function.Broken", error_body=b"why")
    assert script.answers["r1"] == Outcome("error", b"why", "application/json", "Function.Broken")


def test_error_at_the_end_of_a_stream_without_a_body() -> None:
    """Without a body in the trailers the part that was streamed is the payload."""
    script = Script.idle()
    script.invoke("r1")
    call = script.begin_response("r1", "streaming")
    script.end_response(call, "r1", b"part", error_type="Function.Broken")
    assert script.answers["r1"] == Outcome("error", b"part", "application/json", "Function.Broken")


def test_start_names_the_version_and_the_tenant() -> None:
    """platform.start carries the version, and the tenant only when there is one."""
    script = Script.idle(version="7")
    script.invoke("r1")
    script.respond("r1")
    script.runtime_next()
    script.tell(InvokeArrived(Invocation("r2", "arn", b"", tenant_id="acme")))
    assert script.records("platform.start") == [
        {"requestId": "r1", "version": "7"},
        {"requestId": "r2", "version": "7", "tenantId": "acme"},
    ]


# --- Order ------------------------------------------------------------------------------------


def test_work_that_comes_early_waits() -> None:
    """One invocation at a time; the next begins when the one before it is over."""
    script = Script.idle()
    for request_id in ("r1", "r2", "r3"):
        script.invoke(request_id)
    seen = []
    for request_id in ("r1", "r2", "r3"):
        script.respond(request_id)
        seen.append(list(script.answers))
        script.runtime_next()
    assert seen == [["r1"], ["r1", "r2"], ["r1", "r2", "r3"]]
    assert list(script.reports) == ["r1", "r2", "r3"]


def test_the_timeout_of_waiting_work_has_not_begun() -> None:
    """The deadline of an invocation that waited counts from its own START."""
    script = Script.idle(timeout=3.0)
    script.invoke("r1")
    script.invoke("r2")
    script.advance(2.0)
    script.respond("r1")
    poll = script.runtime_next()
    assert poll.reply == InvocationDelivered(invocation("r2"), 1_700_000_005_000)
    assert script.time_left == 3.0


def test_the_same_event_again() -> None:
    """A runtime that asks again while it is busy gets the same event at once, however often."""
    script = Script.idle()
    script.invoke("r1")
    script.advance(1.0)
    polls = [script.runtime_next() for _ in range(3)]
    expected = InvocationDelivered(invocation("r1"), 1_700_000_003_000)
    assert [poll.reply for poll in polls] == [expected] * 3


def test_two_parked_polls() -> None:
    """Of two polls the older one takes the event; the younger one takes the next event."""
    script = Script.idle()
    younger = script.runtime_next()
    script.invoke("r1")
    assert younger.is_parked
    script.respond("r1")
    assert script.phase == "invoke"
    youngest = script.runtime_next()
    assert script.phase == "idle"
    script.invoke("r2")
    assert (younger.delivered, youngest.is_parked) == ("r2", True)


def test_poll_whose_client_is_gone() -> None:
    """A poll that vanished takes no event; the invocation waits for the next poll."""
    script = Script()
    script.init()
    lost = script.runtime_next()
    script.vanish(lost)
    script.invoke("r1")
    assert lost.is_parked
    assert script.phase == "invoke"
    poll = script.runtime_next()
    assert poll.delivered == "r1"


def test_older_poll_vanishes() -> None:
    """When the older of two polls vanishes, the younger one takes the event."""
    script = Script()
    script.init()
    older = script.runtime_next()
    younger = script.runtime_next()
    script.vanish(older)
    script.invoke("r1")
    assert (older.is_parked, younger.delivered) == (True, "r1")


def test_poll_of_a_dead_runtime_takes_no_event() -> None:
    """A poll parked by a process that died belongs to nobody in the new one."""
    script = Script.idle()
    script.invoke("r1")
    script.respond("r1")
    script.exit("runtime", 1)
    script.invoke("r2")
    assert script.phase == "init"
    assert script.runtime_next().delivered == "r2"


# --- Answers that AWS refuses -----------------------------------------------------------------


def test_wrong_request_ids() -> None:
    """An id that is not the current one is refused and changes nothing."""
    script = Script.idle()
    assert script.respond("r1").refusal == INVALID_ID
    script.invoke("r1")
    assert script.respond("R1").refusal == INVALID_ID
    assert script.report_error("").refusal == INVALID_ID
    script.respond("r1", b"mine")
    script.runtime_next()
    script.invoke("r2")
    assert script.respond("r1").refusal == INVALID_ID
    assert script.answers == {"r1": Outcome("success", b"mine", "application/json")}


@pytest.mark.parametrize("mode", ["buffered", "Streaming", "STREAMING", ""])
def test_bad_response_mode(mode: str) -> None:
    """Only `streaming` names a response mode; the invoker is told, and the runtime may go on."""
    script = Script.idle()
    script.invoke("r1")
    call = script.begin_response("r1", mode)
    text = "Invalid function response mode"
    assert call.refusal == (400, "InvalidFunctionResponseMode", text)
    assert script.answers["r1"].error == {"errorType": "Runtime.InvalidResponseModeHeader"}
    assert script.sentences == [f'runtime responded in an unknown mode, "{mode}"']
    script.runtime_next()
    assert script.phase == "idle"


def test_oversized_response() -> None:
    """A response over 6 MiB + 100 bytes is a 413 and a function error; the environment lives."""
    script = Script.idle()
    script.invoke("r1")
    call = script.begin_response("r1")
    script.end_response(call, "r1", None, Ending.OVERSIZED)
    text = "Exceeded maximum allowed payload size (6291556 bytes)."
    assert call.refusal == (413, "RequestEntityTooLarge", text)
    error = script.answers["r1"].error
    assert error is not None
    assert list(error.items()) == [
        (
            "errorMessage",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
        ("errorType", "Function.ResponseSizeTooLarge"),
    ]
    assert script.sentences == ["runtime responded with more than 6291556 bytes"]
    script.runtime_next()
    assert script.phase == "idle"


def test_truncated_response() -> None:
    """A response that breaks off is a 400 and a function error; the environment lives."""
    script = Script.idle()
    script.invoke("r1")
    call = script.begin_response("r1")
    script.end_response(call, "r1", b"par", Ending.TRUNCATED)
    text = "HTTP request detected as truncated"
    assert call.refusal == (400, "TruncatedHTTPRequest", text)
    assert script.answers["r1"] == Outcome(
        "error",
        error_type="Runtime.TruncatedResponse",
        error={"errorType": "Runtime.TruncatedResponse"},
    )
    assert script.sentences == ["runtime broke off its response"]
    script.runtime_next()
    assert script.phase == "idle"


def test_second_answer_is_refused_and_lost() -> None:
    """The first answer counts, whatever comes after it."""
    script = Script.idle()
    script.invoke("r1")
    script.respond("r1", b"first")
    assert script.respond("r1", b"second").refusal[0] == 403
    assert script.report_error("r1", b"third").refusal[0] == 403
    assert script.answers["r1"].payload == b"first"


def test_response_beside_a_response() -> None:
    """While one response is being read, a second one and a next are refused."""
    script = Script.idle()
    script.invoke("r1")
    first = script.begin_response("r1")
    assert script.respond("r1", b"second").refusal[0] == 403
    assert script.runtime_next().refusal[0] == 403
    script.end_response(first, "r1", b"first")
    assert script.answers["r1"].payload == b"first"


# --- Reports ----------------------------------------------------------------------------------


def test_report_of_a_cold_start() -> None:
    """Init Duration is reported once and billed with the first invocation."""
    script = Script(memory_mb=256)
    script.init()
    script.advance(0.25)
    script.runtime_next()
    script.sample_memory(41)
    script.sample_memory(40)
    for request_id in ("r1", "r2"):
        script.invoke(request_id)
        script.advance(0.5009765625)
        script.respond(request_id)
        script.runtime_next()
    assert script.reports == {
        "r1": Report("r1", "success", 500.976, 751, 256, 41, init_ms=250.0),
        "r2": Report("r2", "success", 500.976, 501, 256, 41, init_ms=None),
    }


def test_report_records() -> None:
    """runtimeDone, end and report have the members and names of the Telemetry API's schema."""
    script = Script.idle()
    script.advance(1.0)
    script.invoke("r1")
    script.advance(0.25)
    script.respond("r1")
    script.advance(0.25)
    script.runtime_next()
    assert script.records("platform.runtimeDone") == [
        {
            "requestId": "r1",
            "status": "success",
            "metrics": {"durationMs": 500.0, "producedBytes": 2},
            "spans": [
                Span("responseLatency", EPOCH + 1.0, 250.0),
                Span("responseDuration", EPOCH + 1.25, 0.0),
                Span("runtimeOverhead", EPOCH + 1.25, 250.0),
            ],
        }
    ]
    assert script.records("platform.end") == [{"requestId": "r1"}]
    assert script.records("platform.report") == [
        {
            "requestId": "r1",
            "status": "success",
            "metrics": {
                "durationMs": 500.0,
                "billedDurationMs": 500,
                "memorySizeMB": 128,
                "maxMemoryUsedMB": 0,
                "initDurationMs": 0.0,
            },
        }
    ]


def test_duration_covers_the_extensions() -> None:
    """An invocation lasts until the last awaited extension is back; runtimeDone does not."""
    script = Script.idle("shipper")
    script.invoke("r1")
    script.advance(0.5)
    script.respond("r1")
    script.runtime_next()
    script.advance(0.25)
    script.extension_next("shipper")
    assert script.records("platform.runtimeDone")[0]["metrics"] == {
        "durationMs": 500.0,
        "producedBytes": 2,
    }
    assert script.reports["r1"].duration_ms == 750.0


def test_output_is_drained_before_the_end() -> None:
    """The pipes are read before END is written, in success and in failure."""
    script = Script.idle()
    script.invoke("r1")
    script.respond("r1")
    script.runtime_next()
    lines = script.news()
    assert lines.index("drain") < lines.index("platform.end")
    script.invoke("r2")
    script.exit("runtime", 1)
    lines = script.news()
    assert lines.index("drain") < lines.index("platform.end")
    assert lines[-4:] == ["answer r2", "platform.end", "platform.report", "finish r2"]
