"""The poller of an SQS queue: when to receive, what to hand over, what to delete.

Only what the function processed is deleted (and what the filters drop). All else comes back by
itself when the queue's visibility timeout ends, so nothing is lost, whatever fails.

Source: "Using Lambda with Amazon SQS" and "Implementing error handling for an SQS event source",
AWS Lambda Developer Guide.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rapid_mock.service.event_source import (
    Outcome,
    Refused,
    backoff,
    failed_items,
    leading_batch,
)
from rapid_mock.service.queue_orders import (
    MOST_POLLERS,
    Delete,
    GiveBack,
    Invoke,
    Message,
    Order,
    QueueSettings,
    Receive,
    Stopped,
)

MOST_PER_RECEIVE = 10
FIRST_POLLERS, FEWEST_POLLERS = 5, 2
SECONDS_PER_NEW_POLLER = 0.2
"""AWS adds up to 300 a minute."""


@dataclass(slots=True)
class _Batch:
    """Messages at the function, or held since it refused them, until `retry_at`."""

    messages: tuple[Message, ...]
    hidden_until: float
    refusals: int = 0
    retry_at: float | None = None


@dataclass(slots=True, eq=False)
class _Waiting:
    """A message that is not in a batch yet."""

    message: Message
    received_at: float

    @property
    def size(self) -> int:
        return self.message.size


@dataclass(slots=True)
class _Pace:
    """How many pollers there are, and until when none of them receives.

    There are more while every receive is full, fewer on empty ones and when the function refuses.
    """

    pollers: int = FIRST_POLLERS
    next_growth: float = 0.0
    paused_until: float | None = None
    receive_failures: int = 0
    refusals: int = 0

    def received(self, count: int, most: int, now: float) -> None:
        self.receive_failures = 0
        if count == 0:
            self.pollers = max(FEWEST_POLLERS, self.pollers - 1)
        elif count == most and now >= self.next_growth:
            self.pollers = min(MOST_POLLERS, self.pollers + 1)
            self.next_growth = now + SECONDS_PER_NEW_POLLER

    def receive_failed(self, now: float) -> None:
        self.receive_failures += 1
        self._pause(now + backoff(self.receive_failures))

    def refused(self) -> None:
        self.refusals += 1
        self.pollers = max(FEWEST_POLLERS, self.pollers // 2)

    def gave_up(self, now: float) -> None:
        """Messages received now would only be refused as well."""
        self._pause(now + backoff(self.refusals))

    def timeout(self, now: float) -> None:
        if self.paused_until is not None and self.paused_until <= now:
            self.paused_until = None

    def _pause(self, until: float) -> None:
        self.paused_until = max(until, self.paused_until or until)


class QueuePoller:
    """One mapping's poller; times are monotonic seconds.

    `accepts` is whether a record passes the mapping's filters.
    """

    def __init__(self, settings: QueueSettings, accepts: Callable[[Any], bool]) -> None:
        self._settings = settings
        self._accepts = accepts
        self._pace = _Pace()
        self._receives: dict[int, int] = {}
        self._waiting: list[_Waiting] = []
        self._batches: dict[int, _Batch] = {}
        self._count = 0
        self._stopping = False

    def start(self, now: float) -> list[Order]:
        """Begin to poll."""
        return self._step(now)

    def received(self, receive: int, messages: Sequence[Message], now: float) -> list[Order]:
        """A receive came back, possibly empty."""
        most = self._receives.pop(receive)
        if self._stopping:
            return [*_give_back(messages), *self._step(now)]
        self._pace.received(len(messages), most, now)
        dropped = []
        for message in messages:
            if self._accepts(message.record):
                self._waiting.append(_Waiting(message, now))
            else:
                dropped.append(message)
        return [*_delete(dropped), *self._step(now)]

    def receive_failed(self, receive: int, now: float) -> list[Order]:
        """The queue could not be asked; the next receive waits."""
        del self._receives[receive]
        self._pace.receive_failed(now)
        return self._step(now)

    def invoked(self, batch: int, outcome: Outcome, now: float) -> list[Order]:
        """The function answered, or refused."""
        if isinstance(outcome, Refused):
            return [*self._refused(batch, now), *self._step(now)]
        self._pace.refusals = 0
        messages = self._batches.pop(batch).messages
        ids = [message.message_id for message in messages]
        failed = failed_items(outcome, self._settings.batching, ids)
        done = [message for message in messages if message.message_id not in failed]
        left = [message for message in messages if message.message_id in failed]
        return [*_delete(done), *self._give_back_behind(left), *self._retry_one(), *self._step(now)]

    def stop(self, now: float) -> list[Order]:
        """Receive no more; batches at the function are finished, all others given back."""
        self._stopping = True
        held = [number for number, batch in self._batches.items() if batch.retry_at is not None]
        back = [message for number in held for message in self._batches.pop(number).messages]
        back += [waiting.message for waiting in self._waiting]
        self._waiting = []
        return [*_give_back(back), *self._step(now)]

    @property
    def deadline(self) -> float | None:
        """When `handle_timeout` is due, if ever."""
        moments = [batch.retry_at for batch in self._held()]
        ready = self._ready() if self._has_room() else []
        moments += [one.received_at + self._settings.batching.window for one in ready[:1]]
        if not self._stopping:
            moments.append(self._pace.paused_until)
        return min((moment for moment in moments if moment is not None), default=None)

    def handle_timeout(self, now: float) -> list[Order]:
        """Retry what was refused, hand over what waited its window, receive again."""
        self._pace.timeout(now)
        due = [
            (number, batch)
            for number, batch in self._batches.items()
            if batch.retry_at is not None and batch.retry_at <= now
        ]
        for _, batch in due:
            batch.retry_at = None
        return [*(Invoke(number, batch.messages) for number, batch in due), *self._step(now)]

    def _held(self) -> list[_Batch]:
        return [batch for batch in self._batches.values() if batch.retry_at is not None]

    def _retry_one(self) -> list[Order]:
        """An answer shows that the function takes invocations again."""
        for number, batch in self._batches.items():
            if batch.retry_at is not None:
                batch.retry_at = None
                return [Invoke(number, batch.messages)]
        return []

    def _refused(self, number: int, now: float) -> list[Order]:
        """Hold the batch, if its messages stay hidden long enough for another try."""
        batch = self._batches[number]
        batch.refusals += 1
        self._pace.refused()
        if self._stopping:
            return _give_back(self._batches.pop(number).messages)
        retry_at = now + backoff(batch.refusals)
        if retry_at + self._settings.function_timeout <= batch.hidden_until:
            batch.retry_at = retry_at
            return []
        self._pace.gave_up(now)
        return self._give_back_behind(self._batches.pop(number).messages)

    def _give_back_behind(self, messages: Sequence[Message]) -> list[Order]:
        """Messages that wait behind failed ones of their group; those must come first again."""
        groups = {message.group for message in messages if message.group is not None}
        back = [one.message for one in self._waiting if one.message.group in groups]
        self._waiting = [one for one in self._waiting if one.message.group not in groups]
        return _give_back(back)

    def _ready(self) -> list[_Waiting]:
        """What may go to the function: no message of a group that has others there."""
        batches = self._batches.values()
        busy = {message.group for batch in batches for message in batch.messages} - {None}
        return [one for one in self._waiting if one.message.group not in busy]

    def _step(self, now: float) -> list[Order]:
        orders = self._hand_over(now)
        if not self._stopping:
            return orders + self._receive_more()
        is_idle = not self._receives and not self._batches
        return [*orders, Stopped()] if is_idle else orders

    def _hand_over(self, now: float) -> list[Order]:
        """Batches that are full, or whose oldest message has waited its window."""
        batching, hidden = self._settings.batching, self._settings.visibility
        self._waiting = [one for one in self._waiting if one.received_at + hidden > now]
        orders: list[Order] = []
        while self._has_room() and (ready := self._ready()):
            chosen, is_full = leading_batch(ready, batching.size)
            if not is_full and ready[0].received_at + batching.window > now:
                break
            self._waiting = [one for one in self._waiting if one not in chosen]
            self._count += 1
            messages = tuple(one.message for one in chosen)
            self._batches[self._count] = _Batch(messages, chosen[0].received_at + hidden)
            orders.append(Invoke(self._count, messages))
        return orders

    def _receive_more(self) -> list[Order]:
        """As many receives as there are free pollers that the messages would keep busy.

        None while the function refuses: a receive that leads nowhere brings a message nearer to
        its dead-letter queue.
        """
        orders: list[Order] = []
        if self._held() or self._pace.paused_until is not None:
            return orders
        size = self._settings.batching.size
        while self._has_room(len(self._receives)):
            room = self._limit - len(self._batches)
            expected = len(self._waiting) + sum(self._receives.values())
            most = min(MOST_PER_RECEIVE, size, size * room - expected)
            if most <= 0:
                break
            self._count += 1
            self._receives[self._count] = most
            orders.append(Receive(self._count, most, self._settings.visibility_override))
        return orders

    @property
    def _limit(self) -> int:
        return min(self._pace.pollers, self._settings.concurrency)

    def _has_room(self, others: int = 0) -> bool:
        return len(self._batches) + others < self._limit


def _delete(messages: Sequence[Message]) -> list[Order]:
    return [Delete(tuple(messages))] if messages else []


def _give_back(messages: Sequence[Message]) -> list[Order]:
    return [GiveBack(tuple(messages))] if messages else []
