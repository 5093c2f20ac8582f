"""What becomes of records that were given up: they are told, on the console and to a destination.

Source: "Retaining discarded batch information", AWS Lambda Developer Guide.
"""

from __future__ import annotations

import json
import uuid

from rapid_mock.errors import CallFailed
from rapid_mock.service.failure_record import (
    StreamShard,
    failure_object,
    failure_object_key,
    failure_record,
)
from rapid_mock.service.mappings import EventSourceMapping
from rapid_mock.service.stream_orders import Discard
from rapid_mock.triggers.poller import Surroundings
from rapid_mock.triggers.stream_api import spoken

_BUCKET = "arn:aws:s3:::"


class Losses:
    """The records of one mapping that were given up."""

    def __init__(self, mapping: EventSourceMapping, surroundings: Surroundings) -> None:
        self._mapping = mapping
        self._surroundings = surroundings
        failures = mapping.members["DestinationConfig"].get("OnFailure") or {}
        self._destination = failures.get("Destination")

    async def tell(self, shard_id: str, discard: Discard) -> None:
        """Returns when the destination has them, or has refused them; raises nothing."""
        mapping = self._mapping
        first, last = discard.records[0], discard.records[-1]
        self._surroundings.explain(
            f"records {first.sequence_number} to {last.sequence_number} of shard {shard_id} of "
            f"{mapping.source_arn} were given up after {discard.invoke_count} attempts: "
            f"{discard.condition}"
        )
        if self._destination:
            shard = StreamShard(
                mapping.kind, mapping.source_arn, shard_id, mapping.function_arn, mapping.mapping_id
            )
            await self._send(self._destination, discard, shard)

    async def _send(self, destination: str, discard: Discard, shard: StreamShard) -> None:
        """Queues and topics get the record, buckets an object that has the records too."""
        wall, request_id = self._surroundings.clock.now().wall, str(uuid.uuid4())
        if not destination.startswith(_BUCKET):
            record = failure_record(discard, shard, wall, request_id)
            await self._surroundings.send(destination, record)
            return
        content = failure_object(discard, shard, wall, request_id)
        try:
            await self._surroundings.calls.call(
                "s3",
                "put_object",
                Bucket=destination.removeprefix(_BUCKET),
                Key=failure_object_key(shard, wall, str(uuid.uuid4())),
                Body=json.dumps(content).encode(),
            )
        except CallFailed as error:
            self._surroundings.explain(f"{destination} did not take an object: {spoken(error)}")
