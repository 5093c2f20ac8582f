"""Records of asynchronous invocations, and dead letters, at queues, topics and event buses."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rapid_mock import LocalLambda
from rapid_mock.local import Function
from tests.support.aws import eventually
from tests.support.command_line import write_code
from tests.support.queue_worker import queue_arn

HANDLER = """
def handler(event, context):
    if event.get("fails"):
        raise ValueError("boom")
    return {"ok": event}
"""
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/bus"


class World:
    """A function whose retries take no time, and a queue where everything ends."""

    def __init__(self, local: LocalLambda, function: Function, log: io.BytesIO) -> None:
        self.function = function
        self.log = log
        self.sqs = local.client("sqs")
        self.sns = local.client("sns")
        self.events = local.client("events")
        self.client = local.client("lambda")
        self.url = self.sqs.create_queue(QueueName="end")["QueueUrl"]

    def ended(self) -> Any:
        """The one message of the queue."""
        (message,) = eventually(
            lambda: self.sqs.receive_message(QueueUrl=self.url, MessageAttributeNames=["All"]).get(
                "Messages"
            ),
            "a message",
        )
        self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return message


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    code: Path = write_code(tmp_path_factory.mktemp("code"), HANDLER)
    log = io.BytesIO()
    with LocalLambda(aws="embedded", time_scale=6000, log_stream=log) as local:
        function = local.create_function("f", handler="app.handler", code=code, timeout=20)
        yield World(local, function, log)


def test_queue(world: World) -> None:
    """A queue gets the invocation record as the body of a message."""
    world.function.handle_events(on_failure=queue_arn("end"))
    request_id = world.function.invoke_async({"fails": True})
    record = json.loads(world.ended()["Body"])
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": f"{FUNCTION}:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["requestPayload"] == {"fails": True}
    assert record["responsePayload"]["errorMessage"] == "boom"


def test_topic(world: World) -> None:
    """A topic gets it as the text of a notification."""
    world.sns.create_topic(Name="topic")
    world.sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=queue_arn("end"))
    world.function.handle_events(on_success=TOPIC)
    world.function.invoke_async({"n": 1})
    notification = json.loads(world.ended()["Body"])
    assert json.loads(notification["Message"])["responsePayload"] == {"ok": {"n": 1}}


def test_event_bus(world: World) -> None:
    """A bus gets it as the detail of an event of Lambda's."""
    world.events.create_event_bus(Name="bus")
    world.events.put_rule(
        Name="rule", EventBusName="bus", EventPattern='{"source": ["lambda"]}', State="ENABLED"
    )
    world.events.put_targets(
        Rule="rule", EventBusName="bus", Targets=[{"Id": "1", "Arn": queue_arn("end")}]
    )
    world.function.handle_events(on_success=BUS)
    world.function.invoke_async({"n": 2})
    event = json.loads(world.ended()["Body"])
    assert event["source"] == "lambda"
    assert event["detail-type"] == "Lambda Function Invocation Result - Success"
    assert event["resources"] == [BUS, f"{FUNCTION}:$LATEST"]
    assert event["detail"]["requestPayload"] == {"n": 2}


def test_dead_letter(world: World) -> None:
    """A dead-letter queue gets the event itself, with what went wrong in attributes."""
    world.client.delete_function_event_invoke_config(FunctionName="f")
    world.client.update_function_configuration(
        FunctionName="f", DeadLetterConfig={"TargetArn": queue_arn("end")}
    )
    world.client.get_waiter("function_updated_v2").wait(FunctionName="f")
    request_id = world.function.invoke_async({"fails": True})
    message = world.ended()
    assert json.loads(message["Body"]) == {"fails": True}
    attributes = message["MessageAttributes"]
    assert attributes["RequestID"] == {"StringValue": request_id, "DataType": "String"}
    assert attributes["ErrorCode"] == {"StringValue": "200", "DataType": "Number"}
    assert '"errorMessage": "boom"' in attributes["ErrorMessage"]["StringValue"]


def test_queue_that_is_not_there(world: World) -> None:
    """A record that cannot be delivered is told of in one sentence."""
    world.function.handle_events(on_success=queue_arn("none"))
    world.function.invoke_async({"n": 3})
    sentence = f"destination {queue_arn('none')} did not take a record: "
    eventually(lambda: sentence.encode() in world.log.getvalue(), "the sentence")
