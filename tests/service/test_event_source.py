from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.service.event_source import (
    Answered,
    Batching,
    backoff,
    failed_items,
    leading_batch,
)

REPORTING = Batching(10, reports_item_failures=True)
ITEMS = ["a", "b", "c"]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        '""',
        "null",
        "[]",
        "{}",
        '{"batchItemFailures": []}',
        '{"batchItemFailures": null}',
        '{"statusCode": 200}',
    ],
)
def test_whole_success(payload: str) -> None:
    """No response, an empty one, and one without failures say that all items succeeded."""
    assert failed_items(Answered(payload.encode()), REPORTING, ITEMS) == frozenset()


@pytest.mark.parametrize(
    "payload",
    [
        "no JSON",
        "[" * 5000,
        '"text"',
        "[1]",
        '{"batchItemFailures": "a"}',
        '{"batchItemFailures": ["a"]}',
        '{"batchItemFailures": [{"itemIdentifier": ""}]}',
        '{"batchItemFailures": [{"itemIdentifier": null}]}',
        '{"batchItemFailures": [{"itemIdentifier": 123}]}',
        '{"batchItemFailures": [{"foo": "notvalid"}]}',
        '{"batchItemFailures": [{"itemIdentifier": "unknown"}]}',
        '{"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "unknown"}]}',
    ],
)
def test_whole_failure(payload: str) -> None:
    """A response that cannot be understood, or names what is not there, fails the whole batch."""
    assert failed_items(Answered(payload.encode()), REPORTING, ITEMS) == frozenset(ITEMS)


@pytest.mark.parametrize("reported", [["b"], ["c", "a"], ["b", "b"], ITEMS])
def test_reported_items(reported: list[str]) -> None:
    """Reported items are the ones that failed, in any order and also when named twice."""
    failures = [{"itemIdentifier": item} for item in reported]
    answer = Answered(json.dumps({"batchItemFailures": failures}).encode())
    assert failed_items(answer, REPORTING, ITEMS) == frozenset(reported)


def test_function_error_fails_everything() -> None:
    """After a function error the response does not count."""
    answer = Answered(b'{"batchItemFailures": []}', function_error="Unhandled")
    assert failed_items(answer, REPORTING, ITEMS) == frozenset(ITEMS)


def test_response_counts_only_when_asked_for() -> None:
    """Without ReportBatchItemFailures any response is a success."""
    answer = Answered(b'{"batchItemFailures": [{"itemIdentifier": "a"}]}')
    assert failed_items(answer, Batching(10), ITEMS) == frozenset()


def test_backoff_doubles_up_to_a_minute() -> None:
    """1, 2, 4 ... seconds, never more than 60."""
    assert [backoff(count) for count in (1, 2, 3, 6, 7, 1000)] == [1, 2, 4, 32, 60, 60]


@dataclass(frozen=True)
class Record:
    size: int


@settings(deadline=None)
@given(st.lists(st.integers(1, 7_000_000), min_size=1, max_size=20), st.integers(1, 12))
def test_batches_are_as_long_as_they_may(sizes: list[int], most: int) -> None:
    """A batch is the longest beginning that has room in one event; one record always goes."""
    records = [Record(size) for size in sizes]
    batch, is_full = leading_batch(records, most)
    assert batch == records[: len(batch)]
    assert 1 <= len(batch) <= most

    def event_bytes(count: int) -> int:
        return len('{"Records":[]}') + sum(sizes[:count]) + count

    limit = 6 * 1024 * 1024
    assert len(batch) == 1 or event_bytes(len(batch)) <= limit
    more = len(batch) + 1
    has_room = more <= min(most, len(sizes)) and event_bytes(more) <= limit
    assert not has_room
    assert is_full is (len(batch) < len(sizes) or len(batch) == most)
