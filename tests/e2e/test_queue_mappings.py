"""SQS through the Lambda API: plain boto3, one endpoint, moto behind it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.aws import Clients, clients_of, eventually
from tests.support.command_line import Serving
from tests.support.embedded_aws import EmbeddedAws
from tests.support.lambda_api import ARN
from tests.support.queue_worker import Worker, queue_arn

MESSAGES = int(os.environ.get("QUEUE_MESSAGES", "200"))
BACKLOG = 60
"""moto's work for each call grows with the messages in the queue."""
MAPPINGS = "/2015-03-31/event-source-mappings"
MakeWorker = Callable[..., Worker]


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving("--aws", "embedded") as made:
        yield made.keep_reading()


@pytest.fixture
def aws(serving: Serving) -> Iterator[Clients]:
    with clients_of(serving.url) as clients:
        yield clients
        client = clients("lambda")
        for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
            if mapping["State"] in ("Enabled", "Disabled"):
                client.delete_event_source_mapping(UUID=mapping["UUID"])


_names = count()


@pytest.fixture
def worker(aws: Clients, tmp_path: Path) -> Worker:
    """A function and a queue of the same name, not yet mapped."""
    made = Worker(aws, tmp_path / "log", f"worker-{next(_names)}")
    made.make_function()
    made.make_queue()
    return made


# --- The API ----------------------------------------------------------------------------------


def test_life_of_a_mapping(worker: Worker) -> None:
    """Created, shown, listed, changed, disabled and deleted, with AWS's members and states."""
    client = worker.aws("lambda")
    made = worker.map(BatchSize=5)
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 202
    uuid = made["UUID"]
    told = {key: value for key, value in made.items() if key != "ResponseMetadata"}
    modified = told.pop("LastModified")
    assert abs(modified.timestamp() - time.time()) < 60
    shown = {
        "UUID": uuid,
        "BatchSize": 5,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": worker.arn,
        "FunctionArn": f"{ARN}{worker.name}",
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
        "FunctionResponseTypes": [],
        "EventSourceMappingArn": (
            f"arn:aws:lambda:us-east-1:123456789012:event-source-mapping:{uuid}"
        ),
    }
    assert told == shown
    listed = client.list_event_source_mappings(FunctionName=worker.name)["EventSourceMappings"]
    assert listed == [{**shown, "State": "Enabled", "LastModified": modified}]
    assert client.list_event_source_mappings(EventSourceArn=queue_arn("other")) | {
        "ResponseMetadata": None
    } == {"EventSourceMappings": [], "ResponseMetadata": None}

    changed = client.update_event_source_mapping(UUID=uuid, BatchSize=7)
    assert (changed["State"], changed["ResponseMetadata"]["HTTPStatusCode"]) == ("Updating", 202)
    worker.wait_for("Enabled")
    disabled = client.update_event_source_mapping(UUID=uuid, Enabled=False)
    assert (disabled["State"], disabled["BatchSize"]) == ("Disabling", 7)
    worker.wait_for("Disabled")
    deleted = client.delete_event_source_mapping(UUID=uuid)
    assert (deleted["State"], deleted["ResponseMetadata"]["HTTPStatusCode"]) == ("Deleting", 202)
    eventually(lambda: is_gone(client, uuid), "the end of the mapping")


def is_gone(client: Any, uuid: str) -> bool:
    try:
        client.get_event_source_mapping(UUID=uuid)
    except client.exceptions.ResourceNotFoundException as error:
        return bool(error.response["Message"] == "The resource you requested does not exist.")
    return False


