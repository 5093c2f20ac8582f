"""Feeds an environment's telemetry: records and output in, deliveries out.

The decisions are `lifecycle/telemetry.py`'s; `host/push.py` sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lambda_runtime import contract
from rapid_mock.console import LogConfig
from rapid_mock.host.clock import Cancellable, Clock
from rapid_mock.host.dial import Connection, Undelivered
from rapid_mock.host.push import Push
from rapid_mock.lifecycle.events import Now
from rapid_mock.lifecycle.subscriber import Delivery, Loss
from rapid_mock.lifecycle.subscriptions import Record, Subscription
from rapid_mock.lifecycle.telemetry import Telemetry
from rapid_mock.telemetry_records import RecordRenderer

MAX_LINE_BYTES = 256 * 1024
"""Longer lines of output arrive in pieces."""


class TelemetryFeed:
    """The telemetry of one environment at work.

    `on_flushed` is called after each `flush`, `on_lost` for each batch that was given up.
    """

    def __init__(
        self,
        clock: Clock,
        log: LogConfig,
        *,
        on_flushed: Callable[[], None],
        on_lost: Callable[[Loss], None],
    ) -> None:
        self._telemetry = Telemetry(RecordRenderer(has_json_lines=log.is_json))
        self._clock = clock
        self._on_flushed = on_flushed
        self._on_lost = on_lost
        self._is_flushing = False
        self._timer: Cancellable | None = None
        self._timer_due = 0.0
        self._pushes: dict[str, Push] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._partial: dict[int, tuple[str, bytes]] = {}

    @property
    def is_wanted(self) -> bool:
        return self._telemetry.is_wanted

    def platform(self, record_type: str, members: dict[str, object], now: Now) -> None:
        """A platform record, for whoever subscribes to it."""
        record = Record(now.wall, record_type, contract.TELEMETRY_PLATFORM, members)
        deliveries = self._telemetry.record(record, now)
        if deliveries is not None:
            self._carry_out(deliveries)

    def begin(self) -> None:
        """A new life of the environment, without subscribers."""
        self.end()
        self._telemetry.begin()

    def output(self, process: int, category: str, data: bytes, now: Now) -> None:
        """What a process wrote; its last line waits for its end."""
        _, partial = self._partial.pop(process, (category, b""))
        *lines, rest = (partial + data).split(b"\n")
        for line in lines:
            self._line(category, line, now)
        while len(rest) > MAX_LINE_BYTES:
            end = _character_end(rest, MAX_LINE_BYTES)
            self._line(category, rest[:end], now)
            rest = rest[end:]
        if rest:
            self._partial[process] = (category, rest)

    def message(self, category: str, message: bytes, now: Now) -> None:
        """One log message, whatever its lines."""
        self._line(category, message.removesuffix(b"\n"), now)

    def end_lines(self, now: Now, *categories: str) -> None:
        """Lines of these categories that nobody ended are lines too."""
        for process, (category, line) in list(self._partial.items()):
            if category in categories:
                del self._partial[process]
                self._line(category, line, now)

    def end_lines_of(self, process: int, now: Now) -> None:
        """A process has exited: what it wrote without an end is a line of the invocation, too."""
        if process in self._partial:
            self._line(*self._partial.pop(process), now)

    def subscribe(
        self, name: str, subscription: Subscription, now: Now, connection: object = None
    ) -> None:
        """Begin to send; `connection` is one to the destination, if there is one already."""
        taken = connection.take() if isinstance(connection, Connection) else None
        self._pushes[name] = Push(subscription.destination, self._clock, taken)
        self._carry_out(self._telemetry.subscribe(name, subscription, now))

    def flush(self, now: Now) -> None:
        """Send what waits; `on_flushed` is called when it has arrived, or was told to be lost."""
        self._is_flushing = True
        self.end_lines(now, contract.TELEMETRY_FUNCTION, contract.TELEMETRY_EXTENSION)
        self._carry_out(self._telemetry.flush(now))
        asyncio.get_running_loop().call_soon(self._check_flushed)

    async def close(self) -> None:
        """Stop sending and drop all connections."""
        self.end()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self) -> None:
        """Nobody listens any more: drop all connections, keep nothing."""
        self._is_flushing = False
        self._partial.clear()
        for task in self._tasks:
            task.cancel()
        for push in self._pushes.values():
            push.close()
        self._pushes.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._telemetry.end()
        self._tell_losses()

    def _line(self, category: str, line: bytes, now: Now) -> None:
        record = Record(now.wall, category, category, line.removesuffix(b"\r"))
        deliveries = self._telemetry.record(record, now)
        if deliveries is not None:
            self._carry_out(deliveries)

    def _carry_out(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            push = self._pushes[delivery.name]
            task = asyncio.get_running_loop().create_task(self._deliver(delivery, push))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._tell_losses()
        deadline = self._telemetry.deadline
        if deadline is not None and (self._timer is None or deadline < self._timer_due):
            self._arm(deadline)

    async def _deliver(self, delivery: Delivery, push: Push) -> None:
        failure = None
        try:
            await push.send(delivery.lines)
        except Undelivered as error:
            failure = str(error)
        if self._pushes.get(delivery.name) is push:
            now = self._clock.now()
            self._carry_out(self._telemetry.delivered(delivery.name, failure, now))
            self._check_flushed()

    def _tell_losses(self) -> None:
        for loss in self._telemetry.take_losses():
            self._on_lost(loss)

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = deadline
        self._timer = self._clock.call_at(deadline, self._timeout)

    def _timeout(self) -> None:
        self._timer = None
        self._carry_out(self._telemetry.handle_timeout(self._clock.now()))

    def _check_flushed(self) -> None:
        if self._is_flushing and self._telemetry.is_idle:
            self._is_flushing = False
            self._on_flushed()


def _character_end(text: bytes, limit: int) -> int:
    """Where to cut UTF-8 so that no character is cut; the limit itself in what is none."""
    starts = (end for end in range(limit, limit - 4, -1) if text[end] & 0xC0 != 0x80)
    return next(starts, limit)
