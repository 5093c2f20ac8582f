"""One small child that outlives us by a moment and kills what we would have left behind.

It holds the reading end of a pipe, on which it is told every process group that begins and ends.
When the pipe ends, because we closed it, crashed or were killed with SIGKILL, it kills the groups
that are still listed and ends too.

Not covered: a grandchild that called `setsid` (it left its group on purpose), and a child in the
moment between its start and our telling of it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path

_PROGRAM = Path(__file__).with_name("watchdog_child.py")
_CLOSE_SECONDS = 5.0


class Watchdog:
    """Knows the process groups that must not outlive this process; started by the first `add`.

    One serves any number of supervisors. A `remove` must come before the group's leader is reaped,
    for then no other process can have got its number yet. `close` ends it and waits for its end.
    """

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        _watchdogs.add(self)

    @property
    def pid(self) -> int | None:
        """The watchdog's process id while it runs."""
        return None if self._process is None else self._process.pid

    def add(self, group: int) -> None:
        """List a process group; raises OSError when no watchdog could be started."""
        self._groups.add(group)
        self._tell(b"+%d\n" % group)

    def remove(self, group: int) -> None:
        """Strike a process group off the list; one that was never listed is no matter."""
        if group in self._groups:
            self._groups.remove(group)
            self._tell(b"-%d\n" % group)

    def close(self) -> None:
        """End the watchdog; groups still listed are killed by it."""
        process, self._process = self._process, None
        if process is None:
            return
        self._close_pipe()
        if self._groups:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_CLOSE_SECONDS)
        process.kill()
        process.wait()

    def _tell(self, line: bytes) -> None:
        if self._process is None:
            self._start()
            return
        try:
            os.write(self._pipe, line)
        except BrokenPipeError:  # somebody killed it: what we still run needs another
            self.close()
            self._start()

    def _start(self) -> None:
        reading, self._pipe = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM)],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            self._close_pipe()
            raise
        finally:
            os.close(reading)
        os.write(self._pipe, b"".join(b"+%d\n" % group for group in self._groups))

    def _close_pipe(self) -> None:
        os.close(self._pipe)
        self._pipe = -1

    def _forget(self) -> None:
        if self._process is not None:
            self._process.returncode = 0  # not a child of this process, nothing to wait for
            self._process = None
            self._close_pipe()


_watchdogs: weakref.WeakSet[Watchdog] = weakref.WeakSet()


def _close_inherited_pipes() -> None:
    """Let no fork of us hold the pipe open after our death."""
    for watchdog in _watchdogs:
        watchdog._forget()


os.register_at_fork(after_in_child=_close_inherited_pipes)
