"""The values and operators of event patterns: `"x"`, `{"prefix": "x"}`, `{"numeric": [">", 0]}` ...

Each becomes a function from a scalar of the event to whether it fits. Source: "Comparison
operators for use in event patterns", EventBridge User Guide; details as AWS's Event Ruler has
them: numbers compare as doubles, operators on text fit text only, `anything-but` fits everything
but what it names.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NoReturn

from rapid_mock.errors import InvalidEventPattern

Scalar = str | int | float | bool | None
Matcher = Callable[[Scalar], bool]


class JsonObject(list[tuple[str, Any]]):
    """A JSON object as its members, in order and with repetitions."""


_ONE_KEY = "Only one key allowed in match expression"
_TOO_MANY = "Too many elements in numeric expression"
_IPV4 = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_IPV6 = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")


def refuse(reason: str) -> NoReturn:
    """Raise InvalidEventPattern with AWS's sentence."""
    raise InvalidEventPattern(f"Event pattern is not valid. Reason: {reason}")


# --- Values -----------------------------------------------------------------------------------


def exact(wanted: Any) -> Matcher:
    """Fits equal scalars; texts that are IP addresses are equal when the addresses are."""
    if isinstance(wanted, list):
        refuse("Match value must be String, number, true, false, or null")
    address = _address(wanted)
    if address is not None:
        return lambda value: _address(value) == address
    number = comparable(wanted)
    if number is not None:
        return lambda value: comparable(value) == number
    return lambda value: type(value) is type(wanted) and value == wanted


