"""The registry of event source mappings: members, states and refusals as AWS has them."""

from __future__ import annotations

from typing import Any

import pytest

from rapid_mock.errors import (
    InvalidParameterValue,
    RequestError,
    ResourceConflict,
    ResourceInUse,
    ResourceNotFound,
    SerializationFailed,
    ValidationFailed,
)
from rapid_mock.service.aliases import Alias
from rapid_mock.service.event_source import Batching, SourceKind
from rapid_mock.service.functions import Registry
from rapid_mock.service.mapping_settings import (
    check_visibility,
    queue_settings,
    stream_settings,
)
from rapid_mock.service.mappings import EventSourceMapping, EventSourceMappings
from rapid_mock.service.names import Place
from rapid_mock.service.queue_orders import QueueSettings
from rapid_mock.service.settings import complete_settings
from rapid_mock.service.stream_orders import StreamSettings
from rapid_mock.service.versions import Code, Stamp

QUEUE = "arn:aws:sqs:us-east-1:123456789012:orders"
STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
TABLE = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-01-01T00:00:00.000"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
MAPPING = "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:"


def registry() -> EventSourceMappings:
    functions = Registry(Place("us-east-1", "123456789012"))
    stamp = Stamp("r", "m")
    functions.create("f", complete_settings({}, "f"), Code("c", 1, "/code"), stamp)
    functions.add_alias("f", Alias("live", "$LATEST", "", {}, "r"))
    return EventSourceMappings(functions)


def create(
    mappings: EventSourceMappings, mapping_id: str = "u-1", **request: Any
) -> EventSourceMapping:
    given = {"FunctionName": "f", "EventSourceArn": QUEUE, **request}
    mapping = mappings.prepare(given, mapping_id, 1000.5)
    mappings.add(mapping)
    return mapping


def stream_request(**more: Any) -> dict[str, Any]:
    return {"EventSourceArn": STREAM, "StartingPosition": "LATEST", **more}


def test_queue_mapping_with_defaults() -> None:
    """A new SQS mapping is Creating, and shows what AWS shows for it."""
    mapping = create(registry())
    assert mapping.described(f"{MAPPING}u-1") == {
        "UUID": "u-1",
        "BatchSize": 10,
        "MaximumBatchingWindowInSeconds": 0,
        "EventSourceArn": QUEUE,
        "EventSourceMappingArn": f"{MAPPING}u-1",
        "FunctionArn": FUNCTION,
        "FunctionResponseTypes": [],
        "LastModified": 1000.5,
        "State": "Creating",
        "StateTransitionReason": "USER_INITIATED",
    }


@pytest.mark.parametrize("source", [STREAM, TABLE])
def test_stream_mapping_with_defaults(source: str) -> None:
    """A new stream mapping shows its further members, and another reason."""
    mapping = create(registry(), **stream_request(EventSourceArn=source))
    assert mapping.described("arn") == {
        "UUID": "u-1",
        "BatchSize": 100,
        "BisectBatchOnFunctionError": False,
        "DestinationConfig": {"OnFailure": {}},
        "EventSourceArn": source,
        "EventSourceMappingArn": "arn",
        "FunctionArn": FUNCTION,
        "FunctionResponseTypes": [],
        "LastModified": 1000.5,
        "LastProcessingResult": "No records processed",
        "MaximumBatchingWindowInSeconds": 0,
        "MaximumRecordAgeInSeconds": -1,
        "MaximumRetryAttempts": -1,
        "ParallelizationFactor": 1,
        "StartingPosition": "LATEST",
        "State": "Creating",
        "StateTransitionReason": "User action",
        "TumblingWindowInSeconds": 0,
    }


@pytest.mark.parametrize(
    ("name", "arn"),
    [
        ("f", FUNCTION),
        ("f:live", f"{FUNCTION}:live"),
        ("123456789012:function:f:$LATEST", f"{FUNCTION}:$LATEST"),
        (f"{FUNCTION}:live", f"{FUNCTION}:live"),
    ],
)
def test_function_as_targeted(name: str, arn: str) -> None:
    """The function's ARN keeps the qualifier it was targeted with."""
    assert create(registry(), FunctionName=name).function_arn == arn


