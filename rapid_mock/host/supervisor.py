"""The processes of an execution environment: started, heard, signalled, buried.

Everything happens on one event loop, without a thread and without a decision about the lifecycle:
the driver says what to start and what to signal, and is told what was written and who ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import OrderedDict
from contextlib import suppress
from typing import TYPE_CHECKING

from rapid_mock.host.child import Child, Pipe, SpawnFailed, start, words
from rapid_mock.host.exits import ExitStatus, when_ended
from rapid_mock.host.log_frames import FrameDecoder
from rapid_mock.host.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["ExitStatus", "SpawnFailed", "Supervisor"]

READ_BYTES = 64 * 1024
BYTES_PER_TURN = 256 * 1024
"""What one child may be read for before the loop turns to others again."""
TAIL_BYTES = 4096
TAIL_LINES = 10
TAILS_KEPT = 32
"""Ended children whose last words are still known."""
CYCLES_BEFORE_EXIT = 32
"""Loop cycles between an exit and its telling, so that what the child sent before is handled first.

asyncio needs five to accept a connection and reads 256 KiB in each: enough for a whole response.
"""
CLOSE_SECONDS = 5.0


class Supervisor:
    """Starts processes, each in its own process group, feeds their output and tells their end.

    A process is known by the `token` given to `spawn`, a number of the caller's. stdout and stderr
    of a process share one pipe, as AWS merges them; `on_output(token, data)` gets raw bytes, as
    read; `on_message(token, message)` gets each log frame's. `on_exit(token, status)` comes once
    per process that was started, after its last output, and after what it had sent on a socket
    before its end was handled by the loop. When a process ends, its whole group is killed. The
    callbacks may call any method here.

    Must be made inside the running loop. A `watchdog` that is given is shared and left open.
    """

    def __init__(
        self,
        *,
        on_output: Callable[[int, bytes], None],
        on_exit: Callable[[int, ExitStatus], None],
        on_message: Callable[[int, bytes], None] | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_output = on_output
        self._on_exit = on_exit
        self._on_message = on_message or on_output
        self._watchdog = watchdog or Watchdog()
        self._owns_watchdog = watchdog is None
        self._children: dict[int, Child] = {}
        self._decoders: dict[int, FrameDecoder] = {}
        self._tails: OrderedDict[int, bytes] = OrderedDict()
        self._all_ended = asyncio.Event()
        self._all_ended.set()
        self._is_closed = False

    def spawn(
        self,
        token: int,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        log_variable: str = "",
    ) -> None:
        """Start `argv` with exactly `env`; a bare name is sought on `env`'s PATH, as execvp does.

        `log_variable` names the variable that tells the process of a descriptor for log frames.
        Raises SpawnFailed; nothing is left behind then and no callback follows.
        """
        if token in self._children:
            raise ValueError(f"process {token} is running already")
        if self._is_closed:
            raise SpawnFailed("other", f"fork/exec {argv[0]}: the supervisor is closed")
        child = start(token, argv, env=env, cwd=cwd, log_variable=log_variable)
        try:
            self._watchdog.add(child.process.pid)
        except OSError as error:
            child.discard()
            raise SpawnFailed("other", f"the watchdog did not start: {words(error)}") from error
        self._children[token] = child
        self._tails.pop(token, None)
        self._all_ended.clear()
        self._loop.add_reader(child.output.reading, self._read_output, child, BYTES_PER_TURN)
        if child.frames is not None:
            self._decoders[token] = FrameDecoder()
            self._loop.add_reader(child.frames.reading, self._read_frames, child, BYTES_PER_TURN)
        when_ended(self._loop, child.process, lambda status: self._ended(child, status))

    def signal(self, token: int, number: int) -> None:
        """Send a signal to the whole process group; nothing happens when the process has ended."""
        child = self._children.get(token)
        if child is not None:
            child.signal_group(number)

    def signal_all(self, number: int) -> None:
        """Send a signal to every process group."""
        for child in self._children.values():
            child.signal_group(number)

    def drain(self, token: int | None = None) -> None:
        """Feed everything written before this call, by one process or by all.

        What is written during the call is left to the loop: no flood can hold us here.
        """
        for child in list(self._children.values()):
            if token in (None, child.token):
                self._drain(child)

    def forget_output(self) -> None:
        """What has been written is no news any more: tails begin here."""
        for child in self._children.values():
            child.tail = b""

    def tail(self, token: int) -> str:
        """The last lines a process wrote, also after its end; empty when it wrote nothing."""
        child = self._children.get(token)
        data = self._tails.get(token, b"") if child is None else child.tail
        return "\n".join(data.decode(errors="replace").splitlines()[-TAIL_LINES:])

    def pids(self) -> list[int]:
        """The process ids of all that have not ended, oldest first."""
        return [child.process.pid for child in self._children.values()]

    def processes(self) -> dict[int, int]:
        """The process ids of all that have not ended, by token."""
        return {token: child.process.pid for token, child in self._children.items()}

    async def close(self) -> None:
        """Kill and reap every process, close the pipes, end our own watchdog.

        From the call on no callback comes any more. Returns after 5 s at the latest: a process that
        SIGKILL does not end is left to the watchdog.
        """
        self._is_closed = True
        self._on_output = self._on_message = self._on_exit = _ignore
        for child in self._children.values():
            child.signal_group(signal.SIGKILL)
        try:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._all_ended.wait(), CLOSE_SECONDS)
        finally:
            if self._owns_watchdog:
                self._watchdog.close()

    def _drain(self, child: Child) -> None:
        if child.output.reading >= 0:
            self._read_output(child, child.output.bytes_waiting())
        if child.frames is not None and child.frames.reading >= 0:
            self._read_frames(child, child.frames.bytes_waiting())

    def _read_output(self, child: Child, limit: int) -> None:
        for data in self._read(child.output, limit):
            child.tail = (child.tail + data[-TAIL_BYTES:])[-TAIL_BYTES:]
            self._on_output(child.token, data)

    def _read_frames(self, child: Child, limit: int) -> None:
        assert child.frames is not None  # noqa: S101  this is its reader
        for data in self._read(child.frames, limit):
            for message in self._decoders[child.token].feed(data):
                child.tail = (child.tail + message[-TAIL_BYTES:] + b"\n")[-TAIL_BYTES:]
                self._on_message(child.token, message)

    def _read(self, pipe: Pipe, limit: int) -> Iterator[bytes]:
        """At most `limit` bytes; a read that brings less than asked has emptied the pipe."""
        while limit > 0 and pipe.reading >= 0:
            asked = min(READ_BYTES, limit)
            try:
                data = os.read(pipe.reading, asked)
            except BlockingIOError:
                return
            if not data:
                self._close_pipe(pipe)
                return
            yield data
            if len(data) < asked:
                return
            limit -= asked

    def _close_pipe(self, pipe: Pipe) -> None:
        if pipe.reading >= 0:
            self._loop.remove_reader(pipe.reading)
            pipe.close()

    def _ended(self, child: Child, status: ExitStatus) -> None:
        child.signal_group(signal.SIGKILL)  # before the reaping: its number is still taken
        try:
            self.drain(child.token)
        finally:
            self._bury(child)
            self._tell_later(CYCLES_BEFORE_EXIT, child.token, status)

    def _bury(self, child: Child) -> None:
        for pipe in child.pipes:
            self._close_pipe(pipe)  # even when a grandchild holds the other end
        decoder = self._decoders.pop(child.token, None)
        if decoder is not None and (rest := decoder.rest()):
            self._on_message(child.token, rest)
        self._watchdog.remove(child.process.pid)
        child.process.wait()
        del self._children[child.token]
        self._tails[child.token] = child.tail
        if len(self._tails) > TAILS_KEPT:
            self._tails.popitem(last=False)
        if not self._children:
            self._all_ended.set()

    def _tell_later(self, cycles: int, token: int, status: ExitStatus) -> None:
        if cycles:
            self._loop.call_soon(self._tell_later, cycles - 1, token, status)
        else:
            self._on_exit(token, status)


def _ignore(_token: int, _what: object) -> None:
    """Take the place of the callbacks once the supervisor is closed."""
