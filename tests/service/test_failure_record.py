from __future__ import annotations

from rapid_mock.service.event_source import Answered, SourceKind
from rapid_mock.service.failure_record import (
    StreamShard,
    failure_object,
    failure_object_key,
    failure_record,
)
from rapid_mock.service.stream_orders import Discard, StreamRecord

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
SHARD = StreamShard(
    SourceKind.KINESIS, STREAM, "shardId-000000000000", f"{FUNCTION}:live", "mapping-id"
)
RECORDS = (
    StreamRecord("101", "k", 1_657_720_081.25, 10, {"n": 1}),
    StreamRecord("102", "k", 1_657_720_082.5, 10, {"n": 2}),
)
WALL = 1_657_720_083.0


def test_exhausted_retries() -> None:
    """The record that AWS sends when retries are exhausted, its function without qualifier."""
    answer = Answered(b"{}", "Unhandled", "last-request", "3")
    discard = Discard(RECORDS, "RetryAttemptsExhausted", 2, answer)
    assert failure_record(discard, SHARD, WALL, "unused") == {
        "requestContext": {
            "requestId": "last-request",
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 2,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "3",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2022-07-13T13:48:03.000Z",
        "KinesisBatchInfo": {
            "shardId": "shardId-000000000000",
            "startSequenceNumber": "101",
            "endSequenceNumber": "102",
            "approximateArrivalOfFirstRecord": "2022-07-13T13:48:01.250Z",
            "approximateArrivalOfLastRecord": "2022-07-13T13:48:02.500Z",
            "batchSize": 2,
            "streamArn": "arn:aws:kinesis:us-east-1:123456789012:stream/orders",
        },
    }


def test_reported_items_are_no_function_error() -> None:
    """When the function reported items, its error is null."""
    discard = Discard(RECORDS, "RetryAttemptsExhausted", 4, Answered(b"{}"))
    record = failure_record(discard, SHARD, WALL, "unused")
    assert record["responseContext"]["functionError"] is None


def test_exceeded_age_has_no_response() -> None:
    """For records that became too old there is no response, and the given request id."""
    discard = Discard(RECORDS, "RecordAgeExceeded", 1, None)
    record = failure_record(discard, SHARD, WALL, "given")
    assert "responseContext" not in record
    assert record["requestContext"]["requestId"] == "given"


def test_dynamodb_arrivals_are_in_seconds() -> None:
    """A DynamoDB stream's batch has its own name and times in whole seconds."""
    shard = StreamShard(SourceKind.DYNAMODB, "arn:stream", "shard", FUNCTION, "mapping-id")
    discard = Discard(RECORDS[:1], "RetryAttemptsExhausted", 1, Answered(b""))
    info = failure_record(discard, shard, WALL, "unused")["DDBStreamBatchInfo"]
    assert info["approximateArrivalOfFirstRecord"] == "2022-07-13T13:48:01Z"
    assert info["approximateArrivalOfLastRecord"] == "2022-07-13T13:48:01Z"


def test_object_for_s3() -> None:
    """S3 gets the records too, under a key of mapping, shard and time."""
    discard = Discard(RECORDS, "RetryAttemptsExhausted", 2, Answered(b""))
    assert failure_object(discard, SHARD, WALL, "x")["payload"] == {"Records": [{"n": 1}, {"n": 2}]}
    assert failure_object_key(SHARD, WALL, "a-uuid") == (
        "aws/lambda/mapping-id/shardId-000000000000/2022/07/13/2022-07-13T13.48.03-a-uuid"
    )