def test_settling() -> None:
    """A mapping becomes Enabled or Disabled when its poller has followed."""
    mappings = registry()
    create(mappings)
    settled = mappings.settle("u-1")
    assert settled is not None
    assert settled.state == "Enabled"
    assert mappings.update("u-1", {"Enabled": False}, 2000.0).state == "Disabling"
    mappings.settle("u-1")
    assert mappings.get("u-1").state == "Disabled"
    assert mappings.update("u-1", {"BatchSize": 5}, 2000.0).state == "Updating"
    mappings.settle("u-1")
    assert (mappings.get("u-1").state, mappings.get("u-1").members["BatchSize"]) == ("Disabled", 5)
    assert mappings.update("u-1", {"Enabled": True}, 3000.0).state == "Enabling"
    mappings.settle("u-1")
    assert (mappings.get("u-1").state, mappings.get("u-1").modified) == ("Enabled", 3000.0)


def test_disabled_from_the_start() -> None:
    """An SQS mapping that is created disabled is so at once, a stream's after its creation."""
    mappings = registry()
    assert create(mappings, Enabled=False).state == "Disabled"
    assert create(mappings, "u-2", **stream_request(Enabled=False)).state == "Creating"
    mappings.settle("u-2")
    assert mappings.get("u-2").state == "Disabled"


def test_deletion() -> None:
    """A deleted mapping is Deleting until its poller has ended, then it is gone."""
    mappings = registry()
    create(mappings)
    mappings.settle("u-1")
    assert mappings.delete("u-1", 2000.0).state == "Deleting"
    assert mappings.get("u-1").state == "Deleting"
    assert mappings.settle("u-1") is None
    with pytest.raises(ResourceNotFound) as refusal:
        mappings.get("u-1")
    assert str(refusal.value) == "The resource you requested does not exist."


def test_changes_in_transition_are_refused() -> None:
    """While a change is under way the next one is refused, with the API's own type."""
    mappings = registry()
    create(mappings)
    with pytest.raises(ResourceInUse, match=r"^Cannot update the event source mapping because"):
        mappings.update("u-1", {"BatchSize": 5}, 2000.0)
    with pytest.raises(ResourceInUse, match=r"^Cannot delete the event source mapping because"):
        mappings.delete("u-1", 2000.0)
    assert ResourceInUse.type_name == "ResourceInUseException"


def test_update_replaces_what_is_given() -> None:
    """Members that are not given stay; empty criteria and scaling clear theirs."""
    mappings = registry()
    criteria = {"Filters": [{"Pattern": '{"body": {"n": [1]}}'}]}
    create(mappings, FilterCriteria=criteria, ScalingConfig={"MaximumConcurrency": 3}, BatchSize=7)
    mappings.settle("u-1")
    updated = mappings.update("u-1", {"FunctionName": "f:live"}, 2000.0)
    assert updated.function_arn == f"{FUNCTION}:live"
    assert updated.members == {
        "BatchSize": 7,
        "MaximumBatchingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        "FilterCriteria": criteria,
        "ScalingConfig": {"MaximumConcurrency": 3},
    }
    mappings.settle("u-1")
    cleared = mappings.update("u-1", {"FilterCriteria": {}, "ScalingConfig": {}}, 3000.0)
    assert not {"FilterCriteria", "ScalingConfig"} & set(cleared.members)


def test_empty_criteria_are_not_shown() -> None:
    """Criteria without filters are as none."""
    assert "FilterCriteria" not in create(registry(), FilterCriteria={"Filters": []}).members


def test_lists() -> None:
    """Mappings are listed all, by source, by function and by qualified function."""
    mappings = registry()
    create(mappings, "u-1")
    create(mappings, "u-2", FunctionName="f:live")
    create(mappings, "u-3", **stream_request())

    def ids(**wanted: str) -> list[str]:
        return [mapping.mapping_id for mapping in mappings.listed(**wanted)]

    assert ids() == ["u-1", "u-2", "u-3"]
    assert ids(source_arn=STREAM) == ["u-3"]
    assert ids(function_name="f") == ["u-1", "u-2", "u-3"]
    assert ids(function_name="f:live") == ["u-2"]
    assert ids(function_name="unknown") == []


