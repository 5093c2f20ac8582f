"""Checklist D, 30 to 38: how what a handler raised reads in the log."""

from __future__ import annotations

import json
from pathlib import Path
from time import time_ns

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import FAULT, Played, Scenario, play
from tests.support.scripted_runtime_api import event

HEAD = "Traceback (most recent call last):"
FAULTS = {
    "all": ("ErrorType", "Error message", ["  line1  ", "  line2  ", "  "]),
    "no-trace": ("ErrorType", "Error message", []),
    "no-message": ("ErrorType", "", []),
    "no-type": ("", "Error message", []),
    "nothing": ("", "", []),
    "blanks": ("ErrorType", "Error message", ["  line1  \n  line2\n", "\tline3"]),
    "empty": ("ErrorType", "Error message", ["line1", "", "line2"]),
}
PROGRAM = f"{FAULT}\ndef handler(event, context):\n    raise fault(*event)\n"
LOGGED = Scenario(
    program=PROGRAM,
    events=tuple(
        event(json.dumps(fault).encode(), request_id=f"request-{name}")
        for name, fault in FAULTS.items()
    ),
)


def logged(played: Played, ric: Ric, name: str) -> str:
    """The one line of the log about a fault, with its end."""
    lines = played(LOGGED, ric).stdout.split("\n")
    assert len(lines) == len(FAULTS) + 1
    return lines[list(FAULTS).index(name)] + "\n"


@item(30, "S")
def test_an_error_is_one_line(played: Played, ric: Ric) -> None:
    """Type, message and trace are joined by returns; leading blanks are no-break spaces."""
    assert logged(played, ric, "all") == (
        f"[ERROR] ErrorType: Error message\r{HEAD}\r"
        "\u00a0\u00a0line1  \r\u00a0\u00a0line2  \r\u00a0\u00a0\n"
    )


@item(31, "S")
def test_an_error_without_a_trace(played: Played, ric: Ric) -> None:
    """The trace is announced all the same."""
    assert logged(played, ric, "no-trace") == f"[ERROR] ErrorType: Error message\r{HEAD}\n"


@item(32, "S")
def test_an_error_without_a_message(played: Played, ric: Ric) -> None:
    """The type stands alone, without a colon."""
    assert logged(played, ric, "no-message") == f"[ERROR] ErrorType\r{HEAD}\n"


@item(33, "S")
def test_an_error_without_a_type(played: Played, ric: Ric) -> None:
    """The message stands alone, without a colon."""
    assert logged(played, ric, "no-type") == f"[ERROR] Error message\r{HEAD}\n"


@item(34, "S")
def test_an_error_of_nothing(played: Played, ric: Ric) -> None:
    """`[ERROR]` and the announcement of a trace are all."""
    assert logged(played, ric, "nothing") == f"[ERROR]\r{HEAD}\n"


@item(35, "S")
def test_only_leading_blanks_are_replaced(played: Played, ric: Ric) -> None:
    """Blanks within and behind a line stay, and tabs do."""
    assert logged(played, ric, "blanks").split("\r")[2:] == [
        "\u00a0\u00a0line1  ",
        "\u00a0\u00a0line2",
        "\tline3\n",
    ]


@item(36, "S")
def test_an_empty_entry_is_an_empty_line(played: Played, ric: Ric) -> None:
    """An empty entry of a trace is not lost."""
    assert logged(played, ric, "empty").endswith("line1\r\rline2\n")


@item(37, "S")
def test_the_request_id_is_not_in_the_log(played: Played, ric: Ric) -> None:
    """The record of an error does not name the invocation."""
    assert "request-" not in played(LOGGED, ric).stdout


@item(38, "S")
def test_an_error_in_a_frame(ric: Ric, tmp_path: Path) -> None:
    """Its lines are joined by line breaks, with none at the end; its type word says text, ERROR."""
    scenario = Scenario(program=PROGRAM, events=LOGGED.events, framed=True)
    before = time_ns() // 1000
    record = play(scenario, ric, tmp_path)
    after = time_ns() // 1000
    assert record.stdout == ""
    assert len(record.frames) == len(FAULTS)
    assert record.frames[0].text.decode() == (
        f"[ERROR] ErrorType: Error message\n{HEAD}\n"
        "\u00a0\u00a0line1  \n\u00a0\u00a0line2  \n\u00a0\u00a0"
    )
    for frame in record.frames:
        assert frame.type_word == "a55a0017"
        assert before <= frame.microseconds <= after
