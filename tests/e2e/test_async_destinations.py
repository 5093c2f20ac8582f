"""Records and dead letters of asynchronous invocations in SQS, SNS, EventBridge and S3."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import write_code
from tests.support.processes import eventually

HANDLER = """
def handler(event, context):
    if event.get("fail"):
        raise RuntimeError(event["fail"])
    return {"got": event}
"""
ACCOUNT = "us-east-1:123456789012"
FUNCTION = f"arn:aws:lambda:{ACCOUNT}:function:worker"

pytestmark = pytest.mark.timeout(120)


class World:
    """A function, and an AWS with a queue for what arrives."""

    def __init__(self, local: LocalLambda, stack: ExitStack) -> None:
        def client(name: str) -> Any:
            return stack.enter_context(closing(local.client(name)))

        self.functions, self.sqs, self.sns = client("lambda"), client("sqs"), client("sns")
        self.events, self.s3 = client("events"), client("s3")

    def queue(self, name: str) -> tuple[str, str]:
        """URL and ARN of a new queue."""
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        return url, f"arn:aws:sqs:{ACCOUNT}:{name}"

    def received(self, url: str) -> dict[str, Any]:
        """The one message that comes."""
        answer = self.sqs.receive_message(
            QueueUrl=url, WaitTimeSeconds=20, MessageAttributeNames=["All"]
        )
        (message,) = answer["Messages"]
        found: dict[str, Any] = message
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    code = write_code(tmp_path_factory.mktemp("code"), HANDLER)
    with (
        LocalLambda(aws="embedded", log_stream=io.BytesIO(), time_scale=6000) as local,
        ExitStack() as stack,
    ):
        local.create_function("worker", handler="app.handler", code=code)
        yield World(local, stack)


def handle(world: World, **targets: str) -> None:
    """Success and failure go to these ARNs, after no retry."""
    world.functions.put_function_event_invoke_config(
        FunctionName="worker",
        MaximumRetryAttempts=0,
        DestinationConfig={name: {"Destination": arn} for name, arn in targets.items()},
    )


def send(world: World, event: dict[str, Any]) -> str:
    answer = world.functions.invoke(
        FunctionName="worker", InvocationType="Event", Payload=json.dumps(event).encode()
    )
    assert answer["StatusCode"] == 202
    request_id: str = answer["ResponseMetadata"]["RequestId"]
    return request_id


def test_records_in_queues(world: World) -> None:
    """The message is the record, as JSON; success and failure each have their queue."""
    good_url, good = world.queue("good")
    bad_url, bad = world.queue("bad")
    handle(world, OnSuccess=good, OnFailure=bad)
    succeeding, failing = send(world, {"n": 1}), send(world, {"fail": "no luck"})
    record = json.loads(world.received(good_url)["Body"])
    assert list(record) == [
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    ]
    assert record["requestContext"] == {
        "requestId": succeeding,
        "functionArn": f"{FUNCTION}:$LATEST",
        "condition": "Success",
        "approximateInvokeCount": 1,
    }
    assert record["responsePayload"] == {"got": {"n": 1}}
    record = json.loads(world.received(bad_url)["Body"])
    assert record["requestContext"]["requestId"] == failing
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "no luck"


def test_a_record_in_a_topic(world: World) -> None:
    """A subscriber gets it as the message."""
    url, arn = world.queue("subscribed")
    topic = world.sns.create_topic(Name="told")["TopicArn"]
    world.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    handle(world, OnFailure=topic)
    request_id = send(world, {"fail": "x"})
    notification = json.loads(world.received(url)["Body"])
    record = json.loads(notification["Message"])
    assert record["requestContext"]["requestId"] == request_id


@pytest.mark.parametrize(("member", "end"), [("OnSuccess", "Success"), ("OnFailure", "Failure")])
def test_a_record_on_a_bus(world: World, member: str, end: str) -> None:
    """An event of the source `lambda`, whose detail is the record."""
    url, arn = world.queue(f"rule-{end}")
    bus = world.events.create_event_bus(Name=f"bus-{end}")["EventBusArn"]
    rule = {"EventBusName": f"bus-{end}", "Rule": "all"}
    world.events.put_rule(
        Name="all", EventBusName=f"bus-{end}", EventPattern=json.dumps({"source": ["lambda"]})
    )
    world.events.put_targets(**rule, Targets=[{"Id": "queue", "Arn": arn}])
    handle(world, **{member: bus})
    request_id = send(world, {"n": 1} if end == "Success" else {"fail": "x"})
    event = json.loads(world.received(url)["Body"])
    assert event["source"] == "lambda"
    assert event["detail-type"] == f"Lambda Function Invocation Result - {end}"
    assert event["resources"] == [bus, f"{FUNCTION}:$LATEST"]
    assert event["detail"]["requestContext"]["requestId"] == request_id


def test_a_record_in_a_bucket(world: World) -> None:
    """An object of its own, named after function and time; for failures only."""
    world.s3.create_bucket(Bucket="failures")
    handle(world, OnFailure="arn:aws:s3:::failures")
    request_id = send(world, {"fail": "x"})
    listed: list[Any] = []

    def is_there() -> bool:
        listed[:] = world.s3.list_objects_v2(Bucket="failures").get("Contents", [])
        return bool(listed)

    eventually(is_there, "the object")
    key = listed[0]["Key"]
    assert re.fullmatch(
        r"aws/lambda/async/worker/(\d{4})/(\d\d)/(\d\d)/\1-\2-\3T\d\d\.\d\d\.\d\d-[0-9a-f-]{36}",
        key,
    )
    record = json.loads(world.s3.get_object(Bucket="failures", Key=key)["Body"].read())
    assert record["requestContext"]["requestId"] == request_id


@pytest.mark.parametrize("service", ["sqs", "sns"])
def test_dead_letters(world: World, service: str) -> None:
    """The event unchanged, with what happened to it in three attributes."""
    url, arn = world.queue(f"dead-{service}")
    target = arn
    if service == "sns":
        target = world.sns.create_topic(Name="dead")["TopicArn"]
        raw = {"RawMessageDelivery": "true"}
        world.sns.subscribe(TopicArn=target, Protocol="sqs", Endpoint=arn, Attributes=raw)
    world.functions.update_function_configuration(
        FunctionName="worker", DeadLetterConfig={"TargetArn": target}
    )
    world.functions.put_function_event_invoke_config(FunctionName="worker", MaximumRetryAttempts=0)
    request_id = send(world, {"fail": "42", "n": [1, "\u00e9"]})
    message = world.received(url)
    assert json.loads(message["Body"]) == {"fail": "42", "n": [1, "\u00e9"]}
    attributes = {
        name: (value["DataType"], value["StringValue"])
        for name, value in message["MessageAttributes"].items()
    }
    error = json.loads(attributes.pop("ErrorMessage")[1])
    assert error["errorMessage"] == "42"
    assert attributes == {
        "RequestID": ("String", request_id),
        "ErrorCode": ("Number", "200"),
    }
    world.functions.update_function_configuration(
        FunctionName="worker", DeadLetterConfig={"TargetArn": ""}
    )


def test_a_queue_that_is_not_there_is_told(tmp_path: Path) -> None:
    """One sentence with the destination and AWS's word for it; the event is done with."""
    log = io.BytesIO()
    code = write_code(tmp_path / "code", HANDLER)
    with LocalLambda(aws="embedded", log_stream=log) as local:
        worker = local.create_function("worker", handler="app.handler", code=code)
        gone = f"arn:aws:sqs:{ACCOUNT}:gone"
        worker.handle_events(on_success=gone)
        worker.invoke_async({})
        sentence = f"destination {gone} did not take a record: ".encode()
        eventually(lambda: sentence in log.getvalue(), "the sentence")
        assert b"NonExistentQueue" in log.getvalue() or b"does not exist" in log.getvalue()
