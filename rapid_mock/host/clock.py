"""Time, in one place: asyncio's clock for life, one moved by hand for tests."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from itertools import count
from typing import TYPE_CHECKING, Protocol

from rapid_mock.errors import SetupError
from rapid_mock.lifecycle.events import Now

if TYPE_CHECKING:
    from collections.abc import Callable


class Cancellable(Protocol):
    """A callback that has been ordered; `cancel` is harmless after it ran."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Tells the moment and calls back at one; seconds of the monotonic clock throughout."""

    def now(self) -> Now: ...

    def call_at(self, when_monotonic: float, callback: Callable[[], None]) -> Cancellable: ...


class SystemClock:
    """The running event loop's clock, with the epoch time beside it; make it inside the loop."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    def now(self) -> Now:
        return Now(time.monotonic(), time.time())

    def call_at(self, when_monotonic: float, callback: Callable[[], None]) -> Cancellable:
        return self._loop.call_at(when_monotonic, callback)


class ScaledClock:
    """A clock on which time passes `scale` times as fast, from the moment it was made.

    Raises SetupError for a scale that is no finite number above 0.
    """

    def __init__(self, clock: Clock, scale: float) -> None:
        if not 0 < scale < math.inf:
            raise SetupError(f"the time scale must be a finite number above 0, not {scale:g}")
        self._clock = clock
        self._scale = scale
        self._origin = clock.now().wall

    def now(self) -> Now:
        monotonic, wall = self._clock.now()
        return Now(monotonic * self._scale, self._origin + (wall - self._origin) * self._scale)

    def call_at(self, when_monotonic: float, callback: Callable[[], None]) -> Cancellable:
        return self._clock.call_at(when_monotonic / self._scale, callback)


class _Timer:
    __slots__ = ("callback", "is_cancelled")

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ManualClock:
    """A clock that stands still until `advance`; both its times move together."""

    def __init__(self, *, monotonic: float = 1000.0, wall: float = 1_700_000_000.0) -> None:
        self._now = Now(monotonic, wall)
        self._timers: list[tuple[float, int, _Timer]] = []
        self._order = count()

    def now(self) -> Now:
        return self._now

    def call_at(self, when_monotonic: float, callback: Callable[[], None]) -> Cancellable:
        timer = _Timer(callback)
        heapq.heappush(self._timers, (when_monotonic, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, running what falls due in order, each callback at its own moment.

        Callbacks ordered meanwhile run too when they fall due; those for the past run at once.
        """
        end = self._now.monotonic + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            if timer.is_cancelled:
                continue
            self._move_to(max(when, self._now.monotonic))
            timer.callback()
        self._move_to(end)

    def _move_to(self, monotonic: float) -> None:
        self._now = Now(monotonic, self._now.wall + (monotonic - self._now.monotonic))
