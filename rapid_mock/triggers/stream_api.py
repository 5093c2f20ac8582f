"""What Kinesis and DynamoDB Streams have in common for those who read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from rapid_mock.errors import CallFailed, RapidMockError
from rapid_mock.service.shard_tree import Shard
from rapid_mock.service.stream_orders import StreamRecord
from rapid_mock.triggers.poller import Calls

GONE = "ResourceNotFoundException"
TRIMMED = "TrimmedDataAccessException"
_EXPIRED = ("ExpiredIteratorException", TRIMMED)


class StreamGone(RapidMockError):
    """Raised when there is no such stream, or another one has taken its name."""


class IteratorExpired(RapidMockError):
    """Raised when an iterator is no longer valid: it, or the record it points to, is too old."""


class Beginning(NamedTuple):
    """Where a shard without a checkpoint is begun; `moment` in epoch seconds, for AT_TIMESTAMP."""

    position: str
    moment: float = 0.0


class Page(NamedTuple):
    """What one read brought; `following` is None when the shard is closed and was read whole."""

    records: Sequence[StreamRecord]
    following: str | None


class StreamApi(Protocol):
    """One stream; every method also raises what `Calls.call` does."""

    @property
    def arn(self) -> str: ...

    async def incarnation(self) -> str:
        """What tells the stream from an earlier one of its name; raises StreamGone."""

    async def shards(self) -> list[Shard]:
        """All shards that are there; raises StreamGone."""

    async def iterator(self, shard_id: str, start: Beginning | str) -> str:
        """An iterator from a beginning, or after the record with a sequence number."""

    async def page(self, shard_id: str, iterator: str, most: int) -> Page:
        """The next records of a shard; raises IteratorExpired."""


class StreamCalls:
    """The calls of one stream's service, with the refusals that both services have in common."""

    def __init__(self, calls: Calls, service: str, stream_arn: str) -> None:
        self._calls = calls
        self._service = service
        self._stream_arn = stream_arn

    async def call(self, operation: str, /, **arguments: Any) -> dict[str, Any]:
        """Raises StreamGone, IteratorExpired, or what `Calls.call` does."""
        try:
            return await self._calls.call(self._service, operation, **arguments)
        except CallFailed as error:
            if error.code == GONE:
                raise StreamGone(f"there is no stream {self._stream_arn}") from error
            if error.code in _EXPIRED and "ShardIterator" in arguments:
                raise IteratorExpired(str(error)) from error
            raise


def spoken(error: Exception) -> str:
    """An error in a sentence, with the code of a call that failed; a page of HTML is cut."""
    if isinstance(error, RapidMockError) and not isinstance(error, CallFailed):
        return str(error)
    code = error.code if isinstance(error, CallFailed) else type(error).__name__
    return f"{code}: {str(error).partition('<')[0] or 'no answer of the service'}"


def parents_of(shard: Mapping[str, Any]) -> tuple[str, ...]:
    """The shards that a described shard was split or merged from."""
    names = ("ParentShardId", "AdjacentParentShardId")
    return tuple(shard[name] for name in names if name in shard)


def has_ending(shard: Mapping[str, Any]) -> bool:
    """Whether a described shard is closed."""
    return "EndingSequenceNumber" in shard["SequenceNumberRange"]
