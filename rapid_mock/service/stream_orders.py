"""What the poller of a stream's shard is set to, what it knows of records, and what it orders.

Source: "How Lambda processes records from stream and queue-based event sources" and "Configuring
Kinesis event source mappings", AWS Lambda Developer Guide.
"""

from __future__ import annotations

from dataclasses import dataclass

from rapid_mock.service.event_source import Answered, Batching

UNLIMITED = -1

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
AGE_EXCEEDED = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """One mapping's settings; times in seconds, -1 for no limit.

    `poll_interval`: AWS reads Kinesis once and DynamoDB Streams four times a second; `most_read`
    records at once, the limits of their GetRecords. `lanes`: the ParallelizationFactor, batches of
    one shard at the function at once.
    """

    batching: Batching
    poll_interval: float = 1.0
    most_read: int = 10_000
    lanes: int = 1
    maximum_retries: int = UNLIMITED
    maximum_age: float = UNLIMITED
    bisects: bool = False


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """A record that was read: `arrived` in epoch seconds, `size` its JSON's bytes.

    `key` is what keeps records in order: the partition key, or an item's key as text. `record` is
    what the function gets.
    """

    sequence_number: str
    key: str
    arrived: float
    size: int
    record: object


@dataclass(frozen=True, slots=True)
class Read:
    """Read at most `most` records after a sequence number; None is where the shard is begun."""

    after: str | None
    most: int


@dataclass(frozen=True, slots=True)
class Invoke:
    """Invoke the function synchronously; an order for a batch that failed comes again."""

    batch: int
    records: tuple[StreamRecord, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Remember that all records up to this one are done with."""

    sequence_number: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Tell the on-failure destination of records that are given up.

    `invoke_count` is how often the function was invoked with them, `answer` what it said last.
    """

    records: tuple[StreamRecord, ...]
    condition: str
    invoke_count: int
    answer: Answered | None


@dataclass(frozen=True, slots=True)
class ShardEnded:
    """The shard is closed and every record of it is done with; the last order."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nothing is under way any more; the last order."""


Order = Read | Invoke | Checkpoint | Discard | ShardEnded | Stopped
