"""Checklist D, 85 to 90, 109 and 110: results as JSON, text and bytes."""

from __future__ import annotations

import json

import pytest

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import Played, Scenario
from tests.support.scripted_runtime_api import event

PROGRAM = """
from collections import namedtuple
from decimal import Decimal
from enum import IntEnum

Point = namedtuple("Point", "x y")

class Number(IntEnum):
    ONE = 1

RESULTS = {
    "decimal": lambda: Decimal("3.14159"),
    "nan": lambda: Decimal("nan"),
    "minus-nan": lambda: Decimal("-nan"),
    "price": lambda: {"price": "\\u00a31.00"},
    "tuple": lambda: {"t": (1, 2)},
    "named-tuple": lambda: Point(1, 2),
    "named-decimal": lambda: [Point(Decimal("1.50"), (2,))],
    "int-enum": lambda: [Number.ONE],
    "nested-bytes": lambda: {"b": b"text"},
    "set": lambda: {1},
    "bytes": lambda: b"\\0\\xff\\xc2",
    "text": lambda: "\\u00a3",
}

def handler(event, context):
    return RESULTS[context.aws_request_id]()
"""
NAMES = [
    *("decimal", "nan", "minus-nan", "price", "tuple", "named-tuple"),
    *("named-decimal", "int-enum", "nested-bytes", "set", "bytes", "text"),
]


def under(execution_env: str) -> Scenario:
    """All results in a runtime that calls itself so."""
    return Scenario(
        program=PROGRAM,
        events=tuple(event(b"{}", request_id=name) for name in NAMES),
        env={"AWS_EXECUTION_ENV": execution_env},
    )


UNNAMED = under("")
OLD = [under("AWS_Lambda_python3.9"), under("AWS_Lambda_python3.11"), under("AWS_Lambda_rie")]
NEW = [under(f"AWS_Lambda_python3.{minor}") for minor in range(12, 16)]


def name_of(scenario: Scenario) -> str:
    return scenario.env["AWS_EXECUTION_ENV"] or "unset"


@item(85, "S")
def test_a_decimal(played: Played, ric: Ric) -> None:
    """A Decimal keeps its digits."""
    assert played(UNNAMED, ric).of("decimal").body == b"3.14159"


@item(86, "S")
def test_a_decimal_that_is_no_number(played: Played, ric: Ric) -> None:
    """It is NaN."""
    assert played(UNNAMED, ric).of("nan").body == b"NaN"


@item(87, "S")
def test_a_decimal_that_is_no_negative_number(played: Played, ric: Ric) -> None:
    """It is NaN too, without its sign."""
    assert played(UNNAMED, ric).of("minus-nan").body == b"NaN"


@pytest.mark.parametrize("scenario", NEW, ids=name_of)
@item(88, "S")
def test_text_in_a_new_runtime(played: Played, ric: Ric, scenario: Scenario) -> None:
    """From Python 3.12 on text is UTF-8: 19 bytes."""
    body = played(scenario, ric).of("price").body
    assert body == b'{"price": "\xc2\xa31.00"}'
    assert len(body) == 19


@pytest.mark.parametrize("scenario", [UNNAMED, *OLD], ids=name_of)
@item(89, "S")
def test_text_in_an_old_runtime(played: Played, ric: Ric, scenario: Scenario) -> None:
    """Elsewhere AWS's client escapes it, 23 bytes; ours sends UTF-8 everywhere."""
    assert played(scenario, ric).of("price").body == ric.expects(
        awslambdaric=b'{"price": "\\u00a31.00"}', lambda_runtime=b'{"price": "\xc2\xa31.00"}'
    )


@item(90, "P")
def test_types_near_json(played: Played, ric: Ric) -> None:
    """Tuples are arrays, integer enumerations numbers, nested bytes text, sets are refused.

    A named tuple is an object with AWS's client, an array with ours unless asked otherwise.
    """
    record = played(UNNAMED, ric)
    assert record.of("tuple").body == b'{"t": [1, 2]}'
    assert record.of("named-tuple").body == ric.expects(
        awslambdaric=b'{"x": 1, "y": 2}', lambda_runtime=b"[1, 2]"
    )
    assert record.of("named-decimal").body == ric.expects(
        awslambdaric=b'[{"x": 1.50, "y": [2]}]', lambda_runtime=b"[[1.50, [2]]]"
    )
    assert record.of("int-enum").body == b"[1]"
    assert record.of("nested-bytes").body == b'{"b": "text"}'
    assert record.error("set").json["errorType"] == "Runtime.MarshalError"


@item(109, "S")
def test_bytes_are_untouched(played: Played, ric: Ric) -> None:
    """A result of bytes need not be text."""
    assert played(UNNAMED, ric).of("bytes").body == b"\x00\xff\xc2"


@item(110, "S")
def test_text_is_utf_8(played: Played, ric: Ric) -> None:
    """A result of text is the UTF-8 of its JSON."""
    assert played(NEW[0], ric).of("text").body == b'"\xc2\xa3"'
    assert json.loads(played(UNNAMED, ric).of("text").body) == "\u00a3"