@pytest.mark.parametrize(
    ("members", "code", "text"),
    [
        (
            {"EventSourceArn": queue_arn("none")},
            "InvalidParameterValueException",
            "Error occurred while ReceiveMessage. SQS Error Code: "
            "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does "
            "not exist.",
        ),
        ({"FunctionName": "none"}, "InvalidParameterValueException", "Function does not exist"),
        (
            {"BatchSize": 11},
            "InvalidParameterValueException",
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10",
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": '{"body": "no list"}'}]}},
            "InvalidParameterValueException",
            "Invalid filter pattern definition.",
        ),
        (
            {"EventSourceArn": queue_arn("orders.fifo")},
            "InvalidParameterValueException",
            "FIFO queues are not supported by the embedded AWS: "
            "arn:aws:sqs:us-east-1:123456789012:orders.fifo would lose the order of its messages "
            "after a failure. Use --aws URL or AWS itself.",
        ),
    ],
)
def test_refusals(worker: Worker, members: dict[str, Any], code: str, text: str) -> None:
    """What cannot be polled is refused in AWS's words; FIFO on the embedded engine by name."""
    request = {"FunctionName": worker.name, "EventSourceArn": worker.arn, **members}
    with pytest.raises(ClientError) as refused:
        worker.aws("lambda").create_event_source_mapping(**request)
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == (code, text)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_visibility_below_the_timeout(worker: Worker) -> None:
    """A queue that hides messages for less than the function may run is refused."""
    worker.aws("sqs").set_queue_attributes(
        QueueUrl=worker.url, Attributes={"VisibilityTimeout": "0"}
    )
    with pytest.raises(ClientError, match="Queue visibility timeout: 0 seconds is less than "):
        worker.map()


def test_second_mapping(worker: Worker) -> None:
    """A second mapping of the same queue and function is a conflict that names the first."""
    worker.map()
    with pytest.raises(ClientError) as refused:
        worker.aws("lambda").create_event_source_mapping(
            FunctionName=worker.name, EventSourceArn=worker.arn
        )
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert refused.value.response["Error"]["Message"] == (
        f'An event source mapping with SQS arn (" {worker.arn} ") and function '
        f'(" {worker.name} ") already exists. Please update or delete the existing mapping with '
        f"UUID {worker.mapping}"
    )


def test_without_an_aws(tmp_path: Path) -> None:
    """Where there is nothing to poll, a mapping is refused with what to do."""
    with Serving() as serving, clients_of(serving.url) as aws:
        worker = Worker(aws, tmp_path / "log", "alone")
        worker.make_function()
        with pytest.raises(ClientError, match="start with --aws embedded or --aws URL"):
            worker.map()


# --- Delivery ---------------------------------------------------------------------------------


def test_record(worker: Worker) -> None:
    """A message arrives with every member that AWS's record has, and is deleted after that."""
    worker.map()
    sent = worker.aws("sqs").send_message(
        QueueUrl=worker.url,
        MessageBody='{"n": 1}',
        MessageAttributes={
            "Trace": {"DataType": "String", "StringValue": "t"},
            "Raw": {"DataType": "Binary", "BinaryValue": b"\0\1"},
        },
    )
    eventually(lambda: worker.records, "the message")
    (record,) = worker.records
    attributes = record.pop("attributes")
    assert set(attributes) == {
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    }
    assert attributes["ApproximateReceiveCount"] == "1"
    assert record.pop("receiptHandle")
    assert record == {
        "messageId": sent["MessageId"],
        "body": '{"n": 1}',
        "messageAttributes": {
            "Trace": {
                "stringValue": "t",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            },
            "Raw": {
                "binaryValue": "AAE=",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary",
            },
        },
        "md5OfMessageAttributes": sent["MD5OfMessageAttributes"],
        "md5OfBody": sent["MD5OfMessageBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": worker.arn,
        "awsRegion": "us-east-1",
    }
    eventually(lambda: worker.left() == 0, "the deletion")


def test_window(worker: Worker) -> None:
    """With a window messages are gathered into one batch, larger than a receive."""
    worker.send([{"n": n} for n in range(20)])
    worker.map(BatchSize=20, MaximumBatchingWindowInSeconds=10)
    eventually(lambda: sum(worker.numbers.values()) == 20, "all messages")
    assert [len(batch["records"]) for batch in worker.batches] == [20]


def test_filters(worker: Worker) -> None:
    """What the filters drop is deleted and never delivered."""
    pattern = json.dumps({"body": {"kind": ["wanted"]}})
    worker.map(FilterCriteria={"Filters": [{"Pattern": pattern}]})
    worker.send([{"n": n, "kind": "wanted" if n % 2 else "other"} for n in range(10)])
    eventually(lambda: worker.left() == 0, "an empty queue")
    assert set(worker.numbers) == {1, 3, 5, 7, 9}


def test_most_at_once(worker: Worker) -> None:
    """MaximumConcurrency holds, however much there is to do."""
    worker.map(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2})
    worker.send([{"n": n, "sleep": 0.1} for n in range(12)])
    eventually(lambda: len(worker.batches) == 12, "all messages")
    moments = [(batch["begun"], 1) for batch in worker.batches]
    moments += [(batch["ended"], -1) for batch in worker.batches]
    at_once = [sum(step for _, step in sorted(moments)[: end + 1]) for end in range(len(moments))]
    assert max(at_once) == 2


