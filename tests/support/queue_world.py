"""An SQS queue and a function around a `QueuePoller`, on a clock of their own."""

from __future__ import annotations

import json
from dataclasses import dataclass

from rapid_mock.service.event_source import Answered, Refused
from rapid_mock.service.queue_orders import (
    Delete,
    GiveBack,
    Invoke,
    Message,
    Order,
    QueueSettings,
    Receive,
)
from rapid_mock.service.queue_poller import QueuePoller

OK = Answered(b"null")
FAILED = Answered(b"{}", function_error="Unhandled")
SIX_MEBIBYTES = 6 * 1024 * 1024


@dataclass
class Stored:
    """A message in the queue; it is visible from `visible_at` on."""

    message: Message
    is_wanted: bool
    visible_at: float = 0.0
    is_processed: bool = False
    is_deleted: bool = False
    receives: int = 0


class QueueWorld:
    """Carries out orders, and holds what must be true of them whatever happens."""

    def __init__(self, settings: QueueSettings) -> None:
        self.settings = settings
        self.now = 0.0
        self.stored: dict[str, Stored] = {}
        self.receives: dict[int, Receive] = {}
        self.running: dict[int, tuple[Message, ...]] = {}
        self.processed: list[str] = []
        self.batches: list[list[str]] = []
        self.lapsed: set[Message] = set()  # visible again while a function had them
        self._is_stopped = False
        self.poller = QueuePoller(settings, lambda record: record != "unwanted")
        self.carry_out(self.poller.start(0.0))

    def send(self, *, group: str | None = None, size: int = 100, wanted: bool = True) -> str:
        name = f"m{len(self.stored)}"
        record = "wanted" if wanted else "unwanted"
        message = Message(name, f"handle-{name}", size, record, group)
        self.stored[name] = Stored(message, wanted, self.now)
        return name

    # --- What happens ---------------------------------------------------------------------------

    def receive(self, place: int = 0) -> None:
        """The receive at a place comes back with what is visible."""
        number, order = list(self.receives.items())[place % len(self.receives)]
        del self.receives[number]
        found = self._visible(order.most)
        hidden = order.visibility_timeout or self.settings.visibility_timeout
        self.lapsed |= self._at_work() & {one.message for one in found}
        for one in found:
            one.visible_at = self.now + hidden
            one.receives += 1
        self.carry_out(self.poller.received(number, [one.message for one in found], self.now))

    def fail_receive(self, place: int = 0) -> None:
        number = list(self.receives)[place % len(self.receives)]
        del self.receives[number]
        self.carry_out(self.poller.receive_failed(number, self.now))

    def answer(self, place: int = 0) -> None:
        """The invocation at a place succeeds."""
        messages, number = self._end(place)
        self._process([message.message_id for message in messages])
        self.carry_out(self.poller.invoked(number, OK, self.now))

    def answer_partially(self, place: int = 0) -> None:
        """Every second item of the batch fails."""
        messages, number = self._end(place)
        self._process([message.message_id for message in messages[::2]])
        failures = [{"itemIdentifier": message.message_id} for message in messages[1::2]]
        payload = json.dumps({"batchItemFailures": failures}).encode()
        self.carry_out(self.poller.invoked(number, Answered(payload), self.now))

    def fail(self, place: int = 0) -> None:
        _, number = self._end(place)
        self.carry_out(self.poller.invoked(number, FAILED, self.now))

    def refuse(self, place: int = 0) -> None:
        _, number = self._end(place)
        self.carry_out(self.poller.invoked(number, Refused(), self.now))

    def wait(self, seconds: float) -> None:
        """Let time pass; the poller gets every timeout that it asks for, and no other."""
        end = self.now + seconds
        while (due := self.poller.deadline) is not None and due <= end:
            self.now = max(due, self.now)
            self.carry_out(self.poller.handle_timeout(self.now))
            following = self.poller.deadline
            assert following is None or following > self.now, "a timeout that changes nothing"
        self.now = end

    def has_stopped(self) -> bool:
        return self._is_stopped

    def stop(self) -> None:
        self.carry_out(self.poller.stop(self.now))

    # --- Orders ---------------------------------------------------------------------------------

    def carry_out(self, orders: list[Order]) -> None:
        for order in orders:
            assert not self._is_stopped, f"{order} after the end"
            if isinstance(order, Receive):
                assert 1 <= order.most <= 10
                self.receives[order.receive] = order
            elif isinstance(order, Invoke):
                self._invoke(order)
            elif isinstance(order, Delete):
                self._delete(order.messages)
            elif isinstance(order, GiveBack):
                for message in order.messages:
                    self.stored[message.message_id].visible_at = self.now
            else:
                assert not self.receives
                assert not self.running
                self._is_stopped = True
        assert len(self.running) <= self.settings.concurrency

    def _invoke(self, order: Invoke) -> None:
        assert order.batch not in self.running
        names = [message.message_id for message in order.messages]
        assert 1 <= len(names) <= self.settings.batching.size
        size = sum(message.size for message in order.messages)
        assert len(names) == 1 or size < SIX_MEBIBYTES
        at_work = self._at_work() - self.lapsed
        assert not at_work & set(order.messages), "handed over twice at once"
        groups = {message.group for message in order.messages} - {None}
        assert not groups & {message.group for message in at_work}, "a group twice at once"
        assert all(self.stored[name].visible_at > self.now for name in names), "already visible"
        assert all(self.stored[name].is_wanted for name in names)
        self.running[order.batch] = order.messages
        self.batches.append(names)

    def _at_work(self) -> set[Message]:
        return {message for messages in self.running.values() for message in messages}

    def _delete(self, messages: tuple[Message, ...]) -> None:
        for message in messages:
            stored = self.stored[message.message_id]
            assert stored.is_processed or not stored.is_wanted, "deleted without being processed"
            assert not stored.is_deleted or message in self.lapsed
            stored.is_deleted = True

    def _end(self, place: int) -> tuple[tuple[Message, ...], int]:
        number = list(self.running)[place % len(self.running)]
        return self.running.pop(number), number

    def _process(self, names: list[str]) -> None:
        for name in names:
            self.stored[name].is_processed = True
        self.processed += names

    def _visible(self, most: int) -> list[Stored]:
        """What the queue would give: in FIFO order, no group of which messages are hidden."""
        there = [one for one in self.stored.values() if not one.is_deleted]
        locked = {one.message.group for one in there if one.visible_at > self.now} - {None}
        visible = [one for one in there if one.visible_at <= self.now]
        return [one for one in visible if one.message.group not in locked][:most]
