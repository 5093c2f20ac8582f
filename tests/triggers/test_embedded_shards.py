"""Kinesis of the embedded AWS, resharded as AWS does it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.embedded_aws import EmbeddedAws

ROOT, LOW, HIGH, MERGED = (f"shardId-{number:012}" for number in range(4))


@pytest.fixture
def kinesis(aws: EmbeddedAws) -> Iterator[Any]:
    with aws.client("kinesis") as client:
        yield client


@pytest.fixture
def stream(kinesis: Any) -> str:
    name = f"stream-{uuid.uuid4()}"
    kinesis.create_stream(StreamName=name, ShardCount=1)
    return name


def put(kinesis: Any, stream: str, *texts: str) -> set[str]:
    """The shards that the records went to."""
    entries = [{"Data": text.encode(), "PartitionKey": text} for text in texts]
    answer = kinesis.put_records(StreamName=stream, Records=entries)
    return {record["ShardId"] for record in answer["Records"]}


def read(kinesis: Any, stream: str, shard: str, limit: int = 100) -> tuple[list[str], bool]:
    """The records of a shard from its beginning, and whether nothing can follow them."""
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    answer = kinesis.get_records(ShardIterator=iterator, Limit=limit)
    texts = [record["Data"].decode() for record in answer["Records"]]
    return texts, "NextShardIterator" not in answer


def test_split(kinesis: Any, stream: str) -> None:
    """A shard that is split keeps its records and takes no more; its end can be read."""
    assert put(kinesis, stream, "a", "b", "c") == {ROOT}
    kinesis.split_shard(StreamName=stream, ShardToSplit=ROOT, NewStartingHashKey=str(2**127))
    assert put(kinesis, stream, *"defghijk") == {LOW, HIGH}
    assert read(kinesis, stream, ROOT) == (["a", "b", "c"], True)
    assert read(kinesis, stream, ROOT, limit=2) == (["a", "b"], False)
    low, high = (read(kinesis, stream, shard) for shard in (LOW, HIGH))
    assert sorted(low[0] + high[0]) == [*"defghijk"]
    assert (low[1], high[1]) == (False, False)


def test_merge(kinesis: Any, stream: str) -> None:
    """Merged shards keep their records, and the shard they become begins with none."""
    kinesis.split_shard(StreamName=stream, ShardToSplit=ROOT, NewStartingHashKey=str(2**127))
    put(kinesis, stream, *"defghijk")
    kinesis.merge_shards(StreamName=stream, ShardToMerge=LOW, AdjacentShardToMerge=HIGH)
    assert read(kinesis, stream, MERGED) == ([], False)
    assert put(kinesis, stream, "x", "y") == {MERGED}
    assert read(kinesis, stream, MERGED) == (["x", "y"], False)
    assert sorted(read(kinesis, stream, LOW)[0] + read(kinesis, stream, HIGH)[0]) == [*"defghijk"]


def test_refused_split(kinesis: Any, stream: str) -> None:
    """A split that is refused takes no record away."""
    put(kinesis, stream, "a", "b")
    with pytest.raises(ClientError):
        kinesis.split_shard(StreamName=stream, ShardToSplit=ROOT, NewStartingHashKey="0")
    assert read(kinesis, stream, ROOT) == (["a", "b"], False)


def test_shard_count(kinesis: Any, stream: str) -> None:
    """A stream that is scaled goes on in as many open shards."""
    kinesis.update_shard_count(StreamName=stream, TargetShardCount=4, ScalingType="UNIFORM_SCALING")
    kinesis.update_shard_count(StreamName=stream, TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    shards = kinesis.list_shards(StreamName=stream)["Shards"]
    is_open = {
        shard["ShardId"]
        for shard in shards
        if "EndingSequenceNumber" not in shard["SequenceNumberRange"]
    }
    assert len(is_open) == 2
    assert put(kinesis, stream, *"abcdefghij") == is_open


def test_explicit_hash_key(kinesis: Any, stream: str) -> None:
    """The highest hash key belongs to the last shard."""
    answer = kinesis.put_record(
        StreamName=stream, Data=b"a", PartitionKey="a", ExplicitHashKey=str(2**128 - 1)
    )
    assert answer["ShardId"] == ROOT
