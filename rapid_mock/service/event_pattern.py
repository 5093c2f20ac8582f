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
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
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

MOST_ALTERNATIVES = 1000

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
        try:
            alternatives = _compiled([{}], (), _parsed(text), is_or=False)
        except RecursionError:
            refuse("the pattern is nested too deeply")
        self._alternatives = [dict(sorted(one.items())) for one in alternatives]

    def matches(self, event: Mapping[str, Any]) -> bool:
        """Whether an event, as decoded JSON, fits."""
        fields = _flattened(event)
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
        accepted = _Places(field.place for field in found if leaf.accepts(field.value))
        extended = {place | other for place in places for other in accepted.beside(place)}
        if leaf.absent:
            there = _Places(field.place for field in found)
            extended |= {place for place in places if next(there.beside(place), None) is None}
        # Arrays that no later path looks into are forgotten, so that places do not multiply.
        places = {
            frozenset(pair for pair in place if last_use[pair[0]] > path) for place in extended
        }
        if not places:
            return False
    return True


class _Places:
    """Places of one path, found quickly from a place that they must go together with."""

    def __init__(self, places: Iterable[_Place]) -> None:
        self._places = set(places)
        self._at: dict[tuple[int, int], list[_Place]] = {}
        self._users: Counter[int] = Counter()
        self._outside: dict[int, list[_Place]] = {}
        for place in self._places:
            for pair in place:
                self._at.setdefault(pair, []).append(place)
                self._users[pair[0]] += 1

    def beside(self, place: _Place) -> Iterator[_Place]:
        """Those that are never in another element of an array that `place` is in, too."""
        shared = [pair for pair in place if pair[0] in self._users]
        candidates: Iterable[_Place] = self._places
        if shared:
            array, index = max(shared, key=lambda pair: self._users[pair[0]])
            candidates = chain(self._at.get((array, index), ()), self._not_in(array))
        for other in candidates:
            both = place | other
            if len({array for array, _ in both}) == len(both):
                yield other

    def _not_in(self, array: int) -> list[_Place]:
        if array not in self._outside:
            self._outside[array] = [
                place for place in self._places if all(pair[0] != array for pair in place)
            ]
        return self._outside[array]


def _flattened(event: Mapping[str, Any]) -> dict[str, list[_Field]]:
    """Every scalar of an event by its path; a loop, since events may be nested deeply."""
    fields: dict[str, list[_Field]] = {}
    pending: list[tuple[Any, str, _Place]] = [(event, "", frozenset())]
    while pending:
        value, path, place = pending.pop()
        if isinstance(value, Mapping):
            prefix = f"{path}." if path else ""
            pending += [(one, prefix + name, place) for name, one in value.items()]
        elif isinstance(value, list):
            pending += [
                (one, path, place | {(id(value), index)} if _is_nested(one) else place)
                for index, one in enumerate(value)
            ]
        else:
            fields.setdefault(path, []).append(_Field(value, place))
    return fields


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping | list)


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
        if len(multiplied) > MOST_ALTERNATIVES:
            refuse(f"$or makes more than {MOST_ALTERNATIVES} combinations")
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
