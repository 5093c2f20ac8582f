"""The event pattern language, by AWS's documented examples and by properties."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.errors import InvalidEventPattern
from rapid_mock.service.event_pattern import EventPattern

INSTANCE: dict[str, Any] = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "account": "111122223333",
    "time": "2017-10-02T18:43:48Z",
    "region": "us-west-1",
    "resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],
    "detail": {
        "instance-id": "i-1234567890abcdef0",
        "state": "running",
        "c-count": 5,
        "d-count": 3,
        "x-limit": 301.8,
        "source-ip": "10.0.0.33",
        "responseElements": None,
        "eventVersion": "",
        "is-spot": True,
    },
}


def matches(pattern: object, event: dict[str, Any]) -> bool:
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    return EventPattern(text).matches(event)


def detail(**members: object) -> dict[str, Any]:
    return {"detail": {name.replace("_", "-"): value for name, value in members.items()}}


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.ec2"]},
        {"source": ["aws.s3", "aws.ec2"], "detail": {"state": ["running"]}},
        {"resources": ["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"]},
        {"time": [{"prefix": "2017-10-02"}]},
        {"source": [{"prefix": ""}]},
        {"source": [{"prefix": {"equals-ignore-case": "AWS."}}]},
        {"source": [{"suffix": ".ec2"}]},
        {"source": [{"suffix": {"equals-ignore-case": ".EC2"}}]},
        {"source": [{"equals-ignore-case": "AWS.EC2"}]},
        {"source": [{"wildcard": "aws.*"}]},
        {"resources": [{"wildcard": "arn:*:ec2:*:instance/*"}]},
        detail(state=[{"anything-but": "initializing"}]),
        detail(state=[{"anything-but": ["stopped", "overloaded"]}]),
        detail(x_limit=[{"anything-but": 123}]),
        detail(x_limit=[{"anything-but": [100, 200, 300]}]),
        detail(state=[{"anything-but": {"prefix": "init"}}]),
        detail(state=[{"anything-but": {"prefix": ["init", "error"]}}]),
        detail(instance_id=[{"anything-but": {"suffix": "1234"}}]),
        detail(instance_id=[{"anything-but": {"suffix": ["1234", "6789"]}}]),
        detail(state=[{"anything-but": {"equals-ignore-case": "Stopped"}}]),
        detail(state=[{"anything-but": {"equals-ignore-case": ["Stopped", "OverLoaded"]}}]),
        {"resources": [{"anything-but": {"wildcard": "*:volume/*"}}]},
        detail(
            c_count=[{"numeric": [">", 0, "<=", 5]}],
            d_count=[{"numeric": ["<", 10]}],
            x_limit=[{"numeric": ["=", 3.018e2]}],
        ),
        detail(source_ip=[{"cidr": "10.0.0.0/24"}]),
        detail(c_count=[{"exists": True}]),
        detail(nothing=[{"exists": False}]),
        detail(responseElements=[None]),
        detail(responseElements=[{"exists": True}]),
        detail(eventVersion=[""]),
        detail(is_spot=[True]),
        detail(c_count=[5.0]),
        {"$or": [{"source": ["aws.s3"]}, {"detail": {"state": ["running"]}}]},
        {
            "source": ["aws.ec2"],
            "detail": {"$or": [{"c-count": [{"numeric": [">", 9]}]}, {"state": ["running"]}]},
        },
        {
            "time": [{"prefix": "2017-10-02"}],
            "detail": {
                "state": [{"anything-but": "initializing"}],
                "c-count": [{"numeric": [">", 0, "<=", 5]}],
                "d-count": [{"numeric": ["<", 10]}],
                "x-limit": [{"anything-but": [100, 200, 300]}],
                "source-ip": [{"cidr": "10.0.0.0/8"}],
            },
        },
    ],
)
def test_documented_patterns_match(pattern: dict[str, Any]) -> None:
    """Each example of the EventBridge guide lets the instance's event through."""
    assert matches(pattern, INSTANCE)


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["aws.s3"]},
        {"source": ["AWS.EC2"]},
        {"source": ["aws.ec2"], "detail": {"state": ["stopped"]}},
        {"missing": ["x"]},
        {"Source": ["aws.ec2"]},
        {"time": [{"prefix": "2018"}]},
        {"source": [{"suffix": ".s3"}]},
        {"source": [{"wildcard": "aws.*.ec2"}]},
        {"source": [{"wildcard": ""}]},
        detail(state=[{"anything-but": "running"}]),
        detail(state=[{"anything-but": ["stopped", "running"]}]),
        detail(missing=[{"anything-but": "running"}]),
        detail(x_limit=[{"anything-but": [301.80, 1]}]),
        detail(state=[{"anything-but": {"prefix": "run"}}]),
        detail(state=[{"anything-but": {"suffix": ["x", "ing"]}}]),
        detail(state=[{"anything-but": {"equals-ignore-case": "RUNNING"}}]),
        {"resources": [{"anything-but": {"wildcard": "*:instance/*"}}]},
        detail(c_count=[{"numeric": [">", 5]}]),
        detail(state=[{"numeric": [">", 0]}]),
        detail(is_spot=[{"numeric": [">=", 0]}]),
        detail(c_count=["5"]),
        detail(source_ip=[{"cidr": "10.0.1.0/24"}]),
        detail(c_count=[{"cidr": "10.0.0.0/24"}]),
        detail(c_count=[{"prefix": "5"}]),
        detail(c_count=[{"exists": False}]),
        detail(nothing=[{"exists": True}]),
        {"detail": [{"exists": True}]},
        detail(responseElements=[""]),
        detail(eventVersion=[None]),
        detail(is_spot=[1]),
        {"$or": [{"source": ["aws.s3"]}, {"detail": {"state": ["stopped"]}}]},
    ],
)
def test_documented_patterns_do_not_match(pattern: dict[str, Any]) -> None:
    """Each pattern misses the instance's event in one thing."""
    assert not matches(pattern, INSTANCE)


