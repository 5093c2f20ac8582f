"""Carries what sources push: a queue of the engine for each trigger, polled here, then delivered.

A message is deleted once its event is accepted. One whose target is not there is told of and waits:
a service that starts again has its triggers before it has its functions.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple

from rapid_mock.errors import CallFailed, ResourceNotFound, ServiceError
from rapid_mock.service.event_source import backoff
from rapid_mock.service.push_triggers import QUEUE_PREFIX, TAG, PushTrigger, from_tag
from rapid_mock.triggers.poller import Calls

WAIT_SECONDS = 2
"""A long poll cannot be broken off: whoever stops waits so long at most."""
AGAIN_SECONDS = 5
"""When an event is tried again that was not delivered."""
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
        self._pollers: dict[str, asyncio.Task[None]] = {}
        self._unreached: set[str] = set()  # the queues of triggers whose targets are not there
        self._stopping = asyncio.Event()

    # --- Triggers ---------------------------------------------------------------------------

    async def put(self, trigger: PushTrigger) -> str:
        """Carry a trigger from now on, in place of one of its name; returns its queue's ARN."""
        name = trigger.queue_name
        before = self._carried.get(name)
        queue = before.queue if before is not None else await self._create(name)
        tags = {TAG: trigger.to_tag()}
        await self._calls.call("sqs", "tag_queue", QueueUrl=queue.url, Tags=tags)
        self._poll(_Carried(trigger, queue))
        return queue.arn

    async def drop(self, is_over: Callable[[PushTrigger], bool]) -> None:
        """Carry no longer what `is_over` names; what waits in its queue is lost.

        Its poller ends by itself: broken off, its call would go on, and swallow the first message
        of a queue that gets the same name.
        """
        for name, carried in list(self._carried.items()):
            if is_over(carried.trigger):
                del self._carried[name]
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
        """Carry on with what an earlier service began on the same engine.

        What was put meanwhile is newer than its tag was when it was read.
        """
        listed = await self._calls.call("sqs", "list_queues", QueueNamePrefix=QUEUE_PREFIX)
        for url in listed.get("QueueUrls", []):
            tags = await self._calls.call("sqs", "list_queue_tags", QueueUrl=url)
            trigger = from_tag(tags.get("Tags", {}).get(TAG, ""))
            if trigger is None:
                continue
            queue = await self._queue(url)
            if trigger.queue_name not in self._carried:
                self._poll(_Carried(trigger, queue))

    async def close(self) -> None:
        """Poll no more; returns when nothing is under way. The queues stay for the next service."""
        self._stopping.set()
        await asyncio.gather(*self._pollers.values())

    # --- Queues -----------------------------------------------------------------------------

    async def _create(self, name: str) -> _Queue:
        attributes = {"VisibilityTimeout": str(AGAIN_SECONDS)}
        made = await self._calls.call("sqs", "create_queue", QueueName=name, Attributes=attributes)
        return await self._queue(made["QueueUrl"])

    async def _queue(self, url: str) -> _Queue:
        found = await self._calls.call(
            "sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"]
        )
        return _Queue(url, found["Attributes"]["QueueArn"])

    def _poll(self, carried: _Carried) -> None:
        name = carried.trigger.queue_name
        self._carried[name] = carried
        if name not in self._pollers:
            poller = asyncio.get_running_loop().create_task(self._carry(name))
            self._pollers[name] = poller

    async def _carry(self, name: str) -> None:
        """Poll one queue; an engine that does not answer is asked again, less and less often."""
        failures = 0
        while name in self._carried and not self._stopping.is_set():
            carried = self._carried[name]
            try:
                await self._carry_once(name, carried.queue.url)
            except CallFailed as error:
                failures += 1
                if failures == 1 and name in self._carried:
                    source = carried.trigger.source_arn
                    self._explain(f"the events of {source} cannot be fetched: {error}")
                await self._pause(backoff(failures))
            else:
                failures = 0
        del self._pollers[name]

    async def _carry_once(self, name: str, url: str) -> None:
        answer = await self._calls.wait(
            "sqs",
            "receive_message",
            QueueUrl=url,
            WaitTimeSeconds=WAIT_SECONDS,
            MaxNumberOfMessages=BATCH,
        )
        done = []
        for message in answer.get("Messages", []):
            if name in self._carried:
                is_done = await self._hand_over(self._carried[name].trigger, message["Body"])
                done += [message["ReceiptHandle"]] * is_done
        if done and name in self._carried:
            entries = [
                {"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(done)
            ]
            await self._calls.call("sqs", "delete_message_batch", QueueUrl=url, Entries=entries)

    async def _hand_over(self, trigger: PushTrigger, body: str) -> bool:
        """Whether a message is done with."""
        try:
            for event in self._render(trigger, json.loads(body)):
                await self._deliver(trigger, event)
        except ResourceNotFound as missing:
            if trigger.queue_name not in self._unreached:
                self._unreached.add(trigger.queue_name)
                self._explain(
                    f"the events of {trigger.source_arn} wait for {trigger.target_arn}: {missing}"
                )
            return False
        except ServiceError as refusal:
            self._explain(f"{trigger.source_arn} did not reach {trigger.target_arn}: {refusal}")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self._explain(
                f"{trigger.source_arn} sent what is no event of its kind: {error!r}: {body[:200]}"
            )
        else:
            self._unreached.discard(trigger.queue_name)
        return True

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
