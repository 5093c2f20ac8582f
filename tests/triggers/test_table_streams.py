"""Streams of DynamoDB tables of a real server, polled for a function that the test plays."""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from rapid_mock.errors import InvalidParameterValue
from rapid_mock.service.event_source import Outcome
from rapid_mock.triggers import streams
from rapid_mock.triggers.checkpoints import CheckpointStore
from tests.support.embedded_aws import EmbeddedAws
from tests.support.stream_world import FAILED, OK, Record, polling

WRITES = int(os.environ.get("TABLE_WRITES", "200"))


class Table:
    """A table of the server's with a stream of its changes, and a writer to it."""

    def __init__(self, client: Any, view: str = "NEW_AND_OLD_IMAGES") -> None:
        self.client = client
        self.name = f"table-{uuid.uuid4()}"
        self.create(view)

    def create(self, view: str = "NEW_AND_OLD_IMAGES") -> None:
        made = self.client.create_table(
            TableName=self.name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )
        self.arn = made["TableDescription"]["LatestStreamArn"]

    def put(self, name: str, **attributes: Any) -> None:
        self.client.put_item(TableName=self.name, Item={"id": {"S": name}, **attributes})

    def add(self, name: str, number: int) -> None:
        self.client.update_item(
            TableName=self.name,
            Key={"id": {"S": name}},
            UpdateExpression="ADD amount :n SET latest = :n",
            ExpressionAttributeValues={":n": {"N": str(number)}},
        )

    def remove(self, name: str) -> None:
        self.client.delete_item(TableName=self.name, Key={"id": {"S": name}})

    def items(self) -> dict[str, Any]:
        pages = self.client.get_paginator("scan").paginate(TableName=self.name)
        return {item["id"]["S"]: item for page in pages for item in page["Items"]}


@pytest.fixture
def table(aws: EmbeddedAws) -> Iterator[Table]:
    with aws.client("dynamodb") as client:
        yield Table(client)


def names(records: list[Record]) -> list[str]:
    return [record["dynamodb"]["Keys"]["id"]["S"] for record in records]


def write_at_random(table: Table, count: int, seed: int) -> None:
    """Put, change and remove items of a few keys."""
    dice = random.Random(seed)
    for number in range(count):
        name = f"item-{dice.randrange(40)}"
        kind = dice.choice(["put", "put", "add", "add", "remove"])
        if kind == "put":
            table.put(name, amount={"N": str(number)}, tags={"SS": ["a", str(number)]})
        elif kind == "add":
            table.add(name, number)
        else:
            table.remove(name)


def next_second() -> None:
    """Wait until the clock shows another second: records tell theirs to the second."""
    now = int(time.time())
    while int(time.time()) == now:
        threading.Event().wait(0.01)


@pytest.mark.parametrize("lanes", [1, 5])
def test_projection_equals_its_table(
    aws: EmbeddedAws, store: CheckpointStore, table: Table, lanes: int
) -> None:
    """A function that applies each change has in the end what the table has."""
    projection: dict[str, Any] = {}

    def project(records: list[Record]) -> Outcome:
        for record in records:
            change = record["dynamodb"]
            (name,) = names([record])
            projection.pop(name, None)
            if record["eventName"] != "REMOVE":
                projection[name] = change["NewImage"]
        return OK

    async def scenario() -> None:
        request: dict[str, Any] = {"BatchSize": 20, "ParallelizationFactor": lanes}
        async with polling(aws, store, table.arn, answer=project, **request) as world:
            await asyncio.to_thread(write_at_random, table, WRITES, lanes)
            table.put("last")
            await world.until(lambda: "last" in names(world.done))
        assert projection == table.items()

    asyncio.run(scenario())


def test_records(aws: EmbeddedAws, store: CheckpointStore, table: Table) -> None:
    """A write is a record with the images of its item, as AWS hands it over."""

    async def scenario() -> None:
        table.put("a", data={"B": b"\x00\xff"})
        table.put("a", amount={"N": "1"})
        table.remove("a")
        async with polling(aws, store, table.arn) as world:
            await world.until(lambda: len(world.done) == 3)
        assert [record["eventName"] for record in world.done] == ["INSERT", "MODIFY", "REMOVE"]
        record = world.done[1]
        assert len(record.pop("eventID")) == 32
        change = record["dynamodb"]
        assert isinstance(change.pop("ApproximateCreationDateTime"), int)
        assert isinstance(change.pop("SizeBytes"), int)
        assert change.pop("SequenceNumber").isdigit()
        assert record == {
            "eventName": "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "Keys": {"id": {"S": "a"}},
                "NewImage": {"id": {"S": "a"}, "amount": {"N": "1"}},
                "OldImage": {"id": {"S": "a"}, "data": {"B": "AP8="}},
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
            "eventSourceARN": table.arn,
        }

    asyncio.run(scenario())


def test_write_that_changes_nothing(plain_moto: EmbeddedAws, store: CheckpointStore) -> None:
    """AWS has no record of a write that changes nothing; one that moto has is passed over."""

    async def scenario(table: Table) -> None:
        table.put("a", amount={"N": "1"})
        table.put("a", amount={"N": "1"})
        async with polling(plain_moto, store, table.arn) as world:
            await world.until(lambda: bool(world.done))
        assert names(world.done) == ["a"]
        (passed,) = world.passed()
        assert passed is not None
        assert int(passed) == int(world.done[0]["dynamodb"]["SequenceNumber"]) + 1

    with plain_moto.client("dynamodb") as client:
        asyncio.run(scenario(Table(client)))