def test_arrays_match_when_one_element_does() -> None:
    """A field with several values fits when one of them does; an empty array is no value."""
    event = {"tags": ["a", "b"], "none": []}
    assert matches({"tags": ["b", "c"]}, event)
    assert matches({"tags": [{"anything-but": "a"}]}, event)
    assert not matches({"none": [{"exists": True}]}, event)
    assert matches({"none": [{"exists": False}]}, event)


EMPLOYEES = {
    "employees": [
        [{"firstName": "John", "lastName": "Doe"}, {"firstName": "Anna", "lastName": "Smith"}],
        [{"firstName": "Peter", "lastName": "Jones"}],
    ]
}


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [("Anna", "Smith", True), ("Anna", "Jones", False), ("Anna", "Doe", False)],
)
def test_fields_must_come_from_one_element(first: str, last: str, expected: bool) -> None:
    """Two fields of a pattern are never found in different elements of one array."""
    pattern = {"employees": {"firstName": [first], "lastName": [last]}}
    assert matches(pattern, EMPLOYEES) is expected


def test_absence_is_seen_from_the_element() -> None:
    """With one field found in an element, another is missing when that element lacks it."""
    event = {"items": [{"a": 1, "b": 1}, {"a": 2}]}
    pattern = {"items": {"a": [2], "b": [{"exists": False}]}}
    assert matches(pattern, event)
    assert not matches({"items": {"a": [1], "b": [{"exists": False}]}}, event)


def test_long_arrays_are_not_multiplied() -> None:
    """Independent arrays of a thousand elements each do not make a billion combinations."""
    event = {name: [{"x": 1} for _ in range(1000)] for name in "abcd"}
    assert matches({name: {"x": [1]} for name in "abcd"}, event)
    assert not matches({**{name: {"x": [1]} for name in "abcd"}, "e": [1]}, event)


