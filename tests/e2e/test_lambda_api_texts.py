"""Every refusal that was recorded from AWS, word for word, in one table."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.support.command_line import Serving
from tests.support.lambda_api import ARN, ROLE, client_of, create, publish, refusal, zip_of
from tests.support.lambda_api import wait_updated as wait

PYTHON = f"python3.{sys.version_info[1]}"
SOURCE = "def handler(event, context):\n    return 1\n"
GOOD = {
    "FunctionName": "new",
    "Runtime": PYTHON,
    "Role": ROLE,
    "Handler": "app.handler",
    "Code": {"ZipFile": zip_of(SOURCE)},
}
INVALID, CONFLICT = "InvalidParameterValueException", "ResourceConflictException"
MISSING, VALIDATION = "ResourceNotFoundException", "ValidationException"
LONG = "n" * 65
BIG = {"A1": "x" * 4096}
NO_CONSTRAINT = "failed to satisfy constraint: "
STALE = (
    "The Revision Id provided does not match the latest Revision Id. Call the "
    "GetFunction/GetAlias API to retrieve the latest Revision Id"
)
NOT_UNZIPPED = "Could not unzip uploaded file. Please check your file, then try to upload again."


class Row(NamedTuple):
    """A call, and status, error code and message of its refusal; `f` has versions 1 and 2."""

    operation: str
    arguments: dict[str, Any]
    status: int
    code: str
    message: str


def archive_with(name: str, size: int = 1, mode: int = 0) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(entry, "w", force_zip64=True) as file:
            for _ in range(0, size, 1 << 20):
                file.write(bytes(min(size, 1 << 20)))
    return data.getvalue()


def creating(status: int, code: str, message: str, **changes: Any) -> Row:
    return Row("create_function", {**GOOD, **changes}, status, code, message)


def value(shown: object, member: str, constraint: str) -> str:
    return f"1 validation error detected: Value '{shown}' at '{member}' {NO_CONSTRAINT}{constraint}"


def alias(status: int, code: str, message: str, **changes: Any) -> Row:
    arguments = {"FunctionName": "f", "Name": "new", "FunctionVersion": "1", **changes}
    return Row("create_alias", arguments, status, code, message)


def weights(**of: float) -> dict[str, Any]:
    return {"AdditionalVersionWeights": {name.lstrip("v"): weight for name, weight in of.items()}}


TABLE = {
    # --- names, ARNs, qualifiers
    "name longer than 64": creating(
        400,
        INVALID,
        value(LONG, "functionName", "Member must have length less than or equal to 64"),
        FunctionName=LONG,
    ),
    "long name when getting": Row(
        "get_function", {"FunctionName": LONG}, 404, MISSING, f"Function not found: {ARN}{LONG}"
    ),
    "another region": Row(
        "get_function",
        {"FunctionName": "arn:aws:lambda:eu-west-1:123456789012:function:f"},
        404,
        MISSING,
        "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    ),
    "two qualifiers": Row(
        "get_function",
        {"FunctionName": "f:1", "Qualifier": "2"},
        400,
        INVALID,
        "The derived qualifier from the function name does not match the specified qualifier.",
    ),
    "lower-case $latest": Row(
        "invoke",
        {"FunctionName": "f", "Qualifier": "$latest"},
        404,
        MISSING,
        f"Function not found: {ARN}f:$latest",
    ),
    "unknown version": Row(
        "get_function",
        {"FunctionName": "f", "Qualifier": "10"},
        404,
        MISSING,
        f"Function not found: {ARN}f:10",
    ),
    "invoke of nothing": Row(
        "invoke", {"FunctionName": "none"}, 404, MISSING, f"Function not found: {ARN}none:$LATEST"
    ),
    "get of nothing": Row(
        "get_function", {"FunctionName": "none"}, 404, MISSING, f"Function not found: {ARN}none"
    ),
    # --- creating and updating
    "existing name": creating(409, CONFLICT, "Function already exist: f", FunctionName="f"),
    "no such role": creating(
        400,
        VALIDATION,
        value(
            "me",
            "role",
            "Member must satisfy regular expression pattern: "
            r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
        ),
        Role="me",
    ),
    "too little memory and too much time": creating(
        400,
        VALIDATION,
        f"2 validation errors detected: Value '901' at 'timeout' {NO_CONSTRAINT}Member must have "
        f"value less than or equal to 900; Value '64' at 'memorySize' {NO_CONSTRAINT}Member must "
        "have value greater than or equal to 128",
        Timeout=901,
        MemorySize=64,
    ),
    "unknown architecture": creating(
        400,
        VALIDATION,
        value(
            "[vax]",
            "architectures",
            "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64],"
            " Member must not be null]",
        ),
        Architectures=["vax"],
    ),
    "deprecated runtime": creating(
        400,
        INVALID,
        "The runtime parameter of python2.7 is no longer supported for creating or updating AWS "
        "Lambda functions. We recommend you use a supported runtime while creating or updating "
        "functions.",
        Runtime="python2.7",
    ),
    "no zip archive": creating(400, INVALID, NOT_UNZIPPED, Code={"ZipFile": b"no archive"}),
    "archive that leaves its directory": creating(
        400, INVALID, NOT_UNZIPPED, Code={"ZipFile": archive_with("../out")}
    ),
    "archive with an absolute path": creating(
        400, INVALID, NOT_UNZIPPED, Code={"ZipFile": archive_with("/out")}
    ),
    "archive with a link": creating(
        400, INVALID, NOT_UNZIPPED, Code={"ZipFile": archive_with("link", mode=0o120777)}
    ),
    "archive too large inside": creating(
        400,
        INVALID,
        "Unzipped size must be smaller than 262144000 bytes",
        Code={"ZipFile": archive_with("big", 262_144_000)},
    ),
    "variables above 4 KB": creating(
        400,
        INVALID,
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided exceeded the 4KB limit. String measured: "
        + json.dumps(BIG, separators=(",", ":")),
        Environment={"Variables": BIG},
    ),
    "too many tags": creating(
        400,
        INVALID,
        "Number of tags exceeds resource tag limit.",
        Tags={str(number): "" for number in range(51)},
    ),
    "outdated revision of the code": Row(
        "update_function_code",
        {"FunctionName": "f", "ZipFile": zip_of(""), "RevisionId": "old"},
        412,
        "PreconditionFailedException",
        STALE,
    ),
    "outdated revision of the configuration": Row(
        "update_function_configuration",
        {"FunctionName": "f", "RevisionId": "old"},
        412,
        "PreconditionFailedException",
        STALE,
    ),
    "listing other versions": Row(
        "list_functions",
        {"FunctionVersion": "SOME"},
        400,
        VALIDATION,
        value("SOME", "functionVersion", "Member must satisfy enum value set: [ALL]"),
    ),
    # --- deleting
    "deleting $LATEST": Row(
        "delete_function",
        {"FunctionName": "f", "Qualifier": "$LATEST"},
        400,
        INVALID,
        "$LATEST version cannot be deleted without deleting the function.",
    ),
    "deleting by an alias": Row(
        "delete_function",
        {"FunctionName": "f", "Qualifier": "live"},
        400,
        INVALID,
        "Deletion of aliases is not currently supported.",
    ),
    "deleting a version of nothing": Row(
        "delete_function",
        {"FunctionName": "none", "Qualifier": "1"},
        404,
        MISSING,
        f"Function not found: {ARN}none",
    ),
    # --- versions and aliases
    "publishing other code": Row(
        "publish_version",
        {"FunctionName": "f", "CodeSha256": "abc"},
        400,
        INVALID,
        "CodeSHA256 (abc) is different from current CodeSHA256 in $LATEST (<sha>). Please try "
        "again with the CodeSHA256 in $LATEST.",
    ),
    "publishing an outdated revision": Row(
        "publish_version",
        {"FunctionName": "f", "RevisionId": "old"},
        412,
        "PreconditionFailedException",
        STALE,
    ),
    "alias that exists": alias(409, CONFLICT, f"Alias already exists: {ARN}f:live", Name="live"),
    "alias of an unknown version": alias(
        404, MISSING, f"Function not found: {ARN}f:10", FunctionVersion="10"
    ),
    "alias to three versions": alias(
        400,
        INVALID,
        "Number of items in AdditionalVersionWeights cannot be greater than 1",
        RoutingConfig=weights(v1=0.1, v2=0.1),
    ),
    "alias to a version twice": alias(
        400,
        INVALID,
        "Invalid function version 1. Function version 1 is already included in routing "
        "configuration.",
        RoutingConfig=weights(v1=0.1),
    ),
    "weighted alias of $LATEST": alias(
        400,
        INVALID,
        "$LATEST is not supported for an alias pointing to more than 1 version",
        FunctionVersion="$LATEST",
        RoutingConfig=weights(v1=0.1),
    ),
    "weight above 1": alias(
        400,
        VALIDATION,
        value(
            "{2=1.5}",
            "routingConfig.additionalVersionWeights",
            "Map value must satisfy constraint: [Member must have value less than or equal to 1.0,"
            " Member must have value greater than or equal to 0.0, Member must not be null]",
        ),
        RoutingConfig=weights(v2=1.5),
    ),
    "weight of $LATEST": alias(
        400,
        VALIDATION,
        value(
            "{$LATEST=0.5}",
            "routingConfig.additionalVersionWeights",
            "Map keys must satisfy constraint: [Member must have length less than or equal to "
            "1024, Member must have length greater than or equal to 1, Member must satisfy "
            "regular expression pattern: [0-9]+, Member must not be null]",
        ),
        RoutingConfig={"AdditionalVersionWeights": {"$LATEST": 0.5}},
    ),
    "missing alias": Row(
        "get_alias",
        {"FunctionName": "f", "Name": "none"},
        404,
        MISSING,
        f"Cannot find alias arn: {ARN}f:none",
    ),
    "updating a missing alias": Row(
        "update_alias",
        {"FunctionName": "f", "Name": "none", "FunctionVersion": "1"},
        404,
        MISSING,
        f"Alias not found: {ARN}f:none",
    ),
    "outdated revision of an alias": Row(
        "update_alias",
        {"FunctionName": "f", "Name": "live", "RevisionId": "old"},
        412,
        "PreconditionFailedException",
        STALE,
    ),
}


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with Serving() as serving, client_of(serving.url, parameter_validation=False) as client:
        create(client, "f", SOURCE, Runtime=PYTHON)
        publish(client, "f")
        client.update_function_configuration(FunctionName="f", Description="second", Timeout=4)
        wait(client, "f")
        publish(client, "f")
        client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
        yield client


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_refusals_are_in_the_words_of_aws(client: Any, row: Row) -> None:
    """Status, error code and message are those recorded from AWS."""
    expected = row.message
    if "<sha>" in expected:
        sha256 = client.get_function_configuration(FunctionName="f")["CodeSha256"]
        expected = expected.replace("<sha>", sha256)
    answer = refusal(client, row.operation, **row.arguments)
    assert answer == (row.status, row.code, expected)


def test_validation_errors_have_no_type(client: Any) -> None:
    """A ValidationException's body has nothing but the message."""
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.create_function(**{**GOOD, "Timeout": 901})
    assert "Type" not in refused.value.response


