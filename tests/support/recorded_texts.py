"""Every text that was recorded from AWS, word for word, in one table: a call and its refusal."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.support.lambda_api import ARN, ROLE, zip_of

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


NAME_TEXT = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?"
)
STRICT_TEXT = NAME_TEXT + r"([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?"
ANY_TEXT = NAME_TEXT + r"([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?"
PATTERN = "Member must satisfy regular expression pattern: "
TAGGED_TEXT = (
    r"arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"(function:[a-zA-Z0-9-_]+(:(\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|"
    r"code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
    r"[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)"
)
LAYER_TEXT = (
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)"
)
RUNTIMES_TEXT = (
    "[nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, "
    "java25, python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, "
    "java17, nodejs16.x, dotnet10, dotnet8, java11, dotnet6, nodejs18.x, provided.al2, java8.al2]"
)
NO_LAYER = "The resource you requested does not exist."
NO_MAPPING = (
    "arn:aws:lambda:us-east-1:123456789012:event-source-mapping:"
    "11111111-2222-3333-4444-555555555555"
)
NO_PROVIDER = "arn:aws:lambda:us-east-1:123456789012:capacity-provider:none"
NO_TAGS = "Tags on function aliases and versions are not supported. Please specify a function ARN."
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:"
UNREAD = "Could not parse request body into json: Could not parse payload into json: "
SOURCE_TEXT = (
    " at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: "
)


class Row(NamedTuple):
    """A call of the client, and its refusal: status, error code, message, the body's other members.

    There are: `f` with versions 1 and 2, `live` for 1, and `split` for 2 and a tenth for 1; `p`
    with versions 1 and 2, aliases `one` and `two` for them, and provisioned concurrency of 1 for
    `one` and for 2; `r`, version 1, with a reservation of 0; layer `words`, versions 1 and 2.
    """

    operation: str
    arguments: dict[str, Any]
    status: int
    code: str
    message: str
    others: dict[str, str] | None = None

    def body(self) -> dict[str, str]:
        """The other members: without saying so a Type, which a ValidationException has not."""
        if self.others is not None:
            return self.others
        return {} if self.code == VALIDATION else {"Type": "User"}


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


def invalid(operation: str, message: str, **arguments: Any) -> Row:
    return Row(operation, arguments, 400, VALIDATION, message)


def missing(operation: str, message: str, **arguments: Any) -> Row:
    return Row(operation, arguments, 404, MISSING, message)


def refused(operation: str, message: str, **arguments: Any) -> Row:
    return Row(operation, arguments, 400, INVALID, message)


def untyped(operation: str, message: str, **arguments: Any) -> Row:
    return Row(operation, arguments, 400, INVALID, message, {})


def named(operation: str, name: str, pattern: str = ANY_TEXT) -> Row:
    """A name that no function can have."""
    return invalid(operation, value(name, "functionName", PATTERN + pattern), FunctionName=name)


def allowing(**arguments: Any) -> dict[str, Any]:
    return {
        "FunctionName": "f",
        "Action": "lambda:InvokeFunction",
        "StatementId": "s3",
        "Principal": "s3.amazonaws.com",
        **arguments,
    }


def provisioning(count: int = 1, **arguments: Any) -> dict[str, Any]:
    return {"FunctionName": "f", "ProvisionedConcurrentExecutions": count, **arguments}


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
    )._replace(others={}),
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
            "regular expression pattern: [0-9]+]",
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
    # --- names that can be none
    "a star": named("get_function", "*"),
    "invoking a star": named("invoke", "*"),
    "deleting with characters": named("delete_function", "my-function!"),
    "an account that is none": named("get_function", "invalid-account:function:my-function"),
    "a region that is none": named(
        "invoke", "arn:aws:lambda:invalid-region:123456789012:function:my-function"
    ),
    "not of Lambda": named(
        "get_function", "arn:aws:ec2:us-east-1:123456789012:instance:i-1234567890abcdef0"
    ),
    "two qualifiers in a name": named("get_function", f"{ARN}my-function:1:2"),
    "a third part": named("get_function", "function:my-function:$LATEST:extra"),
    "no region": named("get_function", "arn:aws:lambda::123456789012:function:my-function"),
    "no account": named("get_function", "arn:aws:lambda:us-east-1::function:my-function"),
    "nearly $LATEST": named("get_function", f"{ARN}my-function:$LATES"),
    "an at sign": named("invoke", "arn:aws:lambda:us-east-1:123400000000@function:myfn"),
    "a long name, invoked": missing(
        "invoke", f"Function not found: {ARN}{LONG}:$LATEST", FunctionName=LONG
    ),
    "an ARN that ends early": missing(
        "get_function", f"Function not found: {ARN}function", FunctionName=ARN.rstrip(":")
    ),
    "an ARN that ends early, invoked": missing(
        "invoke", f"Function not found: {ARN}function:$LATEST", FunctionName=ARN.rstrip(":")
    ),
    "characters in a qualifier": invalid(
        "get_function",
        value("invalid!", "qualifier", PATTERN + r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+"),
        FunctionName="my-function",
        Qualifier="invalid!",
    ),
    "a long qualifier": invalid(
        "invoke",
        value("a" * 129, "qualifier", "Member must have length less than or equal to 128"),
        FunctionName="my-function",
        Qualifier="a" * 129,
    ),
    "another version of $LATEST": refused(
        "invoke",
        "The derived qualifier from the function name does not match the specified qualifier.",
        FunctionName=f"{ARN}my-function:$LATEST",
        Qualifier="1",
    ),
    "deleting $latest": missing(
        "delete_function",
        f"Function not found: {ARN}my-function",
        FunctionName="my-function",
        Qualifier="$latest",
    ),
    "deleting $LATEST of nothing": refused(
        "delete_function",
        "$LATEST version cannot be deleted without deleting the function.",
        FunctionName="none",
        Qualifier="$LATEST",
    ),
    "$LATEST of nothing": missing(
        "get_function_configuration",
        f"Function not found: {ARN}none:$LATEST",
        FunctionName="none:$LATEST",
    ),
    "another account": Row(
        "get_function",
        {"FunctionName": "arn:aws:lambda:us-east-1:210987654321:function:f"},
        403,
        "AccessDeniedException",
        "",
        {},
    ),
    "creating in another account": creating(
        403,
        "AccessDeniedException",
        "",
        FunctionName="arn:aws:lambda:us-east-1:210987654321:function:new",
    )._replace(others={}),
    "creating in another region": creating(
        404,
        MISSING,
        "Functions from 'ap-southeast-1' are not reachable in this region ('us-east-1')",
        FunctionName="arn:aws:lambda:ap-southeast-1:123456789012:function:new",
    ),
    "creating a star": creating(
        400, VALIDATION, value("*", "functionName", PATTERN + STRICT_TEXT), FunctionName="*"
    ),
    "creating with a dot": creating(
        400, VALIDATION, value("a.b", "functionName", PATTERN + STRICT_TEXT), FunctionName="a.b"
    ),
    "creating with a long ARN": creating(
        400,
        VALIDATION,
        value(
            f"{ARN}{'n' * 100}", "functionName", "Member must have length less than or equal to 140"
        ),
        FunctionName=f"{ARN}{'n' * 100}",
    ),
    # --- more of creating and updating
    "unknown runtime": creating(
        400,
        INVALID,
        "Value cobol at 'runtime' failed to satisfy constraint: Member must satisfy enum value "
        f"set: {RUNTIMES_TEXT} or be a valid ARN",
        Runtime="cobol",
    ),
    "updating to an unknown runtime": refused(
        "update_function_configuration",
        "Value PYTHON3.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value "
        f"set: {RUNTIMES_TEXT} or be a valid ARN",
        FunctionName="f",
        Runtime="PYTHON3.9",
    ),
    "two architectures": creating(
        400,
        VALIDATION,
        value(
            "[x86_64, arm64]", "architectures", "Member must have length less than or equal to 1"
        ),
        Architectures=["x86_64", "arm64"],
    ),
    "snapshots of something else": creating(
        400,
        VALIDATION,
        value(
            "invalidOption",
            "snapStart.applyOn",
            "Member must satisfy enum value set: [PublishedVersions, None]",
        ),
        SnapStart={"ApplyOn": "invalidOption"},
    ),
    "a subnet that is none": creating(
        400,
        VALIDATION,
        value(
            "[bad-subnet]",
            "vpcConfig.subnetIds",
            "Member must satisfy constraint: [Member must have length less than or equal to 1024, "
            f"Member must have length greater than or equal to 0, {PATTERN}subnet-[0-9a-z]*]",
        ),
        VpcConfig={"SubnetIds": ["bad-subnet"]},
    ),
    "a security group that is none": creating(
        400,
        VALIDATION,
        value(
            "[bad-sg]",
            "vpcConfig.securityGroupIds",
            "Member must satisfy constraint: [Member must have length less than or equal to 1024, "
            f"Member must have length greater than or equal to 0, {PATTERN}sg-[0-9a-zA-Z]*]",
        ),
        VpcConfig={"SecurityGroupIds": ["bad-sg"]},
    ),
    "a file system without a path": creating(
        400,
        VALIDATION,
        "1 validation error detected: Value null at 'fileSystemConfigs.1.member.localMountPath' "
        f"{NO_CONSTRAINT}Member must not be null",
        FileSystemConfigs=[{"Arn": "arn"}],
    ),
    "zipped code too large": creating(
        413,
        "RequestEntityTooLargeException",
        "Zipped size must be smaller than 52428800 bytes",
        Code={"ZipFile": bytes(52_428_801)},
    )._replace(others={}),
    # --- more of versions and aliases
    "a negative weight": alias(
        400,
        VALIDATION,
        value(
            "{2=-1.0}",
            "routingConfig.additionalVersionWeights",
            "Map value must satisfy constraint: [Member must have value less than or equal to 1.0,"
            " Member must have value greater than or equal to 0.0, Member must not be null]",
        ),
        RoutingConfig=weights(v2=-1.0),
    ),
    "a weight for an unknown version": alias(
        404, MISSING, f"Function not found: {ARN}f:10", RoutingConfig=weights(v10=0.5)
    ),
    "alias of nothing": alias(
        404, MISSING, f"Function not found: {ARN}unknown:1", FunctionName="unknown"
    ),
    "alias of digits": alias(
        400,
        VALIDATION,
        value("2024", "name", PATTERN + "(?!^[0-9]+$)([a-zA-Z0-9-_]+)"),
        Name="2024",
    ),
    "function behind a missing alias": missing(
        "get_function", f"Function not found: {ARN}f:none", FunctionName="f", Qualifier="none"
    ),
    "invoking a missing alias": missing(
        "invoke", f"Function not found: {ARN}f:none", FunctionName="f", Qualifier="none"
    ),
    # --- tags
    "tags of what has none": invalid(
        "tag_resource",
        value("arn:aws:something", "resource", PATTERN + TAGGED_TEXT),
        Resource="arn:aws:something",
        Tags={"a": "b"},
    ),
    "tags of nothing": missing(
        "list_tags", f"Function not found: {ARN}none", Resource=f"{ARN}none"
    ),
    "tags of a missing mapping": missing(
        "list_tags", f"Event source mapping not found: {NO_MAPPING}", Resource=NO_MAPPING
    ),
    "tags of a missing capacity provider": missing(
        "list_tags", f"Capacity provider not found: {NO_PROVIDER}", Resource=NO_PROVIDER
    ),
    "tags of a version": refused("tag_resource", NO_TAGS, Resource=f"{ARN}f:1", Tags={"a": "b"}),
    "tags of $LATEST": refused("list_tags", NO_TAGS, Resource=f"{ARN}f:$LATEST"),
    "no tags": refused(
        "tag_resource",
        "An error occurred and the request cannot be processed.",
        Resource=f"{ARN}f",
        Tags={},
    ),
    "too many tags at once": refused(
        "tag_resource",
        "Number of tags exceeds resource tag limit.",
        Resource=f"{ARN}f",
        Tags={str(number): "" for number in range(51)},
    ),
    "no keys": invalid(
        "untag_resource",
        "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member "
        "must not be null",
        Resource=f"{ARN}f",
        TagKeys=[],
    ),
    # --- layers
    "layers of an unknown architecture": invalid(
        "list_layers",
        value(
            "vax",
            "compatibleArchitecture",
            "Member must satisfy enum value set: [x86_64, arm64]",
        ),
        CompatibleArchitecture="vax",
    ),
    "missing layer": missing("get_layer_version", NO_LAYER, LayerName="none", VersionNumber=1),
    "missing version of a layer": missing(
        "get_layer_version", NO_LAYER, LayerName="words", VersionNumber=9
    ),
    "version 0 of a layer": refused(
        "get_layer_version",
        "Layer Version Cannot be less than 1",
        LayerName="words",
        VersionNumber=0,
    ),
    "deleting version -1 of a layer": refused(
        "delete_layer_version",
        "Layer Version Cannot be less than 1",
        LayerName="words",
        VersionNumber=-1,
    ),
    "layer without a version": invalid(
        "get_layer_version_by_arn",
        value(f"{LAYER}words", "arn", PATTERN + LAYER_TEXT),
        Arn=f"{LAYER}words",
    ),
    "missing version by its ARN": missing(
        "get_layer_version_by_arn", NO_LAYER, Arn=f"{LAYER}words:9"
    ),
    "layer for unknown runtimes": invalid(
        "publish_layer_version",
        "2 validation errors detected: Value '[invalidruntime, nodejs20.x]' at 'compatibleRuntimes'"
        f" failed to satisfy constraint: Member must satisfy enum value set: {RUNTIMES_TEXT}; "
        "Value '[invalidarch]' at 'compatibleArchitectures' failed to satisfy constraint: Member "
        "must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must"
        " not be null]",
        LayerName="words",
        Content={"ZipFile": zip_of("")},
        CompatibleRuntimes=["invalidruntime", "nodejs20.x"],
        CompatibleArchitectures=["invalidarch"],
    ),
    "two versions of a layer": creating(
        400,
        INVALID,
        "Two different versions of the same layer are not allowed to be referenced in the same "
        f"function. {LAYER}words:1 and {LAYER}words:2 are versions of the same layer.",
        Layers=[f"{LAYER}words:1", f"{LAYER}words:2"],
    ),
    "a layer twice": creating(
        400,
        INVALID,
        "Two different versions of the same layer are not allowed to be referenced in the same "
        f"function. {LAYER}words:1 and {LAYER}words:1 are versions of the same layer.",
        Layers=[f"{LAYER}words:1", f"{LAYER}words:1"],
    ),
    "a layer that is not there": creating(
        400, INVALID, f"Layer version {LAYER}none:1 does not exist.", Layers=[f"{LAYER}none:1"]
    ),
    "a layer's name alone": creating(
        400,
        VALIDATION,
        value(
            f"[{LAYER}words]",
            "layers",
            "Member must satisfy constraint: [Member must have length less than or equal to 2048, "
            f"Member must have length greater than or equal to 1, {PATTERN}{LAYER_TEXT}, Member "
            "must not be null]",
        ),
        Layers=[f"{LAYER}words"],
    ),
    "a layer of another region": creating(
        400,
        INVALID,
        "Layers are not in the same region as the function. Layers are expected to be in region "
        "us-east-1.",
        Layers=["arn:aws:lambda:eu-west-1:123456789012:layer:words:1"],
    ),
    "six layers": creating(
        400,
        INVALID,
        "Cannot reference more than 5 layers.",
        Layers=[f"{LAYER}l{number}:1" for number in range(6)],
    ),
    # --- versions never change
    **{
        f"{operation} of {qualifier}": refused(
            operation,
            "Current operation does not support versions other than $LATEST. Please set the version"
            " to $LATEST or do not set a version in your request.",
            FunctionName=f"f:{qualifier}",
            **options,
        )
        for operation, options in (
            ("update_function_code", {"ZipFile": b"", "DryRun": True}),
            ("update_function_configuration", {"Timeout": 9}),
            ("publish_version", {}),
        )
        for qualifier in ("1", "live")
    },
    # --- reserved concurrency
    "reserving for a version": refused(
        "put_function_concurrency",
        "This operation is permitted on Lambda functions only. Aliases and versions do not support "
        "this operation. Please specify either a function name or an unqualified function ARN.",
        FunctionName="f:1",
        ReservedConcurrentExecutions=1,
    ),
    "reserving for nothing": missing(
        "put_function_concurrency",
        f"Function not found: {ARN}none:$LATEST",
        FunctionName="none",
        ReservedConcurrentExecutions=-1,
    ),
    "reservation of nothing": missing(
        "get_function_concurrency", f"Function not found: {ARN}none", FunctionName="none"
    ),
    "reserving too much": untyped(
        "put_function_concurrency",
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].",
        FunctionName="f",
        ReservedConcurrentExecutions=899,
    ),
    "reserving less than is provisioned": untyped(
        "put_function_concurrency",
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned "
        "concurrency [2].",
        FunctionName="p",
        ReservedConcurrentExecutions=1,
    ),
    # --- provisioned concurrency
    "provisioning none": invalid(
        "put_provisioned_concurrency_config",
        value(
            "0",
            "provisionedConcurrentExecutions",
            "Member must have value greater than or equal to 1",
        ),
        **provisioning(0, Qualifier="1"),
    ),
    "provisioning $LATEST": refused(
        "put_provisioned_concurrency_config",
        "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        **provisioning(Qualifier="$LATEST"),
    ),
    "provisioning an alias of nothing": missing(
        "put_provisioned_concurrency_config",
        f"Cannot find alias arn: {ARN}none:noalias",
        **provisioning(FunctionName="none", Qualifier="noalias"),
    ),
    "provisioning a version of nothing": missing(
        "put_provisioned_concurrency_config",
        f"Function not found: {ARN}none:1",
        **provisioning(FunctionName="none", Qualifier="1"),
    ),
    "provisioning a missing alias": missing(
        "put_provisioned_concurrency_config",
        f"Cannot find alias arn: {ARN}f:noalias",
        **provisioning(Qualifier="noalias"),
    ),
    "provisioning a missing version": missing(
        "put_provisioned_concurrency_config",
        f"Function not found: {ARN}f:10",
        **provisioning(Qualifier="10"),
    ),
    "provisioning more than there is": untyped(
        "put_provisioned_concurrency_config",
        "Specified ConcurrentExecutions for function is greater than account's unreserved "
        "concurrency [998].",
        **provisioning(999, Qualifier="1"),
    ),
    "provisioning too much": untyped(
        "put_provisioned_concurrency_config",
        "Specified ConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].",
        **provisioning(899, Qualifier="1"),
    ),
    "provisioning more than is reserved": refused(
        "put_provisioned_concurrency_config",
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function",
        **provisioning(FunctionName="r", Qualifier="1"),
    ),
    "provisioning an alias with weights": refused(
        "put_provisioned_concurrency_config",
        "Alias with weights can not be used with Provisioned Concurrency",
        **provisioning(Qualifier="split"),
    ),
    "provisioning an alias of a provisioned version": Row(
        "put_provisioned_concurrency_config",
        provisioning(FunctionName="p", Qualifier="two"),
        409,
        CONFLICT,
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned "
        "version",
    ),
    "provisioning a version of a provisioned alias": Row(
        "put_provisioned_concurrency_config",
        provisioning(FunctionName="p", Qualifier="1"),
        409,
        CONFLICT,
        "Version is pointed by a Provisioned Concurrency alias",
    ),
    "no provisioned concurrency": Row(
        "get_provisioned_concurrency_config",
        {"FunctionName": "f", "Qualifier": "1"},
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    ),
    "provisioned concurrency of $LATEST": refused(
        "get_provisioned_concurrency_config",
        "The function resource provided must be an alias or a published version.",
        FunctionName="f",
        Qualifier="$LATEST",
    ),
    "deleting that of $LATEST": refused(
        "delete_provisioned_concurrency_config",
        "The function resource provided must be an alias or a published version.",
        FunctionName="f",
        Qualifier="$LATEST",
    ),
    "provisioned concurrency of a missing alias": missing(
        "get_provisioned_concurrency_config",
        f"Cannot find alias arn: {ARN}none:noalias",
        FunctionName="none",
        Qualifier="noalias",
    ),
    "deleting that of a missing version": missing(
        "delete_provisioned_concurrency_config",
        f"Function not found: {ARN}f:10",
        FunctionName="f",
        Qualifier="10",
    ),
    "deleting that of nothing": missing(
        "delete_provisioned_concurrency_config",
        f"Function not found: {ARN}none:1",
        FunctionName="none",
        Qualifier="1",
    ),
    "provisioned concurrencies of nothing": missing(
        "list_provisioned_concurrency_configs",
        f"Function not found: {ARN}none",
        FunctionName="none",
    ),
    # --- policies
    "a statement id that is none": invalid(
        "add_permission",
        value("example.com", "statementId", PATTERN + "([a-zA-Z0-9-_]+)"),
        **allowing(StatementId="example.com"),
    ),
    "a policy for $LATEST": refused(
        "add_permission",
        "We currently do not support adding policies for $LATEST.",
        **allowing(FunctionName="f:$LATEST", Qualifier="$LATEST"),
    ),
    "a policy for two qualifiers": refused(
        "add_permission",
        "The derived qualifier from the function name does not match the specified qualifier.",
        **allowing(FunctionName="f:alias", Qualifier="42"),
    ),
    "a principal that is none": refused(
        "add_permission",
        "The provided principal was invalid. Please check the principal and try again.",
        **allowing(Principal="invalid.nonaws.com"),
    ),
    "a policy for nothing": missing(
        "add_permission", f"Function not found: {ARN}none", **allowing(FunctionName="none")
    ),
    "a policy for a missing alias": missing(
        "add_permission", f"Cannot find alias arn: {ARN}f:none", **allowing(FunctionName="f:none")
    ),
    "a policy for a missing version": missing(
        "add_permission", f"Function not found: {ARN}f:42", **allowing(Qualifier="42")
    ),
    "a policy for what is neither": missing(
        "add_permission", f"Function not found: {ARN}f:with-$", **allowing(Qualifier="with-$")
    ),
    "policy of nothing": missing("get_policy", NO_LAYER, FunctionName="none"),
    "policy of a missing version": missing(
        "get_policy", NO_LAYER, FunctionName="f", Qualifier="77"
    ),
    "removing from nothing": missing(
        "remove_permission",
        f"No policy found for: {ARN}none",
        FunctionName="none",
        StatementId="s3",
    ),
    "removing from no policy": missing(
        "remove_permission",
        "No policy is associated with the given resource.",
        FunctionName="f",
        StatementId="s3",
    ),
    "removing from a missing alias": missing(
        "remove_permission",
        f"Cannot find alias arn: {ARN}f:none",
        FunctionName="f",
        StatementId="s3",
        Qualifier="none",
    ),
    "recursion of another kind": invalid(
        "put_function_recursion_config",
        value(
            "InvalidValue",
            "recursiveLoop",
            "Member must satisfy enum value set: [Terminate, Allow]",
        ),
        FunctionName="f",
        RecursiveLoop="InvalidValue",
    ),
    # --- invocations
    "invoking what is switched off": Row(
        "invoke",
        {"FunctionName": "r"},
        429,
        "TooManyRequestsException",
        "Rate Exceeded.",
        {"Type": "User", "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"},
    ),
    "no UTF-8": Row(
        "invoke",
        {"FunctionName": "f", "Payload": b"n\x87r\x9e\xe9\xb5\xd7I\xee\x9bmt"},
        400,
        "InvalidRequestContentException",
        f"{UNREAD}Invalid UTF-8 start byte 0x87\n{SOURCE_TEXT}1, column: 3]",
    ),
    "no JSON": Row(
        "invoke",
        {"FunctionName": "f", "Payload": b"\x99\xeb,j\x07\xa1zYh"},
        400,
        "InvalidRequestContentException",
        f"{UNREAD}Unexpected character ((CTRL-CHAR, code 153)): expected a valid value (JSON "
        "String, Number, Array, Object or token 'null', 'true' or 'false')\n"
        f"{SOURCE_TEXT}1, column: 1]",
    ),
}


REQUEST_TOO_LARGE = "Request must be smaller than 70167211 bytes for the CreateFunction operation"
BUSY = (
    f"The operation cannot be performed at this time. An update is in progress for resource: {ARN}f"
)
STATES = {
    "created": {
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
    },
    "active": {"State": "Active", "LastUpdateStatus": "Successful"},
    "updating": {
        "State": "Active",
        "LastUpdateStatus": "InProgress",
        "LastUpdateStatusReason": "The function is being created.",
        "LastUpdateStatusReasonCode": "Creating",
    },
}


class Fault(NamedTuple):
    """A function's source, and what its invoker gets; `<id>` is the request id."""

    source: str
    payload: dict[str, Any]
    options: Mapping[str, Any] = MappingProxyType({})


