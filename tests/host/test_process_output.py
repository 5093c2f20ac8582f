"""What processes write: fed whole, in order, in turns."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from rapid_mock.host.supervisor import ExitStatus
from tests.support.processes import (
    Household,
    eventually,
    play,
    turns_until,
)


def test_stdout_and_stderr_keep_their_order() -> None:
    """What a process writes to its two outputs arrives in the order of writing."""

    async def story(home: Household) -> None:
        home.sh(1, "for i in 1 2 3; do echo out $i; echo err $i >&2; done")
        await home.witness.exit_of(1)
        assert home.witness.output[1] == b"out 1\nerr 1\nout 2\nerr 2\nout 3\nerr 3\n"

    play(story)


def test_output_is_handed_on_byte_for_byte() -> None:
    """Bytes that are no text and lines that are not ended arrive as they were written."""

    async def story(home: Household) -> None:
        home.sh(1, r"printf '\000\377\r\n\n'; printf 'no newline'")
        await home.witness.exit_of(1)
        assert home.witness.output[1] == b"\0\xff\r\n\nno newline"

    play(story)


def test_tail_is_the_last_ten_lines() -> None:
    """The last ten lines are known while a process runs and after its end, whatever their bytes."""

    async def story(home: Household) -> None:
        home.sh(1, r"seq 1 100000; printf '\377 last'; read forever < /dev/stdin; exec sleep 60")
        await home.witness.until(lambda: home.witness.output[1].endswith(b"last"))
        expected = [*map(str, range(99992, 100001)), "\N{REPLACEMENT CHARACTER} last"]
        assert home.tail(1).split("\n") == expected
        home.signal(1, signal.SIGKILL)
        await home.witness.exit_of(1)
        assert home.tail(1).split("\n") == expected
        assert home.tail(2) == ""

    play(story)


def test_tails_of_ended_processes_do_not_pile_up() -> None:
    """Of a hundred ended processes only the last ones' output is still held."""

    async def story(home: Household) -> None:
        for token in range(100):
            home.sh(token, f"echo {token}")
            await home.witness.exit_of(token)
        assert home.tail(99) == "99"
        assert len(home._tails) == 32

    play(story)


def test_drain_feeds_everything_written_before_it() -> None:
    """Once a process is known to have written, one drain feeds all of it, without the loop."""

    async def story(home: Household) -> None:
        home.python(
            1,
            "import os, signal; os.write(1, b'x' * 60_000); os.write(2, b'y');"
            " signal.sigwait({signal.SIGTERM})",
        )
        child = home._children[1]
        eventually(lambda: child.output.bytes_waiting() == 60_001, "60001 bytes in the pipe")
        assert home.witness.output[1] == b""
        home.drain(2)
        assert home.witness.output[1] == b""
        home.drain(1)
        assert home.witness.output[1] == b"x" * 60_000 + b"y"
        home.drain()

    play(story)


def test_drain_ends_while_a_process_floods() -> None:
    """A process that has written more whenever we have read cannot hold a drain."""

    async def story(home: Household) -> None:
        home.sh(1, "exec yes")
        await home.witness.line_of(1)
        child = home._children[1]
        reads: list[int] = []

        def on_output(_token: int, data: bytes) -> None:
            assert len(reads) < 100, "the drain does not end"
            reads.append(len(data))
            eventually(lambda: child.output.bytes_waiting() > 0, "more output")

        home._on_output = on_output
        eventually(lambda: child.output.bytes_waiting() > 0, "output")
        waiting = child.output.bytes_waiting()
        home.drain()
        assert waiting <= sum(reads) <= 1024 * 1024

    play(story)


def test_flood_leaves_the_loop_its_turns() -> None:
    """Between two turns of the loop at most 256 KiB of one process are read."""

    async def story(home: Household) -> None:
        turns: list[int] = [0]
        home._on_output = lambda _token, data: turns.__setitem__(-1, turns[-1] + len(data))
        home.sh(1, "exec yes")
        while sum(turns) < 50_000_000:
            await asyncio.sleep(0)
            turns.append(0)
        assert max(turns) <= 256 * 1024
        assert len(turns) > 150

    play(story)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its memory in /proc")
def test_flood_does_not_grow_memory() -> None:
    """After 200 MB of output memory is what it was after 20 MB, give or take 2 MiB."""

    async def story(home: Household) -> None:
        seen = 0

        def on_output(_token: int, data: bytes) -> None:
            nonlocal seen
            seen += len(data)

        def resident() -> int:
            return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

        home._on_output = on_output
        home.sh(1, "exec yes")
        await turns_until(lambda: seen > 20_000_000)
        early = resident()
        await turns_until(lambda: seen > 200_000_000)
        assert resident() <= early + 2 * 1024 * 1024

    play(story)


def test_process_that_closes_its_output_is_still_there() -> None:
    """The end of the output is no end of the process; its pipe is given back at once."""

    async def story(home: Household) -> None:
        home.sh(1, "echo early; exec >&- 2>&-; exec sleep 60")
        await turns_until(lambda: home._children[1].output.reading < 0)
        assert home.witness.told == [("output", 1)]
        home.drain()
        home.signal(1, signal.SIGTERM)
        assert await home.witness.exit_of(1) == ExitStatus(signal=15)
        assert home.tail(1) == "early"

    play(story)
