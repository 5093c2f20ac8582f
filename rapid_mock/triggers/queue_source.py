"""SQS as an event source: boto3 carries out what `service/queue_poller.py` orders.

Source: "Using Lambda with Amazon SQS", AWS Lambda Developer Guide; texts as recorded from AWS.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from rapid_mock.errors import CallFailed, InvalidParameterValue
from rapid_mock.events.received import sqs_record
from rapid_mock.host.clock import Cancellable
from rapid_mock.service.event_source import backoff
from rapid_mock.service.filter_criteria import FilterCriteria
from rapid_mock.service.mapping_settings import check_visibility, queue_settings
from rapid_mock.service.mappings import EventSourceMapping
from rapid_mock.service.queue_orders import (
    Delete,
    GiveBack,
    Invoke,
    Message,
    Order,
    Receive,
    Stopped,
)
from rapid_mock.service.queue_poller import QueuePoller
from rapid_mock.triggers.destinations import queue_url
from rapid_mock.triggers.poller import Calls, Poller, Surroundings

LOCAL_WAIT, AWS_WAIT = 1, 2
"""How many seconds a receive waits; Lambda waits up to 20, which would be a long goodbye."""
ATTEMPTS = 3
MOST_IN_BATCH = 10
_NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class QueueSource:
    """The queues of SQS; `wait` is how many seconds a receive waits for messages.

    `keeps_order` is whether a FIFO queue's messages come back in order after failures.
    """

    def __init__(self, *, wait: int, keeps_order: bool) -> None:
        self._wait = wait
        self._keeps_order = keeps_order

    async def check(self, mapping: EventSourceMapping, surroundings: Surroundings) -> None:
        """Raises InvalidParameterValue for no queue, or one that hides its messages too shortly."""
        if mapping.source_arn.endswith(".fifo") and not self._keeps_order:
            raise InvalidParameterValue(
                f"FIFO queues are not supported by the embedded AWS: {mapping.source_arn} would "
                "lose the order of its messages after a failure. Use --aws URL or AWS itself."
            )
        try:
            queue = await _look_up(mapping.source_arn, surroundings.calls)
        except CallFailed as error:
            raise InvalidParameterValue(_refusal(error)) from error
        check_visibility(queue.visibility_timeout, surroundings.function_timeout)

    def open(self, mapping: EventSourceMapping, surroundings: Surroundings) -> Poller:
        return _QueueFeed(mapping, surroundings, self._wait)


class _Queue(NamedTuple):
    url: str
    visibility_timeout: float


async def _look_up(arn: str, calls: Calls) -> _Queue:
    """Raises what boto3 raises."""
    url = await queue_url(calls, arn)
    wanted = ["VisibilityTimeout"]
    answer = await calls.call("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=wanted)
    return _Queue(url, float(answer["Attributes"]["VisibilityTimeout"]))


def _refusal(failure: CallFailed) -> str:
    code, text = failure.code, str(failure)
    if code in _NO_QUEUE:
        code, text = (
            "AWS.SimpleQueueService.NonExistentQueue",
            "The specified queue does not exist.",
        )
    return f"Error occurred while ReceiveMessage. SQS Error Code: {code}. SQS Error Message: {text}"


class _QueueFeed:
    """The poller of one queue's mapping."""

    def __init__(self, mapping: EventSourceMapping, surroundings: Surroundings, wait: int) -> None:
        self._mapping = mapping
        self._wait = wait
        self._given = surroundings
        self._calls = surroundings.calls
        self._queue: _Queue
        self._poller: QueuePoller | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: Cancellable | None = None
        self._stopped = asyncio.Event()
        self._is_stopping = asyncio.Event()
        self._told = ""

    async def start(self) -> None:
        self._spawn(self._begin())

    async def stop(self) -> None:
        self._is_stopping.set()
        if self._poller is not None:
            self._carry_out(self._poller.stop(self._now()))
            await self._stopped.wait()
        while self._tasks:
            await asyncio.gather(*self._tasks)
        if self._timer is not None:
            self._timer.cancel()

    async def _begin(self) -> None:
        """Find the queue, however often it takes, and poll it."""
        failures = 0
        while not self._is_stopping.is_set():
            try:
                self._queue = await _look_up(self._mapping.source_arn, self._calls)
            except CallFailed as error:
                failures += 1
                self._tell(error)
                await self._pause(backoff(failures))
            else:
                break
        if self._is_stopping.is_set():
            return
        settings = queue_settings(
            self._mapping.members,
            visibility_timeout=self._queue.visibility_timeout,
            function_timeout=self._given.function_timeout,
        )
        criteria = FilterCriteria(self._mapping.members.get("FilterCriteria"), self._mapping.kind)
        self._poller = QueuePoller(settings, criteria.accepts)
        self._carry_out(self._poller.start(self._now()))

    def _carry_out(self, orders: Sequence[Order]) -> None:
        for order in orders:
            match order:
                case Receive():
                    self._spawn(self._receive(order))
                case Invoke():
                    self._spawn(self._invoke(order))
                case Delete(messages):
                    self._spawn(self._delete(messages))
                case GiveBack(messages):
                    self._spawn(self._give_back(messages))
                case Stopped():
                    self._stopped.set()
        self._arm()

    # --- Orders -----------------------------------------------------------------------------

    async def _receive(self, order: Receive) -> None:
        poller = self._polled()
        override = order.visibility_timeout
        hidden = {} if override is None else {"VisibilityTimeout": int(override)}
        try:
            answer = await self._calls.wait(
                "sqs",
                "receive_message",
                QueueUrl=self._queue.url,
                MaxNumberOfMessages=order.most,
                WaitTimeSeconds=self._wait,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
                **hidden,
            )
        except CallFailed as failure:
            self._tell(failure)
            self._carry_out(poller.receive_failed(order.receive, self._now()))
            return
        self._told = ""
        messages = [_message(each, self._mapping.source_arn) for each in answer.get("Messages", ())]
        self._carry_out(poller.received(order.receive, messages, self._now()))

    async def _invoke(self, order: Invoke) -> None:
        records = [message.record for message in order.messages]
        outcome = await self._given.invoke(_encoded({"Records": records}))
        self._carry_out(self._polled().invoked(order.batch, outcome, self._now()))

    async def _delete(self, messages: Sequence[Message]) -> None:
        """A message that cannot be deleted comes again."""
        for some in _tens(messages):
            entries = [
                {"Id": str(place), "ReceiptHandle": message.receipt_handle}
                for place, message in enumerate(some)
            ]
            await self._repeat("delete_message_batch", entries)

    async def _give_back(self, messages: Sequence[Message]) -> None:
        """A message that cannot be given back comes by itself, later."""
        for some in _tens(messages):
            entries = [
                {
                    "Id": str(place),
                    "ReceiptHandle": message.receipt_handle,
                    "VisibilityTimeout": 0,
                }
                for place, message in enumerate(some)
            ]
            await self._repeat("change_message_visibility_batch", entries)

    async def _repeat(self, operation: str, entries: Sequence[Mapping[str, Any]]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._calls.call("sqs", operation, QueueUrl=self._queue.url, Entries=entries)
            except CallFailed as failure:
                self._tell(failure)
                if attempt < ATTEMPTS:
                    await self._pause(backoff(attempt))
            else:
                return

    # --- Inside -----------------------------------------------------------------------------

    def _polled(self) -> QueuePoller:
        if self._poller is None:
            raise RuntimeError("this queue is not polled yet")
        return self._poller

    def _now(self) -> float:
        return self._given.clock.now().monotonic

    def _arm(self) -> None:
        """Have `handle_timeout` called when it is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._polled().deadline
        if deadline is not None:
            self._timer = self._given.clock.call_at(deadline, self._due)

    def _due(self) -> None:
        self._timer = None
        self._carry_out(self._polled().handle_timeout(self._now()))

    async def _pause(self, seconds: float) -> None:
        """Wait, unless the poller is to stop."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_stopping.wait(), seconds)

    def _tell(self, failure: CallFailed) -> None:
        """Say once what keeps going wrong."""
        name = self._mapping.source_arn.rpartition(":")[2]
        sentence = f"the queue {name} cannot be polled: {failure.code}: {failure}"
        if sentence != self._told:
            self._told = sentence
            self._given.explain(sentence)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _message(received: Mapping[str, Any], arn: str) -> Message:
    record = sqs_record(received, arn)
    group = record["attributes"].get("MessageGroupId") if arn.endswith(".fifo") else None
    size = len(_encoded(record))
    return Message(received["MessageId"], received["ReceiptHandle"], size, record, group)


def _encoded(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _tens(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    for start in range(0, len(messages), MOST_IN_BATCH):
        yield messages[start : start + MOST_IN_BATCH]
