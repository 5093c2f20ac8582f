"""Resource policies: who may invoke a function. Recorded and shown, never enforced here.

Source: Lambda API reference, "AddPermission", "GetPolicy" and "RemovePermission"; "Viewing
resource-based IAM policies in Lambda", AWS Lambda Developer Guide; texts as recorded from AWS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rapid_mock.errors import (
    InvalidParameterValue,
    PreconditionFailed,
    ResourceConflict,
    ResourceNotFound,
)
from rapid_mock.service.constraints import Choice, Constraint, Group, Text, check
from rapid_mock.service.names import LATEST

_MEMBERS: dict[str, Constraint] = {
    "StatementId": Text(1, 100, r"([a-zA-Z0-9-_]+)"),
    "Action": Text(pattern=r"(lambda:[*]|lambda:[a-zA-Z]+|[*])"),
    "Principal": Text(1, 256, r"[^\s]+"),
    "SourceArn": Text(pattern=r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:.*"),
    "SourceAccount": Text(0, 12, r"\d{12}"),
    "EventSourceToken": Text(0, 256, r"[a-zA-Z0-9._\-]+"),
    "PrincipalOrgID": Text(12, 34, r"o-[a-z0-9]{10,32}"),
    "FunctionUrlAuthType": Choice(("NONE", "AWS_IAM")),
}
_PERMISSION = Group(_MEMBERS, required=("StatementId", "Action", "Principal"))
_ACCOUNT = re.compile(r"[0-9]{12}")
_EQUALS = {
    "SourceAccount": "AWS:SourceAccount",
    "FunctionUrlAuthType": "lambda:FunctionUrlAuthType",
    "PrincipalOrgID": "aws:PrincipalOrgID",
    "EventSourceToken": "lambda:EventSourceToken",
}
_SERVICES = (".amazonaws.com", ".amazonaws.com.cn", ".amazon.com")
Statement = dict[str, Any]


@dataclass(slots=True)
class Policy:
    """The statements about one function, version or alias, by their Sid, oldest first.

    Until there is one, its revision is that of what it is about.
    """

    revision_id: str
    statements: dict[str, Statement] = field(default_factory=dict)


class Policies:
    """The policy of each function and qualifier that has one; None is the function itself."""

    def __init__(self) -> None:
        self._policies: dict[tuple[str, str | None], Policy] = {}

    def add(
        self,
        key: tuple[str, str | None],
        request: Mapping[str, Any],
        arn: str,
        *,
        before: str,
        revision_id: str,
    ) -> Statement:
        """Add a statement about `arn`; the policy gets `revision_id`.

        `before` is the revision of what it is about; the request has passed `check_permission`.
        Raises InvalidParameterValue, ResourceConflict, PreconditionFailed.
        """
        policy = self._policies.get(key) or Policy(before)
        _check_revision(policy, request.get("RevisionId"))
        name = request["StatementId"]
        if name in policy.statements:
            raise ResourceConflict(
                f"The statement id ({name}) provided already exists. Please provide a new "
                "statement id, or remove the existing statement."
            )
        policy.statements[name] = statement = _statement(request, arn)
        policy.revision_id = revision_id
        self._policies[key] = policy
        return statement

    def document(self, key: tuple[str, str | None]) -> dict[str, str]:
        """The members `Policy` (a JSON text) and `RevisionId`; raises ResourceNotFound."""
        policy = self._policies.get(key)
        if policy is None:
            raise ResourceNotFound("The resource you requested does not exist.")
        document = {
            "Version": "2012-10-17",
            "Id": "default",
            "Statement": list(policy.statements.values()),
        }
        return {"Policy": to_text(document), "RevisionId": policy.revision_id}

    def remove(
        self, key: tuple[str, str | None], name: str, expected: str | None, revision_id: str
    ) -> None:
        """Take a statement away; a policy without any is gone.

        Raises ResourceNotFound, or PreconditionFailed when `expected` is not its revision.
        """
        policy = self._policies.get(key)
        if policy is None:
            raise ResourceNotFound("No policy is associated with the given resource.")
        if name not in policy.statements:
            raise ResourceNotFound(f"Statement {name} is not found in resource policy.")
        _check_revision(policy, expected)
        del policy.statements[name]
        policy.revision_id = revision_id
        if not policy.statements:
            del self._policies[key]

    def forget(self, name: str) -> None:
        """A function was deleted."""
        self._policies = {key: each for key, each in self._policies.items() if key[0] != name}


def check_permission(request: Mapping[str, Any], qualifier: str | None) -> None:
    """Raise ValidationFailed, or InvalidParameterValue for a policy of `$LATEST`."""
    check(request, _PERMISSION)
    if qualifier == LATEST:
        raise InvalidParameterValue("We currently do not support adding policies for $LATEST.")


def to_text(value: Mapping[str, Any]) -> str:
    """JSON without blanks, as the API writes policies."""
    return json.dumps(value, separators=(",", ":"))


def _check_revision(policy: Policy, expected: str | None) -> None:
    if expected and policy.revision_id != expected:
        raise PreconditionFailed(
            "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API"
            " to retrieve the latest Revision Id"
        )


def _statement(request: Mapping[str, Any], arn: str) -> Statement:
    statement: Statement = {
        "Sid": request["StatementId"],
        "Effect": "Allow",
        "Principal": _principal(request["Principal"]),
        "Action": request["Action"],
        "Resource": arn,
    }
    conditions = {}
    equals = {key: request[member] for member, key in _EQUALS.items() if request.get(member)}
    if equals:
        conditions["StringEquals"] = equals
    if request.get("SourceArn"):
        conditions["ArnLike"] = {"AWS:SourceArn": request["SourceArn"]}
    if request.get("InvokedViaFunctionUrl") is not None:
        by_url = "true" if request["InvokedViaFunctionUrl"] else "false"
        conditions["Bool"] = {"lambda:InvokedViaFunctionUrl": by_url}
    return {**statement, "Condition": conditions} if conditions else statement


def _principal(text: str) -> str | dict[str, str]:
    if text == "*":
        return text
    if _ACCOUNT.fullmatch(text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if text.startswith("arn:"):
        return {"AWS": text}
    if text.endswith(_SERVICES):
        return {"Service": text}
    raise InvalidParameterValue(
        "The provided principal was invalid. Please check the principal and try again."
    )
