"""The driver with real processes, a clock moved by hand, and API calls told by hand."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rapid_mock.console import Console
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle.effects import InvocationDelivered, Refused
from rapid_mock.lifecycle.state import Phase
from tests.support.driven import World, respond, run


def test_warm_invocations_leave_one_timer(tmp_path: Path) -> None:
    """The timer armed for one invocation serves the next ones; a later deadline still holds."""

    async def scenario(world: World) -> None:
        world.invoke("a")
        world.call(happened.RuntimeNext)
        await respond(world, "a")
        world.call(happened.RuntimeNext)
        world.clock.advance(2.0)
        world.invoke("b")
        world.clock.advance(2.0)  # the first deadline passes, the second does not
        assert world.phases[-1].name == "INVOKE"
        world.clock.advance(1.0)
        assert world.phases[-1].name == "STOPPING"
        await world.until(lambda: world.driver.phase is Phase.COLD)

    world = run(tmp_path, scenario, timeout=3.0)
    assert world.outcomes["a"].status == "success"
    assert world.outcomes["b"].error_type == "Sandbox.Timedout"


def test_output_comes_before_end(tmp_path: Path) -> None:
    """What a process wrote before the invocation ended stands between START and END."""
    chatty = ("sh", "-c", "cat orders; exec sleep 60")
    orders = tmp_path / "orders"
    orders.write_text("one\ntwo\n")

    async def scenario(world: World) -> None:
        world.invoke("a")
        world.call(happened.RuntimeNext)
        await asyncio.to_thread(_until_it_sleeps, world.driver._supervisor.pids()[0])
        await respond(world, "a")
        world.call(happened.RuntimeNext)

    world = run(tmp_path, scenario, argv=chatty)
    log = world.finishes["a"][1].decode()
    assert log.startswith("START RequestId: a Version: $LATEST\none\ntwo\nEND RequestId: a\nREPORT")


def _until_it_sleeps(pid: int) -> None:
    """Everything is written once the shell has become `sleep`; the test's timeout bounds it."""
    while not Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep"):
        pass


def test_unfinished_line_does_not_swallow_end(tmp_path: Path) -> None:
    """A last line without a newline gets one before END."""
    world = run(tmp_path, _one_invocation, argv=("sh", "-c", "printf half; exec sleep 60"))
    assert "half\nEND RequestId: a\n" in world.finishes["a"][1].decode()


async def _one_invocation(world: World) -> None:
    world.invoke("a")
    world.call(happened.RuntimeNext)
    await world.until(lambda: b"half" in world.log.getvalue())
    await respond(world, "a")
    world.call(happened.RuntimeNext)


class Interrupting(io.BytesIO):
    """A console stream; what is written first makes something happen."""

    def __init__(self, happen: Callable[[], None]) -> None:
        super().__init__()
        self._happen: list[Callable[[], None]] = [happen]

    def write(self, data: Any) -> int:
        while self._happen:
            self._happen.pop()()
        return super().write(data)


def test_deadlines_effects_are_not_interrupted(tmp_path: Path) -> None:
    """What a deadline's effects cause is handled when all of them have been carried out."""

    async def scenario(world: World) -> None:
        world.invoke("a")
        world.call(happened.RuntimeNext)
        moves = len(world.phases)
        stream = Interrupting(lambda: world.driver.dispatch(happened.ShutdownRequested("spindown")))
        world.driver._console = Console(stream)
        world.clock.advance(3.0)
        assert len(world.phases) == moves + 1
        assert b"Task timed out after 3.00 seconds" in stream.getvalue()
        await world.until(lambda: world.driver.phase is Phase.GONE)

    run(tmp_path, scenario, timeout=3.0)


def test_failed_start_fails_the_invocation(tmp_path: Path) -> None:
    """A runtime that cannot be started, twice, is the invocation's error; nothing waits."""

    async def scenario(world: World) -> None:
        world.invoke("a")

    world = run(tmp_path, scenario, argv=("./bootstrap",))
    assert world.outcomes["a"].error == {
        "errorType": "Runtime.InvalidEntrypoint",
        "errorMessage": "RequestId: a Error: fork/exec ./bootstrap: no such file or directory",
    }


def test_vanished_poll_is_not_answered(tmp_path: Path) -> None:
    """The event goes to the poll that is still there, not to the one whose client went away."""

    async def scenario(world: World) -> None:
        world.driver.dispatch(happened.InitRequested())
        gone = world.call(happened.RuntimeNext)
        world.driver.vanished(gone)
        there = world.call(happened.RuntimeNext)
        world.invoke("a")
        assert gone not in world.replies
        assert isinstance(world.replies[there], InvocationDelivered)

    run(tmp_path, scenario)


def test_refusals_are_answered_at_once(tmp_path: Path) -> None:
    """A call that the tables do not allow is answered inside dispatch."""

    async def scenario(world: World) -> None:
        exchange = world.call(lambda e: happened.RuntimeResponseBegun(e, "nobody"))
        assert world.replies[exchange] == Refused(400, "InvalidRequestID", "Invalid request ID")
        assert not world.driver.is_open(exchange)

    run(tmp_path, scenario)


def test_memory_in_the_report_is_measured(tmp_path: Path) -> None:
    """Max Memory Used is what the processes used, not the configured size."""

    async def scenario(world: World) -> None:
        world.invoke("a")
        world.call(happened.RuntimeNext)
        await respond(world, "a")
        world.call(happened.RuntimeNext)

    report = run(tmp_path, scenario, memory_mb=3008).finishes["a"][0]
    assert 1 <= report.max_memory_mb < 100
