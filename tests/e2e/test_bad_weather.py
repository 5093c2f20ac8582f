"""Every process killed or stopped at every point of a life: the next invoke works, no orphans."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambda_runtime import contract
from rapid_mock import LocalLambda
from rapid_mock.errors import SnapStartFailed, SnapStartTimeout
from tests.support.command_line import ROOT, write_code, write_executable
from tests.support.processes import eventually, is_running

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_SECONDS, LIMIT_SECONDS = 1.5, 1.0
SOURCE = """
import os, signal
from lambda_runtime import (
    after_response, on_shutdown, register_after_restore, register_before_snapshot
)

def hurt(point):
    mark = os.path.join(os.environ["MARKS"], f"runtime-{point}")
    if os.path.exists(mark):
        number = int(open(mark).read())
        os.remove(mark)
        os.kill(os.getpid(), number)

with open(os.path.join(os.environ["MARKS"], "pids"), "a") as pids:
    print(os.getpid(), file=pids)
hurt("init")
on_shutdown(lambda: hurt("shutdown"))
register_before_snapshot(lambda: hurt("snapshot"))
register_after_restore(lambda: hurt("restore"))

def handler(event, context):
    hurt("invoke")
    after_response(lambda: hurt("returning"))
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
MARKS, NAME = {{marks!r}}, os.path.basename(sys.argv[0])

def hurt(point):
    mark = os.path.join(MARKS, f"{{{{NAME}}}}-{{{{point}}}}")
    if os.path.exists(mark):
        number = int(open(mark).read())
        os.remove(mark)
        os.kill(os.getpid(), number)

from lambda_extensions import ExtensionClient
with open(os.path.join(MARKS, "pids"), "a") as pids:
    print(os.getpid(), file=pids)
hurt("start")
client = ExtensionClient()
client.register(NAME, ["INVOKE", "SHUTDOWN"])
hurt("registered")
while True:
    event = client.next()
    if type(event).__name__ == "ShutdownEvent":
        with open(os.path.join(MARKS, NAME), "a") as told:
            print(event.reason, file=told)
        hurt("shutdown")
        break
    hurt("invoke")
"""


class World:
    """A function with two extensions; `plan` says who hurts itself, where and by what.

    The bystander never does: it is told of every shutdown.
    """

    def __init__(self, directory: Path, local: LocalLambda, *, snapstart: bool = False) -> None:
        self.marks = directory / "marks"
        self.marks.mkdir()
        for name in ("pids", "witness", "bystander"):
            (self.marks / name).touch()
        text = EXTENSION.format(marks=str(self.marks))
        self.function = local.create_function(
            "f",
            handler="app.handler",
            code=write_code(directory / "code", SOURCE),
            extensions=[write_executable(directory / n, text) for n in ("bystander", "witness")],
            timeout=TIMEOUT_SECONDS,
            environment={"MARKS": str(self.marks), "PYTHONPATH": str(ROOT)},
            concurrency=1,
            snapstart=snapstart,
        )

    def plan(self, who: str, point: str, number: signal.Signals) -> None:
        (self.marks / f"{who}-{point}").write_text(str(int(number)))

    def works(self) -> bool:
        """Whether an invocation succeeds."""
        return isinstance(self.function.invoke().payload, int)

    @property
    def pids(self) -> list[int]:
        return [int(line) for line in (self.marks / "pids").read_text().split()]

    @property
    def bystander_was_told(self) -> list[str]:
        return (self.marks / "bystander").read_text().split()


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process costs the limit of the phase it is in."""
    for name in ("INIT", "MANAGED_INIT", "RESTORE"):
        monkeypatch.setattr(contract, f"{name}_TIMEOUT_SECONDS", LIMIT_SECONDS)


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """Afterwards the bystander was told of the end, and nothing that was ever started is left."""
    with LocalLambda(log_stream=io.BytesIO()) as local:
        world = World(tmp_path, local, snapstart=getattr(request, "param", False))
        yield world
    assert world.bystander_was_told[-1] == "spindown"
    assert not list(world.marks.glob("*-*")), "who was to be hurt was not"
    eventually(lambda: not any(map(is_running, world.pids)), "the end of every process")


BOTH = pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=lambda n: n.name)
RESTORED = pytest.mark.parametrize("world", [True], indirect=True, ids=["snapstart"])


@BOTH
@pytest.mark.parametrize(
    ("who", "point", "error_types"),
    [
        ("runtime", "invoke", {"Runtime.ExitError", "Sandbox.Timedout"}),
        ("runtime", "stream", {"Runtime.TruncatedResponse", "Sandbox.Timedout"}),
        ("runtime", "returning", {None}),
        ("witness", "invoke", {None, "Extension.Crash"}),
    ],
)
def test_during_an_invocation(
    world: World, who: str, point: str, error_types: set[str | None], number: signal.Signals
) -> None:
    """The invocation fails with AWS's type, or had its answer before; the next one works."""
    assert world.works()
    world.plan(who, point, number)
    result = world.function.invoke({"stream": point == "stream"})
    kind = result.payload["errorType"] if result.function_error else None
    assert kind in error_types
    assert world.works()
    told = "failure" if number == signal.SIGKILL else "timeout"
    assert world.bystander_was_told == [told]


@BOTH
@pytest.mark.parametrize(
    ("who", "point"), [("runtime", "init"), ("witness", "start"), ("witness", "registered")]
)
def test_during_init(world: World, who: str, point: str, number: signal.Signals) -> None:
    """The init is repeated inside the first invocation, which succeeds."""
    world.plan(who, point, number)
    assert world.works()
    assert world.works()


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
    assert world.works()


@BOTH
def test_extension_while_idle(world: World, number: signal.Signals) -> None:
    """An extension that dies parked costs nobody; one that is stopped costs one REPORT."""
    world.function.invoke()
    extension = world.pids[0]
    os.kill(extension, number)
    if number == signal.SIGKILL:
        eventually(lambda: not is_running(extension), "the end of the extension")
    world.function.invoke()
    assert world.works()


@BOTH
@pytest.mark.parametrize("who", ["runtime", "witness"])
def test_at_the_shutdown(world: World, who: str, number: signal.Signals) -> None:
    """Leaving takes at most the budget of 2 s, and nobody is left."""
    world.function.invoke()
    world.plan(who, "shutdown", number)


@BOTH
def test_extension_at_the_shutdown_of_a_reset(world: World, number: signal.Signals) -> None:
    """The reset takes at most the budget of 2 s, and the next invocation works."""
    world.function.invoke()
    world.plan("witness", "shutdown", number)
    world.plan("runtime", "invoke", signal.SIGKILL)
    assert world.function.invoke().payload["errorType"] == "Runtime.ExitError"
    assert world.works()
    assert world.bystander_was_told == ["failure"]


@RESTORED
@BOTH
def test_before_the_snapshot(world: World, number: signal.Signals) -> None:
    """The init is repeated inside the first invocation, which succeeds."""
    world.plan("runtime", "snapshot", number)
    assert world.works()


@RESTORED
@BOTH
def test_during_the_restore(world: World, number: signal.Signals) -> None:
    """The invocation that waits for the restore is refused; the next one works."""
    world.plan("runtime", "restore", number)
    with pytest.raises((SnapStartFailed, SnapStartTimeout)):
        world.function.invoke()
    assert world.works()
