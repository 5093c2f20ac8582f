"""Process groups: signals reach all of one, and none outlives its head."""

from __future__ import annotations

import os
import signal

import pytest

from rapid_mock.host.supervisor import ExitStatus, SpawnFailed
from tests.support.processes import (
    Household,
    eventually,
    is_running,
    open_descriptors,
    play,
)


@pytest.mark.usefixtures("exit_facility")
def test_end_of_a_process_ends_its_whole_group() -> None:
    """Grandchildren that hold the pipe and ignore signals die with the process; its end is told."""

    async def story(home: Household) -> None:
        home.sh(1, "(trap '' TERM HUP INT; while :; do sleep 1; done) & echo $!; exit 7")
        grandchild = int(await home.witness.line_of(1))
        assert await home.witness.exit_of(1) == ExitStatus(code=7)
        eventually(lambda: not is_running(grandchild), "the grandchild's end")

    play(story)


def test_grandchild_with_its_own_session_holds_nobody_up() -> None:
    """A grandchild that called setsid survives (out of scope), but the exit is told."""

    async def story(home: Household) -> None:
        home.sh(0, "exit 0")
        await home.witness.exit_of(0)
        before = open_descriptors()
        home.python(
            1,
            "import os, time\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    os.write(1, b'%d\\n' % os.getpid())\n"
            "    time.sleep(600)\n"
            "os.wait()\n",
        )
        grandchild = int(await home.witness.line_of(1))
        try:
            home.signal(1, signal.SIGKILL)
            assert await home.witness.exit_of(1) == ExitStatus(signal=9)
            assert is_running(grandchild)
            assert open_descriptors() == before
        finally:
            os.kill(grandchild, signal.SIGKILL)
        eventually(lambda: not is_running(grandchild), "the grandchild's end")

    play(story)


def test_signal_reaches_the_whole_group() -> None:
    """A signal goes to a process and to its children alike."""

    async def story(home: Household) -> None:
        home.python(
            1,
            "import os, signal\n"
            "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n"
            "child = os.fork()\n"
            "child or os.write(1, b'ready\\n')\n"
            "signal.sigwait({signal.SIGTERM})\n"
            "child and os.wait()\n"
            "os.write(1, b'parent\\n' if child else b'child\\n')\n",
        )
        await home.witness.line_of(1)
        home.signal(1, signal.SIGTERM)
        assert await home.witness.exit_of(1) == ExitStatus(code=0)
        assert home.witness.output[1] == b"ready\nchild\nparent\n"

    play(story)


@pytest.mark.usefixtures("exit_facility")
def test_sigkill_ends_what_ignores_sigterm() -> None:
    """A process that ignores SIGTERM stays, and ends by SIGKILL."""

    async def story(home: Household) -> None:
        home.sh(1, "trap '' TERM; echo ready; while :; do sleep 0.01; done")
        await home.witness.line_of(1)
        home.signal(1, signal.SIGTERM)
        assert is_running(home.pids()[0])
        home.signal(1, signal.SIGKILL)
        assert await home.witness.exit_of(1) == ExitStatus(signal=9)

    play(story)


def test_stopped_process_can_be_killed() -> None:
    """A frozen process is no end, and SIGKILL ends it."""

    async def story(home: Household) -> None:
        home.sh(1, "echo ready; exec sleep 60")
        await home.witness.line_of(1)
        home.signal(1, signal.SIGSTOP)
        home.signal(1, signal.SIGCONT)
        home.signal(1, signal.SIGSTOP)
        home.signal(1, signal.SIGKILL)
        assert await home.witness.exit_of(1) == ExitStatus(signal=9)

    play(story)


def test_signal_to_an_ended_process_does_nothing() -> None:
    """Signals to a process that ended, or was never started, disturb nobody."""

    async def story(home: Household) -> None:
        home.sh(1, "exit 0")
        await home.witness.exit_of(1)
        home.signal(1, signal.SIGKILL)
        home.signal(99, signal.SIGKILL)
        home.drain(99)

    play(story)


def test_terminal_signals_do_not_reach_a_child() -> None:
    """A child is in a process group of its own, so that Ctrl-C is ours alone."""

    async def story(home: Household) -> None:
        home.sh(1, "exec sleep 60")
        pid = home.pids()[0]
        assert os.getpgid(pid) == pid

    play(story)


def test_close_leaves_nothing() -> None:
    """Closing kills whole trees, reaps their heads and ends the watchdog."""

    async def story(home: Household) -> None:
        home.sh(1, "trap '' TERM; sleep 60 & echo $!; wait")
        home.sh(2, "exec sleep 60")
        grandchild = int(await home.witness.line_of(1))
        watchdog = home._watchdog.pid
        assert watchdog is not None
        family = [*home.pids(), grandchild, watchdog]
        assert all(map(is_running, family))
        await home.close()
        eventually(lambda: not any(map(is_running, family)), f"the end of {family}")
        assert home.pids() == []
        with pytest.raises(SpawnFailed, match=r"^fork/exec true: the supervisor is closed$"):
            home.spawn(3, ["true"], env={}, cwd="/")

    play(story)
