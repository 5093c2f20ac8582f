"""How processes end, and when that is told."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rapid_mock.host.supervisor import ExitStatus, SpawnFailed, Supervisor
from tests.support.processes import (
    CHILD_ENVIRONMENT,
    DEADLINE_SECONDS,
    Household,
    eventually,
    is_running,
    open_descriptors,
    play,
    reap,
)


@pytest.mark.parametrize(
    ("script", "status", "words"),
    [
        ("exit 0", ExitStatus(code=0), "exit status 0"),
        ("exit 3", ExitStatus(code=3), "exit status 3"),
        ("exit 255", ExitStatus(code=255), "exit status 255"),
        ("kill -KILL $$", ExitStatus(signal=9), "signal: killed"),
        ("kill -TERM $$", ExitStatus(signal=15), "signal: terminated"),
        ("kill -SEGV $$", ExitStatus(signal=11), "signal: segmentation fault"),
        ("kill -ABRT $$", ExitStatus(signal=6), "signal: aborted"),
        ("kill -INT $$", ExitStatus(signal=2), "signal: interrupt"),
    ],
)
@pytest.mark.usefixtures("exit_facility")
def test_end_of_a_process_is_told_in_the_words_of_aws(
    script: str, status: ExitStatus, words: str
) -> None:
    """An exit code or a signal arrives as it was, by every facility that tells of exits."""

    async def story(home: Household) -> None:
        home.sh(1, f"ulimit -c 0; {script}")
        assert await home.witness.exit_of(1) == status
        assert status.describe() == words

    play(story)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGBUS, "signal: bus error"),
        (signal.SIGFPE, "signal: floating point exception"),
        (signal.SIGHUP, "signal: hangup"),
        (signal.SIGUSR1, "signal: user defined signal 1"),
        (signal.SIGTRAP, "signal: trace/breakpoint trap"),
        (signal.SIGSYS, "signal: bad system call"),
        (63, "signal: signal 63"),
        (127, "signal: signal 127"),
    ],
)
def test_signals_are_spelled_as_go_spells_them(number: int, words: str) -> None:
    """Every signal has Go's words, and one without a name its number."""
    assert ExitStatus(signal=number).describe() == words


@pytest.mark.usefixtures("exit_facility")
def test_ends_of_many_processes_come_once_each() -> None:
    """Eleven processes that end together are each told once, with their own status."""

    async def story(home: Household) -> None:
        for token in range(11):
            home.sh(token, f"exit {token}")
        await home.witness.until(lambda: len(home.witness.exits) == 11)
        assert home.witness.exits == {token: ExitStatus(code=token) for token in range(11)}
        assert home.pids() == []

    play(story)


@pytest.mark.usefixtures("exit_facility")
def test_process_that_somebody_else_reaped_still_ends() -> None:
    """When the embedding program reaps our child, its end is told with an unknown status."""

    async def story(home: Household) -> None:
        home.sh(1, "exit 3")
        reap(home.pids()[0])
        status = await home.witness.exit_of(1)
        assert status.signal is None
        assert status.code in (0, 255)

    play(story)


@pytest.mark.usefixtures("exit_facility")
def test_no_zombie_and_no_descriptor_is_left() -> None:
    """After thirty processes, and five that did not start, the descriptors are those of before."""

    async def story(home: Household) -> None:
        home.sh(0, "exit 0")
        await home.witness.exit_of(0)
        before = open_descriptors()
        pids = set[int]()
        for token in range(1, 31):
            home.sh(token, "echo $$; sleep 9 & exit 1")
            pids.update(home.pids())
        for token in range(31, 36):
            with pytest.raises(SpawnFailed):
                home.spawn(token, ["/nowhere/x"], env={}, cwd="/")
        await home.witness.until(lambda: len(home.witness.exits) == 31)
        assert open_descriptors() == before
        for pid in pids:
            with pytest.raises(ChildProcessError):
                reap(pid)

    play(story)


@pytest.mark.usefixtures("exit_facility")
def test_exit_comes_after_the_last_output() -> None:
    """A megabyte written right before the exit has been fed when the exit is told."""

    async def story(home: Household) -> None:
        home.python(1, "import os, sys; sys.stdout.write('x' * 1_000_000); os.write(2, b'end')")
        await home.witness.exit_of(1)
        assert home.witness.told[-1] == ("exit", 1)
        assert len(home.witness.output[1]) == 1_000_003

    play(story)