def test_duplicates() -> None:
    """A second mapping of the same source and function is refused, and names the first."""
    mappings = registry()
    create(mappings, "u-1")
    create(mappings, "u-2", **stream_request())
    with pytest.raises(ResourceConflict) as refusal:
        create(mappings, "u-3")
    assert str(refusal.value) == (
        f'An event source mapping with SQS arn (" {QUEUE} ") and function (" f ") already exists. '
        "Please update or delete the existing mapping with UUID u-1"
    )
    with pytest.raises(ResourceConflict) as refusal:
        create(mappings, "u-4", **stream_request())
    assert str(refusal.value) == (
        f'The event source arn (" {STREAM} ") and function (" f ") provided mapping already '
        "exists. Please update or delete the existing mapping with UUID u-2"
    )


NO_START = (
    "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: "
    "Member must not be null."
)
TOO_LARGE = (
    "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater "
    "than 10"
)
UNSUPPORTED = "Unsupported {} parameter for given event source mapping type."


@pytest.mark.parametrize(
    ("request_", "error", "text"),
    [
        ({"EventSourceArn": None}, InvalidParameterValue, "Unrecognized event source."),
        (
            {"EventSourceArn": "arn:aws:kafka:us-east-1:123456789012:cluster/c/1"},
            InvalidParameterValue,
            "Unrecognized event source.",
        ),
        ({"FunctionName": "unknown"}, InvalidParameterValue, "Function does not exist"),
        ({"FunctionName": "f:7"}, InvalidParameterValue, "Function does not exist"),
        ({"EventSourceArn": STREAM}, InvalidParameterValue, NO_START),
        (
            stream_request(EventSourceArn=TABLE, StartingPosition="AT_TIMESTAMP"),
            InvalidParameterValue,
            f"Unsupported starting position for arn type: {TABLE}",
        ),
        (
            stream_request(StartingPosition="AT_TIMESTAMP"),
            InvalidParameterValue,
            "StartingPositionTimestamp is required when StartingPosition is AT_TIMESTAMP.",
        ),
        (
            stream_request(StartingPosition="invalid"),
            ValidationFailed,
            "1 validation error detected: Value 'invalid' at 'startingPosition' failed to satisfy "
            "constraint: Member must satisfy enum value set: [LATEST, AT_TIMESTAMP, TRIM_HORIZON]",
        ),
        (
            {"StartingPosition": "LATEST"},
            InvalidParameterValue,
            "StartingPosition is not valid for SQS event sources.",
        ),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}},
            InvalidParameterValue,
            UNSUPPORTED.format("DestinationConfig"),
        ),
        (
            {"ParallelizationFactor": 2},
            InvalidParameterValue,
            UNSUPPORTED.format("ParallelizationFactor"),
        ),
        (
            stream_request(ScalingConfig={"MaximumConcurrency": 2}),
            InvalidParameterValue,
            UNSUPPORTED.format("ScalingConfig"),
        ),
        ({"BatchSize": 11}, InvalidParameterValue, TOO_LARGE),
        (
            {"EventSourceArn": f"{QUEUE}.fifo", "MaximumBatchingWindowInSeconds": 1},
            InvalidParameterValue,
            "Batching window is not supported for FIFO queues",
        ),
        (
            {"EventSourceArn": f"{QUEUE}.fifo", "BatchSize": 11},
            InvalidParameterValue,
            "Maximum batch size is 10 for FIFO queues",
        ),
        (
            {"BatchSize": 10001},
            ValidationFailed,
            "1 validation error detected: Value '10001' at 'batchSize' failed to satisfy "
            "constraint: Member must have value less than or equal to 10000",
        ),
        (
            {"ScalingConfig": {"MaximumConcurrency": 1}},
            ValidationFailed,
            "1 validation error detected: Value '1' at 'scalingConfig.maximumConcurrency' failed "
            "to satisfy constraint: Member must have value greater than or equal to 2",
        ),
        (
            {"FilterCriteria": {"Filters": [{"Pattern": "simple string"}]}},
            InvalidParameterValue,
            "Invalid filter pattern definition.",
        ),
        (
            stream_request(MaximumRecordAgeInSeconds=30),
            InvalidParameterValue,
            "Maximum record age in seconds must be -1 or at least 60",
        ),
        (
            stream_request(TumblingWindowInSeconds=30),
            InvalidParameterValue,
            "Tumbling windows are not supported by the local Lambda.",
        ),
        ({"Enabled": "yes"}, SerializationFailed, "Expected a Boolean"),
    ],
)
def test_refusals(request_: dict[str, Any], error: type[RequestError], text: str) -> None:
    """What AWS refuses is refused with AWS's error and sentence."""
    with pytest.raises(error) as refusal:
        create(registry(), **request_)
    assert str(refusal.value) == text


