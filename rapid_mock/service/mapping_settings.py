"""What an event source mapping may be told: members, limits and defaults for each kind of source.

Source: Lambda API reference, "CreateEventSourceMapping"; texts of refusals as recorded from AWS,
but for the limits of FIFO queues and of the record age, whose texts are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rapid_mock.errors import InvalidParameterValue
from rapid_mock.service.constraints import (
    HEAD,
    Choice,
    Constraint,
    Group,
    Sequence,
    Text,
    Truth,
    Whole,
    check,
)
from rapid_mock.service.event_source import Batching, SourceKind
from rapid_mock.service.filter_criteria import FilterCriteria
from rapid_mock.service.queue_orders import MOST_POLLERS, QueueSettings
from rapid_mock.service.settings import TAGS
from rapid_mock.service.stream_orders import UNLIMITED, StreamSettings

Members = dict[str, Any]

LATEST, AT_TIMESTAMP, TRIM_HORIZON = "LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"
REPORTS = "ReportBatchItemFailures"
MOST_WITHOUT_WINDOW = 10
LEAST_RECORD_AGE = 60

_POLL_INTERVALS = {SourceKind.KINESIS: 1.0, SourceKind.DYNAMODB: 0.25}
_MOST_READ = {SourceKind.KINESIS: 10_000, SourceKind.DYNAMODB: 1000}
_ARN = (
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:"
    r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)"
)
_DESTINATION = Group(
    {"Destination": Text(0, 350, rf"$|kafka://([^.]([a-zA-Z0-9\-_.]{{0,248}}))|{_ARN}")}
)
_SHARED: dict[str, Constraint] = {
    "FunctionName": Text(1, 256),
    "Enabled": Truth(),
    "BatchSize": Whole(1, 10000),
    "KMSKeyArn": Text(0, 10000, r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"),
    "MetricsConfig": Group(
        {"Metrics": Sequence(Choice(("EventCount", "ErrorCount", "KafkaMetrics")), 3)}
    ),
    "LoggingConfig": Group({"SystemLogLevel": Choice(("DEBUG", "INFO", "WARN"))}),
    "ScalingConfig": Group({"MaximumConcurrency": Whole(2, 1000)}),
    "MaximumBatchingWindowInSeconds": Whole(0, 300),
    "ParallelizationFactor": Whole(1, 10),
    "DestinationConfig": Group({"OnSuccess": _DESTINATION, "OnFailure": _DESTINATION}),
    "MaximumRecordAgeInSeconds": Whole(UNLIMITED, 604_800),
    "BisectBatchOnFunctionError": Truth(),
    "MaximumRetryAttempts": Whole(UNLIMITED, 10000),
    "TumblingWindowInSeconds": Whole(0, 900),
    "FunctionResponseTypes": Sequence(Choice((REPORTS,)), 1),
}
_CREATE = Group(
    {
        "EventSourceArn": Text(0, 10000, _ARN),
        **_SHARED,
        "StartingPosition": Choice((LATEST, AT_TIMESTAMP, TRIM_HORIZON)),
        "Tags": TAGS,
    },
    required=("FunctionName",),
)
_UPDATE = Group(_SHARED)

_COMMON_DEFAULTS: Members = {"MaximumBatchingWindowInSeconds": 0, "FunctionResponseTypes": []}
_STREAM_DEFAULTS: Members = {
    "BatchSize": 100,
    "ParallelizationFactor": 1,
    "MaximumRecordAgeInSeconds": UNLIMITED,
    "BisectBatchOnFunctionError": False,
    "MaximumRetryAttempts": UNLIMITED,
    "TumblingWindowInSeconds": 0,
    "DestinationConfig": {"OnFailure": {}},
}
_STARTING = ("StartingPosition", "StartingPositionTimestamp")
_STORED = ("FilterCriteria", "KMSKeyArn", "MetricsConfig", "LoggingConfig")
_SETTABLE = {
    SourceKind.SQS: (*_COMMON_DEFAULTS, "BatchSize", "ScalingConfig", *_STORED),
    SourceKind.KINESIS: (*_COMMON_DEFAULTS, *_STREAM_DEFAULTS, *_STORED),
    SourceKind.DYNAMODB: (*_COMMON_DEFAULTS, *_STREAM_DEFAULTS, *_STORED),
}
_ANYWHERE = tuple(dict.fromkeys(name for names in _SETTABLE.values() for name in names))


def check_create(request: Mapping[str, Any]) -> None:
    """Raise ValidationFailed for a request that breaks the API's model."""
    check(request, _CREATE)


def source_kind(arn: str | None) -> SourceKind:
    """The kind of source that an ARN names; raises InvalidParameterValue for all others."""
    service = "" if arn is None else arn.split(":")[2]
    try:
        return SourceKind(service)
    except ValueError:
        raise InvalidParameterValue("Unrecognized event source.") from None


def members_to_create(request: Mapping[str, Any], kind: SourceKind) -> Members:
    """A new mapping's members, with AWS's defaults; raises InvalidParameterValue.

    The request has passed `check_create`.
    """
    defaults = _COMMON_DEFAULTS | (
        {"BatchSize": 10} if kind is SourceKind.SQS else _STREAM_DEFAULTS
    )
    start = _starting_members(request, kind)
    return _completed({**defaults, **start, **_given(request, kind)}, request, kind)