def test_disabled(worker: Worker) -> None:
    """A disabled mapping leaves messages where they are; enabled again it takes them."""
    worker.map(Enabled=False)
    assert worker.state() == "Disabled"
    worker.send([{"n": 1}])
    client = worker.aws("lambda")
    client.update_event_source_mapping(UUID=worker.mapping, Enabled=True)
    eventually(lambda: worker.numbers == {1: 1}, "the message")
    (record,) = worker.records
    assert record["attributes"]["ApproximateReceiveCount"] == "1"


def test_deleted_function(worker: Worker) -> None:
    """A mapping to a function that is deleted is disabled: no message is used up for nothing."""
    worker.map()
    worker.aws("lambda").delete_function(FunctionName=worker.name)
    worker.wait_for("Disabled")
    worker.send([{"n": 1}])
    (message,) = worker.drained(worker.name)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_function_error(worker: Worker) -> None:
    """What a handler raises at is not deleted, and comes again when it is visible again."""
    worker.aws("sqs").set_queue_attributes(
        QueueUrl=worker.url, Attributes={"VisibilityTimeout": "1"}
    )
    worker.map(BatchSize=1)
    worker.aws("sqs").send_message(QueueUrl=worker.url, MessageBody='"no object"')
    worker.send([{"n": 1}])
    eventually(lambda: worker.numbers[1] == 1 and worker.left() == 1, "the other's end")
    worker.aws("lambda").delete_event_source_mapping(UUID=worker.mapping)
    eventually(lambda: is_gone(worker.aws("lambda"), worker.mapping), "the end of the mapping")
    (message,) = eventually(lambda: worker.drained(worker.name), "the message")
    assert int(message["Attributes"]["ApproximateReceiveCount"]) > 1


# --- It must show -----------------------------------------------------------------------------


def test_partial_failures(worker: Worker) -> None:
    """One delivery per receive; the DLQ has exactly what was received as often as allowed."""
    is_patient = MESSAGES > 1000  # a slow machine may leave a batch until it is visible again
    hidden = {"VisibilityTimeout": "30" if is_patient else "4"}
    policy = worker.make_dead_letter_queue(most=2)
    worker.aws("sqs").set_queue_attributes(QueueUrl=worker.url, Attributes=policy | hidden)
    worker.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    for start in range(0, MESSAGES, 10):
        worker.send([{"n": n, "fails": n % 20 == 0} for n in range(start, start + 10)])
        if start % BACKLOG == 0:
            eventually(lambda: waiting(worker) < BACKLOG, "room in the queue", seconds=180)
    eventually(lambda: worker.left() == 0, "an empty queue", seconds=180)
    dead = worker.drained(f"{worker.name}-dead")
    failing = {n for n in range(MESSAGES) if n % 20 == 0}
    assert sorted(json.loads(message["Body"])["n"] for message in dead) == sorted(failing)
    received = {message["Attributes"]["ApproximateReceiveCount"] for message in dead}
    assert received == {"3"}  # twice by the poller, once here
    assert set(worker.numbers) == set(range(MESSAGES))
    assert {n for n, times in worker.numbers.items() if times > 1} >= failing
    deliveries = [
        (record["messageId"], record["attributes"]["ApproximateReceiveCount"])
        for record in worker.records
    ]
    assert len(deliveries) == len(set(deliveries))
    if is_patient:
        assert worker.numbers == {n: 2 if n in failing else 1 for n in range(MESSAGES)}


