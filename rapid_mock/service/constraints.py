"""The constraints of the Lambda API's model, and their violations in the API's own words.

Tuples, for a frozen dataclass takes six times as long to define, and every start waits for that.

Source: the Lambda API's service model; phrasing as recorded from AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from rapid_mock.errors import SerializationFailed, ValidationFailed

HEAD = "failed to satisfy constraint: "
NOT_NULL = ", Member must not be null"


Rule = tuple[str, bool]
"""How the API calls a rule, and whether a value keeps it."""


class Constraint(Protocol):
    """What one member must satisfy."""

    def rules(self, value: Any) -> list[Rule]:
        """Every rule there is; raises SerializationFailed for a value of another JSON type."""


class Text(NamedTuple):
    """A string of `least` to `most` characters that fits `pattern` (a regular expression)."""

    least: int | None = None
    most: int | None = None
    pattern: str | None = None

    def rules(self, value: Any) -> list[Rule]:
        if not isinstance(value, str):
            raise SerializationFailed(f"{_json_type(value)} can not be converted to a String")
        rules = []
        if self.most is not None:
            phrase = f"Member must have length less than or equal to {self.most}"
            rules.append((phrase, len(value) <= self.most))
        if self.least is not None:
            phrase = f"Member must have length greater than or equal to {self.least}"
            rules.append((phrase, len(value) >= self.least))
        if self.pattern is not None:
            phrase = f"Member must satisfy regular expression pattern: {self.pattern}"
            fits = re.fullmatch(self.pattern, value, re.ASCII) is not None
            rules.append((phrase, fits))
        return rules


class Whole(NamedTuple):
    """An integer from `least` to `most`."""

    least: int
    most: int | None = None

    def rules(self, value: Any) -> list[Rule]:
        if isinstance(value, bool) or not isinstance(value, int):
            raise SerializationFailed(f"{_json_type(value)} can not be converted to an Integer")
        return _range_rules(value, self.least, self.most)


class Fraction(NamedTuple):
    """A number from `least` to `most`."""

    least: float
    most: float

    def rules(self, value: Any) -> list[Rule]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SerializationFailed(f"{_json_type(value)} can not be converted to a Double")
        return _range_rules(value, self.least, self.most)


class Choice(NamedTuple):
    """One of a set of strings."""

    values: tuple[str, ...]

    def rules(self, value: Any) -> list[Rule]:
        phrase = f"Member must satisfy enum value set: [{', '.join(self.values)}]"
        return [(phrase, value in self.values)]


class Truth(NamedTuple):
    """true or false."""

    def rules(self, value: Any) -> list[Rule]:
        if not isinstance(value, bool):
            raise SerializationFailed("Expected a Boolean")
        return []


class Sequence(NamedTuple):
    """A list of at most `most` members that each satisfy `member`; `has_nulls`: or are null."""

    member: Constraint
    most: int | None = None
    has_nulls: bool = False

    def rules(self, value: Any) -> list[Rule]:
        if not isinstance(value, list):
            raise SerializationFailed("Expected a list")
        last = "" if self.has_nulls else NOT_NULL
        rules = _inner_rules("Member", self.member, value, last)
        if self.most is not None:
            phrase = f"Member must have length less than or equal to {self.most}"
            rules.append((phrase, len(value) <= self.most))
        return rules


class Table(NamedTuple):
    """A map whose keys and values satisfy a constraint each."""

    key: Constraint
    value: Constraint

    def rules(self, value: Any) -> list[Rule]:
        if not isinstance(value, dict):
            raise SerializationFailed("Expected a map")
        keys = _inner_rules("Map keys", self.key, list(value), "")
        return [*keys, *_inner_rules("Map value", self.value, list(value.values()))]


class Group(NamedTuple):
    """A structure, member by member."""

    members: Mapping[str, Constraint]
    required: tuple[str, ...] = ()

    def rules(self, value: Any) -> list[Rule]:
        raise NotImplementedError("a group has the rules of its members")


class Groups(NamedTuple):
    """A list of at most `most` structures."""

    member: Group
    most: int

    def rules(self, value: Any) -> list[Rule]:
        if not isinstance(value, list):
            raise SerializationFailed("Expected a list")
        phrase = f"Member must have length less than or equal to {self.most}"
        return [(phrase, len(value) <= self.most)]


def known(request: Mapping[str, Any], group: Group) -> dict[str, Any]:
    """What a request that has passed `check` says of the members of `group`; null is nothing."""
    return {
        name: _known(request[name], constraint)
        for name, constraint in group.members.items()
        if request.get(name) is not None
    }


def _known(value: Any, constraint: Constraint) -> Any:
    if isinstance(constraint, Group):
        return known(value, constraint)
    if isinstance(constraint, Groups):
        return [known(each, constraint.member) for each in value]
    return value


def check(request: Mapping[str, Any], group: Group) -> None:
    """Raise ValidationFailed with everything that is wrong, in the order of `group`."""
    found = list(violations(request, group))
    if found:
        raise ValidationFailed(*found)


def violations(request: Mapping[str, Any], group: Group, prefix: str = "") -> Iterable[str]:
    """What `request` breaks, each as `Value 'x' at 'member' failed to satisfy constraint: ...`."""
    for name in group.required:
        if request.get(name) is None:
            yield f"Value null at '{prefix}{_member(name)}' {HEAD}Member must not be null"
    for name, constraint in group.members.items():
        value = request.get(name)
        if value is None:
            continue
        place = f"{prefix}{_member(name)}"
        if isinstance(constraint, Group):
            yield from violations(_structure(value), constraint, f"{place}.")
            continue
        for phrase, is_kept in constraint.rules(value):
            if not is_kept:
                yield f"Value '{_shown(value)}' at '{place}' {HEAD}{phrase}"
        if isinstance(constraint, Groups):
            for number, each in enumerate(value, 1):
                inside = f"{place}.{number}.member."
                yield from violations(_structure(each), constraint.member, inside)


def _structure(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise SerializationFailed("Expected a structure")
    return value


def _range_rules(value: float, least: float, most: float | None) -> list[Rule]:
    floor = (f"Member must have value greater than or equal to {least}", value >= least)
    if most is None:
        return [floor]
    return [(f"Member must have value less than or equal to {most}", value <= most), floor]


def _inner_rules(
    what: str, constraint: Constraint, values: list[Any], last: str = NOT_NULL
) -> list[Rule]:
    """One rule about all of them, which lists every rule of theirs, and `last`."""
    for value in values:
        rules = constraint.rules(value)
        if not all(is_kept for _, is_kept in rules):
            inside = ", ".join(phrase for phrase, _ in rules)
            return [(f"{what} must satisfy constraint: [{inside}{last}]", False)]
    return []


def _member(name: str) -> str:
    return name[:1].lower() + name[1:]


def _shown(value: Any) -> str:
    """A value as the service, which is written in Java, shows it."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        inside = (f"{key}={_shown(each)}" for key, each in value.items())
        return f"{{{', '.join(inside)}}}"
    return str(value)


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    if isinstance(value, int | float):
        return "NUMBER_VALUE"
    if isinstance(value, str):
        return "STRING_VALUE"
    return "START_ARRAY" if isinstance(value, list) else "START_OBJECT"
