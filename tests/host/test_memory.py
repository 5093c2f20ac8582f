"""How much memory processes and their descendants have used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rapid_mock.host import memory
from rapid_mock.host.memory import peak_memory_mb
from tests.support.processes import Household, is_running, play, turns_until

EATER = "data = b'x' * ({megabytes} * 1024 * 1024); print('fed', flush=True)\n"
WAIT = "import time; time.sleep(600)\n"


@pytest.fixture(params=["proc", "ps"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each source of the figures, the better one hidden."""
    if request.param == "ps":
        monkeypatch.setattr(memory, "PROC", Path("/nowhere"))
    elif not Path("/proc/self/status").exists():
        pytest.skip("there is no /proc here")
    return str(request.param)


@pytest.mark.usefixtures("source")
def test_memory_in_use_is_counted() -> None:
    """A process that holds 64 MB is told as 64 MB and its interpreter."""

    async def story(home: Household) -> None:
        home.python(1, EATER.format(megabytes=64) + WAIT)
        await home.witness.line_of(1)
        megabytes = peak_memory_mb(home.pids())
        assert megabytes is not None
        assert 64 <= megabytes <= 64 + 64

    play(story)


@pytest.mark.usefixtures("source")
def test_descendants_are_counted() -> None:
    """A grandchild's 64 MB count for the process that started it, also behind a thread."""
    program = (
        "import subprocess, sys, threading\n"
        f"argv = [sys.executable, '-I', '-S', '-c', {EATER.format(megabytes=64) + WAIT!r}]\n"
        "threading.Thread(target=lambda: subprocess.run(argv)).start()\n"
    )

    async def story(home: Household) -> None:
        home.python(1, program)
        await home.witness.line_of(1)
        megabytes = peak_memory_mb(home.pids())
        assert megabytes is not None
        assert megabytes >= 64 + 8

    play(story)


def test_peak_is_remembered_where_proc_tells_it() -> None:
    """Memory that was given back still counts: it is a peak."""

    async def story(home: Household) -> None:
        home.python(1, EATER.format(megabytes=64) + "del data; print('done', flush=True);" + WAIT)
        await home.witness.until(lambda: b"done" in home.witness.output[1])
        megabytes = peak_memory_mb(home.pids())
        assert megabytes is not None
        assert megabytes >= 64

    if not Path("/proc/self/status").exists():
        pytest.skip("only /proc knows peaks")
    play(story)


@pytest.mark.usefixtures("source")
def test_processes_that_have_gone_count_nothing() -> None:
    """A process that ended, or never was, is no error and no memory."""

    async def story(home: Household) -> None:
        home.sh(1, "exit 0")
        pid = home.pids()[0]
        await turns_until(lambda: not is_running(pid))
        await home.witness.exit_of(1)
        assert peak_memory_mb([pid]) is None
        assert peak_memory_mb([]) is None

    play(story)


def test_nothing_is_told_where_nothing_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc and without ps there is no figure, and no error."""
    monkeypatch.setattr(memory, "PROC", Path("/nowhere"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert peak_memory_mb([os.getpid()]) is None
