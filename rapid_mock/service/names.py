"""Function names, partial and full ARNs, and qualifiers, by the Lambda API's rules.

Source: the Lambda API's service model (FunctionName, NamespacedFunctionName) and answers recorded
from AWS.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from lambda_runtime import contract
from rapid_mock.errors import AccessDenied, InvalidParameterValue, ResourceNotFound
from rapid_mock.service.constraints import Group, Text, check

LATEST = "$LATEST"

_NAME = re.compile(
    r"(?:arn:(?:aws[a-zA-Z-]*)?:lambda:)?"
    r"(?:(?P<region>(?:eusc-)?[a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?"
    r"(?:(?P<account>\d{12}):)?"
    r"(?:function:)?"
    r"(?P<name>[a-zA-Z0-9_.-]+)"
    r"(?::(?P<qualifier>\$LATEST(?:\.PUBLISHED)?|[a-zA-Z0-9_-]+))?"
)
REGION_TEXT = r"((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
_PREFIX_TEXT = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?" + REGION_TEXT + r"(\d{12}:)?(function:)?"
STRICT_NAME = Text(1, 140, _PREFIX_TEXT + r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?")
"""A function's name for operations that change it: without dots, which nothing here has."""
_ANY_NAME = Text(
    1, 256, _PREFIX_TEXT + r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
)
_QUALIFIER = Text(1, 128, r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+")
TAGGED = Text(
    1,
    10000,
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|"
    r"code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
    r"[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)",
)
"""The ARN of what can have tags."""
_STRICT = Group({"FunctionName": STRICT_NAME})
_ANY = Group({"Qualifier": _QUALIFIER, "FunctionName": _ANY_NAME})


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
def parse_function_name(
    text: str, qualifier: str | None, *, place: Place, is_strict: bool = False
) -> FunctionName:
    """Split `name`, `name:qualifier`, a partial or a full ARN; `qualifier` is the parameter.

    `is_strict`: for an operation that changes the function. Raises ValidationFailed for what breaks
    the API's model, ResourceNotFound for another region, AccessDenied for another account, and
    InvalidParameterValue when both qualifiers are given and differ.
    """
    check({"FunctionName": text, "Qualifier": qualifier or None}, _STRICT if is_strict else _ANY)
    match = _NAME.fullmatch(text)
    assert match is not None  # noqa: S101  both patterns of the model are narrower
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


@lru_cache
def function_arn(name: str, qualifier: str | None, *, place: Place) -> str:
    """`arn:aws:lambda:<region>:<account>:function:<name>[:<qualifier>]`."""
    suffix = f":{qualifier}" if qualifier else ""
    return f"arn:aws:lambda:{place.region}:{place.account}:function:{name}{suffix}"
