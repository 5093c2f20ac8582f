"""Carries what sources push: a queue of the engine for each trigger, polled here, then delivered.

A message is deleted once its event is accepted; one whose target is not there is told of and
dropped, as the sources do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from rapid_mock.errors import CallFailed, ServiceError
from rapid_mock.service.event_source import backoff
from rapid_mock.service.push_triggers import QUEUE_PREFIX, TAG, PushTrigger, from_tag
from rapid_mock.triggers.poller import Calls

WAIT_SECONDS = 2
"""A long poll cannot be broken off: whoever stops waits so long at most."""
BATCH = 10

Deliver = Callable[[PushTrigger, str], Awaitable[None]]
"""Hands an event (JSON text) to a trigger's target.

Raises ServiceError when there is no such target, CallFailed when it could not be reached.
"""
Render = Callable[[PushTrigger, Any], Iterable[str]]
"""The events that a message (JSON) of a trigger's queue stands for: one, or none."""


class _Queue(NamedTuple):
    url: str
    arn: str


class _Carried(NamedTuple):
    trigger: PushTrigger
    queue: _Queue
    task: asyncio.Task[None]


class PushTriggers:
    """The triggers at work; make it inside the running loop.

    `explain` takes one sentence for the developer.
    """

    def __init__(
        self, calls: Calls, *, deliver: Deliver, render: Render, explain: Callable[[str], None]
    ) -> None:
        self._calls = calls
        self._deliver = deliver
        self._render = render
        self._explain = explain
        self._carried: dict[str, _Carried] = {}  # by the queue's name
        self._stopping = asyncio.Event()

    # --- Triggers ---------------------------------------------------------------------------

    async def put(self, trigger: PushTrigger) -> str:
        """Carry a trigger from now on, in place of one of its name; returns its queue's ARN."""
        name = trigger.queue_name
        before = self._carried.get(name)
        queue = before.queue if before is not None else await self._create(name)
        tags = {TAG: trigger.to_tag()}
        await self._calls.call("sqs", "tag_queue", QueueUrl=queue.url, Tags=tags)
        task = before.task if before is not None else self._start(name)
        self._carried[name] = _Carried(trigger, queue, task)
        return queue.arn

    async def drop(self, is_over: Callable[[PushTrigger], bool]) -> None:
        """Carry no longer what `is_over` names; what waits in its queue is lost."""
        for name, carried in list(self._carried.items()):
            if is_over(carried.trigger):
                del self._carried[name]
                carried.task.cancel()
                await self._calls.call("sqs", "delete_queue", QueueUrl=carried.queue.url)

    def of(self, kind: str, source_arn: str | None = None) -> list[PushTrigger]:
        """The triggers of one kind, or of one source."""
        found = [carried.trigger for carried in self._carried.values()]
        return [
            each
            for each in found
            if each.kind == kind and (source_arn is None or each.source_arn == source_arn)
        ]

    def at(self, queue_arn: str) -> PushTrigger | None:
        """The trigger whose queue this is."""
        carried = self._carried.get(queue_arn.rpartition(":")[2])
        return None if carried is None else carried.trigger

    async def restore(self) -> None:
        """Carry on with what an earlier service began on the same engine."""
        listed = await self._calls.call("sqs", "list_queues", QueueNamePrefix=QUEUE_PREFIX)
        for url in listed.get("QueueUrls", []):
            tags = await self._calls.call("sqs", "list_queue_tags", QueueUrl=url)
            trigger = from_tag(tags.get("Tags", {}).get(TAG, ""))
            if trigger is not None:
                await self.put(trigger)

    async def close(self) -> None:
        """Poll no more; returns when nothing is under way. The queues stay for the next service."""
        self._stopping.set()
        tasks = [carried.task for carried in self._carried.values()]
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- Queues -----------------------------------------------------------------------------

    async def _create(self, name: str) -> _Queue:
        made = await self._calls.call("sqs", "create_queue", QueueName=name)
        found = await self._calls.call(
            "sqs",
            "get_queue_attributes",
            QueueUrl=made["QueueUrl"],
            AttributeNames=["QueueArn"],
        )
        return _Queue(made["QueueUrl"], found["Attributes"]["QueueArn"])

    def _start(self, name: str) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(self._carry(name))

    async def _carry(self, name: str) -> None:
        """Poll one queue; an engine that does not answer is asked again, less and less often."""
        failures = 0
        while not self._stopping.is_set():
            try:
                await self._carry_once(name)
            except CallFailed as error:
                failures += 1
                if failures == 1:
                    source = self._carried[name].trigger.source_arn
                    self._explain(f"the events of {source} cannot be fetched: {error}")
                await self._pause(backoff(failures))
            else:
                failures = 0

    async def _carry_once(self, name: str) -> None:
        url = self._carried[name].queue.url
        answer = await self._calls.wait(
            "sqs",
            "receive_message",
            QueueUrl=url,
            WaitTimeSeconds=WAIT_SECONDS,
            MaxNumberOfMessages=BATCH,
        )
        messages = answer.get("Messages", [])
        for message in messages:
            await self._hand_over(self._carried[name].trigger, message["Body"])
        if messages:
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                for number, message in enumerate(messages)
            ]
            await self._calls.call("sqs", "delete_message_batch", QueueUrl=url, Entries=entries)

    async def _hand_over(self, trigger: PushTrigger, body: str) -> None:
        try:
            for event in self._render(trigger, json.loads(body)):
                await self._deliver(trigger, event)
        except ServiceError as refusal:
            self._explain(f"{trigger.source_arn} did not reach {trigger.target_arn}: {refusal}")
        except (ValueError, KeyError, TypeError) as error:
            self._explain(
                f"{trigger.source_arn} sent what is no event of its kind: {error!r}: {body[:200]}"
            )

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
