"""Between two invocations Lambda freezes the execution environment; with SIGSTOP so do we.

A background thread stands still, a connection goes stale, a timer is late: what only happens to
functions in Lambda can be seen here.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from rapid_mock.host.driver import EnvironmentDriver
from rapid_mock.lifecycle.events import Event, Now
from rapid_mock.lifecycle.state import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from rapid_mock.host.clock import Cancellable, Clock


FROZEN = (Phase.SNAPSHOT, Phase.IDLE)


class FreezableClock:
    """A clock whose monotonic time stands still while it is frozen; the wall clock goes on.

    What falls due meanwhile comes after the thaw, as late as it would have been without the frost.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lost = 0.0
        self._frozen_at: float | None = None
        self._frozen: list[_Timer] = []

    @property
    def is_frozen(self) -> bool:
        return self._frozen_at is not None

    def now(self) -> Now:
        monotonic, wall = self._clock.now()
        standing = monotonic if self._frozen_at is None else self._frozen_at
        return Now(standing - self._lost, wall)

    def call_at(self, when_monotonic: float, callback: Callable[[], None]) -> Cancellable:
        timer = _Timer(when_monotonic, callback)
        self._arm(timer)
        return timer

    def freeze(self) -> None:
        self._frozen_at = self._clock.now().monotonic

    def thaw(self) -> None:
        """Go on from where it stood."""
        if self._frozen_at is not None:
            self._lost += self._clock.now().monotonic - self._frozen_at
            self._frozen_at = None
            timers, self._frozen = self._frozen, []
            for timer in timers:
                if not timer.is_cancelled:
                    self._arm(timer)

    def _arm(self, timer: _Timer) -> None:
        if self.is_frozen:
            self._frozen.append(timer)
            return
        due = timer.when + self._lost
        timer.ordered = self._clock.call_at(due, lambda: self._fall_due(timer))

    def _fall_due(self, timer: _Timer) -> None:
        if self.is_frozen or self.now().monotonic < timer.when:
            self._arm(timer)
        else:
            timer.callback()


class _Timer:
    """A callback at a moment of the freezable clock."""

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.ordered: Cancellable | None = None
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True
        if self.ordered is not None:
            self.ordered.cancel()


class FreezingDriver(EnvironmentDriver):
    """Drives an environment that is frozen whenever it is idle, and thawed by whatever happens."""

    def __init__(self, *args: Any, clock: Clock, **options: Any) -> None:
        self._frost = FreezableClock(clock)
        super().__init__(*args, clock=self._frost, **options)

    def dispatch(self, event: Event | None) -> None:
        if self._frost.is_frozen:
            self._frost.thaw()
            self._supervisor.signal_all(signal.SIGCONT)
        super().dispatch(event)
        if not self._todo and self.phase in FROZEN:
            self._supervisor.signal_all(signal.SIGSTOP)
            self._frost.freeze()
