"""The constraints of the Lambda API's model, and their violations in the API's own words.

Source: the Lambda API's service model; phrasing as recorded from AWS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rapid_mock.errors import SerializationFailed, ValidationFailed

HEAD = "failed to satisfy constraint: "


class Constraint(Protocol):
    """What one member must satisfy."""

    def complaints(self, value: Any) -> Iterable[str]:
        """The phrases of what `value` breaks; raises SerializationFailed for another JSON type."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string of `least` to `most` characters that fits `pattern` (a regular expression)."""

    least: int = 0
    most: int | None = None
    pattern: str | None = None

    def complaints(self, value: Any) -> Iterable[str]:
        if not isinstance(value, str):
            raise SerializationFailed(f"{_json_type(value)} can not be converted to a String")
        if len(value) < self.least:
            yield f"Member must have length greater than or equal to {self.least}"
        if self.most is not None and len(value) > self.most:
            yield f"Member must have length less than or equal to {self.most}"
        if self.pattern is not None and re.fullmatch(self.pattern, value) is None:
            yield f"Member must satisfy regular expression pattern: {self.pattern}"


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer from `least` to `most`."""

    least: int
    most: int | None = None

    def complaints(self, value: Any) -> Iterable[str]:
        if isinstance(value, bool) or not isinstance(value, int):
            raise SerializationFailed(f"{_json_type(value)} can not be converted to an Integer")
        if value < self.least:
            yield f"Member must have value greater than or equal to {self.least}"
        if self.most is not None and value > self.most:
            yield f"Member must have value less than or equal to {self.most}"


@dataclass(frozen=True, slots=True)
class Fraction:
    """A number from `least` to `most`."""

    least: float
    most: float

    def complaints(self, value: Any) -> Iterable[str]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SerializationFailed(f"{_json_type(value)} can not be converted to a Double")
        if value < self.least:
            yield f"Member must have value greater than or equal to {self.least}"
        if value > self.most:
            yield f"Member must have value less than or equal to {self.most}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a set of strings."""

    values: tuple[str, ...]

    def complaints(self, value: Any) -> Iterable[str]:
        if value not in self.values:
            yield f"Member must satisfy enum value set: [{', '.join(self.values)}]"


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list of at most `most` members that each satisfy `member`."""

    member: Constraint
    most: int | None = None

    def complaints(self, value: Any) -> Iterable[str]:
        if not isinstance(value, list):
            raise SerializationFailed("Expected a list")
        if self.most is not None and len(value) > self.most:
            yield f"Member must have length less than or equal to {self.most}"
        yield from _wrapped("Member", self.member, value)


@dataclass(frozen=True, slots=True)
class Table:
    """A map whose keys and values satisfy a constraint each."""

    key: Constraint
    value: Constraint

    def complaints(self, value: Any) -> Iterable[str]:
        if not isinstance(value, dict):
            raise SerializationFailed("Expected a map")
        yield from _wrapped("Map keys", self.key, list(value))
        yield from _wrapped("Map value", self.value, list(value.values()))


@dataclass(frozen=True, slots=True)
class Group:
    """A structure, member by member."""

    members: Mapping[str, Constraint]
    required: tuple[str, ...] = ()

    def complaints(self, value: Any) -> Iterable[str]:
        raise NotImplementedError("a group has the complaints of its members")


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
            if not isinstance(value, dict):
                raise SerializationFailed("Expected a structure")
            yield from violations(value, constraint, f"{place}.")
        else:
            for phrase in constraint.complaints(value):
                yield f"Value '{_shown(value)}' at '{place}' {HEAD}{phrase}"


def _wrapped(what: str, constraint: Constraint, values: list[Any]) -> Iterable[str]:
    phrases = dict.fromkeys(phrase for value in values for phrase in constraint.complaints(value))
    if phrases:
        inside = ", ".join([*phrases, "Member must not be null"])
        yield f"{what} must satisfy constraint: [{inside}]"


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
    return {str: "STRING_VALUE", list: "START_ARRAY"}.get(type(value), "START_OBJECT")
