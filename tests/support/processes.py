"""Real processes under a real supervisor, recorded; and the questions tests ask about processes."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from rapid_mock.host.supervisor import ExitStatus, Supervisor
from rapid_mock.host.watchdog import Watchdog

DEADLINE_SECONDS = 20.0
CHILD_ENVIRONMENT = {"PATH": os.environ["PATH"]}
PYTHON = (sys.executable, "-I", "-S", "-c")


def eventually(
    condition: Callable[[], bool], what: str, *, seconds: float = DEADLINE_SECONDS
) -> None:
    """Wait, without an event loop, until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.002)


def is_running(pid: int) -> bool:
    """Whether a process exists and is more than a zombie that waits for its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return not Path("/proc/self/stat").exists()
    return state not in "ZX"


def open_descriptors() -> set[int]:
    """Every open descriptor of this process."""
    found = set()
    for number in range(1024):
        with suppress(OSError):
            os.fstat(number)
            found.add(number)
    return found


def reap(pid: int) -> None:
    """Wait for a child behind its supervisor's back; ChildProcessError when there is none."""
    os.waitpid(pid, 0)


async def turns_until(condition: Callable[[], bool]) -> None:
    """Give the loop its turns, one by one, until the condition holds."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  every turn is looked at
            await asyncio.sleep(0)


def play(story: Callable[[Household], Awaitable[None]]) -> None:
    """Run a story in a loop of its own, with a supervisor that is closed afterwards."""

    async def main() -> None:
        async with household() as home:
            await story(home)

    asyncio.run(main())


class Witness:
    """Records what a supervisor tells, in order."""

    def __init__(self) -> None:
        self.output: defaultdict[int, bytearray] = defaultdict(bytearray)
        self.exits: dict[int, ExitStatus] = {}
        self.told: list[tuple[str, int]] = []
        self._changed = asyncio.Event()

    def on_output(self, token: int, data: bytes) -> None:
        self.output[token] += data
        self.told.append(("output", token))
        self._changed.set()

    def on_exit(self, token: int, status: ExitStatus) -> None:
        assert token not in self.exits, "an exit was told twice"
        self.exits[token] = status
        self.told.append(("exit", token))
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def exit_of(self, token: int) -> ExitStatus:
        await self.until(lambda: token in self.exits)
        return self.exits[token]

    async def line_of(self, token: int) -> str:
        """The first whole line a process wrote."""
        await self.until(lambda: b"\n" in self.output[token])
        return self.output[token].split(b"\n", 1)[0].decode()


class Household(Supervisor):
    """A supervisor with its witness; `sh` and `python` start scripts in a plain environment."""

    def __init__(self, witness: Witness, watchdog: Watchdog | None = None) -> None:
        super().__init__(on_output=witness.on_output, on_exit=witness.on_exit, watchdog=watchdog)
        self.witness = witness

    def sh(self, token: int, script: str) -> None:
        self.spawn(token, ["sh", "-c", script], env=CHILD_ENVIRONMENT, cwd="/")

    def python(self, token: int, program: str) -> None:
        self.spawn(token, [*PYTHON, program], env=CHILD_ENVIRONMENT, cwd="/")


@asynccontextmanager
async def household(watchdog: Watchdog | None = None) -> AsyncIterator[Household]:
    """A supervisor for one test; nothing of it is left afterwards."""
    home = Household(Witness(), watchdog)
    try:
        yield home
    finally:
        pids = home.pids()
        await home.close()
        assert not any(map(is_running, pids))
