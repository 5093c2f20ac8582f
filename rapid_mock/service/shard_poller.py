"""The poller of one shard: when to read, what to hand over, what to do with failures.

Records of one key are handed over in order, a failing batch holds its lane (the shard, without a
ParallelizationFactor) until it succeeds or is given up. The checkpoint never passes a record that
is not done with, so that a restart repeats records and loses none.

Source: "Using Lambda to process records from Amazon Kinesis Data Streams", its pages on batches,
retries and partial responses; counts of attempts as recorded from AWS: a batch that a partial
response or a bisection shortens is a new one.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from rapid_mock.lifecycle.events import Now
from rapid_mock.service.event_source import (
    Answered,
    Outcome,
    Refused,
    backoff,
    failed_items,
    leading_batch,
)
from rapid_mock.service.stream_orders import (
    AGE_EXCEEDED,
    RETRIES_EXHAUSTED,
    UNLIMITED,
    Checkpoint,
    Discard,
    Invoke,
    Order,
    Read,
    ShardEnded,
    Stopped,
    StreamRecord,
    StreamSettings,
)


@dataclass(slots=True, eq=False)
class _Entry:
    """A record on its way; `read_at` in monotonic seconds."""

    record: StreamRecord
    read_at: float
    is_done: bool = False

    @property
    def size(self) -> int:
        return self.record.size


@dataclass(slots=True)
class _Batch:
    """Entries at the function, or held since it failed or refused, until `retry_at`."""

    entries: list[_Entry]
    number: int = 0
    attempts: int = 0
    refusals: int = 0
    retry_at: float | None = None
    answer: Answered | None = None

    @property
    def records(self) -> tuple[StreamRecord, ...]:
        return tuple(entry.record for entry in self.entries)


@dataclass(slots=True)
class _Lane:
    """Records that must stay in order: a batch at work, shortened ones to come, the queue."""

    current: _Batch | None = None
    shortened: deque[_Batch] = field(default_factory=deque)
    queue: deque[_Entry] = field(default_factory=deque)


class ShardPoller:
    """One shard of one mapping; deadlines are monotonic, ages of records wall-clock seconds.

    `accepts` is whether a record passes the mapping's filters; `checkpoint` is the last one of an
    earlier poller of this shard.
    """

    def __init__(
        self,
        settings: StreamSettings,
        accepts: Callable[[Any], bool],
        checkpoint: str | None = None,
    ) -> None:
        self._settings = settings
        self._accepts = accepts
        self._after = checkpoint
        self._lanes = [_Lane() for _ in range(settings.lanes)]
        self._entries: deque[_Entry] = deque()
        self._count = 0
        self._is_reading = False
        self._asked = 0
        self._next_read = 0.0
        self._read_failures = 0
        self._is_closed = False
        self._stopping = False

    def start(self, now: Now) -> list[Order]:
        """Begin to read."""
        return self._step(now)

    def read(self, records: Sequence[StreamRecord], now: Now, *, is_end: bool) -> list[Order]:
        """A read came back; `is_end`: the shard is closed and has no more records."""
        self._is_reading = False
        self._is_closed = is_end
        self._read_failures = 0
        if len(records) < self._asked:
            self._next_read = now.monotonic + self._settings.poll_interval
        for record in () if self._stopping else records:
            self._after = record.sequence_number
            entry = _Entry(record, now.monotonic, is_done=not self._accepts(record.record))
            self._entries.append(entry)
            if not entry.is_done:
                self._lane_of(record).queue.append(entry)
        return [*self._checkpoint(), *self._step(now)]

    def read_failed(self, now: Now) -> list[Order]:
        """The shard could not be read; the next read waits."""
        self._is_reading = False
        self._read_failures += 1
        self._next_read = now.monotonic + backoff(self._read_failures)
        return self._step(now)

    def invoked(self, batch: int, outcome: Outcome, now: Now) -> list[Order]:
        """The function answered, or refused."""
        lane, current = next(
            (lane, lane.current)
            for lane in self._lanes
            if lane.current is not None and lane.current.number == batch
        )
        if isinstance(outcome, Refused):
            current.refusals += 1
            current.retry_at = now.monotonic + backoff(current.refusals)
            orders: list[Order] = []
        else:
            orders = self._answered(lane, current, outcome, now)
        return [*orders, *self._checkpoint(), *self._step(now)]

    def stop(self, now: Now) -> list[Order]:
        """Read no more and start no batch; what is at the function is finished."""
        self._stopping = True
        return self._step(now)

    @property
    def deadline(self) -> float | None:
        """When `handle_timeout` is due, if ever; monotonic seconds."""
        if self._stopping:
            return None
        moments = [self._next_read] if self._wants_records() else []
        for lane in self._lanes:
            if lane.current is None and lane.queue:
                moments.append(lane.queue[0].read_at + self._settings.batching.window)
            elif lane.current is not None and lane.current.retry_at is not None:
                moments.append(lane.current.retry_at)
        return min(moments, default=None)

    def handle_timeout(self, now: Now) -> list[Order]:
        """Read again, hand over what waited its window, retry."""
        return self._step(now)

    # --- Results --------------------------------------------------------------------------------

    def _answered(self, lane: _Lane, batch: _Batch, answer: Answered, now: Now) -> list[Order]:
        batch.attempts += 1
        batch.refusals = 0
        batch.answer = answer
        numbers = [record.sequence_number for record in batch.records]
        failed = failed_items(answer, self._settings.batching, numbers)
        done = len(list(takewhile(lambda number: number not in failed, numbers)))
        _finish(batch.entries[:done])
        left = batch.entries[done:]
        if not left:
            lane.current = None
        elif done:
            self._shorten(lane, left)
        elif self._settings.bisects and len(left) > 1:
            middle = len(left) // 2
            self._shorten(lane, left[:middle], left[middle:])
        elif UNLIMITED < self._settings.maximum_retries < batch.attempts:
            lane.current = None
            return [_discard(batch, left, RETRIES_EXHAUSTED)]
        else:
            batch.retry_at = now.monotonic + backoff(batch.attempts)
        return []

    def _shorten(self, lane: _Lane, *parts: list[_Entry]) -> None:
        """Put parts of a failed batch before everything else in the lane, each as a new batch."""
        lane.current = None
        lane.shortened.extendleft(_Batch(part) for part in reversed(parts))

    def _checkpoint(self) -> list[Order]:
        """Pass all records that are done with, up to the first that is not."""
        passed = None
        while self._entries and self._entries[0].is_done:
            passed = self._entries.popleft()
        return [] if passed is None else [Checkpoint(passed.record.sequence_number)]

    # --- Next steps -----------------------------------------------------------------------------

    def _step(self, now: Now) -> list[Order]:
        orders: list[Order] = []
        if not self._stopping:
            for lane in self._lanes:
                orders += self._advance(lane, now)
            orders += self._checkpoint()
            orders += self._read_more(now)
        return orders + self._end()

    def _advance(self, lane: _Lane, now: Now) -> list[Order]:
        """Hand over the lane's next batch, or one whose retry is due, without what is too old."""
        orders: list[Order] = []
        while (batch := self._due(lane, now)) is not None:
            expired = list(takewhile(lambda entry: self._is_expired(entry, now), batch.entries))
            if expired:
                orders.append(_discard(batch, expired, AGE_EXCEEDED))
                del batch.entries[: len(expired)]
            lane.current = batch if batch.entries else None
            if batch.entries:
                batch.retry_at = None
                return [*orders, Invoke(batch.number, batch.records)]
        return orders

    def _due(self, lane: _Lane, now: Now) -> _Batch | None:
        """The batch that goes to the function now, numbered, if there is one."""
        if lane.current is not None:
            retry_at = lane.current.retry_at
            return lane.current if retry_at is not None and retry_at <= now.monotonic else None
        batch = lane.shortened.popleft() if lane.shortened else self._gathered(lane, now)
        if batch is not None:
            self._count += 1
            batch.number = self._count
        return batch

    def _gathered(self, lane: _Lane, now: Now) -> _Batch | None:
        """A batch from the lane's queue: full, or its oldest record has waited the window."""
        if not lane.queue:
            return None
        entries, is_full = leading_batch(lane.queue, self._settings.batching.size)
        if not is_full and lane.queue[0].read_at + self._settings.batching.window > now.monotonic:
            return None
        for _ in entries:
            lane.queue.popleft()
        return _Batch(entries)

    def _is_expired(self, entry: _Entry, now: Now) -> bool:
        age = self._settings.maximum_age
        return age != UNLIMITED and entry.record.arrived + age < now.wall

    def _read_more(self, now: Now) -> list[Order]:
        if not self._wants_records() or self._next_read > now.monotonic:
            return []
        self._is_reading = True
        self._asked = self._room()
        return [Read(self._after, self._asked)]

    def _wants_records(self) -> bool:
        return not self._is_reading and not self._is_closed and self._room() > 0

    def _room(self) -> int:
        """How many more records fill every lane's next batch, as far as one read brings them."""
        queued = sum(len(lane.queue) for lane in self._lanes)
        most = self._settings.batching.size * self._settings.lanes - queued
        return min(most, self._settings.most_read)

    def _end(self) -> list[Order]:
        if self._stopping:
            at_work = any(lane.current and lane.current.retry_at is None for lane in self._lanes)
            return [] if at_work or self._is_reading else [Stopped()]
        return [ShardEnded()] if self._is_closed and not self._entries else []

    def _lane_of(self, record: StreamRecord) -> _Lane:
        return self._lanes[zlib.crc32(record.key.encode()) % len(self._lanes)]


def _finish(entries: Iterable[_Entry]) -> None:
    for entry in entries:
        entry.is_done = True


def _discard(batch: _Batch, entries: Sequence[_Entry], condition: str) -> Discard:
    """Give entries of a batch up; what became too old is told without an answer, as on AWS."""
    _finish(entries)
    answer = None if condition == AGE_EXCEEDED else batch.answer
    records = tuple(entry.record for entry in entries)
    return Discard(records, condition, batch.attempts, answer)
