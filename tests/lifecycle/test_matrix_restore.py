"""The Runtime API's answer to every call in every state that only a restored runtime can be in.

Names and texts are those of AWS's Runtime Interface Emulator, spelled out by hand.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rapid_mock.lifecycle.effects import Accepted, Refused, Restored
from rapid_mock.lifecycle.machines import RESTORED_RUNTIME, RuntimeState
from rapid_mock.lifecycle.modes import SNAP_START
from tests.support.lifecycle_script import Call, Script


def _started(s: Script) -> None:
    s.init()


def _restore_ready(s: Script) -> None:
    s.init()
    s.restore_next()


def _restoring(s: Script) -> None:
    _restore_ready(s)
    s.restore()


def _restore_error(s: Script) -> None:
    _restoring(s)
    s.report_restore_error()


def _init_error_as_restore_error(s: Script) -> None:
    _restoring(s)
    s.report_init_error()


def _init_error(s: Script) -> None:
    s.init()
    s.report_init_error()


def _ready(s: Script) -> None:
    s.init()
    s.runtime_next()


def _running(s: Script) -> None:
    _ready(s)
    s.invoke("r1")


def _restored(s: Script) -> None:
    _restoring(s)
    s.runtime_next()


ROADS: dict[str, tuple[str, Callable[[Script], None]]] = {
    "cold": ("ABSENT", lambda _: None),
    "started": ("STARTED", _started),
    "at the snapshot": ("RESTORE_READY", _restore_ready),
    "being restored": ("RESTORING", _restoring),
    "after a restore error": ("RESTORE_ERROR", _restore_error),
    "after an init error in the restore": ("RESTORE_ERROR", _init_error_as_restore_error),
    "after an init error": ("INIT_ERROR", _init_error),
    "without hooks": ("READY", _ready),
    "at work": ("READY", _running),
    "restored": ("READY", _restored),
}
CALLS: dict[str, Callable[[Script], Call]] = {
    "next": Script.runtime_next,
    "response": lambda s: s.begin_response("r9"),
    "error": lambda s: s.report_error("r9"),
    "init error": Script.report_init_error,
    "restore next": Script.restore_next,
    "restore error": Script.report_restore_error,
}
PARKED, TAKEN = "parked", "202"
NO_SUCH_ID = (400, "InvalidRequestID", "Invalid request ID")
ALLOWED = {
    ("STARTED", "next"): PARKED,
    ("STARTED", "init error"): TAKEN,
    ("STARTED", "restore next"): PARKED,
    ("RESTORING", "next"): PARKED,
    ("RESTORING", "init error"): TAKEN,
    ("RESTORING", "restore error"): TAKEN,
    ("READY", "next"): PARKED,
}
WIRE = {
    "ABSENT": "Absent",
    "STARTED": "Started",
    "RESTORE_READY": "RestoreReady",
    "RESTORING": "Restoring",
    "RESTORE_ERROR": "RuntimeRestoreErrorState",
    "INIT_ERROR": "InitError",
    "READY": "Ready",
}
TARGETS = {
    "next": "Ready",
    "init error": "InitError",
    "restore next": "Ready",
    "restore error": "RuntimeRestoreErrorState",
}


def _expected(moment: str, state: str, call: str) -> object:
    if call in ("response", "error"):
        return NO_SUCH_ID
    if moment == "at work":
        if call == "next":
            return "the event"
        return _refusal("Running", TARGETS[call])
    return ALLOWED.get((state, call)) or _refusal(WIRE[state], TARGETS[call])


def _refusal(origin: str, target: str) -> tuple[int, str, str]:
    text = f"State transition from {origin} to {target} failed for runtime. Error: State transition"
    return 403, "InvalidStateTransition", f"{text} is not allowed"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("moment", ROADS)
def test_every_call_in_every_state(moment: str, call: str) -> None:
    """The tables allow exactly what RIE allows when it caches the init; all else is refused."""
    state, road = ROADS[moment]
    script = Script(mode=SNAP_START)
    road(script)
    assert script.runtime_state[0] == state
    made = CALLS[call](script)
    seen: object = PARKED
    if isinstance(made.reply, Refused):
        seen = made.refusal
    elif isinstance(made.reply, Accepted):
        seen = TAKEN
    elif made.reply is not None:
        assert made.delivered == "r1"
        seen = "the event"
    assert seen == _expected(moment, state, call)


def test_the_matrix_covers_the_table() -> None:
    """Every state of the table stands in the matrix."""
    assert {state for state, _ in ROADS.values()} == {state.name for state in RESTORED_RUNTIME}
    assert set(RESTORED_RUNTIME) == set(RuntimeState)


def test_restore_next_is_released_by_the_restore_and_by_nothing_else() -> None:
    """It waits however long the snapshot lies there, and is answered once."""
    script = Script(mode=SNAP_START)
    script.init()
    poll = script.restore_next()
    script.advance(3600.0)
    assert poll.is_parked
    script.restore()
    assert poll.reply == Restored()
    assert script.restore_next().refusal == _refusal("Restoring", "Ready")
