"""The memory size and the descriptors that processes may have, with real processes."""

from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rapid_mock.host import memory
from rapid_mock.host.memory import outgrown
from rapid_mock.host.memory_limit import MemoryWatch
from tests.support.processes import Household, play

WAIT = "import time; time.sleep(600)\n"
HOLD = "data = b'x' * ({megabytes} * 1024 * 1024); print('fed', flush=True)\n" + WAIT
SHARED = (
    """
import mmap, os
data = mmap.mmap(-1, 64 * 1024 * 1024)
data.write(b"x" * len(data))
for _ in range(2):
    if os.fork() == 0:
        break
sum(data[::4096])
print("fed", flush=True)
"""
    + WAIT
)


@pytest.fixture(params=["proc", "ps"])
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each source of the figures, the better one hidden."""
    if request.param == "ps":
        monkeypatch.setattr(memory, "PROC", Path("/nowhere"))
    elif not Path("/proc/self/status").exists():
        pytest.skip("there is no /proc here")
    return str(request.param)


@pytest.mark.usefixtures("source")
def test_the_largest_process_is_told() -> None:
    """Of processes that are together over the limit, the one with most; below it, none."""

    async def story(home: Household) -> None:
        for token, megabytes in ((1, 8), (2, 64), (3, 16)):
            home.python(token, HOLD.format(megabytes=megabytes))
            await home.witness.line_of(token)
        pids = home.processes()
        assert outgrown(pids.values(), 72) == pids[2]
        assert outgrown(pids.values(), 1024) is None
        assert outgrown([], 1) is None

    play(story)


def test_shared_memory_counts_once() -> None:
    """64 MB that three processes share are 64 MB, though each of them shows them as its own."""

    async def story(home: Household) -> None:
        home.python(1, SHARED)
        await home.witness.until(lambda: home.witness.output[1].count(b"fed") == 3)
        assert outgrown(home.pids(), 160) is None
        assert outgrown(home.pids(), 64) == home.pids()[0]

    if not Path("/proc/self/smaps_rollup").exists():
        pytest.skip("only Linux tells shares")
    play(story)


def test_peak_over_the_limit_is_found_afterwards() -> None:
    """Memory given back between two looks was over the limit all the same."""

    async def story(home: Household) -> None:
        home.python(
            1, "data = b'x' * (96 * 1024 * 1024); del data; print('done', flush=True)\n" + WAIT
        )
        await home.witness.line_of(1)
        assert outgrown(home.pids(), 96) == home.pids()[0]

    if not Path("/proc/self/status").exists():
        pytest.skip("only /proc knows peaks")
    play(story)


def test_nothing_is_told_where_nothing_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without /proc and without ps nobody is over any limit, and there is no error."""
    monkeypatch.setattr(memory, "PROC", Path("/nowhere"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert outgrown([os.getpid()], 1) is None


@pytest.mark.usefixtures("source")
def test_watch_tells_the_token_while_there_is_work() -> None:
    """A watch that was woken tells who outgrew the limit by its token; without work it ends."""

    async def story(home: Household) -> None:
        told: asyncio.Queue[int] = asyncio.Queue()
        work = [True]
        watch = MemoryWatch(
            32,
            processes=home.processes,
            is_working=lambda: work[0],
            on_outgrown=told.put_nowait,
        )
        home.python(7, HOLD.format(megabytes=64))
        await home.witness.line_of(7)
        watch.wake()
        assert await asyncio.wait_for(told.get(), 20) == 7
        work.clear()
        work.append(False)
        async with asyncio.timeout(20):
            while watch._timer is not None:  # noqa: ASYNC110  it ends by itself, telling nobody
                await asyncio.sleep(0.001)

    play(story)


@contextmanager
def _own_limit(soft: int) -> Iterator[None]:
    before, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, hard))


@pytest.mark.parametrize("own", [512, 1024, 2048])
def test_children_may_open_1024_descriptors(own: int) -> None:
    """Whatever our own soft limit is, a child's is Lambda's 1024, and ours stays what it was."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("this machine allows fewer descriptors")

    async def story(home: Household) -> None:
        home.sh(1, "ulimit -Sn; exec sleep 600")
        assert await home.witness.line_of(1) == "1024"

    with _own_limit(own):
        play(story)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == own


def test_children_start_when_we_have_more_open_than_they_may() -> None:
    """With more descriptors open than a child may have, it still starts, with our own limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < 2048:
        pytest.skip("this machine allows fewer descriptors")

    async def story(home: Household) -> None:
        many = [os.dup(2) for _ in range(1024)]
        try:
            home.sh(1, "ulimit -Sn; exec sleep 600")
        finally:
            for descriptor in many:
                os.close(descriptor)
        assert await home.witness.line_of(1) == "2048"

    with _own_limit(2048):
        play(story)
