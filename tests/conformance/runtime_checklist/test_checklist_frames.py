"""Checklist D, 91 to 95: where records go, standard output or frames on a descriptor."""

from __future__ import annotations

import pytest

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import SURVIVED, Played, Scenario
from tests.support.scripted_runtime_api import event

PROGRAM = """
import os
def handler(event, context):
    for text in event:
        context.log(text)
    return os.environ.get("_LAMBDA_TELEMETRY_LOG_FD")
"""
EVENTS = (
    event(b'["one\\nline and \xc3\xa9\\n"]', request_id="one"),
    event(b'["first", "second"]', request_id="two"),
)
PLAIN = Scenario(program=PROGRAM, events=EVENTS)
FRAMED = Scenario(program=PROGRAM, events=EVENTS, framed=True)

CRITICAL = (
    "import logging\nlogging.critical('critical')\ndef handler(event, context):\n    return None\n"
)


@item(91, "S")
def test_without_a_descriptor_text_goes_to_standard_output(played: Played, ric: Ric) -> None:
    """What is logged is written as it is."""
    assert played(PLAIN, ric).stdout == "one\nline and \u00e9\nfirstsecond"
    assert played(PLAIN, ric).frames == []


@item(92, "S")
def test_with_a_descriptor_text_is_framed(played: Played, ric: Ric) -> None:
    """Nothing is written to standard output, and the variable is gone."""
    record = played(FRAMED, ric)
    assert record.exit_code == SURVIVED
    assert record.stdout == ""
    assert record.result("one") is None
    assert len(record.frames) == 3


@item(93, "S")
def test_one_frame(played: Played, ric: Ric) -> None:
    """Type word a55a0003, the length in bytes, the text with its line breaks."""
    frame = played(FRAMED, ric).frames[0]
    assert frame.type_word == "a55a0003"
    assert frame.text == b"one\nline and \xc3\xa9\n"


@item(94, "S")
def test_two_frames(played: Played, ric: Ric) -> None:
    """Two texts are two frames, one behind the other, and nothing else."""
    frames = played(FRAMED, ric).frames[1:]
    assert [(frame.type_word, frame.text) for frame in frames] == [
        ("a55a0003", b"first"),
        ("a55a0003", b"second"),
    ]


@pytest.mark.parametrize(
    ("env", "type_word", "length"),
    [
        ({}, "a55a0003", 46),
        ({"AWS_LAMBDA_LOG_FORMAT": "JSON"}, "a55a001a", 117),
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO"}, "a55a001b", 46),
    ],
    ids=["text", "json", "text with a level"],
)
@item(95, "S")
def test_a_critical_record(
    played: Played, ric: Ric, env: dict[str, str], type_word: str, length: int
) -> None:
    """Format and level decide the type word; ours has milliseconds in JSON too, 4 bytes more."""
    record = played(Scenario(program=CRITICAL, env=env, framed=True), ric)
    [frame] = record.frames
    assert frame.type_word == type_word
    is_json = "AWS_LAMBDA_LOG_FORMAT" in env
    more = ric.expects(awslambdaric=0, lambda_runtime=len(".678") if is_json else 0)
    assert len(frame.text) == length + more
    assert b"critical" in frame.text