def test_a_version_in_use_cannot_be_deleted(client: Any) -> None:
    """Deleting a version that an alias points to is a 409."""
    answer = refusal(client, "delete_function", FunctionName="f", Qualifier="1")
    assert answer[:2] == (409, CONFLICT)


def test_an_unknown_runtime_is_told_the_known_ones(client: Any) -> None:
    """An unknown runtime is a 400 that lists the runtimes; one that does not run here says so."""
    status, code, message = refusal(client, "create_function", **{**GOOD, "Runtime": "cobol"})
    assert (status, code) == (400, INVALID)
    assert message.startswith(
        f"Value cobol at 'runtime' {NO_CONSTRAINT}Member must satisfy enum value set: ["
    )
    assert message.endswith("] or be a valid ARN")
    for runtime in ("ruby3.4", "python3.9"):
        status, code, message = refusal(client, "create_function", **{**GOOD, "Runtime": runtime})
        assert (status, code) == (400, INVALID)
        assert message.startswith(f"The runtime {runtime} does not run here")


def test_reserved_variables_are_named(client: Any) -> None:
    """Reserved environment variables are a 400 that names them."""
    variables = {"AWS_REGION": "x", "FREE": "y", "_HANDLER_": "z", "LAMBDA_TASK_ROOT": "w"}
    del variables["_HANDLER_"]
    answer = refusal(client, "create_function", **GOOD, Environment={"Variables": variables})
    assert answer == (
        400,
        INVALID,
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided contains reserved keys that are currently not supported for "
        "modification. Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT",
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {"FunctionName": ["f"]},
        {"Timeout": "3"},
        {"Environment": "no structure"},
        {"Environment": {"Variables": ["no map"]}},
        {"Code": {"ZipFile": 3}},
        {"Layers": {}},
        {"Tags": ["a"]},
    ],
)
def test_members_of_another_type_are_refused(client: Any, arguments: dict[str, Any]) -> None:
    """A member of the wrong JSON type is a 400 SerializationException, not a fault of ours."""
    request = {**GOOD, "Code": {"ZipFile": ""}, **arguments}
    body = json.dumps(request).encode()

    def replace_body(request: Any, **_: Any) -> None:
        request.data = body

    client.meta.events.register("before-sign.lambda.CreateFunction", replace_body)
    try:
        answer = refusal(client, "create_function", **GOOD)
    finally:
        client.meta.events.unregister("before-sign.lambda.CreateFunction", replace_body)
    assert answer[:2] == (400, "SerializationException")
