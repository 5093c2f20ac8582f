"""Signals as bytes in a pipe, so that whoever waits for something else hears of them too."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Signals:
    """SIGTERM, SIGINT and SIGCHLD of this process; `pipe` can be read when one has come."""

    def __init__(self) -> None:
        self.pipe, self._write_end = os.pipe()
        for end in (self.pipe, self._write_end):
            os.set_blocking(end, False)
        self._before: dict[signal.Signals, Any] = {}

    def catch(self) -> None:
        """From now on they only say that they have come."""
        for number in CAUGHT:
            self._before[number] = signal.signal(number, _ignore)
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)

    def received(self) -> set[int]:
        """Which have come since the last time."""
        try:
            return set(os.read(self.pipe, 4096))
        except BlockingIOError:
            return set()

    def block(self) -> None:
        """Have them wait: a child must not take them for its parent."""
        signal.pthread_sigmask(signal.SIG_BLOCK, CAUGHT)

    def unblock(self) -> None:
        """Let them come."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CAUGHT)

    def restore(self) -> None:
        """In a child: as if nothing had been caught."""
        signal.set_wakeup_fd(-1)
        for end in (self.pipe, self._write_end):
            os.close(end)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self.unblock()


def _ignore(_number: int, _frame: object) -> None:
    """Its byte is in the pipe."""
