"""A stream's shard and a function around a `ShardPoller`, on a clock of their own."""

from __future__ import annotations

import json

from rapid_mock.lifecycle.events import Now
from rapid_mock.service.event_source import Answered, Refused
from rapid_mock.service.shard_poller import ShardPoller
from rapid_mock.service.stream_orders import (
    Checkpoint,
    Discard,
    Invoke,
    Order,
    Read,
    ShardEnded,
    StreamRecord,
    StreamSettings,
)

OK = Answered(b"null", request_id="r-ok")
FAILED = Answered(b"{}", function_error="Unhandled", request_id="r-failed")
WALL = 1_700_000_000.0


class ShardWorld:
    """Carries out orders, and holds what must be true of them whatever happens."""

    def __init__(self, settings: StreamSettings) -> None:
        self.settings = settings
        self.now = Now(0.0, WALL)
        self.stored: list[StreamRecord] = []
        self.is_closed = False
        self.done: set[str] = set()
        self.batches: list[list[str]] = []
        self.discards: list[Discard] = []
        self.checkpoint: str | None = None
        self.restart()

    def restart(self) -> None:
        """The service was killed: a new poller takes over from the checkpoint."""
        self.reading: Read | None = None
        self.running: dict[int, tuple[StreamRecord, ...]] = {}
        self.ending: list[str] = []
        self.poller = ShardPoller(
            self.settings, lambda record: record != "unwanted", self.checkpoint
        )
        self.carry_out(self.poller.start(self.now))

    def put(self, key: str = "k", *, wanted: bool = True, size: int = 100) -> str:
        number = f"{len(self.stored):06}"
        record = number if wanted else "unwanted"
        self.stored.append(StreamRecord(number, key, self.now.wall, size, record))
        if not wanted:
            self.done.add(number)
        return number

    # --- What happens ---------------------------------------------------------------------------

    def read(self) -> None:
        """The read comes back."""
        assert self.reading is not None
        order, self.reading = self.reading, None
        later = [
            one for one in self.stored if order.after is None or one.sequence_number > order.after
        ]
        found = later[: order.most]
        is_end = self.is_closed and len(found) == len(later)
        self.carry_out(self.poller.read(found, self.now, is_end=is_end))

    def fail_read(self) -> None:
        self.reading = None
        self.carry_out(self.poller.read_failed(self.now))

    def answer(self, place: int = 0) -> None:
        number, records = self._end(place)
        self.done.update(record.sequence_number for record in records)
        self.carry_out(self.poller.invoked(number, OK, self.now))

    def answer_up_to(self, place: int, count: int) -> None:
        """The first `count` records succeed, the next is reported."""
        number, records = self._end(place)
        count %= len(records)
        self.done.update(record.sequence_number for record in records[:count])
        failures = [{"itemIdentifier": records[count].sequence_number}]
        answer = Answered(json.dumps({"batchItemFailures": failures}).encode())
        self.carry_out(self.poller.invoked(number, answer, self.now))

    def fail(self, place: int = 0) -> None:
        number, _ = self._end(place)
        self.carry_out(self.poller.invoked(number, FAILED, self.now))

    def refuse(self, place: int = 0) -> None:
        number, _ = self._end(place)
        self.carry_out(self.poller.invoked(number, Refused(), self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass; the poller gets every timeout that it asks for, and no other."""
        end = self.now.monotonic + seconds
        while (due := self.poller.deadline) is not None and due <= end:
            self._clock(max(due, self.now.monotonic))
            self.carry_out(self.poller.handle_timeout(self.now))
            following = self.poller.deadline
            assert following is None or following > self.now.monotonic, "nothing changed"
        self._clock(end)

    def is_reading(self) -> bool:
        return self.reading is not None

    def stop(self) -> None:
        self.carry_out(self.poller.stop(self.now))

    # --- Orders ---------------------------------------------------------------------------------

    def carry_out(self, orders: list[Order]) -> None:
        for order in orders:
            assert not self.ending, f"{order} after the end"
            if isinstance(order, Read):
                assert self.reading is None
                assert order.most > 0
                self.reading = order
            elif isinstance(order, Invoke):
                self._invoke(order)
            elif isinstance(order, Checkpoint):
                self._checkpoint(order.sequence_number)
            elif isinstance(order, Discard):
                self.discards.append(order)
                self.done.update(record.sequence_number for record in order.records)
            else:
                self.ending.append(type(order).__name__)
                assert not self.running
                if isinstance(order, ShardEnded):
                    assert self.is_closed
                    assert len(self.done) == len(self.stored)
        assert len(self.running) <= self.settings.lanes

    def _invoke(self, order: Invoke) -> None:
        numbers = [record.sequence_number for record in order.records]
        assert 1 <= len(numbers) <= self.settings.batching.size
        assert numbers == sorted(numbers)
        at_work = {record.key for records in self.running.values() for record in records}
        keys = {record.key for record in order.records}
        assert not keys & at_work, "one key in two batches at once"
        for record in self.stored:
            if record.key in keys and record.sequence_number < numbers[-1]:
                known = self.done | set(numbers)
                assert record.sequence_number in known, "a record overtakes an earlier one"
        self.running[order.batch] = order.records
        self.batches.append(numbers)

    def _checkpoint(self, number: str) -> None:
        assert self.checkpoint is None or number > self.checkpoint
        earlier = {one.sequence_number for one in self.stored if one.sequence_number <= number}
        assert earlier <= self.done, "the checkpoint passes a record that is not done with"
        self.checkpoint = number

    def _end(self, place: int) -> tuple[int, tuple[StreamRecord, ...]]:
        number = list(self.running)[place % len(self.running)]
        return number, self.running.pop(number)

    def _clock(self, monotonic: float) -> None:
        self.now = Now(monotonic, WALL + monotonic)
