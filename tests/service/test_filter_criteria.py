"""Filter criteria of event source mappings, by the tables of the Lambda guide."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rapid_mock import events
from rapid_mock.errors import InvalidParameterValue, ValidationFailed
from rapid_mock.service.event_source import SourceKind
from rapid_mock.service.filter_criteria import FilterCriteria

SQS, KINESIS, DYNAMODB = SourceKind.SQS, SourceKind.KINESIS, SourceKind.DYNAMODB


def criteria(kind: SourceKind, *patterns: object) -> FilterCriteria:
    filters = [{"Pattern": json.dumps(pattern)} for pattern in patterns]
    return FilterCriteria({"Filters": filters}, kind)


def sqs(body: str | dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = events.sqs(body, message_ids=["m-1"])["Records"][0]
    return record


def kinesis(data: str | bytes | dict[str, Any]) -> dict[str, Any]:
    record: dict[str, Any] = events.kinesis(data, partition_key="p")["Records"][0]
    return record


JSON_BODY = {"RecordNumber": 1, "RequestCode": "BBBB"}
BY_JSON = {"body": {"RequestCode": ["BBBB"]}}
BY_TEXT = {"body": ["BBBB"]}
BY_METADATA = {"messageId": ["m-1"]}


@pytest.mark.parametrize(
    ("body", "pattern", "accepted"),
    [
        ("BBBB", BY_TEXT, True),
        ("CCCC", BY_TEXT, False),
        ("BBBB", BY_METADATA, True),
        ("BBBB", BY_JSON, False),
        ("BBBB", {"body": {"RequestCode": [{"exists": False}]}}, False),
        (JSON_BODY, BY_TEXT, False),
        (JSON_BODY, {"body": [{"exists": False}]}, False),
        (JSON_BODY, BY_METADATA, True),
        (JSON_BODY, BY_JSON, True),
        (JSON_BODY, {"body": {"RequestCode": ["AAAA"]}}, False),
        (JSON_BODY, {"body": {"RecordNumber": [{"numeric": ["<", 5]}]}}, True),
        (JSON_BODY, {"body": {"Missing": [{"exists": False}]}}, True),
        (JSON_BODY, {**BY_JSON, "messageId": ["m-2"]}, False),
        ("[1]", {"body": ["[1]"]}, True),
        ("[" * 5000, {"body": [{"prefix": "[["}]}, True),
        ("BBBB", {"$or": [BY_JSON, BY_TEXT]}, True),
        (JSON_BODY, {"$or": [BY_JSON, BY_TEXT]}, True),
    ],
)
def test_sqs_bodies(body: str | dict[str, Any], pattern: object, accepted: bool) -> None:
    """A body is JSON or text, a pattern asks for JSON or text; unequal forms never fit."""
    assert criteria(SQS, pattern).accepts(sqs(body)) is accepted


@pytest.mark.parametrize(
    ("data", "pattern", "accepted"),
    [
        ({"n": 1}, {"data": {"n": [1]}}, True),
        ({"n": 2}, {"data": {"n": [1]}}, False),
        ({"n": 1}, {"partitionKey": ["p"]}, True),
        ({"n": 1}, {"partitionKey": ["q"]}, False),
        ("text", {"data": {"n": [1]}}, False),
        ("text", {"data": {"n": [{"exists": False}]}}, False),
        (b"\xff\xfe", {"data": {"n": [1]}}, False),
        ("text", {"partitionKey": ["p"]}, True),
    ],
)
def test_kinesis_data(data: str | bytes | dict[str, Any], pattern: object, accepted: bool) -> None:
    """Data is decoded and stands beside the other members of `kinesis`."""
    assert criteria(KINESIS, pattern).accepts(kinesis(data)) is accepted


@pytest.mark.parametrize(
    ("pattern", "accepted"),
    [
        ({"eventName": ["INSERT"]}, True),
        ({"eventName": ["REMOVE"]}, False),
        ({"dynamodb": {"NewImage": {"state": {"S": ["on"]}}}}, True),
        ({"dynamodb": {"NewImage": {"state": {"S": [{"anything-but": ["on"]}]}}}}, False),
        ({"userIdentity": {"type": ["Service"]}}, False),
    ],
)
def test_dynamodb_changes(pattern: object, accepted: bool) -> None:
    """A change is filtered by what is in `dynamodb` and beside it."""
    (record,) = events.dynamodb({"id": "1", "state": "on"})["Records"]
    assert criteria(DYNAMODB, pattern).accepts(record) is accepted


def test_one_filter_suffices() -> None:
    """Filters are alternatives."""
    both = criteria(SQS, {"body": {"n": [1]}}, {"body": {"n": [2]}})
    assert [both.accepts(sqs({"n": number})) for number in (1, 2, 3)] == [True, True, False]


@pytest.mark.parametrize("document", [None, {}, {"Filters": []}, {"Filters": None}])
def test_without_filters_everything_passes(document: dict[str, Any] | None) -> None:
    """No criteria, or cleared ones, let every record through."""
    assert FilterCriteria(document, SQS).accepts(sqs("x"))


@pytest.mark.parametrize(
    ("kind", "pattern"),
    [
        (SQS, "no JSON object"),
        (SQS, {}),
        (SQS, {"body": {"n": 1}}),
        (SQS, {"body": {"n": [{"wildcard": "*"}]}}),
        (SQS, {"body": {"n": [{"cidr": "10.0.0.0/8"}]}}),
        (SQS, {"$or": [{"body": {"n": [{"anything-but": {"prefix": "x"}}]}}, {"a": [1]}]}),
        (KINESIS, {"data": ["text"]}),
        (KINESIS, {"$or": [{"data": ["text"]}, {"data": {"n": [1]}}]}),
        (DYNAMODB, {"dynamodb": ["text"]}),
    ],
)
def test_invalid_patterns(kind: SourceKind, pattern: object) -> None:
    """A pattern that mappings do not take is refused with AWS's sentence."""
    with pytest.raises(InvalidParameterValue, match=r"^Invalid filter pattern definition\.$"):
        criteria(kind, pattern)


def test_too_many_filters() -> None:
    """More than five filters are refused."""
    with pytest.raises(InvalidParameterValue):
        criteria(SQS, *[{"body": {"n": [number]}} for number in range(6)])


def test_missing_pattern() -> None:
    """A filter without a pattern is refused."""
    with pytest.raises(InvalidParameterValue):
        FilterCriteria({"Filters": [{}]}, SQS)


def test_pattern_that_is_too_long() -> None:
    """A pattern above 4,096 characters breaks a constraint of the API, and is quoted."""
    text = json.dumps({"body": ["x" * 4096]})
    with pytest.raises(ValidationFailed) as refusal:
        FilterCriteria({"Filters": [{"Pattern": text}]}, SQS)
    assert str(refusal.value) == (
        f"1 validation error detected: Value '{text}' at "
        "'filterCriteria.filters.1.member.pattern' failed to satisfy constraint: "
        "Member must have length less than or equal to 4096"
    )
