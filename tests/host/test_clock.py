"""Clocks: the loop's, and the one that tests move by hand."""

from __future__ import annotations

import asyncio
import time

from rapid_mock.host.clock import Clock, ManualClock, SystemClock


def test_system_clock_calls_back_at_the_moment() -> None:
    """A callback comes at its moment of the monotonic clock, and a cancelled one never."""

    async def main() -> None:
        clock: Clock = SystemClock()
        called, cancelled = asyncio.Event(), asyncio.Event()
        begun = clock.now()
        clock.call_at(begun.monotonic + 0.01, cancelled.set).cancel()
        clock.call_at(begun.monotonic + 0.02, called.set)
        async with asyncio.timeout(10):
            await called.wait()
        ended = clock.now()
        assert ended.monotonic - begun.monotonic > 0.0199
        assert not cancelled.is_set()
        assert abs((ended.wall - begun.wall) - (ended.monotonic - begun.monotonic)) < 1

    asyncio.run(main())


def test_system_clock_tells_epoch_and_monotonic_time() -> None:
    """The two times are those of the operating system, in seconds."""

    async def main() -> None:
        now = SystemClock().now()
        assert 0 <= time.monotonic() - now.monotonic < 5
        assert 0 <= time.time() - now.wall < 5

    asyncio.run(main())


def test_manual_clock_stands_still_until_it_is_moved() -> None:
    """Both times of a manual clock move by what is asked, and only then."""
    clock = ManualClock(monotonic=5.0, wall=1000.0)
    assert clock.now() == clock.now() == (5.0, 1000.0)
    clock.advance(2.5)
    assert clock.now() == (7.5, 1002.5)


def test_manual_clock_runs_callbacks_in_order_each_at_its_moment() -> None:
    """Callbacks run by time, then by order of asking; each sees its own moment."""
    clock = ManualClock(monotonic=0.0, wall=0.0)
    seen: list[tuple[str, float]] = []

    def note(name: str) -> None:
        seen.append((name, clock.now().monotonic))

    clock.call_at(2.0, lambda: note("late"))
    clock.call_at(1.0, lambda: note("first"))
    clock.call_at(1.0, lambda: note("second"))
    clock.call_at(1.5, lambda: note("cancelled")).cancel()
    clock.call_at(9.0, lambda: note("not yet"))
    clock.advance(2.0)
    assert seen == [("first", 1.0), ("second", 1.0), ("late", 2.0)]
    assert clock.now().monotonic == 2.0


def test_manual_clock_runs_what_callbacks_ask_for() -> None:
    """A callback ordered by a callback runs in the same advance, at once when its time is past."""
    clock = ManualClock(monotonic=0.0)
    seen: list[float] = []

    def again() -> None:
        seen.append(clock.now().monotonic)
        if len(seen) < 3:
            clock.call_at(clock.now().monotonic + 1.0, again)
        elif len(seen) == 3:
            clock.call_at(0.0, again)

    clock.call_at(1.0, again)
    clock.advance(10.0)
    assert seen == [1.0, 2.0, 3.0, 3.0]
    assert clock.now().monotonic == 10.0
