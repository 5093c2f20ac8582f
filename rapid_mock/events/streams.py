"""Events of Amazon Kinesis Data Streams.

Source: "Using Lambda to process records from Amazon Kinesis Data Streams".
"""

from __future__ import annotations

from collections.abc import Sequence

from rapid_mock.events.received import kinesis_record
from rapid_mock.events.values import ACCOUNT, REGION, Body, Event, Moment, Origin, bytes_of

_FIRST_SEQUENCE_NUMBER = 49590338271490256608559692538361571095921575989136588898


def kinesis(
    *data: Body,
    stream: str = "my-stream",
    partition_key: str = "1",
    sequence_numbers: Sequence[str] = (),
    shard_id: str = "shardId-000000000006",
    role: str = "lambda-role",
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """A batch of one record per datum, all of one shard and one partition key.

    `sequence_numbers` are given to the records in order; without them they count up.
    """
    origin = Origin(seed, at, region, account)
    stream_arn = origin.arn("kinesis", f"stream/{stream}")
    role_arn = f"arn:aws:iam::{account}:role/{role}"
    records = []
    for place, datum in enumerate(data or ("Hello from Kinesis!",)):
        given = sequence_numbers[place : place + 1]
        sequence_number = given[0] if given else str(_FIRST_SEQUENCE_NUMBER + place)
        record = {
            "SequenceNumber": sequence_number,
            "ApproximateArrivalTimestamp": origin.moment,
            "Data": bytes_of(datum),
            "PartitionKey": partition_key,
        }
        records.append(kinesis_record(record, stream_arn, shard_id, role_arn))
    return {"Records": records}
