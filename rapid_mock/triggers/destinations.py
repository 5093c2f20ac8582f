"""Records for other services: what is told to a queue, a topic, a bus or a bucket, by its ARN.

Source: "Capturing records of Lambda asynchronous invocations" and "Adding a dead-letter queue", AWS
Lambda Developer Guide.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from rapid_mock.errors import CallFailed
from rapid_mock.triggers.poller import Calls

SUCCESS = "Success"
_LETTER = {"body", "messageAttributes"}
_BUCKET = "arn:aws:s3:::"
_NUMBER = "ErrorCode"


async def tell(calls: Calls, arn: str, record: Any) -> None:
    """Deliver an invocation record, or a dead letter with its attributes; raises CallFailed."""
    is_letter = isinstance(record, Mapping) and record.keys() == _LETTER
    content = record["body"] if is_letter else record
    attributes = _attributes(record["messageAttributes"]) if is_letter else {}
    text = json.dumps(content, separators=(",", ":"))
    match arn.split(":")[2]:
        case "sqs":
            url = await queue_url(calls, arn)
            message = {"QueueUrl": url, "MessageBody": text}
            await calls.call("sqs", "send_message", **message, MessageAttributes=attributes)
        case "sns":
            message = {"TopicArn": arn, "Message": text}
            await calls.call("sns", "publish", **message, MessageAttributes=attributes)
        case "events":
            await _put_event(calls, arn, content, text)
        case "s3" if not is_letter:
            bucket, key = arn.removeprefix(_BUCKET), _object_key(content)
            await calls.call("s3", "put_object", Bucket=bucket, Key=key, Body=text.encode())
        case service:
            raise CallFailed("NoDestination", f"{service} takes no records")


async def queue_url(calls: Calls, arn: str) -> str:
    """The URL of a queue; raises CallFailed."""
    *_, account, name = arn.split(":")
    found = await calls.call("sqs", "get_queue_url", QueueName=name, QueueOwnerAWSAccountId=account)
    return str(found["QueueUrl"])


async def _put_event(calls: Calls, bus: str, record: Mapping[str, Any], text: str) -> None:
    context = record["requestContext"]
    result = SUCCESS if context["condition"] == SUCCESS else "Failure"
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {result}",
        "Resources": [bus, context["functionArn"]],
        "Detail": text,
        "EventBusName": bus,
    }
    answer = await calls.call("events", "put_events", Entries=[entry])
    if answer["FailedEntryCount"]:
        failed = answer["Entries"][0]
        raise CallFailed(str(failed.get("ErrorCode")), str(failed.get("ErrorMessage")))


def _object_key(record: Mapping[str, Any]) -> str:
    """`aws/lambda/async/FUNCTION/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-UUID`."""
    date, _, time = record["timestamp"].partition(".")[0].partition("T")
    function = record["requestContext"]["functionArn"].split(":")[6]
    folder = f"aws/lambda/async/{function}/{date.replace('-', '/')}"
    return f"{folder}/{date}T{time.replace(':', '.')}-{uuid.uuid4()}"


def _attributes(values: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {
        name: {"DataType": "Number" if name == _NUMBER else "String", "StringValue": value}
        for name, value in values.items()
    }
