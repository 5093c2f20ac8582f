"""Every process killed or stopped at every point of a life: the next invoke works, no orphans."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import ROOT, write_code, write_executable
from tests.support.processes import eventually, is_running

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_SECONDS = 1.5
SOURCE = """
import os, signal

def hurt(point):
    mark = os.path.join(os.environ["MARKS"], f"runtime-{point}")
    if os.path.exists(mark):
        number = int(open(mark).read())
        os.remove(mark)
        os.kill(os.getpid(), number)

with open(os.path.join(os.environ["MARKS"], "pids"), "a") as pids:
    print(os.getpid(), file=pids)
hurt("init")

def handler(event, context):
    hurt("invoke")
    if event.get("stream"):
        return stream()
    return os.getpid()

def stream():
    yield "first"
    hurt("stream")
    yield "second"
"""
EXTENSION = f"""#!/usr/bin/env python3
import os, sys
sys.path.insert(0, {str(ROOT)!r})
MARKS = {{marks!r}}

def hurt(point):
    mark = os.path.join(MARKS, f"extension-{{{{point}}}}")
    if os.path.exists(mark):
        number = int(open(mark).read())
        os.remove(mark)
        os.kill(os.getpid(), number)

from lambda_extensions import ExtensionClient
with open(os.path.join(MARKS, "pids"), "a") as pids:
    print(os.getpid(), file=pids)
hurt("start")
client = ExtensionClient()
client.register("witness", ["INVOKE", "SHUTDOWN"])
hurt("registered")
while True:
    event = client.next()
    if type(event).__name__ == "ShutdownEvent":
        hurt("shutdown")
        break
    hurt("invoke")
"""


class World:
    """A function with one extension; `plan` says who hurts itself, where and by what."""

    def __init__(self, directory: Path, local: LocalLambda) -> None:
        self.marks = directory / "marks"
        self.marks.mkdir()
        (self.marks / "pids").touch()
        text = EXTENSION.format(marks=str(self.marks))
        extension = write_executable(directory / "witness", text)
        self.function = local.create_function(
            "f",
            handler="app.handler",
            code=write_code(directory / "code", SOURCE),
            extensions=[extension],
            timeout=TIMEOUT_SECONDS,
            environment={"MARKS": str(self.marks), "PYTHONPATH": str(ROOT)},
            concurrency=1,
        )

    def plan(self, who: str, point: str, number: signal.Signals) -> None:
        (self.marks / f"{who}-{point}").write_text(str(int(number)))

    @property
    def pids(self) -> list[int]:
        return [int(line) for line in (self.marks / "pids").read_text().split()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Afterwards nothing that was ever started is left."""
    with LocalLambda(log_stream=io.BytesIO()) as local:
        world = World(tmp_path, local)
        yield world
    assert world.pids
    eventually(lambda: not any(map(is_running, world.pids)), "the end of every process")


BOTH = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=lambda n: n.name)


@BOTH
@pytest.mark.parametrize(
    ("who", "point", "error_types"),
    [
        ("runtime", "invoke", {"Runtime.ExitError", "Sandbox.Timedout"}),
        ("runtime", "stream", {"Runtime.TruncatedResponse", "Sandbox.Timedout"}),
        ("extension", "invoke", {None, "Extension.Crash"}),
    ],
)
def test_during_an_invocation(
    world: World, who: str, point: str, error_types: set[str | None], number: signal.Signals
) -> None:
    """The invocation fails with AWS's type, or had its answer before; the next one works."""
    world.function.invoke()
    world.plan(who, point, number)
    result = world.function.invoke({"stream": point == "stream"})
    kind = result.payload["errorType"] if result.function_error else None
    assert kind in error_types
    assert isinstance(world.function.invoke().payload, int)


@pytest.mark.parametrize(
    ("who", "point"),
    [("runtime", "init"), ("extension", "start"), ("extension", "registered")],
)
def test_killed_during_init(world: World, who: str, point: str) -> None:
    """The init is repeated inside the first invocation, which succeeds."""
    world.plan(who, point, signal.SIGKILL)
    assert isinstance(world.function.invoke().payload, int)
    assert isinstance(world.function.invoke().payload, int)


@BOTH
def test_runtime_while_idle(world: World, number: signal.Signals) -> None:
    """A runtime that is killed is replaced unseen; one that is stopped costs one invocation."""
    pid = world.function.invoke().payload
    os.kill(pid, number)
    if number == signal.SIGKILL:
        eventually(lambda: not is_running(pid), "the end of the runtime")
    result = world.function.invoke()
    if number == signal.SIGSTOP:
        assert result.payload["errorType"] == "Sandbox.Timedout"
    assert isinstance(world.function.invoke().payload, int)


@BOTH
def test_extension_while_idle(world: World, number: signal.Signals) -> None:
    """An extension that dies parked costs nobody; one that is stopped costs one REPORT."""
    world.function.invoke()
    extension = world.pids[0]
    os.kill(extension, number)
    if number == signal.SIGKILL:
        eventually(lambda: not is_running(extension), "the end of the extension")
    world.function.invoke()
    assert isinstance(world.function.invoke().payload, int)


@BOTH
def test_extension_at_its_shutdown(world: World, number: signal.Signals) -> None:
    """Leaving takes at most the budget of 2 s, and nobody is left."""
    world.function.invoke()
    world.plan("extension", "shutdown", number)
