"""Events of Amazon Kinesis Data Streams.

Source: "Using Lambda to process records from Amazon Kinesis Data Streams".
"""

from __future__ import annotations

from collections.abc import Sequence

from rapid_mock.events.values import ACCOUNT, REGION, Body, Event, Moment, Origin, base64_of

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
    records = []
    for place, datum in enumerate(data or ("Hello from Kinesis!",)):
        given = sequence_numbers[place : place + 1]
        sequence_number = given[0] if given else str(_FIRST_SEQUENCE_NUMBER + place)
        records.append(
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": partition_key,
                    "sequenceNumber": sequence_number,
                    "data": base64_of(datum),
                    "approximateArrivalTimestamp": origin.milliseconds / 1000,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard_id}:{sequence_number}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": f"arn:aws:iam::{account}:role/{role}",
                "awsRegion": region,
                "eventSourceARN": origin.arn("kinesis", f"stream/{stream}"),
            }
        )
    return {"Records": records}