@pytest.mark.parametrize("inner", [1, 100])
def test_long_array_with_several_fields(inner: int) -> None:
    """Fields of ten thousand elements, nested or not, are not compared each with each."""
    elements = [{"x": number, "y": number, "z": 1} for number in range(10_000)]
    rows = [elements[start : start + inner] for start in range(0, len(elements), inner)]
    event = {"rows": elements if inner == 1 else rows}
    one = {"x": [{"numeric": [">", 9998]}], "y": [9999], "z": [1]}
    assert matches({"rows": one}, event)
    assert not matches({"rows": {**one, "x": [9998], "w": [{"exists": False}]}}, event)


def test_deep_nesting() -> None:
    """An event may be nested a thousand times; a pattern that deep is refused, not followed."""
    event: dict[str, Any] = {"leaf": 1}
    for _ in range(5000):
        event = {"a": [event]}
    assert matches({"b": [{"exists": False}]}, event)
    for text in ("[" * 5000 + "]" * 5000, '{"a":' * 5000 + "[1]" + "}" * 5000):
        with pytest.raises(InvalidEventPattern, match=r"^Event pattern is not valid\. Reason: "):
            EventPattern(text)


def test_number_of_combinations() -> None:
    """`$or` may make up to a thousand combinations, as on AWS."""
    choice = '"$or": [{"a": [1]}, {"b": [1]}]'
    assert matches(f"{{{', '.join([choice] * 9)}}}", {"a": 1})
    with pytest.raises(InvalidEventPattern, match="more than 1000 combinations"):
        EventPattern(f"{{{', '.join([choice] * 10)}}}")


def test_dots_in_names_join_paths() -> None:
    """A name with dots and a nested path are the same path, in patterns and in events."""
    nested = {"detail": {"state": {"status": ["running"]}}}
    dotted = {"detail": {"state.status": ["running"]}}
    for pattern in (nested, dotted):
        assert matches(pattern, {"detail": {"state": {"status": "running"}}})
        assert matches(pattern, {"detail": {"state.status": "running"}})


def test_last_of_equal_names_counts() -> None:
    """Of a name that a pattern says twice, only the last counts."""
    pattern = '{"location": [{"prefix": "us-"}], "location": [{"anything-but": "us-east"}]}'
    assert matches(pattern, {"location": "eu-west"})
    assert not matches(pattern, {"location": "us-east"})


def test_text_is_not_looked_into() -> None:
    """JSON inside a string is a string."""
    assert not matches({"detail": {"key": ["value"]}}, {"detail": '{"key": "value"}'})


def test_numbers() -> None:
    """Numbers compare by value; an integer too long for a double only by its digits."""
    assert matches({"n": [300]}, {"n": 300.0})
    assert matches({"n": [12345678901234567]}, {"n": 12345678901234567})
    assert not matches({"n": [12345678901234567]}, {"n": 12345678901234568})
    assert not matches({"n": [{"numeric": [">", 0]}]}, {"n": 12345678901234567})
    assert not matches({"n": [10**400]}, {"n": 10**400 + 1})


def test_anything_but_fits_other_types() -> None:
    """What is no string is anything but a string; what is no number, anything but a number."""
    for value in (12, None, True, 1.5):
        assert matches({"v": [{"anything-but": "x"}]}, {"v": value})
        assert matches({"v": [{"anything-but": {"prefix": "x"}}]}, {"v": value})
    assert matches({"v": [{"anything-but": 1}]}, {"v": "1"})


@pytest.mark.parametrize(
    ("wildcard", "text", "expected"),
    [
        ("*", "", True),
        ("a*", "a", True),
        ("*a", "ba", True),
        ("a*a", "a", False),
        ("a*b*c", "aXbYbZc", True),
        ("a*b*c", "acb", False),
        ("*bin*.jar", "/usr/bin/x.jar", True),
        (r"\*", "*", True),
        (r"\*", "x", False),
        (r"a\\b", "a\\b", True),
        (r"\\*", "\\anything", True),
        ("*é*", "café!", True),
    ],
)
def test_wildcards(wildcard: str, text: str, expected: bool) -> None:
    """An asterisk stands for any text, none included; escaped it stands for itself."""
    assert matches({"v": [{"wildcard": wildcard}]}, {"v": text}) is expected


