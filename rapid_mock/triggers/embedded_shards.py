"""Has moto's Kinesis close the shards that are split or merged, as AWS does.

By itself moto goes on to put records into them, copies those of merged shards, and never says that
a shard is over. Runs inside the embedded AWS; changes moto's classes, whose tests are ours.
Source: Amazon Kinesis Data Streams, "After a reshard".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import md5
from typing import Any

from moto.kinesis.models import KinesisBackend, Record, Shard, Stream
from moto.kinesis.utils import decompose_shard_iterator

FindShard = Callable[[Stream, str, str], Shard | None]
Reshard = Callable[..., None]
GetRecords = Callable[..., tuple[str | None, list[Record], int]]


def close_shards() -> None:
    """Replace what decides where records go and stay, and what follows the last of them."""
    replaced: dict[tuple[Any, str], Any] = {
        (Stream, "get_shard_for_key"): _open_shard(Stream.get_shard_for_key),
        (Stream, "split_shard"): _leaving_records(Stream.split_shard),
        (Stream, "merge_shards"): _leaving_records(Stream.merge_shards),
        (KinesisBackend, "get_records"): _ending(KinesisBackend.get_records),
    }
    for (owner, name), function in replaced.items():
        setattr(owner, name, function)


def _open_shard(any_shard: FindShard) -> FindShard:
    """The open shard whose range holds the hash of a key; moto's own choice refuses bad keys."""

    def find(stream: Stream, partition_key: str, explicit_hash_key: str) -> Shard | None:
        any_shard(stream, partition_key, explicit_hash_key)
        digest = md5(partition_key.encode(), usedforsecurity=False)
        number = int(explicit_hash_key) if explicit_hash_key else int(digest.hexdigest(), 16)
        return next(
            shard
            for shard in stream.shards.values()
            if shard.is_open and shard.starting_hash <= number <= shard.ending_hash
        )

    return find


def _leaving_records(reshard: Reshard) -> Reshard:
    """What was put before stays where it is."""

    def resharded(stream: Stream, *shard_ids: str) -> None:
        shards = [stream.shards[name] for name in shard_ids if name in stream.shards]
        records = [shard.records for shard in shards]
        for shard in shards:
            shard.records = OrderedDict()
        try:
            reshard(stream, *shard_ids)
        finally:
            for shard, kept in zip(shards, records, strict=True):
                shard.records = kept

    return resharded


def _ending(get_records: GetRecords) -> GetRecords:
    """Nothing follows the last record of a closed shard."""

    def read(
        backend: KinesisBackend, stream_arn: str | None, shard_iterator: str, limit: int | None
    ) -> tuple[str | None, list[Record], int]:
        following, records, behind = get_records(backend, stream_arn, shard_iterator, limit)
        stream_name, shard_id, last = decompose_shard_iterator(str(following))
        shard = backend.describe_stream(stream_arn, stream_name).get_shard(shard_id)
        is_over = not shard.is_open and int(last) >= shard.get_max_sequence_number()
        return (None if is_over else following), records, behind

    return read
