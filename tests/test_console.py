from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from rapid_mock.console import Console, LogConfig, render_json, render_text
from rapid_mock.lifecycle.effects import Emit

WALL = 1767323045.678  # 2026-01-02T03:04:05.678Z

REPORT: dict[str, Any] = {
    "requestId": "1-2",
    "status": "success",
    "metrics": {
        "durationMs": 1.234,
        "billedDurationMs": 40,
        "memorySizeMB": 128,
        "maxMemoryUsedMB": 35,
    },
}


@pytest.mark.parametrize(
    ("emit", "line"),
    [
        (
            Emit("platform.start", {"requestId": "1-2", "version": "$LATEST"}),
            "START RequestId: 1-2 Version: $LATEST\n",
        ),
        (Emit("platform.end", {"requestId": "1-2"}), "END RequestId: 1-2\n"),
        (
            Emit("platform.report", REPORT),
            "REPORT RequestId: 1-2\tDuration: 1.23 ms\tBilled Duration: 40 ms\t"
            "Memory Size: 128 MB\tMax Memory Used: 35 MB\t\n",
        ),
        (
            Emit(
                "platform.report",
                REPORT | {"metrics": {**REPORT["metrics"], "initDurationMs": 38.5}},
            ),
            "REPORT RequestId: 1-2\tDuration: 1.23 ms\tBilled Duration: 40 ms\t"
            "Memory Size: 128 MB\tMax Memory Used: 35 MB\tInit Duration: 38.50 ms\t\n",
        ),
        (
            Emit("platform.report", REPORT | {"status": "timeout"}),
            "REPORT RequestId: 1-2\tDuration: 1.23 ms\tBilled Duration: 40 ms\t"
            "Memory Size: 128 MB\tMax Memory Used: 35 MB\tStatus: timeout\t\n",
        ),
        (
            Emit("platform.report", REPORT | {"status": "error", "errorType": "Runtime.ExitError"}),
            "REPORT RequestId: 1-2\tDuration: 1.23 ms\tBilled Duration: 40 ms\t"
            "Memory Size: 128 MB\tMax Memory Used: 35 MB\tStatus: error\t"
            "Error Type: Runtime.ExitError\t\n",
        ),
        (
            Emit(
                "platform.initReport",
                {"phase": "init", "status": "timeout", "metrics": {"durationMs": 10000.12}},
            ),
            "INIT_REPORT Init Duration: 10000.12 ms\tPhase: init\tStatus: timeout\n",
        ),
        (
            Emit(
                "platform.extension",
                {"name": "x", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]},
            ),
            "EXTENSION\tName: x\tState: Ready\tEvents: [INVOKE,SHUTDOWN]\n",
        ),
        (
            Emit(
                "platform.fault",
                {"status": "timeout", "message": "1-2 Task timed out after 3.00 seconds"},
            ),
            "2026-01-02T03:04:05.678Z 1-2 Task timed out after 3.00 seconds\n\n",
        ),
    ],
)
def test_text_lines(emit: Emit, line: str) -> None:
    """Platform lines are AWS's, byte for byte, tabs included."""
    assert render_text(emit, WALL) == line


@pytest.mark.parametrize(
    "kind", ["platform.initStart", "platform.initRuntimeDone", "platform.runtimeDone"]
)
def test_records_without_a_text_line(kind: str) -> None:
    """What AWS does not print in text is not printed."""
    assert render_text(Emit(kind, {"status": "success"}), WALL) is None


def test_json_lines_are_telemetry_envelopes() -> None:
    """In JSON format a platform line is the telemetry envelope, compact, on one line."""
    line = render_json(Emit("platform.start", {"requestId": "1-2", "version": "$LATEST"}), WALL)
    assert line == (
        '{"time":"2026-01-02T03:04:05.678Z","type":"platform.start",'
        '"record":{"requestId":"1-2","version":"$LATEST"}}\n'
    )
    report = render_json(Emit("platform.report", REPORT), WALL)
    assert report is not None
    assert json.loads(report)["record"] == REPORT


