"""Aliases: names for versions, with a share of the invocations for a second one.

Source: "Create an alias for a Lambda function" and "Implement Lambda canary deployments using a
weighted alias", AWS Lambda Developer Guide; texts of refusals as recorded from AWS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rapid_mock.errors import InvalidParameterValue, Untyped
from rapid_mock.service.constraints import Constraint, Fraction, Group, Table, Text, check
from rapid_mock.service.names import LATEST

_VERSION = Text(1, 1024, r"(\$LATEST(\.PUBLISHED)?|[0-9]+)")
_MEMBERS: dict[str, Constraint] = {
    "Name": Text(1, 128, r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)"),
    "FunctionVersion": _VERSION,
    "Description": Text(0, 256),
    "RoutingConfig": Group(
        {"AdditionalVersionWeights": Table(Text(1, 1024, r"[0-9]+"), Fraction(0.0, 1.0))}
    ),
}
_CREATE = Group(_MEMBERS, required=("Name", "FunctionVersion"))
_UPDATE = Group({**_MEMBERS, "RevisionId": Text()})


@dataclass(frozen=True, slots=True)
class Alias:
    """An alias; `weights` has at most one further version, with its share from 0 to 1."""

    name: str
    version: str
    description: str
    weights: Mapping[str, float]
    revision_id: str

    def pick(self, dice: float) -> str:
        """The version for one invocation; `dice` is evenly distributed over [0, 1)."""
        for version, weight in self.weights.items():
            if dice < weight:
                return version
        return self.version

    @property
    def versions(self) -> tuple[str, ...]:
        """Every version it points to."""
        return (self.version, *self.weights)

    def members(self, arn: str) -> dict[str, Any]:
        """The API's AliasConfiguration."""
        members: dict[str, Any] = {
            "AliasArn": arn,
            "Name": self.name,
            "FunctionVersion": self.version,
            "Description": self.description,
        }
        if self.weights:
            members["RoutingConfig"] = {"AdditionalVersionWeights": dict(self.weights)}
        return {**members, "RevisionId": self.revision_id}


def alias_to_create(request: Mapping[str, Any], revision_id: str) -> Alias:
    """The alias of CreateAlias; raises ValidationFailed or InvalidParameterValue."""
    check(request, _CREATE)
    alias = Alias(
        request["Name"],
        request["FunctionVersion"],
        request.get("Description") or "",
        _weights(request) or {},
        revision_id,
    )
    _check_routing(alias)
    return alias


def alias_to_update(request: Mapping[str, Any], alias: Alias, revision_id: str) -> Alias:
    """The alias after UpdateAlias: what is not given stays; an empty routing clears it."""
    check(request, _UPDATE)
    weights, description = _weights(request), request.get("Description")
    updated = Alias(
        alias.name,
        request.get("FunctionVersion") or alias.version,
        alias.description if description is None else description,
        alias.weights if weights is None else weights,
        revision_id,
    )
    _check_routing(updated)
    return updated


def _weights(request: Mapping[str, Any]) -> Mapping[str, float] | None:
    routing = request.get("RoutingConfig")
    return None if routing is None else dict(routing.get("AdditionalVersionWeights") or {})


def _check_routing(alias: Alias) -> None:
    if len(alias.weights) > 1:
        raise InvalidParameterValue(
            "Number of items in AdditionalVersionWeights cannot be greater than 1"
        )
    if alias.weights and alias.version == LATEST:
        raise Untyped(f"{LATEST} is not supported for an alias pointing to more than 1 version")
    if alias.version in alias.weights:
        raise InvalidParameterValue(
            f"Invalid function version {alias.version}. Function version {alias.version} is "
            "already included in routing configuration."
        )
