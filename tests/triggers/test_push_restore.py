"""What an earlier service began, and what is begun while it is still asked for."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from rapid_mock.http.exchange import Request
from rapid_mock.http.gateway import AwsAnswer
from rapid_mock.service.push_triggers import SNS, TAG, PushTrigger
from rapid_mock.triggers.push import PushTriggers
from rapid_mock.triggers.topics import TopicCalls

TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
TRIGGER = PushTrigger(SNS, TOPIC, FUNCTION, FUNCTION)
SUBSCRIBED = PushTrigger(SNS, TOPIC, FUNCTION, FUNCTION, {"SubscriptionArn": f"{TOPIC}:1"})


class OneQueue:
    """An engine with the queue of TRIGGER, which is held up while its tags are asked for."""

    def __init__(self) -> None:
        self.asked, self.goes_on = asyncio.Event(), asyncio.Event()

    async def call(self, _service: str, operation: str, /, **_arguments: Any) -> dict[str, Any]:
        if operation == "list_queue_tags":
            self.asked.set()
            await self.goes_on.wait()
            return {"Tags": {TAG: TRIGGER.to_tag()}}
        arn = f"arn:aws:sqs:us-east-1:123456789012:{TRIGGER.queue_name}"
        return {"QueueUrls": ["url"], "QueueUrl": "url", "Attributes": {"QueueArn": arn}}

    async def wait(self, _service: str, _operation: str, /, **_arguments: Any) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {}


def carrying(engine: OneQueue, told: list[str]) -> PushTriggers:
    async def deliver(_trigger: PushTrigger, _event: str) -> None: ...

    return PushTriggers(engine, deliver=deliver, render=lambda *_: (), explain=told.append)


async def restored(put: PushTrigger | None) -> list[PushTrigger]:
    """The triggers carried after `restore`, while which one may have been put."""
    engine, told = OneQueue(), list[str]()
    triggers = carrying(engine, told)
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
    assert asyncio.run(restored(SUBSCRIBED)) == [SUBSCRIBED]


def test_a_repeated_subscription_keeps_its_arn_meanwhile() -> None:
    """Between the repeated call and its answer events are still the subscription's."""
    form = {"Action": "Subscribe", "Protocol": "lambda", "TopicArn": TOPIC, "Endpoint": FUNCTION}

    async def seen_meanwhile() -> list[list[PushTrigger]]:
        seen, triggers = [], carrying(OneQueue(), [])

        async def forward(_body: bytes) -> AwsAnswer:
            seen.append(triggers.of(SNS))
            return AwsAnswer(200, [], f"<SubscriptionArn>{TOPIC}:1</SubscriptionArn>".encode())

        request = Request("POST", "/", "HTTP/1.1", [])
        for _ in range(2):
            await TopicCalls(triggers).answer(request, urlencode(form).encode(), forward)
        await triggers.close()
        return seen

    assert asyncio.run(seen_meanwhile()) == [[TRIGGER], [SUBSCRIBED]]
