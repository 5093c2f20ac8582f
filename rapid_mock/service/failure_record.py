"""What the on-failure destination of a stream's mapping is told of records that were given up.

Source: "Retaining discarded batch information", AWS Lambda Developer Guide; members and formats of
times as recorded from AWS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rapid_mock.service.civil_dates import utc_stamp
from rapid_mock.service.event_source import SourceKind
from rapid_mock.service.stream_orders import Discard

_BATCH_INFO = {
    SourceKind.KINESIS: ("KinesisBatchInfo", "milliseconds"),
    SourceKind.DYNAMODB: ("DDBStreamBatchInfo", "seconds"),
}


@dataclass(frozen=True, slots=True)
class StreamShard:
    """The shard whose records these are, and the mapping that polls it."""

    kind: SourceKind
    stream_arn: str
    shard_id: str
    function_arn: str
    mapping_id: str


def failure_record(
    discard: Discard, shard: StreamShard, wall: float, request_id: str
) -> dict[str, Any]:
    """The record sent to SQS and SNS; `wall` is now in epoch seconds.

    `request_id` stands for that of the last invocation where there was none: the records were too
    old.
    """
    name, precision = _BATCH_INFO[shard.kind]
    first, last = discard.records[0], discard.records[-1]
    answer = discard.answer
    context = {
        "requestId": request_id if answer is None else answer.request_id,
        "functionArn": ":".join(shard.function_arn.split(":")[:7]),
        "condition": discard.condition,
        "approximateInvokeCount": discard.invoke_count,
    }
    response = (
        None
        if answer is None
        else {
            "statusCode": 200,
            "executedVersion": answer.executed_version,
            "functionError": answer.function_error,
        }
    )
    return {
        "requestContext": context,
        **({} if response is None else {"responseContext": response}),
        "version": "1.0",
        "timestamp": utc_stamp(wall),
        name: {
            "shardId": shard.shard_id,
            "startSequenceNumber": first.sequence_number,
            "endSequenceNumber": last.sequence_number,
            "approximateArrivalOfFirstRecord": utc_stamp(first.arrived, precision),
            "approximateArrivalOfLastRecord": utc_stamp(last.arrived, precision),
            "batchSize": len(discard.records),
            "streamArn": shard.stream_arn,
        },
    }


def failure_object(
    discard: Discard, shard: StreamShard, wall: float, request_id: str
) -> dict[str, Any]:
    """The object written to S3: the same record, with the records themselves."""
    payload = {"Records": [record.record for record in discard.records]}
    return {**failure_record(discard, shard, wall, request_id), "payload": payload}


def failure_object_key(shard: StreamShard, wall: float, object_id: str) -> str:
    """The key of that object; `object_id` is a UUID."""
    date, _, time = utc_stamp(wall, "seconds").removesuffix("Z").partition("T")
    folder = f"aws/lambda/{shard.mapping_id}/{shard.shard_id}/{date.replace('-', '/')}"
    return f"{folder}/{date}T{time.replace(':', '.')}-{object_id}"
