"""What is on its way to one telemetry subscriber: batches, retries, and what was lost.

Every record that a subscriber gets is delivered to it once, or counted as dropped and told in a
`platform.logsDropped`. Sources: "Lambda Telemetry API", AWS Lambda Developer Guide (batches,
retries, the text about slow consumers); RIE (what a failed delivery is called).
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lambda_runtime import contract
from rapid_mock.lifecycle.events import Now
from rapid_mock.lifecycle.subscriptions import Destination, Record, Subscription

QUEUED_BATCHES, QUEUED_BYTES = 8, 16 * 1024 * 1024
"""What waits while a batch is being sent: so many full of records, or so much; more is dropped."""
RETRY_SECONDS = (0.1, 0.2, 0.4)
"""How long to wait after each failed attempt before the next; after the last the batch is lost."""
DROP_RECORD_BYTES = 512
"""Room that a batch leaves for the record of what was lost."""
RENDERED_TOGETHER, RECORD_BYTES = 64, 1024
"""So many platform records are rendered in one go, which costs half; until then each counts so."""
TOO_SLOW = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."

Render = Callable[[Record, Subscription], bytes]
"""A record as a subscriber's schema has it, without a newline."""


@dataclass(slots=True)
class Loss:
    """Records that a subscriber did not get: how many, their bytes if known, and why."""

    name: str
    records: int
    size: int
    reason: str

    @property
    def members(self) -> dict[str, object]:
        """Those of `platform.logsDropped` (Telemetry API schema)."""
        return {
            "droppedBytes": self.size,
            "droppedRecords": self.records,
            "reason": self.reason,
        }


@dataclass(slots=True)
class Batch:
    """Rendered records: `own` of them are news, the others tell of `told` losses."""

    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    own: int = 0
    told: list[Loss] = field(default_factory=list)


@dataclass(slots=True)
class Delivery:
    """Send these records to a subscriber; `Telemetry.delivered` must be told how it went."""

    name: str
    destination: Destination
    lines: list[bytes]


