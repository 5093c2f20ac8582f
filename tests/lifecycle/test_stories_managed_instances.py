"""Managed instances: several invocations at once in one environment.

Sources: "Understanding the Lambda Managed Instances execution environment", AWS Lambda Developer
Guide; the answers and their texts: AWS's Runtime Interface Emulator in that mode.
"""

from __future__ import annotations

from rapid_mock.lifecycle.effects import InvocationDelivered, RegistrationAccepted, ShutdownEvent
from rapid_mock.lifecycle.events import Ending
from rapid_mock.lifecycle.modes import managed_instances
from rapid_mock.lifecycle.state import Standing
from tests.support.lifecycle_script import EPOCH, Call, Script

LATE = (410, "InvokeTimeout", "Invoke timeout")
NO_SUCH_ID = (400, "InvalidRequestID", "Invalid request ID")
ACCEPTED = "Accepted"


def ready(*extensions: str, concurrency: int = 2, **settings: object) -> Script:
    """An environment past its init, one poll parked."""
    return Script.idle(*extensions, mode=managed_instances(concurrency), **settings)


def answer_to(call: Call) -> str:
    return type(call.reply).__name__


# --- Delivery -------------------------------------------------------------------------------


def test_polls_and_invocations_meet_first_come_first_served() -> None:
    """The oldest parked poll gets the oldest invocation, and each delivery has an id of its own."""
    script = Script(mode=managed_instances(2))
    script.init()
    polls = [script.runtime_next(), script.runtime_next()]
    script.invoke("r1")
    script.invoke("r2")
    assert [poll.delivered for poll in polls] == ["r1", "r2"]
    replies = [poll.reply for poll in polls]
    ids = [reply.invocation_id for reply in replies if isinstance(reply, InvocationDelivered)]
    assert ids == ["delivery-1", "delivery-2"]


def test_next_never_repeats_an_event() -> None:
    """A worker that asks again without having answered gets other work, or waits."""
    script = ready()
    script.invoke("r1")
    assert script.runtime_next().is_parked


def test_the_10001st_poll_is_one_too_many() -> None:
    """Ten thousand may wait at once; one more is refused and costs the others nothing."""
    script = ready()
    polls = [script.runtime_next() for _ in range(9_999)]
    assert script.runtime_next().refusal == (500, "InternalServerError", "Internal Server Error")
    script.invoke("r1")
    script.invoke("r2")
    assert polls[0].delivered == "r2"
    assert script.runtime_next().is_parked


def test_no_more_are_open_than_the_maximum_concurrency() -> None:
    """Of three invocations for two, the third is delivered when one has been answered."""
    script = ready()
    polls = [script.runtime_next(), script.runtime_next()]
    for request_id in ("r1", "r2", "r3"):
        script.invoke(request_id)
    assert polls[0].delivered == "r2"
    assert polls[1].is_parked
    script.respond("r2")
    assert polls[1].delivered == "r3"


def test_answer_ends_the_invocation() -> None:
    """END and REPORT come with the answer, out of order too; nobody waits for the next poll."""
    script = ready()
    script.runtime_next()
    script.invoke("r1")
    script.invoke("r2")
    script.news()
    assert answer_to(script.respond("r2")) == ACCEPTED
    assert script.news() == [
        "reply 3 Accepted",
        "answer r2",
        "drain",
        "platform.end",
        "platform.report",
        "finish r2",
    ]
    assert script.phase == "invoke"
    assert answer_to(script.report_error("r1")) == ACCEPTED
    assert (script.phase, list(script.reports)) == ("idle", ["r2", "r1"])
    assert script.answers["r1"].status == "error"


def test_second_answer_names_no_open_invocation() -> None:
    """While a response is under way, and after it, another one is 400, not a refused transition."""
    script = ready()
    script.invoke("r1")
    call = script.begin_response("r1")
    assert script.begin_response("r1").refusal == NO_SUCH_ID
    script.end_response(call, "r1")
    assert answer_to(call) == ACCEPTED
    assert script.respond("r1").refusal == NO_SUCH_ID
    assert script.report_error("r1").refusal == NO_SUCH_ID


def test_error_overtakes_a_response_under_way() -> None:
    """An error reported while the response streams is what the invoker gets."""
    script = ready()
    script.invoke("r1")
    call = script.begin_response("r1", mode="streaming")
    assert answer_to(script.report_error("r1", b"mid")) == ACCEPTED
    assert script.answers["r1"].payload == b"mid"
    script.end_response(call, "r1")
    assert call.refusal == NO_SUCH_ID


def test_truncated_response_fails_its_invocation_only() -> None:
    """After a truncated body the worker goes on with the next invocation."""
    script = ready()
    script.invoke("r1")
    call = script.begin_response("r1")
    script.end_response(call, "r1", ending=Ending.TRUNCATED)
    assert call.refusal[:2] == (400, "TruncatedHTTPRequest")
    assert script.answers["r1"].error_type == "Runtime.TruncatedResponse"
    script.invoke("r2")
    assert script.runtime_next().delivered == "r2"