def exits(message: str) -> dict[str, Any]:
    return {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: <id> Error: {message}"}


FAULTS = {
    "an exception": Fault(
        "def handler(event, context):\n    raise Exception('Handler fails')\n",
        {
            "errorMessage": "Handler fails",
            "errorType": "Exception",
            "requestId": "<id>",
            "stackTrace": [
                '  File "/var/task/app.py", line 2, in handler\n'
                "    raise Exception('Handler fails')\n"
            ],
        },
    ),
    "an exception at import": Fault(
        "raise Exception('Runtime startup fails')\n",
        {
            "errorMessage": "Runtime startup fails",
            "errorType": "Exception",
            "requestId": "",
        },
    ),
    "an exit in the handler": Fault(
        "import os\ndef handler(event, context):\n    os._exit(0)\n",
        exits("Runtime exited without providing a reason"),
    ),
    "an exit at import": Fault(
        "import sys\nsys.exit(0)\n", exits("Runtime exited without providing a reason")
    ),
    "an exit with a status": Fault(
        "import os\ndef handler(event, context):\n    os._exit(7)\n",
        exits("Runtime exited with error: exit status 7"),
    ),
    "a wrapper that is not there": Fault(
        "def handler(event, context):\n    return 1\n",
        exits("Runtime exited with error: exit status 127"),
        {"Environment": {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/idontexist.sh"}}},
    ),
    "no time left": Fault(
        "import time\ndef handler(event, context):\n    time.sleep(30)\n",
        {
            "errorType": "Sandbox.Timedout",
            "errorMessage": "RequestId: <id> Error: Task timed out after 1.00 seconds",
        },
        {"Timeout": 1},
    ),
    "a response above 6 MiB": Fault(
        "def handler(event, context):\n    return 'x' * 6_291_600\n",
        {
            "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 "
            "bytes).",
            "errorType": "Function.ResponseSizeTooLarge",
        },
    ),
}