LEVELS = [
    ("platform.initStart", {"runtimeVersion": ""}, "DEBUG"),
    ("platform.initStart", {"runtimeVersion": "python:3.13.v1"}, "INFO"),
    ("platform.initRuntimeDone", {"status": "success"}, "DEBUG"),
    ("platform.initRuntimeDone", {"status": "error"}, "WARN"),
    ("platform.initReport", {"initializationType": "on-demand", "status": "success"}, "DEBUG"),
    ("platform.initReport", {"initializationType": "snap-start", "status": "success"}, "INFO"),
    ("platform.initReport", {"initializationType": "on-demand", "status": "timeout"}, "WARN"),
    ("platform.restoreStart", {"runtimeVersion": ""}, "DEBUG"),
    ("platform.restoreRuntimeDone", {"status": "success"}, "DEBUG"),
    ("platform.restoreRuntimeDone", {"status": "error"}, "WARN"),
    ("platform.restoreReport", {"status": "success"}, "INFO"),
    ("platform.restoreReport", {"status": "error"}, "WARN"),
    ("platform.start", {}, "INFO"),
    ("platform.runtimeDone", {"status": "success"}, "DEBUG"),
    ("platform.runtimeDone", {"status": "timeout"}, "WARN"),
    ("platform.report", {"status": "success"}, "INFO"),
    ("platform.report", {"status": "failure"}, "WARN"),
    ("platform.extension", {"state": "Ready"}, "INFO"),
    ("platform.telemetrySubscription", {"state": "Subscribed"}, "INFO"),
    ("platform.logsSubscription", {"state": "Subscribed"}, "INFO"),
    ("platform.logsDropped", {"droppedRecords": 1}, "WARN"),
]


@pytest.mark.parametrize(("kind", "record", "level"), LEVELS)
def test_each_record_has_its_system_log_level(
    kind: str, record: dict[str, object], level: str
) -> None:
    """In JSON format a record is logged up to the level that AWS gives it; INFO is the default."""
    wanted = {"DEBUG": ["DEBUG"], "INFO": ["DEBUG", "INFO"], "WARN": ["DEBUG", "INFO", "WARN"]}
    emit = Emit(kind, record)
    logged = [each for each in wanted["WARN"] if LogConfig("JSON", each).render(emit, WALL)]
    assert logged == wanted[level]
    assert (LogConfig("JSON").render(emit, WALL) is not None) == ("INFO" in wanted[level])


def test_text_has_no_levels() -> None:
    """In text every line is printed, whatever the level."""
    start = Emit("platform.start", {"requestId": "1-2", "version": "$LATEST"})
    assert (
        LogConfig("Text", "WARN").render(start, WALL) == "START RequestId: 1-2 Version: $LATEST\n"
    )


def test_sentence_with_the_last_output_below_it() -> None:
    """A diagnosis is one sentence, with the last lines of the process set off below it."""
    stream = io.BytesIO()
    Console(stream).explain("runtime exited (exit status 3)", "one\ntwo")
    assert stream.getvalue() == (b"rapid-mock: runtime exited (exit status 3)\n  | one\n  | two\n")


def test_text_streams_are_streams_too(tmp_path: Path) -> None:
    """What is written in pieces is text again; bytes that are none are shown as escapes."""
    text = io.StringIO()
    with (tmp_path / "log").open("w") as file:
        for stream in (text, file):
            console = Console(stream)
            for piece in (b"na\xc3", b"\xafve ", b"\xff\n"):
                console.write(piece)
    assert text.getvalue() == "na\u00efve \\xff\n"
    assert (tmp_path / "log").read_bytes() == b"na\xc3\xafve \xff\n"


def test_reader_that_went_away() -> None:
    """A closed stream takes nobody down."""
    stream = io.BytesIO()
    console = Console(stream)
    stream.close()
    console.write(b"lost")
    console.write(b"lost too")