def test_positions(aws: EmbeddedAws, store: CheckpointStore, table: Table) -> None:
    """LATEST begins now; after a restart it goes on where it was, also without a checkpoint."""

    async def scenario() -> None:
        table.put("old")
        next_second()
        async with polling(aws, store, table.arn, StartingPosition="LATEST"):
            pass
        table.put("meanwhile")
        async with polling(aws, store, table.arn, StartingPosition="LATEST") as second:
            await second.until(lambda: bool(second.done))
        table.put("later")
        async with polling(aws, store, table.arn, StartingPosition="LATEST") as third:
            await third.until(lambda: bool(third.done))
        assert (names(second.done), names(third.done)) == (["meanwhile"], ["later"])

    asyncio.run(scenario())


def test_failure_record(aws: EmbeddedAws, store: CheckpointStore, table: Table) -> None:
    """What is given up is told as a batch of DynamoDB, with times to the second."""

    async def scenario() -> None:
        table.put("bad")
        queue = "arn:aws:sqs:us-east-1:123456789012:failures"
        request: dict[str, Any] = {
            "MaximumRetryAttempts": 1,
            "DestinationConfig": {"OnFailure": {"Destination": queue}},
        }
        async with polling(aws, store, table.arn, answer=lambda _: FAILED, **request) as world:
            await world.until(lambda: bool(world.sent))
        ((_, record),) = world.sent
        assert record["requestContext"]["approximateInvokeCount"] == 2
        batch = record["DDBStreamBatchInfo"]
        assert (batch["batchSize"], batch["streamArn"]) == (1, table.arn)
        assert len(batch["approximateArrivalOfFirstRecord"]) == len("2026-01-31T12:00:00Z")

    asyncio.run(scenario())


def test_filters(aws: EmbeddedAws, store: CheckpointStore, table: Table) -> None:
    """Filters see the event's name and the change."""

    async def scenario() -> None:
        pattern = {"eventName": ["INSERT"], "dynamodb": {"Keys": {"id": {"S": [{"prefix": "x"}]}}}}
        criteria = {"Filters": [{"Pattern": json.dumps(pattern)}]}
        for name in ("a1", "x1", "x2"):
            table.put(name)
        table.remove("x1")
        async with polling(aws, store, table.arn, FilterCriteria=criteria) as world:
            await world.until(lambda: len(world.done) == 2)
        assert names(world.done) == ["x1", "x2"]

    asyncio.run(scenario())


def test_checkpoint_that_the_stream_no_longer_has(
    aws: EmbeddedAws, store: CheckpointStore, table: Table
) -> None:
    """A stream that was trimmed past the checkpoint goes on with its oldest record and says so."""

    async def scenario() -> None:
        table.put("a")
        async with polling(aws, store, table.arn) as first:
            await first.until(lambda: bool(first.done))
        refusing = (("get_shard_iterator", "TrimmedDataAccessException"),)
        async with polling(aws, store, table.arn, refusing=refusing) as second:
            await second.until(lambda: bool(second.done))
        assert names(second.done) == ["a"]
        (sentence,) = second.said
        assert sentence.endswith(": it goes on with the oldest that it has")

    asyncio.run(scenario())


def test_aws_that_does_not_answer(store: CheckpointStore) -> None:
    """A mapping cannot be made while the stream's service does not answer."""
    arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2020-01-01T00:00:00.000"

    async def scenario() -> None:
        gone = EmbeddedAws()
        gone.url = "http://127.0.0.1:1"
        async with polling(gone, store, arn):
            pass

    with pytest.raises(InvalidParameterValue, match=f"{arn} cannot be described: "):
        asyncio.run(scenario())


def test_unknown_stream(aws: EmbeddedAws, store: CheckpointStore, table: Table) -> None:
    """A table that is not there, or has another stream now, is refused with AWS's text."""

    async def scenario(arn: str) -> None:
        async with polling(aws, store, arn):
            pass

    prefix = "arn:aws:dynamodb:us-east-1:123456789012:table"
    label = "/stream/2020-01-01T00:00:00.000"
    for arn in (f"{prefix}/nowhere{label}", f"{prefix}/{table.name}{label}"):
        with pytest.raises(InvalidParameterValue) as refused:
            asyncio.run(scenario(arn))
        assert str(refused.value) == f"Stream not found: {arn}"


def test_table_that_is_created_anew(
    monkeypatch: pytest.MonkeyPatch, aws: EmbeddedAws, store: CheckpointStore, table: Table
) -> None:
    """The stream of a new table of the same name is another one: the mapping waits for its own."""
    monkeypatch.setattr(streams, "LISTING_SECONDS", 0.05)

    async def scenario() -> None:
        arn = table.arn
        async with polling(aws, store, arn) as world:
            table.client.delete_table(TableName=table.name)
            table.create()
            table.put("new")
            await world.until(lambda: bool(world.said))
        assert world.done == []
        assert world.said == [f"there is no stream {arn}: the mapping waits for it"]

    asyncio.run(scenario())