def members_to_update(
    request: Mapping[str, Any], current: Mapping[str, Any], kind: SourceKind
) -> Members:
    """The members after UpdateEventSourceMapping: each given one replaces the old one.

    Raises ValidationFailed or InvalidParameterValue.
    """
    check(request, _UPDATE)
    return _completed({**current, **_given(request, kind)}, request, kind)


def queue_settings(
    members: Mapping[str, Any],
    *,
    visibility_timeout: float,
    function_timeout: float,
    concurrency: int = MOST_POLLERS,
) -> QueueSettings:
    """A queue's poller, from its mapping's members; `concurrency` is what the host carries."""
    maximum = members.get("ScalingConfig", {}).get("MaximumConcurrency", concurrency)
    limit = min(maximum, concurrency)
    return QueueSettings(_batching(members), visibility_timeout, function_timeout, limit)


def stream_settings(members: Mapping[str, Any], kind: SourceKind) -> StreamSettings:
    """The pollers of a stream's shards, from its mapping's members."""
    return StreamSettings(
        _batching(members),
        poll_interval=_POLL_INTERVALS[kind],
        most_read=_MOST_READ[kind],
        lanes=members["ParallelizationFactor"],
        maximum_retries=members["MaximumRetryAttempts"],
        maximum_age=members["MaximumRecordAgeInSeconds"],
        bisects=members["BisectBatchOnFunctionError"],
    )


def check_visibility(visibility_timeout: float, function_timeout: float) -> None:
    """Raise InvalidParameterValue when a queue hides messages for less than the function runs."""
    if visibility_timeout < function_timeout:
        raise InvalidParameterValue(
            f"Queue visibility timeout: {visibility_timeout:g} seconds is less than "
            f"Function timeout: {function_timeout:g} seconds"
        )


def _batching(members: Mapping[str, Any]) -> Batching:
    return Batching(
        members["BatchSize"],
        members["MaximumBatchingWindowInSeconds"],
        REPORTS in members["FunctionResponseTypes"],
    )


def _given(request: Mapping[str, Any], kind: SourceKind) -> Members:
    for name in _ANYWHERE:
        if name not in _SETTABLE[kind] and request.get(name) is not None:
            raise InvalidParameterValue(
                f"Unsupported {name} parameter for given event source mapping type."
            )
    return {name: request[name] for name in _SETTABLE[kind] if request.get(name) is not None}


def _starting_members(request: Mapping[str, Any], kind: SourceKind) -> Members:
    """Where a stream is begun to be read."""
    position = request.get("StartingPosition")
    if kind is SourceKind.SQS:
        if position is not None:
            raise InvalidParameterValue("StartingPosition is not valid for SQS event sources.")
        return {}
    if position is None:
        raise InvalidParameterValue(
            f"1 validation error detected: Value null at 'startingPosition' {HEAD}"
            "Member must not be null."
        )
    if position == AT_TIMESTAMP and kind is SourceKind.DYNAMODB:
        arn = request["EventSourceArn"]
        raise InvalidParameterValue(f"Unsupported starting position for arn type: {arn}")
    if position == AT_TIMESTAMP and request.get("StartingPositionTimestamp") is None:
        raise InvalidParameterValue(
            "StartingPositionTimestamp is required when StartingPosition is AT_TIMESTAMP."
        )
    return {name: request[name] for name in _STARTING if request.get(name) is not None}


def _completed(members: Members, request: Mapping[str, Any], kind: SourceKind) -> Members:
    """Members that fit together; empty criteria and scaling are taken away."""
    FilterCriteria(members.get("FilterCriteria"), kind)
    _check_batching(members, request, kind)
    if members.get("TumblingWindowInSeconds"):
        raise InvalidParameterValue("Tumbling windows are not supported by the local Lambda.")
    age = members.get("MaximumRecordAgeInSeconds", UNLIMITED)
    if UNLIMITED < age < LEAST_RECORD_AGE:
        raise InvalidParameterValue(
            f"Maximum record age in seconds must be -1 or at least {LEAST_RECORD_AGE}"
        )
    if not (members.get("FilterCriteria") or {}).get("Filters"):
        members.pop("FilterCriteria", None)
    if not members.get("ScalingConfig"):
        members.pop("ScalingConfig", None)
    return members


def _check_batching(members: Members, request: Mapping[str, Any], kind: SourceKind) -> None:
    if kind is not SourceKind.SQS:
        return
    size, window = members["BatchSize"], members["MaximumBatchingWindowInSeconds"]
    if str(request.get("EventSourceArn", "")).endswith(".fifo"):
        if window:
            raise InvalidParameterValue("Batching window is not supported for FIFO queues")
        if size > MOST_WITHOUT_WINDOW:
            raise InvalidParameterValue("Maximum batch size is 10 for FIFO queues")
    if size > MOST_WITHOUT_WINDOW and not window:
        raise InvalidParameterValue(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
            "greater than 10"
        )