# --- The id of a delivery -------------------------------------------------------------------


def test_answer_to_another_delivery_is_late_and_changes_nothing() -> None:
    """A wrong invocation id is 410 every time; the right one, or none, is accepted."""
    script = ready(concurrency=3)
    script.runtime_next()
    for request_id in ("r1", "r2"):
        script.invoke(request_id)
    for _ in range(2):
        assert script.begin_response("r1", invocation_id="another").refusal == LATE
        assert script.report_error("r1", invocation_id="another").refusal == LATE
    assert script.answers == {}
    assert answer_to(script.respond("r1", invocation_id="delivery-1")) == ACCEPTED
    assert answer_to(script.respond("r2")) == ACCEPTED


def test_unknown_request_id_counts_before_a_wrong_invocation_id() -> None:
    """Nobody's request id is 400, whatever invocation id comes with it."""
    script = ready()
    script.invoke("r1")
    assert script.respond("nobody", invocation_id="another").refusal == NO_SUCH_ID


# --- Timeouts -------------------------------------------------------------------------------


def test_timeout_fails_its_invocation_only() -> None:
    """The others go on, no process is signalled, and the environment is not reset."""
    script = ready()
    script.runtime_next()
    script.invoke("r1")
    script.advance(2.0)
    script.invoke("r2")
    script.advance(1.0)
    assert script.answers["r1"].status == "timeout"
    assert script.reports["r1"].duration_ms == 3000.0
    assert (script.phase, script.signals) == ("invoke", [])
    assert script.sentences == ["handler did not respond within 3.0 s"]
    assert answer_to(script.respond("r2")) == ACCEPTED
    assert script.reports["r2"].status == "success"


def test_deadline_is_the_earliest_of_all() -> None:
    """Each invocation has its own time; when one is over the next one counts."""
    script = ready(concurrency=3)
    script.runtime_next()
    script.invoke("r1")
    script.advance(1.0)
    script.invoke("r2")
    assert script.time_left == 2.0
    script.respond("r1")
    assert script.time_left == 3.0
    script.respond("r2")
    assert script.time_left is None


def test_two_deadlines_at_once_both_count() -> None:
    """Invocations that began together time out together."""
    script = ready()
    script.runtime_next()
    script.invoke("r1")
    script.invoke("r2")
    script.advance(3.0)
    assert {name: outcome.status for name, outcome in script.answers.items()} == {
        "r1": "timeout",
        "r2": "timeout",
    }
    assert script.phase == "idle"


def test_environment_where_nobody_polls_is_over() -> None:
    """An event that nobody asks for in all its time is the last: no worker is left that works."""
    script = ready(concurrency=2)
    script.invoke("r1")
    script.advance(3.0)
    script.invoke("r2")
    script.advance(3.0)
    script.exit("runtime", signal="killed")
    assert {name: outcome.status for name, outcome in script.answers.items()} == {
        "r1": "timeout",
        "r2": "timeout",
    }
    assert script.sentences[-1] == "runtime did not ask for the event within 3.0 s"
    assert script.phase == "gone"


def test_late_answer_is_told_once() -> None:
    """An answer after the timeout is 410; the id is forgotten then, and 400."""
    script = ready()
    script.invoke("r1")
    script.advance(3.0)
    assert script.report_error("r1").refusal == LATE
    assert script.report_error("r1").refusal == NO_SUCH_ID


def test_body_that_ends_after_the_timeout_is_late() -> None:
    """A response whose head came in time, but not its end, is 410."""
    script = ready()
    script.invoke("r1")
    call = script.begin_response("r1")
    script.advance(3.0)
    script.end_response(call, "r1")
    assert call.refusal == LATE
    assert script.answers["r1"].status == "timeout"


def test_place_of_a_timed_out_invocation_is_free() -> None:
    """After a timeout the next invocation is taken, by another worker."""
    script = ready(concurrency=1)
    script.invoke("r1")
    script.runtime_next()
    seen = [script.environment.standing]
    script.advance(3.0)
    seen.append(script.environment.standing)
    assert seen == [Standing.BUSY, Standing.FREE]
    script.invoke("r2")
    assert script.reports.keys() == {"r1"}
    assert answer_to(script.respond("r2")) == ACCEPTED


def test_deadline_on_the_wire_is_in_epoch_milliseconds() -> None:
    """The worker is told when its invocation's time is over, not days later."""
    script = Script(mode=managed_instances(2), timeout=2.5)
    script.init()
    poll = script.runtime_next()
    script.advance(0.25)
    script.invoke("r1")
    assert isinstance(poll.reply, InvocationDelivered)
    assert poll.reply.deadline_ms == (EPOCH + 0.25 + 2.5) * 1000


# --- Failures -------------------------------------------------------------------------------


