"""AddPermission, GetPolicy and RemovePermission, as boto3 calls them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rapid_mock import LocalLambda
from tests.support.lambda_api import ARN, client_of, create, publish, refusal

SOURCE = "def handler(event, context):\n    return 1\n"
TOPIC = "arn:aws:sns:us-east-1:123456789012:orders"
GRANT = {
    "FunctionName": "f",
    "StatementId": "sns",
    "Action": "lambda:InvokeFunction",
    "Principal": "sns.amazonaws.com",
    "SourceArn": TOPIC,
    "SourceAccount": "123456789012",
}


@pytest.fixture(scope="module")
def service() -> Iterator[Any]:
    with LocalLambda() as local, client_of(local.endpoint_url) as client:
        create(client, "f", SOURCE)
        publish(client, "f")
        client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
        yield client


def statements(client: Any, **of: str) -> list[Any]:
    found: list[Any] = json.loads(client.get_policy(FunctionName="f", **of)["Policy"])["Statement"]
    return found


def test_a_permission_is_shown_as_a_statement_of_the_policy(service: Any) -> None:
    """A grant to a service names its source in conditions; the last one removed ends the policy."""
    statement = {
        "Sid": "sns",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": f"{ARN}f",
        "Condition": {
            "StringEquals": {"AWS:SourceAccount": "123456789012"},
            "ArnLike": {"AWS:SourceArn": TOPIC},
        },
    }
    added = service.add_permission(**GRANT)
    assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert json.loads(added["Statement"]) == statement
    shown = service.get_policy(FunctionName="f")
    assert shown["Policy"].startswith('{"Version":"2012-10-17","Id":"default","Statement":[{"Sid"')
    assert statements(service) == [statement]
    service.remove_permission(FunctionName="f", StatementId="sns", RevisionId=shown["RevisionId"])
    assert refusal(service, "get_policy", FunctionName="f") == (
        404,
        "ResourceNotFoundException",
        "The resource you requested does not exist.",
    )


@pytest.mark.parametrize(
    ("principal", "shown"),
    [
        ("*", "*"),
        ("210987654321", {"AWS": "arn:aws:iam::210987654321:root"}),
        ("arn:aws:iam::210987654321:user/ada", {"AWS": "arn:aws:iam::210987654321:user/ada"}),
        ("s3.amazonaws.com", {"Service": "s3.amazonaws.com"}),
    ],
)
def test_principals_are_shown_by_their_kind(service: Any, principal: str, shown: Any) -> None:
    """Everybody, an account, an identity or a service."""
    grant = {**GRANT, "StatementId": "one", "Principal": principal, "Qualifier": "live"}
    service.add_permission(**grant)
    (statement,) = statements(service, Qualifier="live")
    service.remove_permission(FunctionName="f", StatementId="one", Qualifier="live")
    assert (statement["Principal"], statement["Resource"]) == (shown, f"{ARN}f:live")


@pytest.mark.parametrize(
    ("operation", "arguments", "refused"),
    [
        (
            "add_permission",
            {**GRANT, "StatementId": "taken"},
            (
                409,
                "ResourceConflictException",
                "The statement id (taken) provided already exists. Please provide a new statement "
                "id, or remove the existing statement.",
            ),
        ),
        (
            "add_permission",
            {**GRANT, "Qualifier": "$LATEST"},
            (
                400,
                "InvalidParameterValueException",
                "We currently do not support adding policies for $LATEST.",
            ),
        ),
        (
            "add_permission",
            {**GRANT, "FunctionName": "none"},
            (404, "ResourceNotFoundException", f"Function not found: {ARN}none"),
        ),
        (
            "add_permission",
            {**GRANT, "RevisionId": "another"},
            (
                412,
                "PreconditionFailedException",
                "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy"
                " API to retrieve the latest Revision Id",
            ),
        ),
        (
            "remove_permission",
            {"FunctionName": "f", "StatementId": "none"},
            (
                404,
                "ResourceNotFoundException",
                "Statement none is not found in resource policy.",
            ),
        ),
        (
            "remove_permission",
            {"FunctionName": "f", "StatementId": "none", "Qualifier": "live"},
            (
                404,
                "ResourceNotFoundException",
                "No policy is associated with the given resource.",
            ),
        ),
    ],
)
def test_what_cannot_be_granted_is_refused(
    service: Any, operation: str, arguments: dict[str, str], refused: Any
) -> None:
    """Taken statements, unknown functions, statements and revisions are refused in AWS's words."""
    service.add_permission(**{**GRANT, "StatementId": "taken"})
    try:
        assert refusal(service, operation, **arguments) == refused
    finally:
        service.remove_permission(FunctionName="f", StatementId="taken")


def test_a_deleted_function_takes_its_policy_along(service: Any) -> None:
    """A function of the same name begins without a policy."""
    create(service, "short", SOURCE)
    service.add_permission(**{**GRANT, "FunctionName": "short"})
    service.delete_function(FunctionName="short")
    create(service, "short", SOURCE)
    assert refusal(service, "get_policy", FunctionName="short")[0] == 404