def test_updates_are_checked_too() -> None:
    """An update may not bring a mapping to what a creation may not."""
    mappings = registry()
    create(mappings)
    mappings.settle("u-1")
    with pytest.raises(InvalidParameterValue, match=rf"^{TOO_LARGE}$"):
        mappings.update("u-1", {"BatchSize": 11}, 2000.0)
    with pytest.raises(InvalidParameterValue, match=r"^Function does not exist$"):
        mappings.update("u-1", {"FunctionName": "unknown"}, 2000.0)
    with pytest.raises(ResourceNotFound):
        mappings.update("unknown", {}, 2000.0)
    with pytest.raises(ResourceNotFound):
        mappings.delete("unknown", 2000.0)
    assert mappings.get("u-1").members["BatchSize"] == 10


def test_last_result() -> None:
    """A stream's mapping shows what became of its last batch."""
    mappings = registry()
    create(mappings, **stream_request())
    mappings.processed("u-1", "PROBLEM: Function call failed")
    shown = mappings.get("u-1").described("arn")
    assert shown["LastProcessingResult"] == "PROBLEM: Function call failed"
    mappings.processed("gone", "OK")


def test_own_arn() -> None:
    """A mapping's ARN carries its id."""
    assert registry().arn("u-1") == f"{MAPPING}u-1"


def test_settings_of_a_queue_poller() -> None:
    """A queue's poller takes size, window, reports and the smaller concurrency from the members."""
    mapping = create(
        registry(),
        BatchSize=50,
        MaximumBatchingWindowInSeconds=3,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 20},
    )
    found = queue_settings(
        mapping.members, visibility_timeout=30, function_timeout=5, concurrency=10
    )
    assert found == QueueSettings(Batching(50, 3, reports_item_failures=True), 30, 5, 10)
    unlimited = queue_settings(mapping.members, visibility_timeout=30, function_timeout=5)
    assert unlimited.concurrency == 20


def test_settings_of_a_stream_poller() -> None:
    """A shard's poller takes its limits from the members, and AWS's interval of its source."""
    mapping = create(
        registry(),
        **stream_request(
            EventSourceArn=TABLE,
            ParallelizationFactor=3,
            MaximumRetryAttempts=2,
            MaximumRecordAgeInSeconds=60,
            BisectBatchOnFunctionError=True,
        ),
    )
    assert stream_settings(mapping.members, SourceKind.DYNAMODB) == StreamSettings(
        Batching(100, 0, reports_item_failures=False),
        poll_interval=0.25,
        most_read=1000,
        lanes=3,
        maximum_retries=2,
        maximum_age=60,
        bisects=True,
    )
    assert stream_settings(mapping.members, SourceKind.KINESIS).poll_interval == 1.0


def test_visibility_shorter_than_the_function() -> None:
    """A queue must hide its messages for as long as the function may run."""
    check_visibility(60, 60)
    with pytest.raises(InvalidParameterValue) as refusal:
        check_visibility(30, 60)
    assert str(refusal.value) == (
        "Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds"
    )
