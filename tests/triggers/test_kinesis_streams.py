"""Kinesis streams of a real server, polled for a function that the test plays."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from rapid_mock.errors import InvalidParameterValue
from rapid_mock.service.event_source import Answered, Outcome, Refused
from rapid_mock.triggers import streams
from rapid_mock.triggers.checkpoints import CheckpointStore
from tests.support.embedded_aws import EmbeddedAws
from tests.support.kinesis_stream import ROOT, Stream, keys_in_order, numbers
from tests.support.stream_world import FAILED, OK, ROLE, Record, data_of, polling

RECORDS = int(os.environ.get("STREAM_RECORDS", "400"))


def failing_on(poison: str) -> Callable[[list[Record]], Outcome]:
    """A function that fails with every batch that holds this record."""

    def answer(records: list[Record]) -> Outcome:
        return FAILED if poison in map(data_of, records) else OK

    return answer


def test_all_records_of_all_shards(aws: EmbeddedAws, store: CheckpointStore) -> None:
    """Every record is processed, once where nothing fails, and each key's in order."""

    async def scenario(stream: Stream) -> None:
        put = stream.put(numbers(0, RECORDS), keys=37)
        async with polling(aws, store, stream.arn) as world:
            await world.until(lambda: len(world.done) >= RECORDS)
        assert sorted(world.data, key=int) == put
        keys_in_order(world.done)
        assert len({record["eventID"].partition(":")[0] for record in world.done}) == 4
        assert set(world.results) == {"OK"}
        assert world.said == []

    with aws.client("kinesis") as client:
        asyncio.run(scenario(Stream(client, shards=4)))


