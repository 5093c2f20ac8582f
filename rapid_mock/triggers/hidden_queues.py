"""SQS: queues that carry triggers are nobody else's business, so that nobody is shown them."""

from __future__ import annotations

import json
from dataclasses import replace

from rapid_mock.http.exchange import Request
from rapid_mock.http.gateway import AwsAnswer, Forward
from rapid_mock.service.push_triggers import QUEUE_PREFIX


class QueueCalls:
    """An `Interception` of the gateway for `ListQueues`."""

    max_body = 64 * 1024

    def wants(self, service: str, request: Request) -> bool:
        operation = request.headers.get("x-amz-target", "")
        return service == "sqs" and operation == "AmazonSQS.ListQueues"

    async def answer(self, _request: Request, body: bytes, forward: Forward) -> AwsAnswer:
        answer = await forward(body)
        if answer.status != 200:
            return answer
        shown = json.loads(answer.body)
        urls = shown.get("QueueUrls", [])
        kept = [url for url in urls if not url.rpartition("/")[2].startswith(QUEUE_PREFIX)]
        if urls and not kept:
            del shown["QueueUrls"]
        elif urls:
            shown["QueueUrls"] = kept
        return replace(answer, body=json.dumps(shown).encode())
