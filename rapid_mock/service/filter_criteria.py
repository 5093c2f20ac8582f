"""Filter criteria of event source mappings: which records reach the function.

Source: "Control which events Lambda sends to your function", AWS Lambda Developer Guide, with its
tables of what happens when a record's data and a pattern differ in form.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rapid_mock.errors import InvalidEventPattern, InvalidParameterValue, ValidationFailed
from rapid_mock.service.event_pattern import EventPattern
from rapid_mock.service.event_source import SourceKind

MAX_FILTERS = 5
MAX_PATTERN_LENGTH = 4096

_INVALID = "Invalid filter pattern definition."
_BUS_OPERATORS = frozenset({"wildcard", "cidr", "exactly"})


_DATA_MEMBER = {
    SourceKind.SQS: "body",
    SourceKind.KINESIS: "data",
    SourceKind.DYNAMODB: "dynamodb",
}


class FilterCriteria:
    """The filters of one mapping, `{"Filters": [{"Pattern": text}]}`; without any, all pass.

    Raises ValidationFailed for a pattern that is too long and InvalidParameterValue for one that
    AWS refuses: operators that only buses have, or text where a stream's data is always JSON.
    """

    def __init__(self, document: Mapping[str, Any] | None, kind: SourceKind) -> None:
        filters = (document or {}).get("Filters") or []
        if len(filters) > MAX_FILTERS:
            raise InvalidParameterValue(_INVALID)
        self._kind = kind
        self._filters = [
            _Filter(one.get("Pattern"), kind, place) for place, one in enumerate(filters, 1)
        ]

    def accepts(self, record: Mapping[str, Any]) -> bool:
        """Whether a record, as the function would get it, fits at least one filter."""
        if not self._filters:
            return True
        view = _VIEWS[self._kind](record)
        return any(one.accepts(view) for one in self._filters)


class _Filter:
    """One pattern, and in which forms (an object, a list of texts) it names the record's data."""

    def __init__(self, text: Any, kind: SourceKind, place: int) -> None:
        _check_text(text, place)
        try:
            self._pattern = EventPattern(text)
        except InvalidEventPattern as error:
            raise InvalidParameterValue(_INVALID) from error
        pattern = json.loads(text)
        self._data = _DATA_MEMBER[kind]
        self._forms = set(_forms(pattern, self._data))
        if _has_bus_operator(pattern) or (kind is not SourceKind.SQS and list in self._forms):
            raise InvalidParameterValue(_INVALID)

    def accepts(self, view: Mapping[str, Any]) -> bool:
        """A pattern for the data in one form never fits data in the other, whatever it says."""
        is_text = isinstance(view[self._data], str | bytes)
        if self._forms == {dict if is_text else list}:
            return False
        return self._pattern.matches(view)


def _check_text(text: Any, place: int) -> None:
    if not isinstance(text, str):
        raise InvalidParameterValue(_INVALID)
    if len(text) > MAX_PATTERN_LENGTH:
        raise ValidationFailed(
            f"Value '{text}' at 'filterCriteria.filters.{place}.member.pattern' failed to satisfy "
            f"constraint: Member must have length less than or equal to {MAX_PATTERN_LENGTH}"
        )


def _forms(pattern: Mapping[str, Any], name: str) -> Iterator[type]:
    """In which forms a pattern names a top-level member, also inside `$or`."""
    for member, value in pattern.items():
        if member == name:
            yield type(value)
        elif member == "$or":
            for choice in value:
                yield from _forms(choice, name)


def _has_bus_operator(pattern: Mapping[str, Any]) -> bool:
    """Whether a pattern uses an operator that event buses have and mappings have not."""
    for name, value in pattern.items():
        objects = [one for one in value if isinstance(one, dict)]
        if isinstance(value, dict):
            found = _has_bus_operator(value)
        elif name == "$or":
            found = any(_has_bus_operator(one) for one in objects)
        else:
            found = any(
                operator in _BUS_OPERATORS
                or (operator == "anything-but" and isinstance(operand, dict))
                for one in objects
                for operator, operand in one.items()
            )
        if found:
            return True
    return False


def _message_view(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """An SQS record whose body is decoded when it is a JSON object."""
    try:
        body = json.loads(record["body"])
    except (ValueError, RecursionError):
        return record
    return {**record, "body": body} if isinstance(body, dict) else record


def _kinesis_view(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The members of `kinesis`, with the data decoded; what is no JSON stays text."""
    kinesis = record["kinesis"]
    try:
        data = json.loads(base64.b64decode(kinesis["data"]))
    except (binascii.Error, ValueError, RecursionError):
        return kinesis  # type: ignore[no-any-return]  # a record is any JSON
    return {**kinesis, "data": data}


_VIEWS: dict[SourceKind, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    SourceKind.SQS: _message_view,
    SourceKind.KINESIS: _kinesis_view,
    SourceKind.DYNAMODB: lambda record: record,
}
