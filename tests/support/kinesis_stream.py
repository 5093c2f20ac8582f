"""A Kinesis stream of a server, as a test fills, splits and merges it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from tests.support.stream_world import Record, data_of

ROOT, LOW, HIGH, MERGED = (f"shardId-{number:012}" for number in range(4))
"""The shards of a stream that begins with one, which is split, and the halves merged."""
_HALF = str(2**127)


class Stream:
    """A stream of the server's, and a writer to it."""

    def __init__(self, client: Any, shards: int = 1) -> None:
        self.client = client
        self.name = f"stream-{uuid.uuid4()}"
        self.arn = f"arn:aws:kinesis:us-east-1:123456789012:stream/{self.name}"
        self.create(shards)

    def create(self, shards: int = 1) -> None:
        self.client.create_stream(StreamName=self.name, ShardCount=shards)

    def delete(self) -> None:
        self.client.delete_stream(StreamName=self.name)

    def put(self, data: Iterable[str], keys: int = 7) -> list[str]:
        """Put records, each key's in order; the key of a record is its place among so many."""
        texts = list(data)
        for start in range(0, len(texts), 500):
            records = [
                {"Data": text.encode(), "PartitionKey": f"key-{place % keys}"}
                for place, text in enumerate(texts[start : start + 500], start)
            ]
            self.client.put_records(StreamName=self.name, Records=records)
        return texts

    def split(self) -> None:
        """Split the first shard."""
        self.client.split_shard(StreamName=self.name, ShardToSplit=ROOT, NewStartingHashKey=_HALF)

    def merge(self, one: str, other: str) -> None:
        self.client.merge_shards(StreamName=self.name, ShardToMerge=one, AdjacentShardToMerge=other)


def numbers(first: int, end: int) -> list[str]:
    return [str(number) for number in range(first, end)]


def keys_in_order(records: list[Record]) -> None:
    """Each key's records came in the order in which they were put."""
    by_key: dict[str, list[int]] = {}
    for record in records:
        by_key.setdefault(record["kinesis"]["partitionKey"], []).append(int(data_of(record)))
    assert all(found == sorted(found) for found in by_key.values())
