"""Processes that stand still between invocations, and the clock that stands still with them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from rapid_mock.host.clock import ManualClock
from rapid_mock.host.freeze import FreezableClock, FreezingDriver
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle.effects import InvocationDelivered
from rapid_mock.lifecycle.state import Phase
from tests.support.driven import World, respond, run

TRAPPING = ("sh", "-c", "trap 'echo told; exit 0' TERM; sleep 60 & echo up; wait")


def _states(world: World) -> set[str]:
    """The kernel's letters for the states of all processes: T is stopped."""
    return {
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        for pid in world.driver._supervisor.pids()
    }


async def _initialised(world: World) -> None:
    world.driver.dispatch(happened.InitRequested())
    world.call(lambda e: happened.ExtensionRegistered(e, "shipper", ("SHUTDOWN",), "id"))
    world.call(lambda e: happened.ExtensionNext(e, "id"))
    world.call(happened.RuntimeNext)


proc_only = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="states are in /proc")


@proc_only
def test_processes_run_only_while_there_is_work(tmp_path: Path) -> None:
    """Runtime and extensions stop when init is over, go on for an invocation, and stop again."""

    async def scenario(world: World) -> None:
        await _initialised(world)
        await world.until(lambda: _states(world) == {"T"})
        world.invoke("a")
        await world.until(lambda: not _states(world) & {"T"})
        await respond(world, "a")
        assert not _states(world) & {"T"}
        world.call(happened.RuntimeNext)
        await world.until(lambda: _states(world) == {"T"})

    run(tmp_path, scenario, kind=FreezingDriver, extensions=("shipper",))


def test_frozen_environment_shuts_down(tmp_path: Path) -> None:
    """A shutdown thaws it: the runtime hears SIGTERM, and can still say so."""

    async def scenario(world: World) -> None:
        world.driver.dispatch(happened.InitRequested())
        world.call(lambda e: happened.ExtensionRegistered(e, "shipper", ("SHUTDOWN",), "id"))
        world.call(lambda e: happened.ExtensionNext(e, "id"))
        await world.until(lambda: world.log.getvalue().count(b"up") == 2)
        world.call(happened.RuntimeNext)
        world.driver.dispatch(happened.ShutdownRequested("spindown"))
        await world.until(lambda: b"told" in world.log.getvalue())

    run(tmp_path, scenario, TRAPPING, kind=FreezingDriver, extensions=("shipper",))


def test_frozen_process_that_is_killed(tmp_path: Path) -> None:
    """A death in the frost is seen, and retires the environment as any death while idle."""

    async def scenario(world: World) -> None:
        world.driver.dispatch(happened.InitRequested())
        world.call(happened.RuntimeNext)
        os.kill(world.driver._supervisor.pids()[0], signal.SIGKILL)
        await world.until(lambda: world.driver.phase is Phase.GONE)

    run(tmp_path, scenario, kind=FreezingDriver)


def test_frost_costs_no_invocation_its_time(tmp_path: Path) -> None:
    """After an hour in the frost the next invocation has its whole timeout, and a true deadline."""

    async def scenario(world: World) -> None:
        world.driver.dispatch(happened.InitRequested())
        poll = world.call(happened.RuntimeNext)
        world.clock.advance(3600.0)
        world.invoke("a")
        wall = world.clock.now().wall
        delivered = world.replies[poll]
        assert isinstance(delivered, InvocationDelivered)
        assert delivered.deadline_ms == int((wall + 3.0) * 1000)
        world.clock.advance(2.9)
        assert not world.outcomes
        world.clock.advance(0.1)
        await world.until(lambda: "a" in world.outcomes)

    run(tmp_path, scenario, kind=FreezingDriver, timeout=3.0)


def test_clock_stands_still_in_the_frost() -> None:
    """Monotonic time does not pass while frozen, wall time does, and both go on together."""
    inner = ManualClock(monotonic=100.0, wall=1000.0)
    clock = FreezableClock(inner)
    clock.freeze()
    inner.advance(50.0)
    assert clock.now() == (100.0, 1050.0)
    clock.thaw()
    assert clock.now() == (100.0, 1050.0)
    inner.advance(1.0)
    assert clock.now() == (101.0, 1051.0)


def test_callbacks_wait_for_the_thaw() -> None:
    """What would fall due in the frost comes as much later as the frost took; cancelled, never."""
    inner = ManualClock(monotonic=100.0)
    clock = FreezableClock(inner)
    called: list[str] = []
    clock.call_at(101.0, lambda: called.append("before"))
    clock.call_at(101.0, lambda: called.append("cancelled")).cancel()
    cancelled_in_the_frost = clock.call_at(101.0, lambda: called.append("cancelled later"))
    clock.freeze()
    clock.call_at(101.5, lambda: called.append("within"))
    inner.advance(60.0)
    cancelled_in_the_frost.cancel()
    assert called == []
    clock.thaw()
    inner.advance(0.9)
    assert called == []
    inner.advance(0.1)
    assert called == ["before"]
    inner.advance(0.5)
    assert called == ["before", "within"]


def test_short_frosts_delay_callbacks_too() -> None:
    """A frost that begins and ends before a callback is due delays it all the same."""
    inner = ManualClock(monotonic=100.0)
    clock = FreezableClock(inner)
    called: list[float] = []
    clock.call_at(110.0, lambda: called.append(inner.now().monotonic))
    for _ in range(2):
        clock.freeze()
        inner.advance(3.0)
        clock.thaw()
    inner.advance(20.0)
    assert called == [116.0]
