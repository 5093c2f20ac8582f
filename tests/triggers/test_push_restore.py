"""What an earlier service began, and what is begun while it is still asked for."""

from __future__ import annotations

import asyncio
from typing import Any

from rapid_mock.service.push_triggers import SNS, TAG, PushTrigger
from rapid_mock.triggers.push import PushTriggers

TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
TRIGGER = PushTrigger(SNS, TOPIC, FUNCTION, FUNCTION)


class OneQueue:
    """An engine with the queue of TRIGGER, which is held up while its tags are asked for."""

    def __init__(self) -> None:
        self.tag = TRIGGER.to_tag()
        self.asked, self.goes_on = asyncio.Event(), asyncio.Event()

    async def call(self, _service: str, operation: str, /, **_arguments: Any) -> dict[str, Any]:
        if operation == "list_queue_tags":
            read = self.tag
            self.asked.set()
            await self.goes_on.wait()
            return {"Tags": {TAG: read}}
        arn = f"arn:aws:sqs:us-east-1:123456789012:{TRIGGER.queue_name}"
        return {"QueueUrls": ["url"], "QueueUrl": "url", "Attributes": {"QueueArn": arn}}

    async def wait(self, _service: str, _operation: str, /, **_arguments: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {}


async def restored(put: PushTrigger | None) -> list[PushTrigger]:
    """The triggers carried after `restore`, while which one may have been put."""

    async def deliver(_trigger: PushTrigger, _event: str) -> None: ...

    engine, told = OneQueue(), list[str]()
    triggers = PushTriggers(engine, deliver=deliver, render=lambda *_: (), explain=told.append)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(triggers.restore())
        await engine.asked.wait()
        if put is not None:
            await triggers.put(put)
        engine.goes_on.set()
    await triggers.close()
    assert told == []
    return triggers.of(SNS)


def test_what_an_earlier_service_began_goes_on() -> None:
    """A queue's tag says whose it is."""
    assert asyncio.run(restored(None)) == [TRIGGER]


def test_what_is_put_meanwhile_is_newer() -> None:
    """A tag that was read before does not take the place of what was put since."""
    newer = PushTrigger(SNS, TOPIC, FUNCTION, FUNCTION, {"SubscriptionArn": f"{TOPIC}:1"})
    assert asyncio.run(restored(newer)) == [newer]
