"""Every event after every step of every life: nothing raises, nobody is forgotten."""

from __future__ import annotations

from typing import get_args

import pytest

from rapid_mock.lifecycle.events import Event
from rapid_mock.lifecycle.state import Phase
from tests.support.lifecycle_lives import LIVES, happenings, length, live
from tests.support.lifecycle_script import Script

MOMENTS = [(name, steps) for name in LIVES for steps in range(length(name) + 1)]


@pytest.mark.parametrize(("name", "steps"), MOMENTS)
def test_any_event_at_any_moment(name: str, steps: int) -> None:
    """Whatever happens at whatever moment, every invariant of the ledger holds to the end."""
    for happening in happenings(live(name, steps)).values():
        script = live(name, steps)
        happening(script)
        finish(script)


def finish(script: Script) -> None:
    """Nobody moves again; the environment rests, and a shutdown ends it."""
    assert script.wait_for_nobody() <= 4 * (1 + len(script.ledger.spawned))
    script.shut_down()
    script.wait_for_nobody()
    assert script.phase == "gone"


def test_the_matrix_is_complete() -> None:
    """The lives pass through every phase, and every event class is tried in each of them."""
    untried = {phase: set(get_args(Event)) for phase in Phase}
    for name, steps in MOMENTS:
        phase = live(name, steps).environment.phase
        for happening in happenings(live(name, steps)).values() if untried[phase] else ():
            script = live(name, steps)
            before = len(script.events)
            happening(script)
            untried[phase] -= {type(event) for event in script.events[before:]}
    assert untried == {phase: set() for phase in Phase}
