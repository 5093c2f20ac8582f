"""Streams mapped to functions with plain boto3 at one endpoint: real processes, real servers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.aws import Clients, clients_of, eventually
from tests.support.command_line import Serving, run
from tests.support.embedded_aws import EmbeddedAws
from tests.support.lambda_api import create
from tests.support.mapped_functions import (
    Book,
    create_stream,
    create_writer,
    delete_all,
    map_source,
    put_numbers,
    wait_for_state,
)

RECORDS = int(os.environ.get("STREAM_RECORDS", "600"))
BATCH = 100


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving("--aws", "embedded") as made:
        yield made


@pytest.fixture
def aws(serving: Serving) -> Iterator[Clients]:
    with clients_of(serving.url) as clients:
        yield clients
        delete_all(clients)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "book")


def by_key(lines: list[tuple[str, str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for key, data in lines:
        found.setdefault(key, []).append(int(data))
    return found


def steps_back(numbers: list[int]) -> int:
    return sum(later <= earlier for earlier, later in pairwise(numbers))


def wait_for_lines(book: Book, count: int) -> None:
    eventually(lambda: len(book.data()) >= count, f"{count} records")


def test_kinesis(aws: Clients, book: Book) -> None:
    """Records of four shards reach a function, each once and each key's in order."""
    arn = create_stream(aws, "orders", shards=4)
    create_writer(aws, "ship", book)
    mapping = map_source(aws, "ship", arn, StartingPosition="LATEST", BatchSize=BATCH)
    put_numbers(aws, "orders", 0, RECORDS)
    eventually(lambda: len(book.data()) == RECORDS, "all records")
    assert len(book.lines()) == RECORDS
    assert not any(map(steps_back, by_key(book.lines()).values()))
    shown = aws("lambda").get_event_source_mapping(UUID=mapping)
    assert shown["LastProcessingResult"] == "OK"
    assert shown["StateTransitionReason"] == "User action"


