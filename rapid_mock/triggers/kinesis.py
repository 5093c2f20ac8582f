"""One Kinesis stream, read by boto3's calls.

Source: Amazon Kinesis Data Streams API reference; what the embedded AWS does otherwise as tried.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from rapid_mock.events.received import epoch_seconds, kinesis_record
from rapid_mock.service.mapping_settings import AT_TIMESTAMP, LATEST
from rapid_mock.service.shard_tree import Shard
from rapid_mock.service.stream_orders import StreamRecord
from rapid_mock.triggers.poller import Calls
from rapid_mock.triggers.stream_api import Beginning, Page, StreamCalls, has_ending, parents_of


class KinesisStream:
    """A stream by its ARN; `role_arn` is that of the function which gets the records."""

    def __init__(
        self, arn: str, calls: Calls, explain: Callable[[str], None], role_arn: str
    ) -> None:
        self.arn = arn
        self._role_arn = role_arn
        self._calls = StreamCalls(calls, "kinesis", arn)
        self._explain = explain
        self._is_over: dict[str, bool] = {}

    async def incarnation(self) -> str:
        answer = await self._calls.call("describe_stream_summary", StreamARN=self.arn)
        created: datetime = answer["StreamDescriptionSummary"]["StreamCreationTimestamp"]
        return created.astimezone(UTC).isoformat()

    async def shards(self) -> list[Shard]:
        return [
            Shard(
                shard["ShardId"],
                parents_of(shard),
                has_ending(shard) and await self._takes_no_more(shard["ShardId"]),
            )
            async for shard in self._listed()
        ]

    async def iterator(self, shard_id: str, start: Beginning | str) -> str:
        answer = await self._calls.call(
            "get_shard_iterator", StreamARN=self.arn, ShardId=shard_id, **_position(start)
        )
        return str(answer["ShardIterator"])

    async def page(self, shard_id: str, iterator: str, most: int) -> Page:
        answer = await self._calls.call(
            "get_records", StreamARN=self.arn, ShardIterator=iterator, Limit=most
        )
        records = [self._record(shard_id, record) for record in answer["Records"]]
        return Page(records, answer.get("NextShardIterator"))

    async def _listed(self) -> AsyncIterator[Mapping[str, Any]]:
        which: dict[str, Any] = {"StreamARN": self.arn}
        while which:
            answer = await self._calls.call("list_shards", **which)
            for shard in answer["Shards"]:
                yield shard
            token = answer.get("NextToken")
            which = {} if token is None else {"NextToken": token}

    async def _takes_no_more(self, shard_id: str) -> bool:
        """The embedded AWS goes on to put records into shards that were split or merged.

        What tells is a read at its end: AWS has nothing that follows it.
        """
        if shard_id not in self._is_over:
            end = await self.iterator(shard_id, Beginning(LATEST))
            is_over = (await self.page(shard_id, end, 1)).following is None
            self._is_over[shard_id] = is_over
            if not is_over:
                self._explain(
                    f"shard {shard_id} of {self.arn} was split or merged, but this AWS goes on to "
                    "put records into it: it is read on, and the shards it became are not"
                )
        return self._is_over[shard_id]

    def _record(self, shard_id: str, record: Mapping[str, Any]) -> StreamRecord:
        made = kinesis_record(record, self.arn, shard_id, self._role_arn)
        return StreamRecord(
            record["SequenceNumber"],
            record["PartitionKey"],
            epoch_seconds(record["ApproximateArrivalTimestamp"]),
            len(json.dumps(made)),
            made,
        )


def _position(start: Beginning | str) -> dict[str, Any]:
    if isinstance(start, str):
        return {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "StartingSequenceNumber": start}
    moment = {"Timestamp": start.moment} if start.position == AT_TIMESTAMP else {}
    return {"ShardIteratorType": start.position, **moment}
