"""The bandwidth of a streamed response: a burst at once, then what is refilled.

Source: "Response streaming for Lambda functions", AWS Lambda Developer Guide; ticks as in AWS's
Runtime Interface Emulator.
"""

from __future__ import annotations

from lambda_runtime import contract
from rapid_mock.host.clock import Cancellable, Clock
from rapid_mock.service.requests import ChunkTaker, Flow

TICK_SECONDS = 0.125
TICK_BYTES = int(contract.STREAM_RATE_BYTES_PER_SECOND * TICK_SECONDS)


class ThrottledTaker:
    """Stands between a function and the taker of its stream, and holds it back for either reason.

    What has arrived is passed on; what exceeds the budget is waited for afterwards.
    """

    def __init__(self, taker: ChunkTaker, clock: Clock) -> None:
        self._taker = taker
        self._clock = clock
        self._budget = contract.STREAM_BURST_BYTES
        self._refilled = clock.now().monotonic
        self._timer: Cancellable | None = None
        self._is_slow = False
        self._flow: Flow

    def begin(self, content_type: str | None, flow: Flow) -> None:
        self._flow = flow
        self._taker.begin(content_type, self)

    def write(self, data: bytes) -> None:
        self._refill()
        self._budget -= len(data)
        if self._budget < 0 and self._timer is None:
            self._flow.pause_reading()
            self._wait()
        self._taker.write(data)

    def pause_reading(self) -> None:
        """The invoker is slow."""
        self._is_slow = True
        self._flow.pause_reading()

    def resume_reading(self) -> None:
        """The invoker is ready again, or gone."""
        self._is_slow = False
        if self._timer is None:
            self._flow.resume_reading()

    def _refill(self) -> None:
        now = self._clock.now().monotonic
        ticks = int((now - self._refilled) / TICK_SECONDS)
        self._refilled += ticks * TICK_SECONDS
        self._budget = min(contract.STREAM_BURST_BYTES, self._budget + ticks * TICK_BYTES)

    def _wait(self) -> None:
        ticks = -(self._budget // TICK_BYTES)
        due = self._refilled + ticks * TICK_SECONDS
        self._timer = self._clock.call_at(due, self._has_waited)

    def _has_waited(self) -> None:
        self._timer = None
        self._refill()
        if self._budget < 0:
            self._wait()
        elif not self._is_slow:
            self._flow.resume_reading()
