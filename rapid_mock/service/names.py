"""Function names, partial and full ARNs, and qualifiers, by the Lambda API's rules.

Source: the Lambda API's service model (NamespacedFunctionName) and answers recorded from AWS.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from lambda_runtime import contract
from rapid_mock.errors import (
    AccessDenied,
    InvalidParameterValue,
    ResourceNotFound,
    ValidationFailed,
)

LATEST = "$LATEST"

_NAME = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_.-]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?"
)

_PATTERN_TEXT = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER = re.compile(r"\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9_$-]+")
_QUALIFIER_TEXT = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"
_MAX_QUALIFIER = 128


class FunctionName(NamedTuple):
    """A function as it was named by a caller; `qualifier` is None when none was given."""

    name: str
    qualifier: str | None


class Place(NamedTuple):
    """Where the functions of one service live."""

    region: str
    account: str


LOCAL_PLACE = Place(contract.DEFAULT_REGION, contract.DEFAULT_ACCOUNT_ID)


@lru_cache
def parse_function_name(text: str, qualifier: str | None, *, place: Place) -> FunctionName:
    """Split `name`, `name:qualifier`, a partial or a full ARN; `qualifier` is the parameter.

    Raises ResourceNotFound for another region, AccessDenied for another account,
    InvalidParameterValue when both qualifiers are given and differ or the text is no function name,
    and ValidationFailed for a parameter that can be no qualifier.
    """
    match = _NAME.fullmatch(text)
    if match is None:
        raise InvalidParameterValue(
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy "
            f"constraint: Member must satisfy regular expression pattern: {_PATTERN_TEXT}"
        )
    if qualifier:
        _check_qualifier(qualifier)
    if match["region"] not in (None, place.region):
        raise ResourceNotFound(
            f"Functions from '{match['region']}' are not reachable in this region "
            f"('{place.region}')"
        )
    if match["account"] not in (None, place.account):
        raise AccessDenied
    if match["qualifier"] and qualifier and match["qualifier"] != qualifier:
        raise InvalidParameterValue(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    return FunctionName(match["name"], match["qualifier"] or qualifier)


def _check_qualifier(text: str) -> None:
    head = f"Value '{text}' at 'qualifier' failed to satisfy constraint: "
    violations = []
    if len(text) > _MAX_QUALIFIER:
        violations.append(f"{head}Member must have length less than or equal to {_MAX_QUALIFIER}")
    if _QUALIFIER.fullmatch(text) is None:
        violations.append(
            f"{head}Member must satisfy regular expression pattern: {_QUALIFIER_TEXT}"
        )
    if violations:
        raise ValidationFailed(*violations)


@lru_cache
def function_arn(name: str, qualifier: str | None, *, place: Place) -> str:
    """`arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]`."""
    suffix = f":{qualifier}" if qualifier else ""
    return f"arn:aws:lambda:{place.region}:{place.account}:function:{name}{suffix}"
