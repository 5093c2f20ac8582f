"""The Runtime API's answer to every call in every state a runtime and its invocation can be in.

Names and texts are those of AWS's Runtime Interface Emulator, spelled out by hand.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rapid_mock.lifecycle.effects import Accepted, InvocationDelivered, Refused
from rapid_mock.lifecycle.machines import InvocationState, RuntimeState
from tests.support.lifecycle_lives import RUNTIME_STATES
from tests.support.lifecycle_script import ARN, EPOCH, Call, Script, invocation

# --- Where a runtime can be: (its process, the invocation r1) -> how to get there ------------

Road = Callable[[Script], object]


def _nothing(_script: Script) -> None:
    pass


def _started(s: Script) -> None:
    s.init()
    s.register("shipper", "INVOKE", "SHUTDOWN")


def _idle(s: Script) -> None:
    _started(s)
    s.runtime_next()
    s.extension_next("shipper")


def _delivered(s: Script) -> None:
    _idle(s)
    s.invoke("r1")


def _responding(s: Script) -> None:
    _delivered(s)
    s.begin_response("r1")


def _responded(s: Script) -> None:
    _delivered(s)
    s.respond("r1")


def _error_reported(s: Script) -> None:
    _delivered(s)
    s.report_error("r1")


def _returned(s: Script) -> None:
    _responded(s)
    s.runtime_next()


def _init_error(s: Script) -> None:
    _started(s)
    s.report_init_error()


def _lost_poll(s: Script) -> None:
    _started(s)
    poll = s.runtime_next()
    s.extension_next("shipper")
    s.vanish(poll)
    s.invoke("r1")


def _init_inside_the_invocation(s: Script) -> None:
    s.invoke("r1")
    s.fail_to_start("shipper", "fork/exec /opt/extensions/shipper: permission denied")


def _started_inside(s: Script) -> None:
    _init_inside_the_invocation(s)
    s.register("shipper", "INVOKE", "SHUTDOWN")


def _ready_inside(s: Script) -> None:
    _started_inside(s)
    s.runtime_next()


def _init_error_inside(s: Script) -> None:
    _started_inside(s)
    s.report_init_error()


def _after(road: Road, step: Road) -> Road:
    def further(s: Script) -> None:
        road(s)
        step(s)

    return further


def _time_out(s: Script) -> None:
    s.advance(3.0)


def _crash(s: Script) -> None:
    s.exit("runtime", 1)


def _stop(s: Script) -> None:
    s.shut_down()


ROADS: dict[str, tuple[str, str | None, Road]] = {
    "cold": ("ABSENT", None, _nothing),
    "started": ("STARTED", None, _started),
    "ready in init": ("READY", None, _after(_started, Script.runtime_next)),
    "idle": ("READY", None, _idle),
    "init error": ("INIT_ERROR", None, _init_error),
    "idle, told to stop": ("READY", None, _after(_idle, _stop)),
    "waiting for its event": ("READY", "PENDING", _lost_poll),
    "absent inside the invocation": ("ABSENT", "PENDING", _init_inside_the_invocation),
    "started inside the invocation": ("STARTED", "PENDING", _started_inside),
    "ready inside the invocation": ("READY", "PENDING", _ready_inside),
    "init error inside the invocation": ("INIT_ERROR", "PENDING", _init_error_inside),
    "event delivered": ("READY", "DELIVERED", _delivered),
    "responding": ("READY", "RESPONDING", _responding),
    "responded": ("READY", "RESPONDED", _responded),
    "error reported": ("READY", "RESPONDED", _error_reported),
    "returned": ("READY", "RETURNED", _returned),
    "timed out": ("READY", "FAILED", _after(_delivered, _time_out)),
    "timed out in init": ("STARTED", "FAILED", _after(_started_inside, _time_out)),
    "timed out after init error": ("INIT_ERROR", "FAILED", _after(_init_error_inside, _time_out)),
    "crashed": ("ABSENT", "FAILED", _after(_delivered, _crash)),
}

# --- What each call is answered with ----------------------------------------------------------

CALLS: dict[str, Callable[[Script], Call]] = {
    "next": Script.runtime_next,
    "response": lambda s: s.begin_response("r1"),
    "error": lambda s: s.report_error("r1"),
    "init error": Script.report_init_error,
}

PARKED = "parked"
EVENT = "the event"
TAKEN = "202"
NO_SUCH_ID = Refused(400, "InvalidRequestID", "Invalid request ID")


def _from(origin: str, target: str) -> Refused:
    text = f"State transition from {origin} to {target} failed for runtime. Error: State transition"
    return Refused(403, "InvalidStateTransition", f"{text} is not allowed")


def _never(state: str) -> tuple[Refused, Refused, Refused, Refused]:
    """The four refusals of a state in which nothing may be called."""
    return (
        _from(state, "Ready"),
        _from(state, "InvocationResponse"),
        _from(state, "InvocationErrorResponse"),
        _from(state, "InitError"),
    )


Answer = str | Refused
NOTHING_OPEN = (NO_SUCH_ID, NO_SUCH_ID)
ANSWERS: dict[tuple[str, str | None], tuple[Answer, Answer, Answer, Answer]] = {
    #                        next        response, error              init error
    ("ABSENT", None): (_from("Absent", "Ready"), *NOTHING_OPEN, _from("Absent", "InitError")),
    ("STARTED", None): (PARKED, *NOTHING_OPEN, TAKEN),
    ("READY", None): (PARKED, *NOTHING_OPEN, _from("Ready", "InitError")),
    ("INIT_ERROR", None): (
        _from("InitError", "Ready"),
        *NOTHING_OPEN,
        _from("InitError", "InitError"),
    ),
    ("ABSENT", "PENDING"): _never("Absent"),
    ("STARTED", "PENDING"): (PARKED, *_never("Started")[1:3], TAKEN),
    ("READY", "PENDING"): (PARKED, *_never("Ready")[1:]),
    ("INIT_ERROR", "PENDING"): _never("InitError"),
    ("READY", "DELIVERED"): (EVENT, PARKED, TAKEN, _from("Running", "InitError")),
    ("READY", "RESPONDING"): _never("InvocationResponse"),
    ("READY", "RESPONDED"): (PARKED, *_never("RuntimeResponseSentState")[1:]),
    ("READY", "RETURNED"): (PARKED, *_never("Ready")[1:]),
    ("READY", "FAILED"): (PARKED, *NOTHING_OPEN, _from("Ready", "InitError")),
    ("STARTED", "FAILED"): (PARKED, *NOTHING_OPEN, TAKEN),
    ("INIT_ERROR", "FAILED"): (
        _from("InitError", "Ready"),
        *NOTHING_OPEN,
        _from("InitError", "InitError"),
    ),
    ("ABSENT", "FAILED"): (_from("Absent", "Ready"), *NOTHING_OPEN, _from("Absent", "InitError")),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("moment", ROADS)
def test_every_call_in_every_state(moment: str, call: str) -> None:
    """The tables allow exactly what the Runtime API allows; all else is refused, word for word."""
    runtime, invocation_state, road = ROADS[moment]
    script = Script("shipper")
    road(script)
    assert script.runtime_state == (runtime, invocation_state)
    expected = ANSWERS[runtime, invocation_state][list(CALLS).index(call)]
    # A second poll of a runtime whose event is pending takes that event as soon as init is over.
    if moment == "waiting for its event" and call == "next":
        expected = EVENT
    assert _seen(CALLS[call](script)) == expected


def _seen(call: Call) -> Answer:
    reply = call.reply
    if isinstance(reply, InvocationDelivered):
        assert reply.invocation == invocation("r1")
        return EVENT
    if isinstance(reply, Accepted):
        return TAKEN
    if isinstance(reply, Refused):
        return reply
    assert reply is None
    return PARKED


def test_the_matrix_covers_the_tables() -> None:
    """Every state that can be reached stands in the matrix, and every state of the tables."""
    pairs = {(runtime, state) for runtime, state, _ in ROADS.values()}
    assert pairs == set(ANSWERS) == RUNTIME_STATES
    names = {state.name for state in RuntimeState if not state.name.startswith("RESTOR")}
    assert {runtime for runtime, _ in pairs} == names
    assert {state for _, state in pairs} == {None, *(state.name for state in InvocationState)}


def test_the_event_carries_its_deadline_in_epoch_milliseconds() -> None:
    """What `next` is answered with is the invocation itself and the moment its time is over."""
    script = Script(timeout=2.5)
    script.invoke("r1")
    script.advance(0.25)
    poll = script.runtime_next()
    deadline_ms = 1_700_000_002_750
    assert deadline_ms == (EPOCH + 0.25 + 2.5) * 1000
    assert poll.reply == InvocationDelivered(invocation("r1"), deadline_ms)
    assert invocation("r1").function_arn == ARN


def test_one_refusal_in_full() -> None:
    """The text of a refused second response, byte for byte."""
    script = Script()
    script.invoke("r1")
    script.runtime_next()
    script.respond("r1")
    assert script.respond("r1").refusal == (
        403,
        "InvalidStateTransition",
        "State transition from RuntimeResponseSentState to InvocationResponse failed for runtime. "
        "Error: State transition is not allowed",
    )
