"""Turns: handlers run in the thread that called `run`, while another one waits for Lambda.

So a handler that never returns holds an invocation only as long as it may, and thread-bound things
(signals, SQLite connections) work in handlers as in any program. `_thread` alone: `threading` costs
a registration a millisecond.
"""

from __future__ import annotations

from _thread import TIMEOUT_MAX, allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FOR_EVER = -1.0


class Turns:
    """Work that one thread gives to another, piece by piece."""

    def __init__(self) -> None:
        self._given, self._finished = allocate_lock(), allocate_lock()
        self._given.acquire()
        self._finished.acquire()
        self._work: Callable[[], None] | None = None
        self._is_owed = False

    def serve(self) -> None:
        """Do what is given until `end`. What is given must not raise."""
        while True:
            self._given.acquire()
            if self._work is None:
                return
            self._work()
            self._finished.release()

    def is_behind(self) -> bool:
        """Whether something that was given before still goes on."""
        if self._is_owed:
            self._is_owed = not self._finished.acquire(blocking=False)
        return self._is_owed

    def give(self, work: Callable[[], None], seconds: float | None) -> bool:
        """Have it done; returns whether it was within `seconds` (None: however long it takes).

        To be called while nothing `is_behind`.
        """
        self._work = work
        self._given.release()
        patience = FOR_EVER if seconds is None else min(seconds, TIMEOUT_MAX)
        self._is_owed = not self._finished.acquire(timeout=patience)
        return not self._is_owed

    def end(self) -> bool:
        """Let `serve` return; False when it cannot, because something given before goes on."""
        if self.is_behind():
            return False
        self._work = None
        self._given.release()
        return True
