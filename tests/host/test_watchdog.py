"""Nothing outlives us: the watchdog kills what we leave behind, however we end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rapid_mock.host.supervisor import ExitStatus
from rapid_mock.host.watchdog import Watchdog
from tests.support.processes import (
    DEADLINE_SECONDS,
    Household,
    eventually,
    household,
    is_running,
    play,
    reap,
)

PARENT = """
import asyncio, os, sys
from rapid_mock.host.supervisor import Supervisor

async def main():
    ready = asyncio.Event()
    output = bytearray()

    def on_output(token, data):
        output.extend(data)
        if output.count(b"\\n") == 2:
            ready.set()

    supervisor = Supervisor(on_output=on_output, on_exit=print)
    for token in (1, 2):
        supervisor.spawn(
            token,
            ["sh", "-c", "trap '' TERM HUP INT; sleep 600 & echo $$ $!; wait"],
            env={"PATH": os.environ["PATH"]},
            cwd="/",
        )
    await ready.wait()
    print(supervisor._watchdog.pid, output.decode().replace("\\n", " "), flush=True)
    %s

asyncio.run(main())
"""


@contextmanager
def parent(ending: str) -> Iterator[tuple[subprocess.Popen[str], int, list[int]]]:
    """A program with two trees of children that ends by `ending`: it, its watchdog, the trees."""
    program = [sys.executable, "-c", PARENT % ending]
    with subprocess.Popen(
        program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True
    ) as process:
        assert process.stdout is not None
        watchdog, *family = map(int, process.stdout.readline().split())
        try:
            assert len(family) == 4
            yield process, watchdog, family
        finally:
            process.kill()


def _ignores(status: str, signals: int) -> bool:
    return int(status.partition("SigIgn:")[2].split()[0], 16) & signals == signals


def all_gone(watchdog: int, family: list[int]) -> None:
    eventually(lambda: not any(map(is_running, family)), "the children's end")
    eventually(lambda: not is_running(watchdog), "the watchdog's end")


def test_sigkill_of_us_leaves_no_child() -> None:
    """After kill -9 both trees of children are gone, and the watchdog too."""
    with parent("await asyncio.sleep(600)") as (process, watchdog, family):
        assert all(map(is_running, [watchdog, *family]))
        process.kill()
        all_gone(watchdog, family)


@pytest.mark.parametrize("ending", ["os._exit(3)", "sys.exit(3)", "raise SystemError"])
def test_end_without_closing_leaves_no_child(ending: str) -> None:
    """A program that ends without closing its supervisor leaves no child either."""
    with parent(f"sys.stderr.close(); {ending}") as (_, watchdog, family):
        all_gone(watchdog, family)


def test_watchdog_ignores_the_signals_of_a_terminal() -> None:
    """Interrupted, hung up or asked to end, the watchdog stays and does its work."""
    with parent("await asyncio.sleep(600)") as (process, watchdog, family):
        ignored = Path(f"/proc/{watchdog}/status")
        if ignored.exists():  # until it has got so far as to ignore them
            eventually(lambda: _ignores(ignored.read_text(), 0x4003), "its set-up")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(watchdog, number)
        process.kill()
        all_gone(watchdog, family)


def test_watchdog_is_in_a_session_of_its_own() -> None:
    """Ctrl-C in our terminal does not reach the watchdog."""
    with parent("await asyncio.sleep(600)") as (_, watchdog, _family):
        assert os.getsid(watchdog) == watchdog


def test_watchdog_does_not_hold_our_output() -> None:
    """Who reads our output sees its end when we close it, though the watchdog and children live."""
    with parent("os.close(1); await asyncio.sleep(600)") as (process, watchdog, family):
        assert process.stdout is not None
        assert process.stdout.read() == ""
        assert all(map(is_running, [watchdog, *family]))


def test_fork_of_us_does_not_keep_the_watchdog_waiting() -> None:
    """A forked copy of us that lives on does not keep our children alive."""
    fork = "pid = os.fork() or (os.closerange(0, 3), __import__('time').sleep(600))"
    told = "print(pid, flush=True); await asyncio.sleep(600)"
    with parent(f"{fork}; {told}") as (process, watchdog, family):
        assert process.stdout is not None
        copy = int(process.stdout.readline())
        try:
            process.kill()
            all_gone(watchdog, family)
            assert is_running(copy)
        finally:
            os.kill(copy, signal.SIGKILL)


def test_watchdog_that_was_killed_is_replaced() -> None:
    """When somebody kills the watchdog, the next start brings another, which knows all children."""

    async def story(home: Household) -> None:
        home.sh(1, "exec sleep 60")
        first = home._watchdog.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not is_running(first), "the watchdog's end")
        home.sh(2, "exec sleep 60")
        second = home._watchdog.pid
        assert second is not None
        assert second != first
        assert is_running(second)
        home._watchdog.close()
        for token in (1, 2):
            assert await home.witness.exit_of(token) == ExitStatus(signal=9)

    play(story)


def test_groups_struck_off_are_spared() -> None:
    """Closing kills the groups still listed, and no group that was struck off."""
    sleepers = [subprocess.Popen(["sleep", "60"], process_group=0) for _ in range(3)]
    watchdog = Watchdog()
    try:
        for sleeper in sleepers:
            watchdog.add(sleeper.pid)
        watchdog.remove(sleepers[1].pid)
        watchdog.remove(sleepers[1].pid)
        watchdog.close()
        assert [sleepers[0].wait(DEADLINE_SECONDS), sleepers[2].wait(DEADLINE_SECONDS)] == [-9, -9]
        assert sleepers[1].poll() is None
    finally:
        for sleeper in sleepers:
            sleeper.kill()
            sleeper.wait()


@pytest.mark.parametrize("hidden", ["pidfd_open", "nothing"])
def test_group_is_struck_off_while_nobody_else_can_have_its_number(
    hidden: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group is listed from its start to its end, and struck off before its head is reaped."""
    monkeypatch.delattr(os, hidden, raising=False)
    heads: list[bool] = []

    class Listening(Watchdog):
        def remove(self, group: int) -> None:
            heads.append(Path(f"/proc/{group}").exists() or not Path("/proc/self").exists())
            assert group in self._groups
            super().remove(group)
            assert self._groups == set()

    watchdog = Listening()

    async def story(home: Household) -> None:
        async with household(watchdog) as watched:
            watched.sh(1, "exit 0")
            await watched.witness.exit_of(1)
        assert home.pids() == []

    try:
        play(story)
    finally:
        watchdog.close()
    assert heads == [True]


def test_closed_watchdog_is_reaped() -> None:
    """Closing ends and reaps the watchdog; one that never started is closed for nothing."""
    watchdog = Watchdog()
    watchdog.close()
    sleeper = subprocess.Popen(["sleep", "60"], process_group=0)
    watchdog.add(sleeper.pid)
    pid = watchdog.pid
    assert pid is not None
    watchdog.remove(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    watchdog.close()
    watchdog.close()
    assert watchdog.pid is None
    with pytest.raises(ChildProcessError):
        reap(pid)


def test_watchdog_can_be_shared() -> None:
    """Two supervisors share one watchdog, which their closing leaves alone."""
    watchdog = Watchdog()

    async def story(home: Household) -> None:
        async with household(watchdog) as one, household(watchdog) as two:
            one.sh(1, "exec sleep 60")
            shared = watchdog.pid
            two.sh(1, "exec sleep 60")
            assert watchdog.pid == shared
        assert watchdog.pid == shared
        home.sh(1, "exit 0")
        await home.witness.exit_of(1)

    try:
        play(story)
    finally:
        watchdog.close()
