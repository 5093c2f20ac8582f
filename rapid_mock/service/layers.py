"""Layers and their versions.

Source: Lambda API reference, "PublishLayerVersion"; "Managing Lambda dependencies with layers", AWS
Lambda Developer Guide; texts of refusals as recorded from AWS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rapid_mock.errors import InvalidParameterValue, ResourceNotFound, ValidationFailed
from rapid_mock.service.constraints import HEAD, Choice, Constraint, Group, Rule, Text, check
from rapid_mock.service.constraints import Sequence as ListOf
from rapid_mock.service.names import Place
from rapid_mock.service.settings import (
    DEPRECATED_RUNTIMES,
    LAYER_VERSION_ARN,
    LISTED_RUNTIMES,
    RUNTIMES,
    SOURCE,
)
from rapid_mock.service.versions import Code

_NAME = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:[a-z0-9-]+:\d{12}:layer:)?(?P<name>[a-zA-Z0-9_-]{1,140})"
)
_NAME_TEXT = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})"
)


@dataclass(frozen=True, slots=True)
class _Runtimes:
    """A list of runtimes, also of some that no longer run; AWS names the current ones."""

    def rules(self, value: Any) -> list[Rule]:
        texts = ListOf(Text(), 15).rules(value)
        phrase = f"Member must satisfy enum value set: [{', '.join(RUNTIMES)}]"
        return [*texts, (phrase, {*value} <= {*RUNTIMES, *DEPRECATED_RUNTIMES})]


_STORED: dict[str, Constraint] = {
    "Description": Text(0, 256),
    "CompatibleRuntimes": _Runtimes(),
    "LicenseInfo": Text(0, 512),
    "CompatibleArchitectures": ListOf(Choice(("x86_64", "arm64")), 2),
}
_BY_ARN = Group({"Arn": LAYER_VERSION_ARN}, required=("Arn",))
_FILTER = Group(
    {
        "CompatibleRuntime": Choice(LISTED_RUNTIMES),
        "CompatibleArchitecture": Choice(("x86_64", "arm64")),
    }
)
_PUBLISH = Group({"Content": Group(SOURCE), **_STORED}, required=("Content",))
_MISSING = "The resource you requested does not exist."


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """A version of a layer; `about` are the members that are only stored and shown."""

    name: str
    number: int
    code: Code
    about: Mapping[str, Any]
    created: str


@dataclass(slots=True)
class Layer:
    """A layer: its versions by number, of which none is used twice."""

    versions: dict[int, LayerVersion] = field(default_factory=dict)
    last_number: int = 0


class LayerRegistry:
    """The layers of one account in one region.

    A version that was deleted is no longer found, but functions that have it keep it.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._layers: dict[str, Layer] = {}
        self._by_arn: dict[str, LayerVersion] = {}

    def publish(self, name: str, request: Mapping[str, Any], code: Code, now: str) -> LayerVersion:
        """Add a version; the request has passed `check_publish`."""
        layer = self._layers.setdefault(name, Layer())
        layer.last_number += 1
        about = {member: request[member] for member in _STORED if request.get(member) is not None}
        about.setdefault("Description", "")
        version = LayerVersion(name, layer.last_number, code, about, now)
        layer.versions[version.number] = self._by_arn[self.version_arn(version)] = version
        return version

    def versions(self, name: str) -> list[LayerVersion]:
        """The versions of a layer, the newest first; none of a layer that is not there."""
        layer = self._layers.get(name, Layer())
        return sorted(layer.versions.values(), key=lambda version: -version.number)

    def latest(self) -> list[LayerVersion]:
        """The newest version of each layer that has one, by name."""
        found = (self.versions(name)[:1] for name in sorted(self._layers))
        return [version for versions in found for version in versions]

    def find(self, name: str, number: int) -> LayerVersion:
        """Raises ResourceNotFound, or InvalidParameterValue for what can be no number."""
        _check_number(number)
        version = self._layers.get(name, Layer()).versions.get(number)
        if version is None:
            raise ResourceNotFound(_MISSING)
        return version

    def find_by_arn(self, query: Mapping[str, str]) -> LayerVersion:
        """The version that `Arn` names; raises ResourceNotFound or ValidationFailed."""
        check(query, _BY_ARN)
        if query["Arn"] not in self._by_arn or not self._is_listed(self._by_arn[query["Arn"]]):
            raise ResourceNotFound(_MISSING)
        return self._by_arn[query["Arn"]]

    def delete(self, name: str, number: int) -> None:
        """Take a version away, if it is there; raises InvalidParameterValue as `find` does."""
        _check_number(number)
        if name in self._layers:
            self._layers[name].versions.pop(number, None)

    def attach(self, arns: Sequence[Any], attached: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The `Layers` of a function's configuration; `attached` are those it has already.

        Raises InvalidParameterValue for one that is not there, or for two of one layer.
        """
        self._check_region(arns)
        names: dict[str, str] = {}
        for arn in arns:
            version = self._by_arn.get(arn)
            if version is None or (arn not in attached and not self._is_listed(version)):
                raise InvalidParameterValue(f"Layer version {arn} does not exist.")
            if version.name in names:
                raise InvalidParameterValue(
                    "Two different versions of the same layer are not allowed to be referenced in "
                    f"the same function. {names[version.name]} and {arn} are versions of the same "
                    "layer."
                )
            names[version.name] = arn
        return [{"Arn": arn, "CodeSize": self._by_arn[arn].code.size} for arn in arns]

    def codes(self, attached: Sequence[Mapping[str, Any]]) -> list[Code]:
        """The content of a function's layers."""
        return [self._by_arn[layer["Arn"]].code for layer in attached]

    @property
    def size(self) -> int:
        """Bytes of every version that can be attached, as they were uploaded."""
        return sum(
            each.code.size for one in self._layers.values() for each in one.versions.values()
        )

    def kept(self) -> set[str]:
        """Where the content lies of every version that can be attached."""
        return {each.code.place for one in self._layers.values() for each in one.versions.values()}

    def arn(self, name: str) -> str:
        return f"arn:aws:lambda:{self._place.region}:{self._place.account}:layer:{name}"

    def version_arn(self, version: LayerVersion) -> str:
        return f"{self.arn(version.name)}:{version.number}"

    def _check_region(self, arns: Sequence[str]) -> None:
        region = self._place.region
        if any(arn.split(":")[3] not in (region, "") for arn in arns):
            raise InvalidParameterValue(
                "Layers are not in the same region as the function. Layers are expected to be in "
                f"region {region}."
            )

    def _is_listed(self, version: LayerVersion) -> bool:
        return version.number in self._layers[version.name].versions


def check_publish(request: Mapping[str, Any]) -> None:
    """Raise ValidationFailed for a PublishLayerVersion that breaks the API's model."""
    check(request, _PUBLISH)


def check_filter(query: Mapping[str, str]) -> None:
    """Raise ValidationFailed for a list of layers for what is no runtime or no architecture."""
    check(query, _FILTER)


def _check_number(number: int) -> None:
    if number < 1:
        raise InvalidParameterValue("Layer Version Cannot be less than 1")


def parse_layer_name(text: str) -> str:
    """A layer's name from its name or its ARN; raises ValidationFailed."""
    match = _NAME.fullmatch(text)
    if match is None:
        raise ValidationFailed(
            f"Value '{text}' at 'layerName' {HEAD}Member must satisfy regular expression pattern: "
            f"{_NAME_TEXT}"
        )
    return match["name"]
