"""Versions and aliases as resources of a template: what `Ref` and `Fn::GetAtt` give for them.

Source: "AWS::Lambda::Version" and "AWS::Lambda::Alias", AWS CloudFormation User Guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

VERSION, ALIAS = "AWS::Lambda::Version", "AWS::Lambda::Alias"
FIRST = "1"
"""Each start publishes the code for the first time, and the same code is one version."""
Resolve = Callable[[Any], Any]


def qualifier_of(resource: Mapping[str, Any], resolve: Resolve) -> str | None:
    """The number of a version, the name of an alias; None for a resource that is neither."""
    kind = resource.get("Type")
    if kind == ALIAS:
        return str(resolve(resource["Properties"]["Name"]))
    return FIRST if kind == VERSION else None


def function_of(resource: Mapping[str, Any], resolve: Resolve) -> str:
    """The name of the function that a version or an alias is of, given as that or as an ARN."""
    return str(resolve(resource["Properties"]["FunctionName"])).rpartition(":")[2]