def test_killed_and_started_again(tmp_path: Path, book: Book) -> None:
    """After kill -9 the next start goes on at the checkpoints: all records, each key in order."""
    state = str(tmp_path / "state")
    with EmbeddedAws() as other:
        for round_ in range(3):
            with (
                Serving("--aws", other.url, "--state", state) as serving,
                clients_of(serving.url) as aws,
            ):
                if not round_:
                    arn = create_stream(aws, "orders", shards=4)
                    put_numbers(aws, "orders", 0, RECORDS // 2)
                create_writer(aws, "ship", book)
                seen = len(book.data())
                map_source(aws, "ship", arn, StartingPosition="TRIM_HORIZON", BatchSize=20)
                if round_ == 1:
                    put_numbers(aws, "orders", RECORDS // 2, RECORDS)
                wanted = RECORDS if round_ == 2 else min(seen + RECORDS // 4, RECORDS)
                wait_for_lines(book, wanted)
                serving.stop(signal.SIGKILL)
    lines = book.lines()
    assert {int(data) for _, data in lines} == set(range(RECORDS))
    assert max(map(steps_back, by_key(lines).values())) <= 2
    assert len(lines) <= RECORDS + 2 * 4 * 20 * 2


def test_poison(aws: Clients, book: Book) -> None:
    """A record that always fails is found by bisecting, told to a queue, and the rest flows."""
    arn = create_stream(aws, "poisoned")
    queue = aws("sqs").create_queue(QueueName="given-up")["QueueUrl"]
    create_writer(aws, "ship", book)
    map_source(
        aws,
        "ship",
        arn,
        StartingPosition="TRIM_HORIZON",
        BisectBatchOnFunctionError=True,
        MaximumRetryAttempts=1,
        DestinationConfig={
            "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:123456789012:given-up"}
        },
    )
    put_numbers(aws, "poisoned", 0, 30)
    aws("kinesis").put_record(StreamName="poisoned", Data=b"poison", PartitionKey="key-1")
    put_numbers(aws, "poisoned", 30, 60)
    eventually(lambda: len(book.data()) == 61, "all records")
    received = aws("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    (message,) = received["Messages"]
    record = json.loads(message["Body"])
    assert record["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["KinesisBatchInfo"]["startSequenceNumber"] == "31"
    assert record["KinesisBatchInfo"]["batchSize"] == 1


def test_changes_of_a_mapping(aws: Clients, tmp_path: Path) -> None:
    """Disabled, a mapping keeps its place, also for another function; deleted, it loses it."""
    arn = create_stream(aws, "changing")
    books = {name: Book(tmp_path / name) for name in ("one", "two")}
    for name, book in books.items():
        create_writer(aws, name, book)
    mapping = map_source(aws, "one", arn, StartingPosition="TRIM_HORIZON")
    put_numbers(aws, "changing", 0, 5)
    eventually(lambda: len(books["one"].data()) == 5)
    aws("lambda").update_event_source_mapping(UUID=mapping, Enabled=False)
    wait_for_state(aws, mapping, "Disabled")
    put_numbers(aws, "changing", 5, 8)
    aws("lambda").update_event_source_mapping(UUID=mapping, FunctionName="two")
    wait_for_state(aws, mapping, "Disabled")
    aws("lambda").update_event_source_mapping(UUID=mapping, Enabled=True)
    eventually(lambda: books["two"].data() == {"5", "6", "7"})
    aws("lambda").delete_event_source_mapping(UUID=mapping)
    eventually(lambda: not aws("lambda").list_event_source_mappings()["EventSourceMappings"])
    map_source(aws, "two", arn, StartingPosition="TRIM_HORIZON")
    eventually(lambda: len(books["two"].data()) == 8)
    assert len(books["one"].lines()) == 5


def test_a_function_deleted_while_its_mapping_is_made(aws: Clients, book: Book) -> None:
    """A mapping whose function went before it was Enabled is Disabled, and can be deleted."""
    arn = create_stream(aws, "early")
    create_writer(aws, "gone", book)
    made = aws("lambda").create_event_source_mapping(
        FunctionName="gone", EventSourceArn=arn, StartingPosition="LATEST"
    )
    aws("lambda").delete_function(FunctionName="gone")
    wait_for_state(aws, made["UUID"], "Disabled")
    assert aws("lambda").delete_event_source_mapping(UUID=made["UUID"])["State"] == "Deleting"


def test_batch_that_our_end_interrupts(tmp_path: Path, book: Book) -> None:
    """A batch whose function we end is not given up, though no retry is allowed: it comes again."""
    slow = "import time\ndef handler(event, context):\n    print('began', flush=True)\n"
    with EmbeddedAws() as other:
        start = ("--aws", other.url, "--state", str(tmp_path / "state"))
        members: dict[str, Any] = {"StartingPosition": "TRIM_HORIZON", "MaximumRetryAttempts": 0}
        with Serving(*start) as serving, clients_of(serving.url) as aws:
            arn = create_stream(aws, "interrupted")
            put_numbers(aws, "interrupted", 0, 3)
            create(aws("lambda"), "ship", f"{slow}    time.sleep(50)\n", Timeout=60)
            map_source(aws, "ship", arn, **members)
            serving.wait_for("began")
            serving.stop()
            assert "what is in them comes again" in serving.log
            assert "given up" not in serving.log
        with Serving(*start) as serving, clients_of(serving.url) as aws:
            create_writer(aws, "ship", book)
            map_source(aws, "ship", arn, **members)
            wait_for_lines(book, 3)


def test_place_of_another_function_is_kept(tmp_path: Path) -> None:
    """A mapping that was updated to another function goes on with it after a restart too."""
    books = {name: Book(tmp_path / name) for name in ("one", "two")}
    with EmbeddedAws() as other:
        start = ("--aws", other.url, "--state", str(tmp_path / "state"))
        with Serving(*start) as serving, clients_of(serving.url) as aws:
            arn = create_stream(aws, "moving")
            for name, book in books.items():
                create_writer(aws, name, book)
            mapping = map_source(aws, "one", arn, StartingPosition="TRIM_HORIZON")
            put_numbers(aws, "moving", 0, 5)
            wait_for_lines(books["one"], 5)
            aws("lambda").update_event_source_mapping(UUID=mapping, FunctionName="two")
            wait_for_state(aws, mapping, "Enabled")
        with Serving(*start) as serving, clients_of(serving.url) as aws:
            create_writer(aws, "two", books["two"])
            put_numbers(aws, "moving", 5, 8)
            map_source(aws, "two", arn, StartingPosition="TRIM_HORIZON")
            wait_for_lines(books["two"], 3)
    assert books["two"].data() == {"5", "6", "7"}


@pytest.mark.parametrize(
    ("members", "text"),
    [
        (
            {"EventSourceArn": "arn:aws:kinesis:us-east-1:123456789012:stream/none"},
            "Stream not found: arn:aws:kinesis:us-east-1:123456789012:stream/none",
        ),
        (
            {"TumblingWindowInSeconds": 10},
            "Tumbling windows are not supported by the local Lambda.",
        ),
    ],
    ids=["stream", "window"],
)
def test_refusals(aws: Clients, book: Book, members: dict[str, Any], text: str) -> None:
    """A stream that is not there and what is not supported are refused when the mapping is made."""
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/any"
    create_writer(aws, "ship", book)
    request = {"EventSourceArn": arn, "StartingPosition": "LATEST", **members}
    with pytest.raises(ClientError) as refused:
        aws("lambda").create_event_source_mapping(FunctionName="ship", **request)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterValueException"
    assert refused.value.response["Error"]["Message"] == text


def test_damaged_checkpoints(tmp_path: Path) -> None:
    """A file of checkpoints that is damaged ends the start with one sentence."""
    (tmp_path / "checkpoints.sqlite").write_bytes(b"no database, but long enough " * 50)
    done = run("start", "--port", "0", "--aws", "http://127.0.0.1:1", "--state", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == (
        f"rapid-mock: the checkpoints in {tmp_path}/checkpoints.sqlite cannot be read, remove the "
        "file: file is not a database\n"
    )
