"""What freezing does to a function: only in Lambda, and with `--freeze`, does it show."""

from __future__ import annotations

import io
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from rapid_mock import LocalLambda
from rapid_mock.errors import SetupError
from tests.support.command_line import ROOT, Serving, write_code, write_executable

HANDLER = """
import os, threading, time

beats = [time.monotonic()]

def beat():
    while True:
        beats.append(time.monotonic())
        time.sleep(0.005)

threading.Thread(target=beat, daemon=True).start()

def handler(event, context):
    begun = time.monotonic()
    while beats[-1] < begun:
        time.sleep(0.001)
    gap = max(later - earlier for earlier, later in zip(beats, beats[1:]))
    return {"gap": gap, "pid": os.getpid(), "left": context.get_remaining_time_in_millis()}
"""
OUTSIDE = """
import time

def handler(event, context):
    while time.monotonic() < event["until"]:
        time.sleep(0.01)
"""


def test_background_thread_stands_still(tmp_path: Path) -> None:
    """A thread that beats every 5 ms misses the whole time between two invocations."""
    code = write_code(tmp_path / "code", HANDLER)
    pause = write_code(tmp_path / "pause", OUTSIDE)
    with LocalLambda(log_stream=io.BytesIO()) as local:
        frozen = local.create_function("frozen", handler="app.handler", code=code, freeze=True)
        waiting = local.create_function("waiting", handler="app.handler", code=pause)
        first = frozen.invoke({}).payload
        waiting.invoke({"until": time.monotonic() + 1.0})
        second = frozen.invoke({}).payload
    assert second["pid"] == first["pid"]
    assert second["gap"] >= 0.9
    assert second["left"] > 2500


def test_telemetry_survives_the_frost(tmp_path: Path) -> None:
    """A subscriber that is frozen with all else gets every record once, and none is dropped."""
    program = ROOT / "tests" / "support" / "telemetry_consumer.py"
    extension = write_executable(
        tmp_path / "consumer", f'#!/bin/sh\nexec "{sys.executable}" "{program}" consumer\n'
    )
    out = tmp_path / "received"
    subscription = {
        "schemaVersion": "2022-12-13",
        "types": ["platform", "function"],
        "buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25},
    }
    source = "def handler(event, context):\n    print('line', event)\n"
    with LocalLambda(log_stream=io.BytesIO()) as local:
        function = local.create_function(
            "talker",
            handler="app.handler",
            code=write_code(tmp_path / "code", source),
            extensions=[extension],
            environment={
                "OUT": str(out),
                "BEHAVIOUR": "good",
                "PROTOCOL": "HTTP",
                "SUBSCRIPTION": json.dumps(subscription),
                "API": "/2022-07-01/telemetry",
            },
            freeze=True,
        )
        for number in range(20):
            assert function.invoke(number).function_error is None
            time.sleep(0.03)  # in the frost: longer than the subscriber's batches wait
    records = [json.loads(line) for line in out.read_bytes().splitlines()]
    kinds = Counter(record["type"] for record in records)
    assert [kinds[f"platform.{kind}"] for kind in ("start", "runtimeDone", "report")] == [20] * 3
    assert kinds["platform.logsDropped"] == 0
    lines = [record["record"].strip() for record in records if record["type"] == "function"]
    assert lines == [f"line {number}" for number in range(20)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"attach": True}, "a runtime that you start yourself cannot be frozen"),
        ({"max_concurrency": 2}, "managed instances are never frozen"),
    ],
)
def test_what_cannot_be_frozen(tmp_path: Path, options: dict[str, Any], sentence: str) -> None:
    """What Lambda never freezes, or we did not start, is refused in one sentence."""
    with (
        LocalLambda(log_stream=io.BytesIO()) as local,
        pytest.raises(SetupError, match=sentence),
    ):
        local.create_function("f", handler="a.b", code=tmp_path, freeze=True, **options)


def test_start_freezes(tmp_path: Path) -> None:
    """`start --freeze` stops the runtime between invocations, and still ends it in order."""
    source = "import os\ndef handler(event, context):\n    print('pid', os.getpid())\n"
    code = write_code(tmp_path, source)
    with Serving("--freeze", "app.handler", "--code", str(code)) as serving:
        assert serving.invoke(json.dumps({}).encode()) == 200
        pid = int(serving.wait_for("pid ").split()[1])
        serving.wait_for("REPORT")
        _until_stopped(pid)
        assert serving.invoke(b"{}") == 200
        assert serving.stop() == 0


def _until_stopped(pid: int) -> None:
    """The kernel says `T`; the test's timeout bounds it."""
    stat = Path(f"/proc/{pid}/stat")
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "T":
        pass
