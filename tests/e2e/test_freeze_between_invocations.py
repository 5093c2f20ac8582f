"""What freezing does to a function: only in Lambda, and with `--freeze`, does it show."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest

from rapid_mock import LocalLambda
from rapid_mock.errors import SetupError
from tests.support.command_line import Serving, write_code

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