def waiting(worker: Worker) -> int:
    """How many messages are visible."""
    found = worker.aws("sqs").get_queue_attributes(
        QueueUrl=worker.url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def test_throttled_function(worker: Worker) -> None:
    """A function without room slows its poller; nothing is lost, and little is used up."""
    client = worker.aws("lambda")
    client.put_function_concurrency(FunctionName=worker.name, ReservedConcurrentExecutions=0)
    worker.map()
    worker.send([{"n": n} for n in range(60)])
    eventually(lambda: all_seen(worker), "a first receive")
    client.delete_function_concurrency(FunctionName=worker.name)
    eventually(lambda: worker.left() == 0, "an empty queue")
    assert worker.numbers == dict.fromkeys(range(60), 1)
    counts = [int(record["attributes"]["ApproximateReceiveCount"]) for record in worker.records]
    assert max(counts) <= 3


def all_seen(worker: Worker) -> bool:
    """Whether the poller holds messages, which it cannot hand over."""
    found = worker.aws("sqs").get_queue_attributes(
        QueueUrl=worker.url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
    )
    return int(found["Attributes"]["ApproximateNumberOfMessagesNotVisible"]) > 0


def test_killed_in_the_middle(tmp_path: Path) -> None:
    """kill -9 of the service costs no message: another service gets what was not processed."""
    total = max(100, MESSAGES // 10)
    with EmbeddedAws() as engine:
        with Serving("--aws", engine.url) as first, clients_of(first.url) as aws:
            first.keep_reading()
            worker = polling(aws, tmp_path / "log", ScalingConfig={"MaximumConcurrency": 2})
            worker.send([{"n": n, "sleep": 0.3} for n in range(total)])
            eventually(lambda: len(worker.numbers) > total // 4, "some messages")
            first.stop(signal.SIGKILL)
        assert len(worker.numbers) < total
        with Serving("--aws", engine.url) as second, clients_of(second.url) as aws:
            second.keep_reading()
            worker = polling(aws, tmp_path / "log")
            eventually(lambda: worker.left() == 0, "an empty queue")
    assert set(worker.numbers) == set(range(total))


def test_stopped_while_polling(tmp_path: Path) -> None:
    """Ctrl-C: batches at the function are finished, what was not processed is to be had."""
    with EmbeddedAws() as engine:
        with Serving("--aws", engine.url) as serving, clients_of(serving.url) as aws:
            worker = polling(aws, tmp_path / "log", BatchSize=1)
            worker.send([{"n": n, "sleep": 0.5} for n in range(30)])
            eventually(lambda: worker.batches, "a first batch")
            begun = time.monotonic()
            assert serving.stop() == 0
            assert time.monotonic() - begun < 5
        with clients_of(engine.url) as aws:
            rest = Worker(aws, tmp_path / "log", worker.name)
            rest.url = worker.url.replace(serving.url, engine.url)
            left = rest.left()
            assert left > 0
            assert waiting(rest) == left
            assert left + len(rest.numbers) == 30
            assert set(rest.numbers.values()) == {1}


def polling(aws: Clients, log: Path, **members: Any) -> Worker:
    worker = Worker(aws, log, "orders")
    worker.make_function()
    worker.make_queue()
    worker.map(**members)
    return worker


def test_groups_in_order(tmp_path: Path) -> None:
    """Where FIFO queues are taken, each group is processed in order, one batch at a time."""
    with (
        EmbeddedAws() as engine,
        Serving("--aws", engine.url) as serving,
        clients_of(serving.url) as aws,
    ):
        worker = Worker(aws, tmp_path / "log", "orders")
        worker.make_function()
        attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
        url = aws("sqs").create_queue(QueueName="orders.fifo", Attributes=attributes)["QueueUrl"]
        worker.arn = queue_arn("orders.fifo")
        worker.map(BatchSize=3)
        for n in range(18):
            aws("sqs").send_message(
                QueueUrl=url, MessageBody=json.dumps({"n": n}), MessageGroupId=str(n % 3)
            )
        eventually(lambda: len(worker.numbers) == 18, "all messages")
        found = [json.loads(record["body"])["n"] for record in worker.records]
        for group in range(3):
            assert [n for n in found if n % 3 == group] == list(range(group, 18, 3))
        groups = {record["attributes"]["MessageGroupId"] for record in worker.records}
        assert groups == {"0", "1", "2"}