@pytest.mark.usefixtures("exit_facility")
def test_exit_comes_after_what_a_grandchild_wrote_since() -> None:
    """What a grandchild wrote after its parent's end, and before we saw that, is still fed."""

    async def story(home: Household) -> None:
        home.python(
            1,
            "import os, time\n"
            "parent = os.getpid()\n"
            "if os.fork() == 0:\n"
            "    while os.getppid() == parent:\n"
            "        time.sleep(0.001)\n"
            "    os.write(1, b'orphan')\n"
            "    time.sleep(600)\n",
        )
        child = home._children[1]
        eventually(lambda: child.output.bytes_waiting() == 6, "the grandchild's output")
        await home.witness.exit_of(1)
        assert home.witness.told == [("output", 1), ("exit", 1)]

    play(story)


class Server(asyncio.Protocol):
    """Counts what one peer sends."""

    def __init__(self, received: bytearray) -> None:
        self._received = received

    def data_received(self, data: bytes) -> None:
        self._received += data


@asynccontextmanager
async def _serve(received: bytearray) -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(lambda: Server(received), "127.0.0.1")
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


LAST_WORDS = (
    "import _socket, os; peer = _socket.socket(); peer.connect(('127.0.0.1', {port}));"
    " peer.sendall(b'x' * {size}); os._exit(1)"
)


@pytest.mark.parametrize(("times", "size"), [(200, 10), (5, 6 * 1024 * 1024)])
def test_what_a_child_sent_before_its_end_is_handled_before_its_exit(times: int, size: int) -> None:
    """A child connects, sends and exits at once: its bytes are read before the exit is told."""

    async def story(home: Household) -> None:
        received = bytearray()
        seen_at_exit: list[int] = []

        def on_exit(token: int, status: ExitStatus) -> None:
            seen_at_exit.append(len(received))
            home.witness.on_exit(token, status)

        home._on_exit = on_exit
        async with _serve(received) as port:
            for token in range(times):
                received.clear()
                home.python(token, LAST_WORDS.format(port=port, size=size))
                await home.witness.exit_of(token)
        assert seen_at_exit == [size] * times

    play(story)


def test_no_callback_comes_after_close() -> None:
    """A process that ended, wrote or was killed as the supervisor closed is not told any more."""

    async def story(home: Household) -> None:
        home.sh(1, "exit 0")
        first = home.pids()[0]
        home.sh(2, "while :; do echo more; done")
        await home.witness.until(lambda: not is_running(first))
        told = len(home.witness.told)
        await home.close()
        for _ in range(100):
            await asyncio.sleep(0)
        assert home.witness.told[told:] == []

    play(story)


def test_callbacks_may_call_the_supervisor() -> None:
    """A process may be started from the callback that tells of another's end."""

    async def main() -> None:
        ends: list[int] = []
        done = asyncio.Event()

        def on_exit(token: int, _status: ExitStatus) -> None:
            ends.append(token)
            if token < 3:
                supervisor.spawn(token + 1, ["true"], env=CHILD_ENVIRONMENT, cwd="/")
            else:
                done.set()

        def on_output(token: int, _data: bytes) -> None:
            supervisor.drain()
            supervisor.signal(token, signal.SIGTERM)

        supervisor = Supervisor(on_output=on_output, on_exit=on_exit)
        supervisor.spawn(1, ["sh", "-c", "echo; exec sleep 60"], env=CHILD_ENVIRONMENT, cwd="/")
        async with asyncio.timeout(DEADLINE_SECONDS):
            await done.wait()
        await supervisor.close()
        assert ends == [1, 2, 3]

    asyncio.run(main())


def test_callback_that_raises_loses_no_process() -> None:
    """When a callback raises, the loop hears of it and the process is still buried and told."""

    async def story(home: Household) -> None:
        problems: list[object] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: problems.append(context["exception"])
        )

        def on_output(_token: int, _data: bytes) -> None:
            raise LookupError("a fault of the driver")

        home._on_output = on_output
        home.sh(1, "echo one")
        assert await home.witness.exit_of(1) == ExitStatus(code=0)
        assert [type(problem) for problem in problems] == [LookupError]
        assert home.pids() == []

    play(story)