class Subscriber:
    """One subscription; its counts add up: produced = delivered + dropped + what is on its way.

    What is given up is added to `losses`, each record once.
    """

    def __init__(
        self, name: str, subscription: Subscription, render: Render, losses: list[Loss]
    ) -> None:
        self.name = name
        self.subscription = subscription
        self.produced = 0
        self.delivered_records = 0
        self.dropped_records = 0  # told in a record that arrived, or lost with the subscriber
        self._losses = losses
        self._given_up = 0
        self._failure: str | None = None  # of the last attempt
        self._render = render
        self._wanted: dict[str, bool] = {}  # by record type
        self._unrendered: list[tuple[Record, float]] = []
        self._room = 0
        self._open = Batch()
        self._due: float | None = None
        self._queue: deque[Batch] = deque()
        self._queued_records = self._queued_bytes = 0
        self._limit_queue()
        self._sending: Batch | None = None
        self._failures = 0
        self._retry_at: float | None = None
        self._untold: dict[bool, Loss] = {}  # by whether the consumer was too slow

    @property
    def deadline(self) -> float | None:
        """When the open batch is due, or the failed one is tried again."""
        if self._due is None:
            return self._retry_at
        return self._due if self._retry_at is None else min(self._due, self._retry_at)

    @property
    def is_idle(self) -> bool:
        """Whether everything so far has been delivered, or told to be lost."""
        return not (
            self._sending or self._queue or self._open.lines or self._unrendered or self._untold
        )

    def add(self, record: Record, now: Now) -> bool:
        """Keep a record, if the subscription and its schema have it; False if nothing moved."""
        wanted = self._wanted.get(record.type)
        if wanted is None:
            is_asked_for = record.category in self.subscription.types
            wanted = is_asked_for and self.subscription.has(record.type)
            self._wanted[record.type] = wanted
        if not wanted:
            return False
        was_due = self._due
        self.produced += 1
        self._unrendered.append((record, now.monotonic))
        self._expect_more(now.monotonic)
        if record.category != contract.TELEMETRY_PLATFORM or len(self._unrendered) >= self._room:
            self._render_all(now)
        return bool(self._queue) or self._due is not was_due

    def add_history(self, records: Sequence[Record], now: Now) -> None:
        """Keep what was before the subscription, however much: nobody was slow to take it."""
        self._record_limit = self._byte_limit = sys.maxsize
        for record in records:
            self.add(record, now)
        self._render_all(now)
        self._limit_queue()

    def close_batch(self, now: Now) -> None:
        """The open batch is full, or due: it goes, waits for its turn, or is lost."""
        self._render_all(now)
        self._close(now)

    def handle_timeout(self, now: Now) -> None:
        if self._due is not None and self._due <= now.monotonic:
            self._render_all(now)  # which may close the batch that was due
        if self._due is not None and self._due <= now.monotonic:
            self._close(now)

    def next_delivery(self, now: Now) -> Delivery | None:
        """What can be sent now: a new batch when none is being sent, or the failed one again."""
        if self._sending is None:
            if not self._queue:
                return None
            self._sending = self._queue.popleft()
            self._queued_records -= len(self._sending.lines)
            self._queued_bytes -= self._sending.size
        elif self._retry_at is None or self._retry_at > now.monotonic:
            return None
        self._retry_at = None
        return Delivery(self.name, self.subscription.destination, self._sending.lines)

    def delivered(self, failure: str | None, now: Now) -> None:
        """The batch being sent arrived, or why it did not."""
        batch = self._sending
        if batch is None:
            return
        self._failure = failure
        if failure is not None and self._failures < len(RETRY_SECONDS):
            self._retry_at = now.monotonic + RETRY_SECONDS[self._failures]
            self._failures += 1
            return
        self._sending, self._failures = None, 0
        if failure is None:
            self.delivered_records += batch.own
            self.dropped_records += sum(loss.records for loss in batch.told)
        else:
            self._lose(batch, _unsent(failure), now)

    def abandon(self) -> None:
        """Nobody listens any more: what has not arrived is lost, and told if attempts failed."""
        rest = self.produced - self.delivered_records - self._given_up
        if rest and self._failure is not None:
            self._give_up(rest, 0, _unsent(self._failure))
        self.dropped_records = self.produced - self.delivered_records
        self._unrendered.clear()
        self._queue.clear()
        self._queued_records = self._queued_bytes = 0
        self._open, self._sending = Batch(), None
        self._due = self._retry_at = None
        self._untold.clear()

    def _limit_queue(self) -> None:
        """So much may wait on top of what waits now."""
        most = QUEUED_BATCHES * self.subscription.buffering.max_items
        self._record_limit = self._queued_records + most
        self._byte_limit = self._queued_bytes + QUEUED_BYTES

    def _expect_more(self, since: float) -> None:
        if self._due is None:
            self._due = since + self.subscription.buffering.timeout

    def _render_all(self, now: Now) -> None:
        records, self._unrendered = self._unrendered, []
        for record, came in records:
            self._put(self._render(record, self.subscription), came, now)
        self._measure_room()

    def _measure_room(self) -> None:
        """How many records may wait without filling the open batch, however large they are."""
        buffering = self.subscription.buffering
        items = buffering.max_items - len(self._open.lines) - len(self._untold)
        size = buffering.max_bytes - self._open.size - self._reserved
        self._room = min(RENDERED_TOGETHER, items, size // RECORD_BYTES)

    def _put(self, line: bytes, came: float, now: Now) -> None:
        buffering = self.subscription.buffering
        size = self._open.size + len(line) + self._reserved
        if self._open.lines and size > buffering.max_bytes:
            self._close(now)
        self._expect_more(came)
        self._open.lines.append(line)
        self._open.size += len(line)
        self._open.own += 1
        if len(self._open.lines) + len(self._untold) >= buffering.max_items:
            self._close(now)

    def _close(self, now: Now) -> None:
        self._due = None
        self._tell_of_losses(now)
        if not self._open.lines:
            return
        batch, self._open = self._open, Batch()
        if self._queued_records >= self._record_limit or self._queued_bytes >= self._byte_limit:
            self._lose(batch, TOO_SLOW, now)
        else:
            self._queue.append(batch)
            self._queued_records += len(batch.lines)
            self._queued_bytes += batch.size

    @property
    def _reserved(self) -> int:
        return DROP_RECORD_BYTES * len(self._untold)

    def _lose(self, batch: Batch, reason: str, now: Now) -> None:
        """What the batch told of is untold again."""
        for told in batch.told:
            self._note(told)
        if batch.own:
            self._note(self._give_up(batch.own, batch.size, reason))
        self._expect_more(now.monotonic)

    def _give_up(self, records: int, size: int, reason: str) -> Loss:
        loss = Loss(self.name, records, size, reason)
        self._given_up += records
        self._losses.append(loss)
        return loss

    def _note(self, loss: Loss) -> None:
        key = loss.reason == TOO_SLOW
        other = self._untold.get(key)
        if other is not None:
            records, size = other.records + loss.records, other.size + loss.size
            loss = Loss(loss.name, records, size, loss.reason)
        self._untold[key] = loss
        self._measure_room()

    def _tell_of_losses(self, now: Now) -> None:
        for loss in self._untold.values():
            kind, category = contract.PLATFORM_LOGS_DROPPED, contract.TELEMETRY_PLATFORM
            record = Record(now.wall, kind, category, loss.members)
            self._open.lines.append(self._render(record, self.subscription))
            self._open.told.append(loss)
        self._untold.clear()


def _unsent(failure: str) -> str:
    """The reason as RIE says it."""
    return f"could not send events: {failure}"
