"""One stream of a DynamoDB table, read by boto3's calls.

Source: Amazon DynamoDB Streams API reference; what the embedded AWS does otherwise as tried.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from rapid_mock.errors import CallFailed
from rapid_mock.events.received import dynamodb_record, epoch_seconds
from rapid_mock.service.mapping_settings import AT_TIMESTAMP, TRIM_HORIZON
from rapid_mock.service.shard_tree import Shard
from rapid_mock.service.stream_orders import StreamRecord
from rapid_mock.triggers.poller import Calls
from rapid_mock.triggers.stream_api import (
    TRIMMED,
    Beginning,
    Page,
    StreamCalls,
    StreamGone,
    has_ending,
    parents_of,
)


class TableStream:
    """A stream by its ARN, which names its table and the moment of its creation."""

    def __init__(self, arn: str, calls: Calls, explain: Callable[[str], None]) -> None:
        self.arn = arn
        self._calls = StreamCalls(calls, "dynamodbstreams", arn)
        self._explain = explain
        self._since: dict[str, float] = {}

    async def incarnation(self) -> str:
        answer = await self._calls.call("describe_stream", StreamArn=self.arn, Limit=1)
        label = str(answer["StreamDescription"]["StreamLabel"])
        if not self.arn.endswith(f"/{label}"):  # the embedded AWS shows the table's newest stream
            raise StreamGone(f"there is no stream {self.arn}")
        return label

    async def shards(self) -> list[Shard]:
        return [
            Shard(shard["ShardId"], parents_of(shard), has_ending(shard))
            async for shard in self._described()
        ]

    async def iterator(self, shard_id: str, start: Beginning | str) -> str:
        self._since.pop(shard_id, None)
        if isinstance(start, Beginning):
            return await self._beginning(shard_id, start)
        try:
            return await self._iterator(
                shard_id, ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=start
            )
        except CallFailed as error:
            if error.code != TRIMMED:
                raise
        self._explain(
            f"shard {shard_id} of {self.arn} no longer has the records after {start}: it goes on "
            "with the oldest that it has"
        )
        return await self._beginning(shard_id, Beginning(TRIM_HORIZON))

    async def page(self, shard_id: str, iterator: str, most: int) -> Page:
        answer = await self._calls.call("get_records", ShardIterator=iterator, Limit=most)
        records = [self._record(record) for record in answer["Records"]]
        since = self._since.get(shard_id, 0.0)
        return Page(
            [record for record in records if record.arrived >= since],
            answer.get("NextShardIterator"),
        )

    async def _beginning(self, shard_id: str, start: Beginning) -> str:
        """DynamoDB Streams have no AT_TIMESTAMP: what is older, to the second, is left out."""
        if start.position != AT_TIMESTAMP:
            return await self._iterator(shard_id, ShardIteratorType=start.position)
        self._since[shard_id] = float(int(start.moment))
        return await self._iterator(shard_id, ShardIteratorType=TRIM_HORIZON)

    async def _iterator(self, shard_id: str, **position: str) -> str:
        answer = await self._calls.call(
            "get_shard_iterator", StreamArn=self.arn, ShardId=shard_id, **position
        )
        return str(answer["ShardIterator"])

    async def _described(self) -> AsyncIterator[Mapping[str, Any]]:
        which: dict[str, Any] = {"StreamArn": self.arn}
        while which:
            answer = await self._calls.call("describe_stream", **which)
            for shard in answer["StreamDescription"]["Shards"]:
                yield shard
            last = answer["StreamDescription"].get("LastEvaluatedShardId")
            which = {} if last is None else {**which, "ExclusiveStartShardId": last}

    def _record(self, record: Mapping[str, Any]) -> StreamRecord:
        made = dynamodb_record(record, self.arn)
        return StreamRecord(
            record["dynamodb"]["SequenceNumber"],
            json.dumps(made["dynamodb"]["Keys"], sort_keys=True),
            epoch_seconds(record["dynamodb"]["ApproximateCreationDateTime"]),
            len(json.dumps(made)),
            made,
        )


def is_change(record: Mapping[str, Any]) -> bool:
    """Whether a record tells of a change; on AWS a write that changes nothing has none."""
    change = record["dynamodb"]
    old, new = change.get("OldImage"), change.get("NewImage")
    return old is None or new is None or bool(old != new)
