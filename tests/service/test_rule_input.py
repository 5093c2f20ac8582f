"""What the targets of a rule get."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid_mock.service.rule_input import reserved_variables, target_input

EVENT = {
    "version": "0",
    "id": "17793124-05d4-b198-2fde-7ededc63b103",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2026-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ec2:us-east-1:111122223333:instance/i-1"],
    "detail": {"instance-id": "i-1", "state": "terminated", "tags": [{"k": "v"}], "n": 3},
}
RULE = "arn:aws:events:us-east-1:123456789012:rule/nightly"
RESERVED = reserved_variables(RULE, "2026-01-01T00:00:01Z")


def given_input(**target: Any) -> Any:
    return json.loads(target_input({"Id": "1", **target}, EVENT, RESERVED))


def template(text: str, **paths: str) -> str:
    transformer = {"InputTemplate": text, "InputPathsMap": paths}
    return target_input({"InputTransformer": transformer}, EVENT, RESERVED)


def test_a_target_without_input_gets_the_event() -> None:
    """The whole matched event is the default."""
    assert given_input() == EVENT


def test_a_constant_replaces_the_event_as_it_was_written() -> None:
    """`Input` is sent to the letter."""
    assert target_input({"Input": '{"a":  1}'}, EVENT, RESERVED) == '{"a":  1}'


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("$", EVENT),
        ("$.detail", EVENT["detail"]),
        ("$.detail.state", "terminated"),
        ("$.detail.tags[0].k", "v"),
        ("$.resources[0]", "arn:aws:ec2:us-east-1:111122223333:instance/i-1"),
        ("$['detail-type']", "EC2 Instance State-change Notification"),
        ("$.detail.missing", {}),
        ("$.resources[9]", {}),
        ("$.detail..", {}),
    ],
)
def test_a_path_chooses_a_part_of_the_event(path: str, part: Any) -> None:
    """`InputPath` leads to an object, a list or a value; to nothing, then to an empty object."""
    assert given_input(InputPath=path) == part


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ('"instance <id> is <state>"', '"instance i-1 is terminated"'),
        ('{"id": <id>, "n": <n>}', '{"id": "i-1", "n": 3}'),
        ('{"all": <tags>}', '{"all": [{"k":"v"}]}'),
        ('{"text": "tags: <tags>"}', '{"text": "tags: [{\\"k\\":\\"v\\"}]"}'),
        ('{"a": "<none>", "b": <none>}', '{"a": "", "b": ""}'),
        ('{"a": "say \\"<id>\\" <unknown>"}', '{"a": "say \\"i-1\\" <unknown>"}'),
        ('{"rule": "<aws.events.rule-name>"}', '{"rule": "nightly"}'),
        ('{"arn": <aws.events.rule-arn>}', f'{{"arn": "{RULE}"}}'),
        ('"<aws.events.event.ingestion-time>"', '"2026-01-01T00:00:01Z"'),
    ],
)
def test_a_template_is_filled_in(text: str, filled: str) -> None:
    """Variables in quotes are text, others JSON; unknown ones stay as they are."""
    paths = {
        "id": "$.detail.instance-id",
        "state": "$.detail.state",
        "n": "$.detail.n",
        "tags": "$.detail.tags",
        "none": "$.detail.none",
    }
    assert template(text, **paths) == filled


def test_the_event_itself_is_a_variable_without_and_with_its_detail() -> None:
    """`aws.events.event` has no detail, `aws.events.event.json` is all of it."""
    filled = json.loads(template('{"short": <aws.events.event>, "all": <aws.events.event.json>}'))
    assert filled["all"] == EVENT
    assert filled["short"] == {name: EVENT[name] for name in EVENT if name != "detail"}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_a_filled_template_is_json_whatever_the_value(value: Any) -> None:
    """In quotes and without them, any value leaves the template's JSON whole."""
    transformer = {
        "InputTemplate": '{"in": "<x> and <x>", "out": <x>}',
        "InputPathsMap": {"x": "$.detail.x"},
    }
    event = {"detail": {"x": value}}
    filled = json.loads(target_input({"InputTransformer": transformer}, event, {}))
    assert filled["out"] == value
    if isinstance(value, str):
        assert filled["in"] == f"{value} and {value}"
