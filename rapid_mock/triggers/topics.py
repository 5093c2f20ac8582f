"""SNS: a function subscribes to a topic, and is shown as the subscriber it is.

The engine's own Lambda does not exist, so that it gets a queue in the function's place. Filter
policies and all else stay the engine's. Source: Amazon SNS API reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from rapid_mock.http.exchange import Request
from rapid_mock.http.gateway import AwsAnswer, Forward
from rapid_mock.service.push_triggers import QUEUE_ARN, SNS, PushTrigger
from rapid_mock.triggers.push import PushTriggers

_PARTS = re.compile(r"<member>.*?</member>|<Attributes>.*?</Attributes>", re.DOTALL)
_SUBSCRIPTION = re.compile(r"<SubscriptionArn>([^<]+)</SubscriptionArn>")
_SCOPE = "FilterPolicyScope"
_POLICY = re.compile(r"<key>FilterPolicy</key>\s*<value>([^<]+)</value>")
_NO_FIFO = (
    "Invalid parameter: FIFO topics deliver to SQS queues: a function gets their messages by an "
    "event source mapping of a queue."
)
_NO_RAW = (
    "Invalid parameter: Attributes Reason: Delivery protocol [lambda] does not support raw message "
    "delivery."
)


class TopicCalls:
    """An `Interception` of the gateway for SNS."""

    max_body = 1024 * 1024

    def __init__(self, triggers: PushTriggers) -> None:
        self._triggers = triggers

    def wants(self, service: str, request: Request) -> bool:
        return service == SNS and request.method == "POST"

    async def answer(self, _request: Request, body: bytes, forward: Forward) -> AwsAnswer:
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        action = fields.get("Action")
        if action == "Subscribe" and fields.get("Protocol") == "lambda":
            return await self._subscribe(fields, forward)
        answer = await forward(body)
        if answer.status == 200 and fields.get("AttributeName") == _SCOPE:
            await _set_policy_again(fields, forward)
        if answer.status == 200 and action == "Unsubscribe":
            arn = fields.get("SubscriptionArn")
            await self._triggers.drop(lambda each: each.members.get("SubscriptionArn") == arn)
        elif answer.status == 200 and action == "DeleteTopic":
            topic = fields.get("TopicArn")
            await self._triggers.drop(lambda each: each.kind == SNS and each.source_arn == topic)
        return replace(answer, body=reveal(answer.body, self._triggers.at))

    async def _subscribe(self, fields: dict[str, str], forward: Forward) -> AwsAnswer:
        topic, function = fields.get("TopicArn", ""), fields.get("Endpoint", "")
        if _wants_raw(fields):
            return _refusal("InvalidParameter", _NO_RAW)
        if topic.endswith(".fifo"):
            return _refusal("InvalidParameter", _NO_FIFO)
        known = self._triggers.of(SNS, topic)
        trigger = next(
            (each for each in known if each.target_arn == function),
            PushTrigger(SNS, topic, function, function),
        )
        queue_arn = await self._triggers.put(trigger)
        told = {**fields, "Protocol": "sqs", "Endpoint": queue_arn}
        answer = await forward(urlencode(told).encode())
        text = answer.body.decode()
        found = _SUBSCRIPTION.search(text)
        if answer.status != 200 or found is None:
            if trigger not in known:
                await self._triggers.drop(lambda each: each == trigger)
            return answer
        await self._triggers.put(replace(trigger, members={"SubscriptionArn": found[1]}))
        return answer


async def _set_policy_again(fields: dict[str, str], forward: Forward) -> None:
    """The engine judges by the scope that there was when the filter policy was set."""
    subscription = {name: fields.get(name, "") for name in ("Version", "SubscriptionArn")}
    asked = {"Action": "GetSubscriptionAttributes", **subscription}
    found = _POLICY.search((await forward(urlencode(asked).encode())).body.decode())
    if found is not None:
        policy = {"AttributeName": "FilterPolicy", "AttributeValue": unescape(found[1])}
        again = {"Action": "SetSubscriptionAttributes", **subscription, **policy}
        await forward(urlencode(again).encode())


def reveal(body: bytes, trigger_at: Callable[[str], PushTrigger | None]) -> bytes:
    """An answer with functions where the engine knows queues of ours."""
    text = body.decode("utf-8", "surrogateescape")
    if QUEUE_ARN.search(text) is None:
        return body

    def shown(part: re.Match[str]) -> str:
        queue = QUEUE_ARN.search(part[0])
        trigger = None if queue is None else trigger_at(queue[0])
        if queue is None or trigger is None:
            return part[0]
        return part[0].replace(queue[0], trigger.target_arn).replace(">sqs<", ">lambda<")

    return _PARTS.sub(shown, text).encode("utf-8", "surrogateescape")


def _wants_raw(fields: dict[str, str]) -> bool:
    """Whether an `Attributes.entry.N.key` is RawMessageDelivery with the value `true`."""
    return any(
        value == "RawMessageDelivery" and fields.get(name[:-3] + "value", "").lower() == "true"
        for name, value in fields.items()
        if name.startswith("Attributes.entry.") and name.endswith(".key")
    )


def _refusal(code: str, message: str) -> AwsAnswer:
    body = (
        '<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message></Error></ErrorResponse>"
    )
    return AwsAnswer(400, [("Content-Type", "text/xml")], body.encode())
