"""EventBridge event patterns: which events a rule, or a Lambda filter, lets through.

An event is flattened into fields, path to scalar; a pattern into alternatives (`$or` makes
several), each of which names paths and what may stand there. Arrays are seen through: an array's
elements are values of its path, but two fields that a pattern names must not come from different
elements of one array.

Source: "Creating Amazon EventBridge event patterns" and AWS's Event Ruler, which is the engine;
texts of refusals as AWS's TestEventPattern answers them (without Jackson's line and column).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rapid_mock.service.pattern_operators import (
    OPERATORS,
    JsonObject,
    Matcher,
    Scalar,
    exact,
    operator_matcher,
    refuse,
)

_RESERVED_INSIDE_OR = OPERATORS | {
    *("=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
    *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
    *("ip-address-in-range", "ip-address-not-in-range"),
}

_Place = frozenset[tuple[int, int]]
"""Where in arrays a field stands: pairs of an array's number and the element's index."""


class _Field(NamedTuple):
    value: Scalar
    place: _Place


class _Leaf(NamedTuple):
    """What may stand at a path; `absent`: it may also be missing."""

    matchers: tuple[Matcher, ...]
    absent: bool

    def accepts(self, value: Scalar) -> bool:
        return any(matcher(value) for matcher in self.matchers)


_Alternative = dict[str, _Leaf]


class EventPattern:
    """A compiled pattern; raises InvalidEventPattern for what AWS refuses."""

    def __init__(self, text: str) -> None:
        self._alternatives = [
            dict(sorted(one.items())) for one in _compiled([{}], (), _parsed(text), is_or=False)
        ]

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event, as decoded JSON, fits."""
        fields: dict[str, list[_Field]] = {}
        _flatten_object(event, "", frozenset(), fields)
        return any(_is_met(alternative, fields) for alternative in self._alternatives)


def _is_met(alternative: _Alternative, fields: Mapping[str, Sequence[_Field]]) -> bool:
    """Whether every path holds what it must, at places that go together."""
    last_use = {
        array: path
        for path in alternative
        for field in fields.get(path, ())
        for array, _ in field.place
    }
    places: set[_Place] = {frozenset()}
    for path, leaf in alternative.items():
        found = fields.get(path, ())
        accepted = [field.place for field in found if leaf.accepts(field.value)]
        extended = set(_merged(places, accepted))
        if leaf.absent:
            there = [field.place for field in found]
            extended |= {place for place in places if not list(_merged([place], there))}
        # Arrays that no later path looks into are forgotten, so that places do not multiply.
        places = {
            frozenset(pair for pair in place if last_use[pair[0]] > path) for place in extended
        }
        if not places:
            return False
    return True


def _merged(places: Iterable[_Place], others: Iterable[_Place]) -> Iterator[_Place]:
    """Every two places that go together: never two elements of one array."""
    candidates = list(others)
    for place in places:
        for other in candidates:
            both = place | other
            if len({array for array, _ in both}) == len(both):
                yield both


# --- Events -----------------------------------------------------------------------------------


def _flatten_object(
    members: Mapping[str, Any], prefix: str, place: _Place, fields: dict[str, list[_Field]]
) -> None:
    for name, value in members.items():
        _flatten(value, prefix + name, place, fields)


def _flatten(value: Any, path: str, place: _Place, fields: dict[str, list[_Field]]) -> None:
    if isinstance(value, Mapping):
        _flatten_object(value, f"{path}.", place, fields)
    elif isinstance(value, list):
        for index, element in enumerate(value):
            is_nested = isinstance(element, Mapping | list)
            inside = place | {(id(value), index)} if is_nested else place
            _flatten(element, path, inside, fields)
    else:
        fields.setdefault(path, []).append(_Field(value, place))


# --- Patterns ---------------------------------------------------------------------------------


def _parsed(text: str) -> JsonObject:
    try:
        pattern = json.loads(text, object_pairs_hook=JsonObject, parse_constant=refuse)
    except ValueError as error:
        refuse(str(error))
    return pattern if isinstance(pattern, JsonObject) else refuse("Filter is not an object")


def _compiled(
    alternatives: list[_Alternative], path: tuple[str, ...], members: JsonObject, *, is_or: bool
) -> list[_Alternative]:
    """The alternatives, each with what `members` ask for below `path`; the last of equals wins."""
    if not members:
        refuse("Empty objects are not allowed")
    for name, value in members:
        if name == "$or":
            alternatives = _any_of(alternatives, path, value)
            continue
        if is_or and name in _RESERVED_INSIDE_OR:
            refuse(f"{name} is Ruler reserved fieldName which cannot be used inside $or.")
        if isinstance(value, JsonObject):
            alternatives = _compiled(alternatives, (*path, name), value, is_or=is_or)
        elif isinstance(value, list):
            leaf = _leaf(value)
            alternatives = [{**one, ".".join((*path, name)): leaf} for one in alternatives]
        else:
            refuse(f'"{name}" must be an object or an array')
    return alternatives


def _any_of(
    alternatives: list[_Alternative], path: tuple[str, ...], choices: Any
) -> list[_Alternative]:
    if not isinstance(choices, list) or isinstance(choices, JsonObject):
        refuse("It must be an Array followed with $or.")
    multiplied = []
    for choice in choices:
        if not isinstance(choice, JsonObject):
            refuse("Only JSON object is allowed in array of $or relationship.")
        multiplied += _compiled(alternatives, path, choice, is_or=True)
    if len(choices) < 2:
        refuse("There must have at least 2 Objects in $or relationship.")
    return multiplied


def _leaf(values: list[Any]) -> _Leaf:
    if not values:
        refuse("Empty arrays are not allowed")
    matchers = [
        operator_matcher(value) if isinstance(value, JsonObject) else exact(value)
        for value in values
    ]
    present = tuple(matcher for matcher in matchers if matcher is not None)
    return _Leaf(present, absent=len(present) < len(matchers))