@pytest.mark.parametrize(
    ("cidr", "address", "expected"),
    [
        ("10.0.0.0/24", "10.0.0.255", True),
        ("10.0.0.0/24", "10.0.1.0", False),
        ("10.0.0.77/24", "10.0.0.1", True),
        ("0.0.0.0/0", "255.1.2.3", True),
        ("0.0.0.0/0", "::1", False),
        ("2001:db8::/32", "2001:db8:1234::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("10.0.0.0/24", "10.0.0.999", False),
        ("10.0.0.0/24", "host", False),
    ],
)
def test_address_blocks(cidr: str, address: str, expected: bool) -> None:
    """An address is in a block or not; other text never is."""
    assert matches({"ip": [{"cidr": cidr}]}, {"ip": address}) is expected


def test_equal_addresses_are_equal_text() -> None:
    """A value that is an IP address fits however it is written."""
    assert matches({"ip": ["2001:db8::1"]}, {"ip": "2001:0DB8:0:0:0:0:0:1"})
    assert not matches({"ip": ["10.0.0.1"]}, {"ip": "10.0.0.2"})


REFUSED: list[tuple[object, str]] = [
    ([], "Filter is not an object"),
    ({}, "Empty objects are not allowed"),
    ({"a": {}}, "Empty objects are not allowed"),
    ({"a": []}, "Empty arrays are not allowed"),
    ({"string": "my-value"}, '"string" must be an object or an array'),
    ({"int": 42}, '"int" must be an object or an array'),
    ({"a": [["x"]]}, "Match value must be String, number, true, false, or null"),
    ({"a": [{}]}, "Match expression name not found"),
    ({"a": [{"EXISTS": True}]}, "Unrecognized match type EXISTS"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "Only one key allowed in match expression"),
    ({"a": [{"exists": 1}]}, "exists match pattern must be either true or false."),
    ({"a": [{"exactly": 1}]}, "exact match pattern must be a string"),
    ({"a": [{"prefix": 123}]}, "prefix match pattern must be a string"),
    ({"a": [{"prefix": {}}]}, "Prefix expression name not found"),
    ({"a": [{"prefix": {"suffix": "x"}}]}, "Unsupported prefix pattern: suffix"),
    (
        {"a": [{"prefix": {"equals-ignore-case": "x", "y": 1}}]},
        "Only one key allowed in match expression",
    ),
    ({"a": [{"suffix": [".png"]}]}, "suffix match pattern must be a string"),
    ({"a": [{"suffix": {"prefix": "x"}}]}, "Unsupported suffix pattern: prefix"),
    (
        {"a": [{"suffix": {"equals-ignore-case": 1}}]},
        "equals-ignore-case match pattern must be a string",
    ),
    (
        {"a": [{"equals-ignore-case": ["x"]}]},
        "equals-ignore-case match pattern must be a string",
    ),
    ({"a": [{"wildcard": 123}]}, "wildcard match pattern must be a string"),
    ({"a": [{"wildcard": "a**"}]}, "Consecutive wildcard characters at pos 2"),
    ({"a": [{"wildcard": "é**"}]}, "Consecutive wildcard characters at pos 3"),
    ({"a": [{"wildcard": "\\a"}]}, "Invalid escape character at pos 1"),
    ({"a": [{"wildcard": "a\\"}]}, "Invalid escape character at pos 2"),
    (
        {"a": [{"anything-but": None}]},
        "Value of anything-but must be an array or single string/number value.",
    ),
    (
        {"a": [{"anything-but": [None]}]},
        "Inside anything but list, start|null|boolean is not supported.",
    ),
    (
        {"a": [{"anything-but": [1, "x"]}]},
        "Inside anything but list, either all values are number or string, "
        "mixed type is not supported",
    ),
    ({"a": [{"anything-but": {}}]}, "Anything-But expression name not found"),
    ({"a": [{"anything-but": {"cidr": "x"}}]}, "Unsupported anything-but pattern: cidr"),
    (
        {"a": [{"anything-but": {"prefix": {"equals-ignore-case": "x"}}}]},
        "Value of anything-but must be an array or single string/number value.",
    ),
    ({"a": [{"anything-but": {"prefix": ""}}]}, "Null prefix/suffix not allowed"),
    (
        {"a": [{"anything-but": {"suffix": [None]}}]},
        "prefix/suffix match pattern must be a string",
    ),
    (
        {"a": [{"anything-but": {"equals-ignore-case": 1}}]},
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    ),
    (
        {"a": [{"anything-but": {"wildcard": [123, "*"]}}]},
        "wildcard match pattern must be a string",
    ),
    (
        {"a": [{"anything-but": {"prefix": "x", "suffix": "y"}}]},
        "Too many elements in numeric expression",
    ),
    ({"a": [{"numeric": 10}]}, "Value of numeric must be an array."),
    ({"a": [{"numeric": []}]}, "Invalid member in numeric match: ]"),
    ({"a": [{"numeric": [5]}]}, "Invalid member in numeric match: 5"),
    ({"a": [{"numeric": ["~", 5]}]}, "Unrecognized numeric range operator: ~"),
    ({"a": [{"numeric": ["=", "5"]}]}, "Value of equals must be numeric"),
    ({"a": [{"numeric": ["=", 5, 6]}]}, "Too many elements in numeric expression"),
    ({"a": [{"numeric": ["<", 5, ">", 1]}]}, "Too many elements in numeric expression"),
    ({"a": [{"numeric": [">", 0, {}]}]}, "Bad value in numeric range: {"),
    ({"a": [{"numeric": [">", 0, ">", 0]}]}, "Bad numeric range operator: >"),
    ({"a": [{"numeric": [">", 0, "<"]}]}, "Value of < must be numeric"),
    ({"a": [{"numeric": [">", 0, "<", 5, 6]}]}, "Too many terms in numeric range expression"),
    ({"a": [{"numeric": [">", 5, "<", 5]}]}, "Bottom must be less than top"),
    (
        {"a": [{"numeric": [">", 12345678901234567]}]},
        "Cannot compare number : 12345678901234567",
    ),
    ({"a": [{"cidr": ["x"]}]}, "prefix match pattern must be a string"),
    ({"a": [{"cidr": "10.0.0.0"}]}, "Malformed CIDR, one '/' required"),
    ({"a": [{"cidr": "10.0.0.0/xx"}]}, "Malformed CIDR, mask bits must be an integer"),
    ({"a": [{"cidr": "10.0.0.0/-1"}]}, "Malformed CIDR, mask bits must not be negative"),
    ({"a": [{"cidr": "xx.11.xx/8"}]}, "Nonstandard IP address: xx.11.xx"),
    ({"a": [{"cidr": "10.0.0.999/8"}]}, "Invalid IP address: 10.0.0.999"),
    ({"a": [{"cidr": "10.0.0.0/32"}]}, "IPv4 mask bits must be < 32"),
    ({"a": [{"cidr": "::1/128"}]}, "IPv6 mask bits must be < 128"),
    ({"$or": {"a": ["x"]}}, "It must be an Array followed with $or."),
    (
        {"$or": [{"a": ["x"]}]},
        "There must have at least 2 Objects in $or relationship.",
    ),
    (
        {"$or": [{"a": ["x"]}, "y"]},
        "Only JSON object is allowed in array of $or relationship.",
    ),
    (
        {"$or": [{"numeric": [123]}, {"prefix": ["abc"]}]},
        "numeric is Ruler reserved fieldName which cannot be used inside $or.",
    ),
]


@pytest.mark.parametrize(("pattern", "reason"), REFUSED)
def test_refusals(pattern: object, reason: str) -> None:
    """What AWS refuses is refused with AWS's sentence."""
    with pytest.raises(InvalidEventPattern) as refusal:
        EventPattern(json.dumps(pattern))
    assert str(refusal.value) == f"Event pattern is not valid. Reason: {reason}"
    assert refusal.value.type_name == "InvalidEventPatternException"


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", '{"a": [NaN]}'])
def test_text_that_is_no_json(text: str) -> None:
    """A pattern that is no JSON is refused as an invalid pattern."""
    with pytest.raises(InvalidEventPattern, match=r"^Event pattern is not valid\. Reason: "):
        EventPattern(text)


NAMES = st.sampled_from(["a", "b", "c", "d.e"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(-5, 5).map(lambda number: round(number, 1)),
    st.text("ab*", max_size=3),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
EVENTS = st.dictionaries(NAMES, VALUES, max_size=4)


def pattern_of(value: Any) -> Any:
    """The pattern that asks for exactly what an event holds; arrays are asked for one element."""
    if isinstance(value, dict):
        members = {name: pattern_of(one) for name, one in value.items()}
        return {name: one for name, one in members.items() if one} or None
    if isinstance(value, list):
        return next((found for one in value if (found := pattern_of(one))), None)
    return [value]


@settings(deadline=None)
@given(EVENTS)
def test_an_event_fits_what_it_holds(event: dict[str, Any]) -> None:
    """A pattern read off an event lets that event through, nested arrays included."""
    pattern = pattern_of(event)
    if pattern:
        assert matches(pattern, event)


LEAVES = st.one_of(
    SCALARS,
    st.text("ab", max_size=2).map(lambda text: {"prefix": text}),
    st.text("ab", max_size=2).map(lambda text: {"suffix": text}),
    st.text("abAB", max_size=2).map(lambda text: {"equals-ignore-case": text}),
    st.lists(st.text("ab", max_size=2), min_size=1).map(lambda texts: {"anything-but": texts}),
    st.lists(st.integers(-5, 5), min_size=1).map(lambda numbers: {"anything-but": numbers}),
    st.integers(-5, 5).map(lambda number: {"numeric": [">=", number]}),
    st.booleans().map(lambda there: {"exists": there}),
)


@settings(deadline=None)
@given(EVENTS, NAMES, st.lists(LEAVES, min_size=1, max_size=3))
def test_values_of_one_name_are_alternatives(
    event: dict[str, Any], name: str, leaves: list[Any]
) -> None:
    """A list of values fits exactly when one of them alone does, and so does `$or`."""
    alone = [matches({name: [leaf]}, event) for leaf in leaves]
    assert matches({name: leaves}, event) is any(alone)
    if len(leaves) > 1:
        assert matches({"$or": [{name: [leaf]} for leaf in leaves]}, event) is any(alone)


@settings(deadline=None)
@given(EVENTS, LEAVES, LEAVES)
def test_names_of_a_pattern_are_all_asked_for(event: dict[str, Any], one: Any, two: Any) -> None:
    """Names at the top of an event, outside arrays, are conditions that must all hold."""
    both = matches({"a": [one], "b": [two]}, event)
    assert both is (matches({"a": [one]}, event) and matches({"b": [two]}, event))


@settings(deadline=None)
@given(EVENTS, NAMES)
def test_exists_and_absent_are_opposites(event: dict[str, Any], name: str) -> None:
    """A leaf is there or it is missing."""
    there = matches({name: [{"exists": True}]}, event)
    assert matches({name: [{"exists": False}]}, event) is not there


@settings(deadline=None)
@given(SCALARS, st.lists(st.text("ab", max_size=2), min_size=1))
def test_anything_but_is_the_opposite(value: Any, texts: list[str]) -> None:
    """Of a value that is there, either the values fit or `anything-but` does."""
    event = {"v": value}
    assert matches({"v": [{"anything-but": texts}]}, event) is not matches({"v": texts}, event)


@settings(deadline=None)
@given(st.text("ab", max_size=8), st.lists(st.text("ab", min_size=1, max_size=3), max_size=4))
def test_wildcards_agree_with_expressions(text: str, segments: list[str]) -> None:
    """Asterisks fit what `.*` of a regular expression fits."""
    import re

    fits = re.fullmatch(".*".join(segments), text) is not None
    assert matches({"v": [{"wildcard": "*".join(segments)}]}, {"v": text}) is fits
