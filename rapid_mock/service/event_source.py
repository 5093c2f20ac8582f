"""What pollers of queues and streams have in common: settings, outcomes, partial responses.

A poller is pure: it is told what happened (a receive came back, a batch was answered) and returns
orders (receive, invoke, delete ...); a driver carries them out. Its `deadline` is when it wants
`handle_timeout`.

Source: "Invoking Lambda with records from event source mappings", AWS Lambda Developer Guide.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, TypeVar

from lambda_runtime.contract import MAX_INVOKE_REQUEST_BYTES

_WRAPPER_BYTES = len('{"Records":[]}')
_FIRST_BACKOFF, _LONGEST_BACKOFF = 1.0, 60.0


class SourceKind(Enum):
    """The services whose records a mapping polls; the value is the service's name in ARNs."""

    SQS = "sqs"
    KINESIS = "kinesis"
    DYNAMODB = "dynamodb"


@dataclass(frozen=True, slots=True)
class Batching:
    """How many records make a batch: `size`, or fewer when the oldest waited `window` seconds.

    `reports_item_failures`: the function's response says which items failed.
    """

    size: int
    window: float = 0.0
    reports_item_failures: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """The function ran: its payload, and its error if it failed (`Unhandled`)."""

    payload: bytes
    function_error: str | None = None
    request_id: str = ""
    executed_version: str = "$LATEST"


@dataclass(frozen=True, slots=True)
class Refused:
    """The function did not run: throttled, or an error of the service."""


Outcome = Answered | Refused


class Sized(Protocol):
    """A record that knows how many bytes its JSON has."""

    @property
    def size(self) -> int: ...


_Record = TypeVar("_Record", bound=Sized)


def leading_batch(records: Iterable[_Record], most: int) -> tuple[list[_Record], bool]:
    """The first records that go into one event, at least one, and whether no more would fit."""
    total = _WRAPPER_BYTES
    batch: list[_Record] = []
    for record in records:
        total += record.size + 1
        if batch and (len(batch) == most or total > MAX_INVOKE_REQUEST_BYTES):
            return batch, True
        batch.append(record)
    return batch, len(batch) >= most


def backoff(failures: int) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4 ... 60."""
    return float(min(_FIRST_BACKOFF * 2 ** min(failures - 1, 10), _LONGEST_BACKOFF))


def failed_items(answer: Answered, batching: Batching, item_ids: Collection[str]) -> frozenset[str]:
    """The ids of a batch's items that must be tried again.

    All of them after a function error, and when a response that should report failures cannot be
    understood or names an item that is not there.
    """
    everything = frozenset(item_ids)
    if answer.function_error is not None:
        return everything
    if not batching.reports_item_failures:
        return frozenset()
    try:
        response = json.loads(answer.payload) if answer.payload.strip() else None
    except (ValueError, RecursionError):
        return everything
    if not response:
        return frozenset()
    return _reported(response, everything)


def _reported(response: object, everything: frozenset[str]) -> frozenset[str]:
    """The items of `{"batchItemFailures": [{"itemIdentifier": id}]}`."""
    if not isinstance(response, dict):
        return everything
    failures = response.get("batchItemFailures") or []
    if not isinstance(failures, list):
        return everything
    reported = [
        failure.get("itemIdentifier") if isinstance(failure, dict) else None for failure in failures
    ]
    known = frozenset(item for item in reported if isinstance(item, str)) & everything
    return known if len(known) == len(set(map(str, reported))) else everything