def test_exit_of_the_runtime_fails_all_and_is_the_end() -> None:
    """Every open invocation fails with the exit; nothing starts again."""
    script = ready("shipper")
    script.runtime_next()
    script.invoke("r1")
    script.invoke("r2")
    script.exit("runtime", 1)
    shutdown = script.replies[2]
    assert isinstance(shutdown, ShutdownEvent)
    assert shutdown.reason == "failure"
    script.exit("shipper", 0)
    assert {outcome.error_type for outcome in script.answers.values()} == {"Runtime.ExitError"}
    assert (script.phase, set(script.reports)) == ("gone", {"r1", "r2"})


def test_exit_of_an_extension_fails_all_and_is_the_end() -> None:
    """An extension that dies takes the environment with it."""
    script = ready("shipper")
    script.invoke("r1")
    script.exit("shipper", 2)
    script.exit("runtime", signal="terminated")
    assert script.answers["r1"].error_type == "Extension.Crash"
    assert script.phase == "gone"


def test_failed_init_is_not_repeated() -> None:
    """All who wait for it get the init error that was reported."""
    script = Script(mode=managed_instances(2))
    for request_id in ("r1", "r2", "r3"):
        script.invoke(request_id)
    script.report_init_error(b"no module")
    script.exit("runtime", 1)
    assert [script.answers[name].payload for name in ("r1", "r2", "r3")] == [b"no module"] * 3
    assert script.phase == "gone"


def test_init_may_take_as_long_as_it_is_allowed() -> None:
    """An init that runs out of time fails who waits for it, and is the end."""
    script = Script(mode=managed_instances(2), init_timeout=130.0)
    script.invoke("r1")
    script.advance(129.0)
    assert script.answers == {}
    script.advance(1.0)
    script.exit("runtime", signal="killed")
    assert script.answers["r1"].status == "timeout"
    assert script.phase == "gone"


def test_worker_may_report_an_init_error_when_others_wait() -> None:
    """After the first next too init/error is accepted, once; polls go on."""
    script = ready()
    assert answer_to(script.report_init_error()) == ACCEPTED
    assert script.report_init_error().refusal == (
        403,
        "InvalidStateTransition",
        "State transition from InitError to InitError failed for runtime. "
        "Error: state transition is not allowed",
    )
    assert script.runtime_next().is_parked
    script.invoke("r1")
    assert answer_to(script.respond("r1")) == ACCEPTED


# --- Extensions and shutdown ----------------------------------------------------------------


def test_extensions_hear_of_shutdown_only() -> None:
    """INVOKE is no event; internal extensions have none at all; invocations wake nobody."""
    script = Script("shipper", mode=managed_instances(2))
    script.init()
    kind = "Extension.InvalidEventType"
    assert script.register("shipper", "INVOKE").refusal == (
        403,
        kind,
        "INVOKE: ErrorInvalidEventType",
    )
    for event in ("INVOKE", "SHUTDOWN"):
        text = "No events allowed for internal extensions"
        assert script.register("inner", event).refusal == (403, kind, text)
    assert isinstance(script.register("inner").reply, RegistrationAccepted)
    assert isinstance(script.register("shipper", "SHUTDOWN").reply, RegistrationAccepted)
    polls = [script.extension_next("shipper"), script.extension_next("inner")]
    script.runtime_next()
    script.invoke("r1")
    script.respond("r1")
    assert all(poll.is_parked for poll in polls)
    assert script.reports["r1"].status == "success"


def test_shutdown_without_extensions_kills_at_once() -> None:
    """The runtime is killed; what it was working on fails."""
    script = ready()
    script.invoke("r1")
    script.shut_down()
    assert script.signals == [(1, "SIGKILL")]
    script.exit("runtime", signal="killed")
    assert (script.answers["r1"].status, script.phase) == ("failure", "gone")


def test_shutdown_with_an_extension_is_the_usual_one() -> None:
    """SIGTERM for the runtime, SIGKILL after 600 ms, then SHUTDOWN for who asked to be told."""
    script = ready("shipper")
    script.shut_down()
    assert script.signals == [(2, "SIGTERM")]
    script.advance(0.6)
    assert script.signals[-1] == (2, "SIGKILL")
    script.exit("runtime", signal="killed")
    reply = script.replies[2]
    assert isinstance(reply, ShutdownEvent)
    assert reply.reason == "spindown"


# --- What it can take -----------------------------------------------------------------------


def test_environment_is_free_while_it_has_room() -> None:
    """It takes invocations in init and at work alike, until it has as many as it may have."""
    script = Script(mode=managed_instances(2))
    seen = [script.environment.standing]
    for step in (
        lambda: script.invoke("r1"),
        script.runtime_next,
        lambda: script.invoke("r2"),
        lambda: script.respond("r1"),
        lambda: script.exit("runtime", 1),
    ):
        step()
        seen.append(script.environment.standing)
    free, busy = Standing.FREE, Standing.BUSY
    assert seen == [free, free, free, busy, free, Standing.GONE]
