"""Shards that are split and merged while they are polled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from rapid_mock.triggers import streams
from rapid_mock.triggers.checkpoints import CheckpointStore
from tests.support.embedded_aws import EmbeddedAws
from tests.support.kinesis_stream import (
    HIGH,
    LOW,
    MERGED,
    ROOT,
    Stream,
    keys_in_order,
    numbers,
)
from tests.support.stream_world import data_of, polling


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LISTING_SECONDS", 0.05)


@pytest.fixture
def plain_stream(plain_moto: EmbeddedAws) -> Iterator[Stream]:
    with plain_moto.client("kinesis") as client:
        yield Stream(client, shards=2)


@pytest.mark.parametrize("position", ["TRIM_HORIZON", "LATEST"])
def test_split_and_merge_are_followed(
    aws: EmbeddedAws, store: CheckpointStore, stream: Stream, position: str
) -> None:
    """Children come after their parents, across a restart too: each key in order, each once."""

    async def scenario() -> None:
        arn = stream.arn
        async with polling(aws, store, arn, StartingPosition=position, BatchSize=7) as first:
            stream.put(numbers(0, 50))
            stream.split()
            stream.put(numbers(50, 100))
            await first.until(lambda: len(first.done) >= 60)
        stream.merge(LOW, HIGH)
        stream.put(numbers(100, 150))
        async with polling(aws, store, arn, StartingPosition=position) as second:
            await second.until(lambda: len(first.done) + len(second.done) >= 150)
        records = first.done + second.done
        assert sorted(map(data_of, records), key=int) == numbers(0, 150)
        keys_in_order(records)
        shards = {record["eventID"].partition(":")[0] for record in records}
        assert shards == {ROOT, LOW, HIGH, MERGED}
        known = second.checkpoints.known().items()
        assert {name for name, shard in known if shard.has_ended} == {ROOT, LOW, HIGH}

    asyncio.run(scenario())


def test_latest_of_a_stream_that_was_split(
    aws: EmbeddedAws, store: CheckpointStore, stream: Stream
) -> None:
    """With LATEST, shards that were closed before are not read."""

    async def scenario() -> None:
        stream.put(numbers(0, 5))
        stream.split()
        stream.put(numbers(5, 10))
        async with polling(aws, store, stream.arn, StartingPosition="LATEST") as world:
            stream.put(numbers(10, 15))
            await world.until(lambda: len(world.done) == 5)
        assert sorted(world.data) == numbers(10, 15)

    asyncio.run(scenario())


@pytest.mark.parametrize("position", ["TRIM_HORIZON", "LATEST"])
def test_shards_that_are_not_closed(
    plain_moto: EmbeddedAws, store: CheckpointStore, plain_stream: Stream, position: str
) -> None:
    """moto puts records into shards that were merged: that is said, and each comes once."""

    async def scenario() -> None:
        arn = plain_stream.arn
        async with polling(plain_moto, store, arn, StartingPosition=position) as first:
            plain_stream.put(numbers(0, 30))
            plain_stream.merge(ROOT, LOW)
            plain_stream.put(numbers(30, 60))
            await first.until(lambda: len(first.done) >= 60 and len(first.said) == 2)
        plain_stream.put(numbers(60, 90))
        async with polling(plain_moto, store, arn, StartingPosition=position) as second:
            await second.until(lambda: len(second.done) >= 30)
        records = first.done + second.done
        assert sorted(map(data_of, records), key=int) == numbers(0, 90)
        keys_in_order(records)
        assert first.said[0] == (
            f"shard {ROOT} of {arn} was split or merged, but this AWS goes on to put records "
            "into it: it is read on, and the shards it became are not"
        )

    asyncio.run(scenario())


def test_latest_of_shards_that_are_not_closed(
    plain_moto: EmbeddedAws, store: CheckpointStore, plain_stream: Stream
) -> None:
    """A shard that moto calls closed is read from LATEST on, as records still go there."""

    async def scenario() -> None:
        arn = plain_stream.arn
        plain_stream.put(numbers(0, 5))
        plain_stream.merge(ROOT, LOW)
        async with polling(plain_moto, store, arn, StartingPosition="LATEST") as world:
            plain_stream.put(numbers(5, 10))
            await world.until(lambda: len(world.done) == 5)
        assert sorted(world.data) == numbers(5, 10)

    asyncio.run(scenario())
