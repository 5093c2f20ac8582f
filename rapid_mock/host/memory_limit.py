"""Watches that the processes of an execution environment stay within its memory size.

Linux would kill at the very page; we look now and then, so a function may be over its limit for a
moment before it dies. What shares memory counts once, so nothing dies that would live in Lambda.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rapid_mock.host.memory import outgrown, seconds_between_looks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECOND_LOOK_SECONDS = 0.01
"""A process in the middle of starting another has all its memory twice, for about a millisecond."""


class MemoryWatch:
    """Looks while an environment works; make it inside the running loop.

    `limit_mb` is the memory size; `processes` gives process ids by token; `is_working` says
    whether to go on looking; `on_outgrown(token)` is told the largest process when two looks in a
    row find all of them together over the limit.
    """

    def __init__(
        self,
        limit_mb: int,
        *,
        processes: Callable[[], Mapping[int, int]],
        is_working: Callable[[], bool],
        on_outgrown: Callable[[int], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit_mb = limit_mb
        self._processes = processes
        self._is_working = is_working
        self._on_outgrown = on_outgrown
        self._timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Work goes on; cheap when we are looking already."""
        if self._timer is None:
            self._timer = self._loop.call_later(seconds_between_looks(), self._look)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if not self._is_working():
            return
        if self._largest() is None:
            self.wake()
        else:
            self._timer = self._loop.call_later(SECOND_LOOK_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._timer = None
        largest = self._largest()
        if largest is not None:
            self._on_outgrown(largest)
        self.wake()

    def _largest(self) -> int | None:
        """The token of the process to kill, if one is to be killed."""
        tokens = {pid: token for token, pid in self._processes().items()}
        pid = outgrown(tokens, self._limit_mb)
        return None if pid is None else tokens[pid]