def comparable(value: Any) -> float | None:
    """A number as the double that it equals; None for what is no number or no double.

    An integer must be what the double prints as, or accounts' numbers would lose digits.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if Decimal(repr(number)) == value else None


def _address(value: Any) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if not isinstance(value, str) or not _looks_like_address(value):
        return None
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def _looks_like_address(text: str) -> bool:
    return bool(_IPV4.fullmatch(text) or _IPV6.fullmatch(text))


# --- Operators --------------------------------------------------------------------------------


def operator_matcher(expression: JsonObject) -> Matcher | None:
    """The matcher of `{operator: operand}`; None means that the field must be missing."""
    if not expression:
        refuse("Match expression name not found")
    name, operand = expression[0]
    if name not in _OPERATORS:
        refuse(f"Unrecognized match type {name}")
    matcher = _OPERATORS[name](operand)
    if len(expression) > 1:
        refuse(_TOO_MANY if name in {"numeric", "anything-but"} else _ONE_KEY)
    return matcher


def _exactly(operand: Any) -> Matcher:
    text = _text(operand, "exact match pattern must be a string")
    return lambda value: value == text


def _prefix(operand: Any) -> Matcher:
    if isinstance(operand, JsonObject):
        folded = _ignoring_case("Prefix", operand)
        return lambda value: isinstance(value, str) and value.lower().startswith(folded)
    text = _text(operand, "prefix match pattern must be a string")
    return lambda value: isinstance(value, str) and value.startswith(text)


def _suffix(operand: Any) -> Matcher:
    if isinstance(operand, JsonObject):
        folded = _ignoring_case("Suffix", operand)
        return lambda value: isinstance(value, str) and value.lower().endswith(folded)
    text = _text(operand, "suffix match pattern must be a string")
    return lambda value: isinstance(value, str) and value.endswith(text)


def _ignoring_case(kind: str, operand: JsonObject) -> str:
    """The lower-cased text of `{"prefix": {"equals-ignore-case": text}}`."""
    if not operand:
        refuse(f"{kind} expression name not found")
    name, inner = operand[0]
    if name != "equals-ignore-case":
        refuse(f"Unsupported {kind.lower()} pattern: {name}")
    text = _text(inner, "equals-ignore-case match pattern must be a string")
    if len(operand) > 1:
        refuse(_ONE_KEY)
    return text.lower()


def _equals_ignore_case(operand: Any) -> Matcher:
    folded = _text(operand, "equals-ignore-case match pattern must be a string").lower()
    return lambda value: isinstance(value, str) and value.lower() == folded


def _wildcard(operand: Any) -> Matcher:
    first, *others = _segments(_text(operand, "wildcard match pattern must be a string"))
    return lambda value: isinstance(value, str) and _fits_segments(value, first, others)


def _segments(pattern: str) -> list[str]:
    r"""The texts between the asterisks; `\*` and `\\` stand for themselves.

    Positions in refusals are counted in UTF-8 bytes and from the text's opening quote, as AWS does.
    """
    segments = [""]
    escaped = False
    position = 0
    for character, following in pairwise([*pattern, ""]):
        position += 1
        if escaped:
            segments[-1] += character
            escaped = False
        elif character == "\\":
            if following not in ("*", "\\"):
                refuse(f"Invalid escape character at pos {position}")
            escaped = True
        elif character == "*":
            if following == "*":
                refuse(f"Consecutive wildcard characters at pos {position}")
            segments.append("")
        else:
            segments[-1] += character
            position += len(character.encode()) - 1
    return segments


def _fits_segments(value: str, first: str, others: Sequence[str]) -> bool:
    """Leftmost fits suffice, so that no value costs more than one pass for each segment."""
    if not others:
        return value == first
    if not value.startswith(first):
        return False
    position = len(first)
    for segment in others[:-1]:
        found = value.find(segment, position)
        if found < 0:
            return False
        position = found + len(segment)
    return value.endswith(others[-1]) and len(value) - len(others[-1]) >= position


def _anything_but(operand: Any) -> Matcher:
    if isinstance(operand, JsonObject):
        return _anything_but_operator(operand)
    values = operand if isinstance(operand, list) else [operand]
    if not isinstance(operand, list) and not _is_text_or_number(operand):
        refuse("Value of anything-but must be an array or single string/number value.")
    if not all(_is_text_or_number(value) for value in values):
        refuse("Inside anything but list, start|null|boolean is not supported.")
    if len({isinstance(value, str) for value in values}) != 1:
        refuse(
            "Inside anything but list, either all values are number or string, "
            "mixed type is not supported"
        )
    if isinstance(values[0], str):
        return lambda value: value not in values
    numbers = {_number(value) for value in values}
    return lambda value: comparable(value) not in numbers


def _anything_but_operator(operand: JsonObject) -> Matcher:
    """`{"anything-but": {operator: texts}}`: what fits none of them."""
    if not operand:
        refuse("Anything-But expression name not found")
    name, inner = operand[0]
    if name not in _INSIDE_ANYTHING_BUT:
        refuse(f"Unsupported anything-but pattern: {name}")
    if _is_object(inner) or not (isinstance(inner, list) or _is_text_or_number(inner)):
        refuse("Value of anything-but must be an array or single string/number value.")
    operator, complaint = _INSIDE_ANYTHING_BUT[name]
    matchers = []
    for value in inner if isinstance(inner, list) else [inner]:
        if not _text(value, complaint) and name in {"prefix", "suffix"}:
            refuse("Null prefix/suffix not allowed")
        matchers.append(operator(value))
    if len(operand) > 1:
        refuse(_TOO_MANY)
    return lambda value: not any(matcher(value) for matcher in matchers)


def _numeric(operand: Any) -> Matcher:
    """`["=", n]`, `[comparison, n]` or `[">" or ">=", n, "<" or "<=", n]`."""
    if not isinstance(operand, list) or _is_object(operand):
        refuse("Value of numeric must be an array.")
    operator = operand[0] if operand else None
    if not isinstance(operator, str):
        refuse(f"Invalid member in numeric match: {_token(operand, 0)}")
    if operator not in _COMPARISONS:
        refuse(f"Unrecognized numeric range operator: {operator}")
    bound = _bound(operand, 1, "equals" if operator == "=" else operator)
    if len(operand) == 2:
        return _compares(operator, bound)
    if operator not in {">", ">="}:
        refuse(_TOO_MANY)
    upper = operand[2]
    if not isinstance(upper, str):
        refuse(f"Bad value in numeric range: {_token(operand, 2)}")
    if upper not in {"<", "<="}:
        refuse(f"Bad numeric range operator: {upper}")
    top = _bound(operand, 3, upper)
    if len(operand) > 4:
        refuse("Too many terms in numeric range expression")
    if bound >= top:
        refuse("Bottom must be less than top")
    above, below = _compares(operator, bound), _compares(upper, top)
    return lambda value: above(value) and below(value)


def _compares(operator: str, bound: float) -> Matcher:
    holds = _COMPARISONS[operator]

    def matcher(value: Scalar) -> bool:
        number = comparable(value)
        return number is not None and holds(number, bound)

    return matcher


def _bound(operand: list[Any], place: int, name: str) -> float:
    value = operand[place] if place < len(operand) else None
    if isinstance(value, str) or not _is_text_or_number(value):
        refuse(f"Value of {name} must be numeric")
    return _number(value)


def _number(value: Any) -> float:
    number = comparable(value)
    return refuse(f"Cannot compare number : {value}") if number is None else number


def _exists(operand: Any) -> Matcher | None:
    if not isinstance(operand, bool):
        refuse("exists match pattern must be either true or false.")
    return (lambda _value: True) if operand else None


def _cidr(operand: Any) -> Matcher:
    parts = _text(operand, "prefix match pattern must be a string").rstrip("/").split("/")
    if len(parts) != 2:
        refuse("Malformed CIDR, one '/' required")
    text, mask = parts
    if not re.fullmatch("[+-]?[0-9]+", mask):
        refuse("Malformed CIDR, mask bits must be an integer")
    if int(mask) < 0:
        refuse("Malformed CIDR, mask bits must not be negative")
    if not _looks_like_address(text):
        refuse(f"Nonstandard IP address: {text}")
    address = _address(text)
    if address is None:
        refuse(f"Invalid IP address: {text}")
    if int(mask) >= address.max_prefixlen:
        refuse(f"IPv{address.version} mask bits must be < {address.max_prefixlen}")
    network = ipaddress.ip_network((address, int(mask)), strict=False)

    def matcher(value: Scalar) -> bool:
        given = _address(value)
        return given is not None and given in network

    return matcher


def _text(value: Any, complaint: str) -> str:
    return value if isinstance(value, str) else refuse(complaint)


def _is_text_or_number(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, JsonObject)


def _token(values: list[Any], place: int) -> str:
    """The JSON token at a place of an array, as AWS's parser names it."""
    if place >= len(values):
        return "]"
    value = values[place]
    if isinstance(value, list):
        return "{" if _is_object(value) else "["
    return json.dumps(value)


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": float.__eq__,
    "<": float.__lt__,
    "<=": float.__le__,
    ">": float.__gt__,
    ">=": float.__ge__,
}

_INSIDE_ANYTHING_BUT: dict[str, tuple[Callable[[Any], Matcher], str]] = {
    "equals-ignore-case": (
        _equals_ignore_case,
        "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
    ),
    "prefix": (_prefix, "prefix/suffix match pattern must be a string"),
    "suffix": (_suffix, "prefix/suffix match pattern must be a string"),
    "wildcard": (_wildcard, "wildcard match pattern must be a string"),
}

_OPERATORS: dict[str, Callable[[Any], Matcher | None]] = {
    "exactly": _exactly,
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _equals_ignore_case,
    "wildcard": _wildcard,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "exists": _exists,
    "cidr": _cidr,
}

OPERATORS = frozenset(_OPERATORS)
"""The names of all operators."""
