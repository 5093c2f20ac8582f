"""What is on its way to one telemetry subscriber: batches, retries, and what was lost.

Every record that a subscriber gets is delivered to it once, or counted as dropped and told in a
`platform.logsDropped`. Sources: "Lambda Telemetry API", AWS Lambda Developer Guide (batches,
retries, the text about slow consumers); RIE (what a failed delivery is called).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from lambda_runtime import contract
from rapid_mock.lifecycle.events import Now
from rapid_mock.lifecycle.subscriptions import Destination, Record, Subscription

QUEUED_BATCHES = 8
"""Full batches that wait while one is being sent; what comes on top of them is dropped."""
RETRY_SECONDS = (0.1, 0.2, 0.4)
"""How long to wait after each failed attempt before the next; after the last the batch is lost."""
DROP_RECORD_BYTES = 512
"""Room that a batch leaves for the record of what was lost."""
TOO_SLOW = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."

Render = Callable[[Record, Subscription], bytes | None]
"""A record as a subscriber's schema has it, without a newline; None for what it does not have."""


@dataclass(slots=True)
class Batch:
    """Rendered records: `own` of them are news, one may tell that `told` others were lost."""

    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    own: int = 0
    told: int = 0
    told_bytes: int = 0


@dataclass(slots=True)
class Delivery:
    """Send these records to a subscriber; `Telemetry.delivered` must be told how it went."""

    name: str
    destination: Destination
    lines: list[bytes]


class Subscriber:
    """One subscription; its counts add up: produced = delivered + dropped + what is on its way."""

    def __init__(self, name: str, subscription: Subscription, render: Render) -> None:
        self.name = name
        self.subscription = subscription
        self.produced = 0
        self.delivered_records = 0
        self.dropped_records = 0  # told in a record that arrived, or lost with the subscriber
        self._render = render
        self._open = Batch()
        self._due: float | None = None
        self._queue: deque[Batch] = deque()
        self._sending: Batch | None = None
        self._failures = 0
        self._retry_at: float | None = None
        self._lost = self._lost_bytes = 0
        self._reason = ""

    @property
    def deadline(self) -> float | None:
        """When the open batch is due, or the failed one is tried again."""
        if self._due is None:
            return self._retry_at
        return self._due if self._retry_at is None else min(self._due, self._retry_at)

    @property
    def is_idle(self) -> bool:
        """Whether everything so far has been delivered, or told to be lost."""
        return not (self._sending or self._queue or self._open.lines or self._lost)

    def add(self, record: Record, now: Now) -> bool:
        """Keep a record, if the subscription and its schema have it; False if nothing moved."""
        subscription = self.subscription
        if record.category not in subscription.types:
            return False
        line = self._render(record, subscription)
        if line is None:
            return False
        self.produced += 1
        buffering, was_due = subscription.buffering, self._due
        reserved = DROP_RECORD_BYTES if self._lost else 0
        if self._open.lines and self._open.size + len(line) + reserved > buffering.max_bytes:
            self.close_batch(now)
        self._expect_more(now)
        self._open.lines.append(line)
        self._open.size += len(line)
        self._open.own += 1
        if len(self._open.lines) + bool(self._lost) >= buffering.max_items:
            self.close_batch(now)
        return bool(self._queue) or self._due is not was_due

    def close_batch(self, now: Now) -> None:
        """The open batch is full, or due: it goes, waits for its turn, or is lost."""
        self._due = None
        if self._lost:
            self._tell_of_losses(now)
        if not self._open.lines:
            return
        batch, self._open = self._open, Batch()
        if len(self._queue) >= QUEUED_BATCHES:
            self._lose(batch, TOO_SLOW, now)
        else:
            self._queue.append(batch)

    def handle_timeout(self, now: Now) -> None:
        if self._due is not None and self._due <= now.monotonic:
            self.close_batch(now)

    def next_delivery(self, now: Now) -> Delivery | None:
        """What can be sent now: a new batch when none is being sent, or the failed one again."""
        if self._sending is None:
            if not self._queue:
                return None
            self._sending = self._queue.popleft()
        elif self._retry_at is None or self._retry_at > now.monotonic:
            return None
        self._retry_at = None
        return Delivery(self.name, self.subscription.destination, self._sending.lines)

    def delivered(self, failure: str | None, now: Now) -> None:
        """The batch being sent arrived, or why it did not."""
        batch = self._sending
        if batch is None:
            return
        if failure is not None and self._failures < len(RETRY_SECONDS):
            self._retry_at = now.monotonic + RETRY_SECONDS[self._failures]
            self._failures += 1
            return
        self._sending, self._failures = None, 0
        if failure is None:
            self.delivered_records += batch.own
            self.dropped_records += batch.told
        else:
            self._lose(batch, f"could not send events: {failure}", now)

    def abandon(self) -> int:
        """Nobody listens any more: how many records have not arrived."""
        lost = self.produced - self.delivered_records - self.dropped_records
        self.dropped_records += lost
        self._queue.clear()
        self._open, self._sending = Batch(), None
        self._due = self._retry_at = None
        self._lost = self._lost_bytes = 0
        return lost

    def _expect_more(self, now: Now) -> None:
        if self._due is None:
            self._due = now.monotonic + self.subscription.buffering.timeout

    def _lose(self, batch: Batch, reason: str, now: Now) -> None:
        own_bytes = batch.size
        self._lost += batch.own + batch.told
        self._lost_bytes += own_bytes + batch.told_bytes
        self._reason = reason
        self._expect_more(now)

    def _tell_of_losses(self, now: Now) -> None:
        members: dict[str, object] = {
            "droppedBytes": self._lost_bytes,
            "droppedRecords": self._lost,
            "reason": self._reason,
        }
        record = Record(
            now.wall, contract.PLATFORM_LOGS_DROPPED, contract.TELEMETRY_PLATFORM, members
        )
        line = self._render(record, self.subscription)
        if line is not None:
            self._open.lines.append(line)
            self._open.told, self._open.told_bytes = self._lost, self._lost_bytes
        self._lost = self._lost_bytes = 0
