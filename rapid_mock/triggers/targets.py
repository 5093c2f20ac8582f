"""What rules and schedules reach: functions, queues and topics.

Source: "Amazon EventBridge targets", EventBridge User Guide.
"""

from __future__ import annotations

from collections.abc import Callable

from rapid_mock.errors import CallFailed, ResourceNotFound
from rapid_mock.service.push_triggers import PushTrigger
from rapid_mock.triggers.poller import Calls

LAMBDA, SQS, SNS = "lambda", "sqs", "sns"
REACHED = (LAMBDA, SQS, SNS)
_MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "NotFound")

Accept = Callable[[str, bytes], None]
"""Takes an event for a function, by its ARN; raises ServiceError when it does not."""


def service_of(arn: str) -> str:
    """The service in an ARN; empty for what is none."""
    parts = arn.split(":", 5)
    return parts[2] if len(parts) == 6 else ""


class Targets:
    """Delivers an event to the target of a trigger."""

    def __init__(self, calls: Calls, accept: Accept) -> None:
        self._calls = calls
        self._accept = accept

    async def deliver(self, trigger: PushTrigger, event: str) -> None:
        """Raises ServiceError when there is no such target, CallFailed for what may come right."""
        arn = trigger.target_arn
        service = service_of(arn)
        try:
            if service == LAMBDA:
                self._accept(arn, event.encode())
            elif service == SQS:
                await self._send(arn, event, trigger.members.get("SqsParameters") or {})
            elif service == SNS:
                await self._calls.call("sns", "publish", TopicArn=arn, Message=event)
        except CallFailed as failure:
            if failure.code in _MISSING:
                raise ResourceNotFound(str(failure)) from failure
            raise

    async def _send(self, arn: str, event: str, parameters: dict[str, str]) -> None:
        name = arn.rpartition(":")[2]
        queue = await self._calls.call("sqs", "get_queue_url", QueueName=name)
        await self._calls.call(
            "sqs", "send_message", QueueUrl=queue["QueueUrl"], MessageBody=event, **parameters
        )
