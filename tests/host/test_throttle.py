"""The bandwidth of streamed responses: 6 MiB at once, then 2 MiB a second, in ticks of 125 ms."""

from __future__ import annotations

from rapid_mock.host.clock import ManualClock
from rapid_mock.host.throttle import ThrottledTaker
from rapid_mock.service.requests import Flow

MIB = 1024 * 1024


class Ends:
    """Both ends of a stream: what the invoker gets, and whether the function is held back."""

    def __init__(self) -> None:
        self.received = 0
        self.paused: list[str] = []
        self.flow: Flow = self

    def begin(self, _content_type: str | None, flow: Flow) -> None:
        self.flow = flow

    def is_paused(self) -> bool:
        return bool(self.paused)

    def write(self, data: bytes) -> None:
        self.received += len(data)

    def pause_reading(self) -> None:
        self.paused.append("paused")

    def resume_reading(self) -> None:
        self.paused.clear()


def begun() -> tuple[ManualClock, Ends, ThrottledTaker]:
    clock, ends = ManualClock(), Ends()
    taker = ThrottledTaker(ends, clock)
    taker.begin(None, ends)
    return clock, ends, taker


def stream(clock: ManualClock, ends: Ends, taker: ThrottledTaker, seconds: float) -> None:
    """A function that writes 64 KiB whenever it may."""
    end = clock.now().monotonic + seconds
    while clock.now().monotonic < end:
        while not ends.is_paused():
            taker.write(bytes(64 * 1024))
        clock.advance(0.125)


def test_the_burst_passes_at_once() -> None:
    """6 MiB need no time; the next byte waits for a tick."""
    clock, ends, taker = begun()
    taker.write(bytes(6 * MIB))
    assert not ends.is_paused()
    taker.write(b"x")
    assert ends.is_paused()
    clock.advance(0.1)
    assert ends.is_paused()
    clock.advance(0.025)
    assert not ends.is_paused()


def test_the_rate_after_the_burst() -> None:
    """Ten seconds carry 6 MiB and ten times 2 MiB, but for what is under way."""
    clock, ends, taker = begun()
    stream(clock, ends, taker, 10.0)
    assert abs(ends.received - 26 * MIB) <= 256 * 1024


def test_a_rest_fills_the_burst_again() -> None:
    """After three idle seconds 6 MiB pass at once, and no more after an hour."""
    clock, ends, taker = begun()
    taker.write(bytes(6 * MIB))
    clock.advance(3600.0)
    taker.write(bytes(6 * MIB))
    assert not ends.is_paused()
    taker.write(b"x")
    assert ends.is_paused()


def test_one_write_far_above_the_burst() -> None:
    """Its debt is worked off before the function may go on."""
    clock, ends, taker = begun()
    taker.write(bytes(10 * MIB))
    clock.advance(1.9)
    assert ends.is_paused()
    clock.advance(0.1)
    assert not ends.is_paused()


def test_a_slow_invoker_counts_too() -> None:
    """The function goes on when both the invoker and the budget allow it."""
    clock, ends, taker = begun()
    taker.write(bytes(6 * MIB + 1))
    ends.flow.pause_reading()
    clock.advance(1.0)
    assert ends.is_paused()
    ends.flow.resume_reading()
    assert not ends.is_paused()
    ends.flow.pause_reading()
    taker.write(bytes(6 * MIB))
    ends.flow.resume_reading()
    assert ends.is_paused()