def test_record(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """A record is the one that AWS hands over, in a batch of its shard."""

    async def scenario() -> None:
        stream.put(["hello"])
        async with polling(aws, store, stream.arn) as world:
            await world.until(lambda: bool(world.done))
        (record,) = world.done
        arrival = record["kinesis"].pop("approximateArrivalTimestamp")
        assert isinstance(arrival, float)
        assert record == {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": "key-0",
                "sequenceNumber": "1",
                "data": "aGVsbG8=",
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": "shardId-000000000000:1",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": ROLE,
            "awsRegion": "us-east-1",
            "eventSourceARN": stream.arn,
        }

    asyncio.run(scenario())


def test_latest(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """LATEST begins with what is put once the poller has started."""

    async def scenario() -> None:
        stream.put(["old"])
        async with polling(aws, store, stream.arn, StartingPosition="LATEST") as world:
            stream.put(["new"])
            await world.until(lambda: bool(world.done))
        assert world.data == ["new"]

    asyncio.run(scenario())


def test_latest_is_meant_once(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """What is put while nobody polls comes after the restart, though nothing came before it."""

    async def scenario() -> None:
        stream.put(["old"])
        async with polling(aws, store, stream.arn, StartingPosition="LATEST"):
            pass
        stream.put(["meanwhile"])
        async with polling(aws, store, stream.arn, StartingPosition="LATEST") as world:
            await world.until(lambda: bool(world.done))
        assert world.data == ["meanwhile"]

    asyncio.run(scenario())


def test_at_timestamp(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """AT_TIMESTAMP begins with the first record of its moment or later."""

    async def scenario() -> None:
        stream.put(["old", "older"])
        async with polling(aws, store, stream.arn) as first:
            await first.until(lambda: len(first.done) == 2)
        arrived = first.done[1]["kinesis"]["approximateArrivalTimestamp"]
        stream.put(["new"])
        store.of(stream.arn, first.function_arn).forget()
        request: dict[str, Any] = {
            "StartingPosition": "AT_TIMESTAMP",
            "StartingPositionTimestamp": arrived + 0.001,
        }
        async with polling(aws, store, stream.arn, **request) as world:
            await world.until(lambda: bool(world.done))
        assert world.data == ["new"]

    asyncio.run(scenario())


def test_restart_goes_on(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """After a stop the next poller goes on after the last record that was done with."""

    async def scenario() -> None:
        stream.put(numbers(0, 20))
        async with polling(aws, store, stream.arn, BatchSize=10) as first:
            await first.until(lambda: len(first.done) == 20)
        stream.put(numbers(20, 30))
        async with polling(aws, store, stream.arn) as second:
            await second.until(lambda: len(second.done) == 10)
        assert second.data == numbers(20, 30)

    asyncio.run(scenario())


def test_batch_that_failed_comes_again(
    aws: EmbeddedAws, store: CheckpointStore, stream: Stream
) -> None:
    """A poller that is stopped while a batch fails leaves it to the next one."""

    async def scenario() -> None:
        stream.put(numbers(0, 5))
        async with polling(aws, store, stream.arn, answer=failing_on("3")) as first:
            await first.until(lambda: len(first.batches) == 2)
        assert set(first.results) == {"PROBLEM: Function call failed"}
        async with polling(aws, store, stream.arn) as second:
            await second.until(lambda: len(second.done) == 5)
        assert second.data == numbers(0, 5)

    asyncio.run(scenario())


def test_poison_is_isolated(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """Bisection finds the record that fails; it alone is told, as on AWS, and all else flows."""

    async def scenario() -> None:
        stream.put(numbers(0, 50))
        queue = "arn:aws:sqs:us-east-1:123456789012:failures"
        request: dict[str, Any] = {
            "BisectBatchOnFunctionError": True,
            "MaximumRetryAttempts": 0,
            "DestinationConfig": {"OnFailure": {"Destination": queue}},
        }
        answer = failing_on("31")
        async with polling(aws, store, stream.arn, answer=answer, **request) as world:
            await world.until(lambda: len(world.done) == 49 and bool(world.sent))
        assert world.data == [*numbers(0, 31), *numbers(32, 50)]
        ((destination, record),) = world.sent
        assert destination == queue
        assert record["requestContext"] == {
            "requestId": "r-failed",
            "functionArn": world.function_arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 1,
        }
        batch = record["KinesisBatchInfo"]
        assert (batch["shardId"], batch["batchSize"], batch["streamArn"]) == (ROOT, 1, stream.arn)
        assert (batch["startSequenceNumber"], batch["endSequenceNumber"]) == ("32", "32")
        assert world.said == [
            f"records 32 to 32 of shard {ROOT} of {stream.arn} were given up after 1 attempts: "
            "RetryAttemptsExhausted"
        ]

    asyncio.run(scenario())


def test_object_of_given_up_records(
    aws: EmbeddedAws, store: CheckpointStore, stream: Stream
) -> None:
    """A bucket as destination gets an object with the records themselves, under AWS's key."""

    async def scenario() -> None:
        stream.put(["bad"])
        bucket = f"failures-{uuid.uuid4()}"
        request: dict[str, Any] = {
            "MaximumRetryAttempts": 0,
            "DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}},
        }
        with aws.client("s3") as objects:
            objects.create_bucket(Bucket=bucket)
            answer = failing_on("bad")
            async with polling(aws, store, stream.arn, answer=answer, **request) as world:
                await world.until(lambda: bool(world.said))
            (found,) = objects.list_objects_v2(Bucket=bucket)["Contents"]
            body = objects.get_object(Bucket=bucket, Key=found["Key"])["Body"].read()
        assert found["Key"].startswith(f"aws/lambda/uuid/{ROOT}/20")
        document = json.loads(body)
        assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
        assert document["payload"] == {"Records": world.batches[0]}

    asyncio.run(scenario())


def test_old_records_are_given_up(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """Records beyond the maximum age never reach the function; the record has no response."""

    async def scenario() -> None:
        stream.put(["old", "older"])
        topic = "arn:aws:sns:us-east-1:123456789012:failures"
        request: dict[str, Any] = {
            "MaximumRecordAgeInSeconds": 60,
            "DestinationConfig": {"OnFailure": {"Destination": topic}},
        }
        async with polling(aws, store, stream.arn, later=61.0, **request) as world:
            await world.until(lambda: bool(world.sent))
        assert world.batches == []
        ((_, record),) = world.sent
        assert record["requestContext"]["condition"] == "RecordAgeExceeded"
        assert record["requestContext"]["approximateInvokeCount"] == 0
        assert "responseContext" not in record
        assert record["KinesisBatchInfo"]["batchSize"] == 2

    asyncio.run(scenario())


def test_checkpoint_waits_for_the_destination(
    aws: EmbeddedAws, store: CheckpointStore, stream: Stream
) -> None:
    """Records that are given up are passed when the destination was told, not before."""

    async def scenario() -> None:
        request: dict[str, Any] = {
            "MaximumRetryAttempts": 0,
            "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:1:q"}},
        }
        async with polling(aws, store, stream.arn, answer=failing_on("bad"), **request) as world:
            world.holds_destinations.clear()
            stream.put(["bad"])
            await world.until(lambda: bool(world.sent))
            assert world.passed() == [None]
            world.holds_destinations.set()
        assert world.passed() == ["1"]

    asyncio.run(scenario())


def test_partial_responses(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """A reported record comes again with those after it, those before it do not."""

    async def scenario() -> None:
        answers = count()

        def report(records: list[Record]) -> Outcome:
            if next(answers):
                return OK
            failed = {"itemIdentifier": records[2]["kinesis"]["sequenceNumber"]}
            return Answered(json.dumps({"batchItemFailures": [failed]}).encode())

        stream.put(numbers(0, 5))
        request: dict[str, Any] = {"FunctionResponseTypes": ["ReportBatchItemFailures"]}
        async with polling(aws, store, stream.arn, answer=report, **request) as world:
            await world.until(lambda: len(world.batches) == 2)
        assert [list(map(data_of, batch)) for batch in world.batches] == [
            numbers(0, 5),
            numbers(2, 5),
        ]

    asyncio.run(scenario())


def test_throttled_function(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """A throttle is no attempt: the batch is held and comes again."""

    async def scenario() -> None:
        outcomes = iter([Refused()])
        stream.put(["held"])
        async with polling(
            aws, store, stream.arn, answer=lambda _: next(outcomes, OK), MaximumRetryAttempts=0
        ) as world:
            await world.until(lambda: bool(world.done))
        assert world.results == ["PROBLEM: Function call failed", "OK"]
        assert world.sent == []

    asyncio.run(scenario())


def test_filters(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """What the filters drop never reaches the function, and the checkpoint passes it."""

    async def scenario() -> None:
        criteria = {"Filters": [{"Pattern": json.dumps({"data": {"kind": ["order"]}})}]}
        stream.put(['{"kind": "order"}', '{"kind": "noise"}', "no JSON"], keys=1)
        async with polling(aws, store, stream.arn, FilterCriteria=criteria) as world:
            await world.until(lambda: bool(world.done))
        assert world.data == ['{"kind": "order"}']
        assert world.passed() == ["3"]

    asyncio.run(scenario())


def test_lanes(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """With a ParallelizationFactor a failing key holds its lane, while other keys flow."""

    async def scenario() -> None:
        stream.put(numbers(0, 40), keys=20)
        request: dict[str, Any] = {"ParallelizationFactor": 10, "BatchSize": 5}
        async with polling(aws, store, stream.arn, answer=failing_on("0"), **request) as world:
            await world.until(lambda: len(world.done) >= 20 and len(world.batches) > 8)
        keys_in_order(world.done)
        assert "0" not in world.data
        assert world.passed() == [None]

    asyncio.run(scenario())


def test_unknown_stream(aws: EmbeddedAws, store: CheckpointStore) -> None:
    """A mapping of a stream that is not there is refused with AWS's text."""
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/nowhere"

    async def scenario() -> None:
        async with polling(aws, store, arn):
            pass

    with pytest.raises(InvalidParameterValue) as refused:
        asyncio.run(scenario())
    assert str(refused.value) == f"Stream not found: {arn}"


def test_consumer(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """Enhanced fan-out is refused by its name."""

    async def scenario() -> None:
        async with polling(aws, store, f"{stream.arn}/consumer/fast:1700000000"):
            pass

    with pytest.raises(InvalidParameterValue) as refused:
        asyncio.run(scenario())
    assert str(refused.value) == (
        "Enhanced fan-out is not supported by the local Lambda: name the stream, not its consumer."
    )


# --- Bad weather ------------------------------------------------------------------------------


def test_expired_iterator(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """An iterator that expired is replaced by one after what was read, without a word."""

    async def scenario() -> None:
        stream.put(numbers(0, 5))
        async with polling(aws, store, stream.arn) as world:
            await world.until(lambda: len(world.done) == 5)
            world.calls.refuse("get_records", "ExpiredIteratorException")
            stream.put(numbers(5, 8))
            await world.until(lambda: len(world.done) == 8)
        assert world.data == numbers(0, 8)
        assert world.calls.made.count("get_shard_iterator") == 2
        assert world.said == []

    asyncio.run(scenario())


def test_latest_that_expired(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """When the iterator of LATEST expires unused, what was put since the start is not lost."""

    async def scenario() -> None:
        stream.put(["old"])
        failing = (("get_records", "InternalFailure"),)
        request: dict[str, Any] = {"StartingPosition": "LATEST", "refusing": failing}
        async with polling(aws, store, stream.arn, **request) as world:
            world.calls.refuse("get_records", "ExpiredIteratorException")
            stream.put(["new"])
            await world.until(lambda: bool(world.done))
        assert world.data == ["new"]

    asyncio.run(scenario())


def test_shard_that_cannot_be_read(
    aws: EmbeddedAws, store: CheckpointStore, stream: Stream
) -> None:
    """A shard that cannot be read is said once, tried again, and said again when it recurs."""

    async def scenario() -> None:
        stream.put(["one"])
        failing = (("get_records", "InternalFailure"), ("get_records", "InternalFailure"))
        async with polling(aws, store, stream.arn, refusing=failing) as world:
            await world.until(lambda: bool(world.done))
        (sentence,) = world.said
        assert sentence.startswith(f"shard {ROOT} of {stream.arn} cannot be read: ")
        assert "InternalFailure" in sentence

    asyncio.run(scenario())


def test_stream_that_cannot_be_listed(
    monkeypatch: pytest.MonkeyPatch, aws: EmbeddedAws, store: CheckpointStore, stream: Stream
) -> None:
    """A stream whose shards cannot be listed is said once, and listed again after a while."""
    monkeypatch.setattr(streams, "LISTING_SECONDS", 0.05)

    async def scenario() -> None:
        stream.put(["one"])
        failing = (("list_shards", "LimitExceededException"),) * 3
        async with polling(aws, store, stream.arn, refusing=failing) as world:
            await world.until(lambda: bool(world.done))
        (sentence,) = world.said
        assert sentence.startswith(f"the shards of {stream.arn} cannot be listed: ")

    asyncio.run(scenario())


def test_answers_that_mean_nothing(
    monkeypatch: pytest.MonkeyPatch, aws: EmbeddedAws, store: CheckpointStore, stream: Stream
) -> None:
    """A service whose answers lack what they must have is said, and asked again."""
    monkeypatch.setattr(streams, "LISTING_SECONDS", 0.05)

    async def scenario() -> None:
        stream.put(["one"])
        failing = (("list_shards", "Nonsense"), ("get_records", "Nonsense"))
        async with polling(aws, store, stream.arn, refusing=failing) as world:
            await world.until(lambda: bool(world.done))
        assert world.said == [
            f"the shards of {stream.arn} cannot be listed: KeyError: 'Shards'",
            f"shard {ROOT} of {stream.arn} cannot be read: KeyError: 'Records'",
        ]

    asyncio.run(scenario())


def test_batch_window(aws: EmbeddedAws, store: CheckpointStore, stream: Stream) -> None:
    """With a window, records of several reads make one batch."""

    async def scenario() -> None:
        window: dict[str, Any] = {"MaximumBatchingWindowInSeconds": 3}
        async with polling(aws, store, stream.arn, **window) as world:
            stream.put(["first"])
            reads = world.calls.made.count("get_records")
            await world.until(lambda: world.calls.made.count("get_records") > reads)
            stream.put(["second"])
            await world.until(lambda: bool(world.done))
        assert [list(map(data_of, batch)) for batch in world.batches] == [["first", "second"]]

    asyncio.run(scenario())


def test_stream_that_is_created_anew(
    monkeypatch: pytest.MonkeyPatch, aws: EmbeddedAws, store: CheckpointStore, stream: Stream
) -> None:
    """A stream that was deleted is waited for; the new one of its name is read whole."""
    monkeypatch.setattr(streams, "LISTING_SECONDS", 0.05)

    async def scenario() -> None:
        stream.put(numbers(0, 9))
        async with polling(aws, store, stream.arn, StartingPosition="LATEST") as world:
            stream.delete()
            await world.until(lambda: bool(world.said))
            stream.create()
            stream.put(numbers(9, 12))
            await world.until(lambda: len(world.done) == 3)
        assert world.data == numbers(9, 12)
        assert world.said == [f"there is no stream {stream.arn}: the mapping waits for it"]

    asyncio.run(scenario())
