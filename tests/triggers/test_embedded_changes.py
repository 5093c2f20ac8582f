"""DynamoDB Streams of the embedded AWS, whose records are AWS's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.embedded_aws import EmbeddedAws

ADD = {
    "UpdateExpression": "ADD amount :n",
    "ExpressionAttributeValues": {":n": {"N": "1"}},
}


class Table:
    """A table whose stream has `view`."""

    def __init__(self, aws: EmbeddedAws, dynamodb: Any, view: str) -> None:
        self._aws = aws
        self._dynamodb = dynamodb
        self._name = f"table-{uuid.uuid4()}"
        made = dynamodb.create_table(
            TableName=self._name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": view},
        )
        self._stream = made["TableDescription"]["LatestStreamArn"]

    def put(self, **attributes: Any) -> None:
        self._dynamodb.put_item(TableName=self._name, Item={"id": {"S": "a"}, **attributes})

    def update(self, **given: Any) -> None:
        self._dynamodb.update_item(TableName=self._name, Key={"id": {"S": "a"}}, **given)

    def changes(self) -> list[tuple[str, dict[str, Any]]]:
        """Names and changes of all records, whose numbers follow each other."""
        with self._aws.client("dynamodbstreams") as streams:
            described = streams.describe_stream(StreamArn=self._stream)["StreamDescription"]
            iterator = streams.get_shard_iterator(
                StreamArn=self._stream,
                ShardId=described["Shards"][0]["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
            records = streams.get_records(ShardIterator=iterator)["Records"]
        numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        return [(record["eventName"], record["dynamodb"]) for record in records]


@pytest.fixture
def dynamodb(aws: EmbeddedAws) -> Iterator[Any]:
    with aws.client("dynamodb") as client:
        yield client


@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
def test_write_that_changes_nothing(aws: EmbeddedAws, dynamodb: Any, view: str) -> None:
    """A write that leaves an item as it was has no record, whatever the stream shows."""
    table = Table(aws, dynamodb, view)
    table.put(amount={"N": "1"})
    table.put(amount={"N": "1"})
    table.update(UpdateExpression="SET amount = :n", ExpressionAttributeValues={":n": {"N": "1"}})
    table.put(amount={"N": "2"})
    assert [name for name, _ in table.changes()] == ["INSERT", "MODIFY"]


def test_update_that_creates(aws: EmbeddedAws, dynamodb: Any) -> None:
    """An update that creates an item is one INSERT with the whole item."""
    table = Table(aws, dynamodb, "NEW_AND_OLD_IMAGES")
    table.update(**ADD)
    table.update(**ADD)
    (created, first), (changed, second) = table.changes()
    assert (created, changed) == ("INSERT", "MODIFY")
    assert first["NewImage"] == {"id": {"S": "a"}, "amount": {"N": "1"}}
    assert "OldImage" not in first
    assert second["OldImage"] == first["NewImage"]


def test_update_that_is_refused(aws: EmbeddedAws, dynamodb: Any) -> None:
    """An update whose condition fails has no record."""
    table = Table(aws, dynamodb, "NEW_AND_OLD_IMAGES")
    with pytest.raises(ClientError):
        table.update(**ADD, ConditionExpression="attribute_exists(id)")
    table.put()
    assert [name for name, _ in table.changes()] == ["INSERT"]
