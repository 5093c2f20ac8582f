"""Ctrl-C in the middle of `rapid-mock invoke`, and grandchildren that hold our pipes open."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import COMMAND, ROOT, write_code, write_executable
from tests.support.processes import eventually, is_running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANDLER = """
import os, subprocess, time

def handler(event, context):
    if event == "hang":
        print("at work", os.getpid(), flush=True)
        time.sleep(60)
    if "leave" in str(event):
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        print("left", child.pid, flush=True)
    if event == "leave and die":
        os._exit(3)
    return "ok"
"""
EXTENSION = f"""#!{sys.executable}
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from lambda_extensions import ExtensionClient
client = ExtensionClient()
client.register("witness", ["SHUTDOWN"])
print("told", client.next().reason, flush=True)
if {{is_stubborn}}:
    time.sleep(60)
"""


class Invoking:
    """`rapid-mock invoke` of a handler that hangs, beside an extension."""

    def __init__(self, directory: Path, *, is_stubborn: bool) -> None:
        text = EXTENSION.format(is_stubborn=is_stubborn)
        extension = write_executable(directory / "witness", text)
        code = write_code(directory / "code", HANDLER)
        self._log = directory / "log"
        options = ["--code", str(code), "--extension", str(extension), "--timeout", "50"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "invoke", "app.handler", "-e", '"hang"', *options],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def has_said(self, words: str) -> None:
        eventually(lambda: words in self.log, words)

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, bytes]:
        """Its exit code, and what it printed."""
        output, _ = self._process.communicate(timeout=20)
        return self._process.returncode, output


@pytest.fixture
def invoking(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Invoking]:
    made = Invoking(tmp_path, is_stubborn=getattr(request, "param", False))
    made.has_said("at work")
    yield made
    made.interrupt()
    made.interrupt()
    made.end()
    runtime = int(made.log.partition("at work ")[2].split()[0])
    eventually(lambda: not is_running(runtime), "the end of the runtime")


def test_ctrl_c_ends_an_invocation(invoking: Invoking) -> None:
    """The extension is told, END and REPORT are printed, and nothing stands for the result."""
    invoking.interrupt()
    assert invoking.end() == (130, b"")
    assert "told spindown\n" in invoking.log
    assert "Error: execution environment was shut down\n" in invoking.log
    assert "\tStatus: failure\t" in invoking.log


@pytest.mark.parametrize("invoking", [True], indirect=True, ids=["stubborn"])
def test_a_second_ctrl_c_kills(invoking: Invoking) -> None:
    """It does not wait for the extension's budget of 2 s."""
    invoking.interrupt()
    invoking.has_said("told spindown\n")
    began = time.monotonic()
    invoking.interrupt()
    assert invoking.end() == (130, b"")
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize("event", ["leave", "leave and die"])
def test_a_grandchild_holds_the_pipes(tmp_path: Path, event: str) -> None:
    """In a session of its own it outlives the runtime, and nobody waits for it."""
    log = io.BytesIO()
    began = time.monotonic()
    with LocalLambda(log_stream=log) as local:
        code = write_code(tmp_path / "code", HANDLER)
        function = local.create_function("f", handler="app.handler", code=code, timeout=20)
        result = function.invoke(event)
        assert result.function_error == ("Unhandled" if "die" in event else None)
        assert function.invoke("plain").payload == "ok"
    assert time.monotonic() - began < 10
    grandchild = int(log.getvalue().partition(b"left ")[2].split()[0])
    assert is_running(grandchild)
    with suppress(ProcessLookupError):
        os.kill(grandchild, signal.SIGKILL)
