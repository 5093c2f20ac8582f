"""What a function may be told: the settings of CreateFunction and UpdateFunctionConfiguration.

Source: Lambda API reference, "CreateFunction"; "Lambda quotas" and "Using Lambda environment
variables", AWS Lambda Developer Guide; texts of refusals as recorded from AWS. A setting that is
not named in `host/deployment.py` is stored and shown, and changes nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambda_runtime import contract
from rapid_mock.errors import InvalidParameterValue
from rapid_mock.service.constraints import (
    Choice,
    Constraint,
    Fraction,
    Group,
    Groups,
    Sequence,
    Table,
    Text,
    Truth,
    Whole,
    check,
    known,
)
from rapid_mock.service.names import STRICT_NAME

Settings = dict[str, Any]

MAX_NAME = 64
MAX_ENVIRONMENT_BYTES = 4096
MAX_LAYERS = 5
LEAST_ON_INSTANCES = 2048
MAX_TAGS = 50

_ARN = r"(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()"
_LEVELS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
_SYSTEM_LEVELS = ("DEBUG", "INFO", "WARN")
ARCHITECTURES = Sequence(Choice(("x86_64", "arm64")), 1)
LAYER_VERSION_ARN = Text(
    1,
    2048,
    r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)",
)

_CONFIGURATION: dict[str, Constraint] = {
    "Role": Text(0, 10000, r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"),
    "Handler": Text(0, 128, r"[^\s]+"),
    "Description": Text(0, 256),
    "Timeout": Whole(1, 900),
    "MemorySize": Whole(128, 10240),
    "Environment": Group({"Variables": Table(Text(pattern=r"[a-zA-Z]([a-zA-Z0-9_])+"), Text())}),
    "KMSKeyArn": Text(0, 10000, _ARN),
    "DeadLetterConfig": Group({"TargetArn": Text(0, 10000, _ARN)}),
    "TracingConfig": Group({"Mode": Choice(("Active", "PassThrough"))}),
    "Layers": Sequence(LAYER_VERSION_ARN),
    "EphemeralStorage": Group({"Size": Whole(512, 10240)}, required=("Size",)),
    "SnapStart": Group({"ApplyOn": Choice(("PublishedVersions", "None"))}),
    "VpcConfig": Group(
        {
            "SubnetIds": Sequence(Text(0, 1024, r"subnet-[0-9a-z]*"), 16, has_nulls=True),
            "SecurityGroupIds": Sequence(Text(0, 1024, r"sg-[0-9a-zA-Z]*"), 5, has_nulls=True),
            "Ipv6AllowedForDualStack": Truth(),
        }
    ),
    "FileSystemConfigs": Groups(
        Group(
            {"Arn": Text(0, 256), "LocalMountPath": Text(0, 160, r"/mnt/[a-zA-Z0-9-_.]+")},
            required=("Arn", "LocalMountPath"),
        ),
        1,
    ),
    "LoggingConfig": Group(
        {
            "LogFormat": Choice((contract.LOG_FORMAT_JSON, contract.LOG_FORMAT_TEXT)),
            "ApplicationLogLevel": Choice(_LEVELS),
            "SystemLogLevel": Choice(_SYSTEM_LEVELS),
            "LogGroup": Text(1, 512, r"[\.\-_/#A-Za-z0-9]+"),
        }
    ),
}
_CAPACITY_PROVIDER = (
    r"arn:aws[a-zA-Z-]*:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:"
    r"capacity-provider:[a-zA-Z0-9-_]+"
)
_INSTANCES = "LambdaManagedInstancesCapacityProviderConfig"
_CREATE: dict[str, Constraint] = {
    "PackageType": Choice(("Zip", "Image")),
    "Architectures": ARCHITECTURES,
    "CapacityProviderConfig": Group(
        {
            _INSTANCES: Group(
                {
                    "CapacityProviderArn": Text(1, 140, _CAPACITY_PROVIDER),
                    "PerExecutionEnvironmentMaxConcurrency": Whole(1, 1600),
                    "ExecutionEnvironmentMemoryGiBPerVCpu": Fraction(2.0, 8.0),
                },
                required=("CapacityProviderArn",),
            )
        },
        required=(_INSTANCES,),
    ),
    "TenancyConfig": Group(
        {"TenantIsolationMode": Choice(("PER_TENANT",))}, required=("TenantIsolationMode",)
    ),
}
_ON_INSTANCES: dict[str, Constraint] = {
    "Timeout": Whole(1, 5400),
    "MemorySize": Whole(LEAST_ON_INSTANCES, 32768),
}
SOURCE: dict[str, Constraint] = {
    name: Text() for name in ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion", "ImageUri")
}
TAGS = Table(Text(1, 128), Text(0, 256))
_CREATE_GROUP = Group(
    {
        "FunctionName": STRICT_NAME,
        **_CONFIGURATION,
        **_CREATE,
        "Runtime": Text(),
        "Code": Group(SOURCE),
        "Tags": TAGS,
        "Publish": Truth(),
    },
    required=("FunctionName", "Role", "Code"),
)
_SETTINGS_GROUP = Group({**_CONFIGURATION, **_CREATE, "Runtime": Text()})
_UPDATE_GROUP = Group({**_CONFIGURATION, "Runtime": Text(), "RevisionId": Text()})

RUNTIMES = (
    *("nodejs20.x", "python3.14", "provided.al2023", "python3.12", "python3.13", "nodejs24.x"),
    *("nodejs22.x", "java25", "python3.10", "python3.11", "java21", "ruby3.3", "ruby3.4"),
    *("ruby3.2", "python3.8", "python3.9", "java17", "nodejs16.x", "dotnet10", "dotnet8"),
    *("java11", "dotnet6", "nodejs18.x", "provided.al2", "java8.al2"),
)
"""In AWS's order."""
DEPRECATED_RUNTIMES = (
    *("nodejs", "nodejs4.3", "nodejs4.3-edge", "nodejs6.10", "nodejs8.10", "nodejs10.x"),
    *("nodejs12.x", "nodejs14.x", "java8", "python2.7", "python3.6", "python3.7"),
    *("dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1"),
    *("ruby2.5", "ruby2.7", "go1.x", "provided"),
)
LISTED_RUNTIMES = (
    *("ruby3.5", "ruby2.6", "dotnetcore1.0", "python3.7", "nodejs8.10", "nasa", "ruby2.7"),
    *("python2.7-greengrass", "dotnetcore2.0", "python3.8", "java21", "dotnet6", "dotnetcore2.1"),
    *("python3.9", "java11", "nodejs6.10", "provided", "dotnetcore3.1", "dotnet8", "java25"),
    *("java17", "nodejs", "nodejs4.3", "java8.al2", "go1.x", "dotnet10", "nodejs20.x", "go1.9"),
    *("byol", "nodejs10.x", "provided.al2023", "nodejs22.x", "python3.10", "java8", "nodejs12.x"),
    *("python3.11", "nodejs24.x", "nodejs8.x", "python3.12", "nodejs14.x", "nodejs8.9"),
    *("nodejs26.x", "python3.13", "python3.14", "nodejs16.x", "python3.15", "provided.al2"),
    *("nodejs4.3-edge", "nodejs18.x", "ruby3.2", "python3.4", "ruby3.3", "ruby3.4", "ruby2.5"),
    *("python3.6", "python2.7"),
)
"""Those that a list of layers can be asked for, in AWS's order."""


def check_create(request: Mapping[str, Any]) -> None:
    """Raise ValidationFailed for a CreateFunction request that breaks the API's model."""
    check(request, _for_instances(_CREATE_GROUP, request))


def settings_to_create(request: Mapping[str, Any], name: str) -> Settings:
    """The settings of a new function called `name`, with AWS's defaults for what was not said.

    Raises InvalidParameterValue; the request has passed `check_create`.
    """
    if len(name) > MAX_NAME:
        raise InvalidParameterValue(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy "
            f"constraint: Member must have length less than or equal to {MAX_NAME}"
        )
    if request.get("PackageType") == "Image":
        raise InvalidParameterValue("Container images do not run here. Use a deployment package.")
    if not request.get("Runtime") or not request.get("Handler"):
        raise InvalidParameterValue(
            "Runtime and Handler are mandatory parameters for functions created with deployment "
            "packages."
        )
    given = known(request, _SETTINGS_GROUP)
    settings = complete_settings(given, name)
    _check_values(settings, request)
    return settings


def complete_settings(given: Mapping[str, Any], name: str) -> Settings:
    """What was said of the function `name`, and AWS's defaults."""
    is_on_instances = "CapacityProviderConfig" in given
    log_format = contract.LOG_FORMAT_JSON if is_on_instances else contract.LOG_FORMAT_TEXT
    logging = {"LogFormat": log_format, **given.get("LoggingConfig", {})}
    if logging["LogFormat"] == contract.LOG_FORMAT_JSON:
        logging = {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **logging}
    return {
        "Description": "",
        "Timeout": int(contract.DEFAULT_TIMEOUT_SECONDS),
        "MemorySize": LEAST_ON_INSTANCES if is_on_instances else contract.DEFAULT_MEMORY_MB,
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "None"},
        **given,
        "LoggingConfig": {"LogGroup": f"/aws/lambda/{name}", **logging},
    }


def settings_to_update(
    request: Mapping[str, Any], current: Mapping[str, Any], name: str
) -> Settings:
    """The settings after UpdateFunctionConfiguration: each given member replaces the old one."""
    check(request, _for_instances(_UPDATE_GROUP, current))
    given = known(request, Group({**_CONFIGURATION, "Runtime": Text()}))
    settings = complete_settings({**current, **given}, name)
    if settings.get("DeadLetterConfig", {}).get("TargetArn") == "":
        del settings["DeadLetterConfig"]
    _check_values(settings, request)
    return settings


def _for_instances(group: Group, settings: Mapping[str, Any]) -> Group:
    """The limits of managed instances, for functions on those."""
    if settings.get("CapacityProviderConfig") is None:
        return group
    return Group({**group.members, **_ON_INSTANCES}, group.required)


def refuse_tenants(settings: Mapping[str, Any], what: str) -> None:
    """Raise InvalidParameterValue when the function keeps tenants apart, where `what` cannot be."""
    if "TenancyConfig" in settings:
        raise InvalidParameterValue(
            f"{what} not supported for functions with tenancy configuration."
        )


def check_tags(tags: Mapping[str, Any]) -> None:
    """Raise InvalidParameterValue when a function would have too many tags."""
    if len(tags) > MAX_TAGS:
        raise InvalidParameterValue("Number of tags exceeds resource tag limit.")


def _check_values(settings: Settings, request: Mapping[str, Any]) -> None:
    runtime = request.get("Runtime")
    if runtime in DEPRECATED_RUNTIMES:
        raise InvalidParameterValue(
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )
    if runtime is not None and runtime not in RUNTIMES:
        raise InvalidParameterValue(
            f"Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
            f"value set: [{', '.join(RUNTIMES)}] or be a valid ARN"
        )
    if request.get("DurableConfig"):
        raise InvalidParameterValue("Durable functions do not run here.")
    if settings["SnapStart"]["ApplyOn"] != "None":
        refuse_tenants(settings, "SnapStart is")
    if len(settings.get("Layers", ())) > MAX_LAYERS:
        raise InvalidParameterValue(f"Cannot reference more than {MAX_LAYERS} layers.")
    _check_logging(settings["LoggingConfig"])
    _check_variables(settings.get("Environment", {}).get("Variables") or {})


def _check_logging(logging: Mapping[str, str]) -> None:
    has_levels = "ApplicationLogLevel" in logging or "SystemLogLevel" in logging
    if has_levels and logging["LogFormat"] != contract.LOG_FORMAT_JSON:
        raise InvalidParameterValue(
            "To use ApplicationLogLevel or SystemLogLevel, you must set LogFormat to JSON."
        )


def _check_variables(variables: Mapping[str, str]) -> None:
    reserved = [name for name in variables if name in contract.ENV_RESERVED]
    if reserved:
        raise InvalidParameterValue(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode("utf-8", "replace")) > MAX_ENVIRONMENT_BYTES:
        raise InvalidParameterValue(
            "Lambda was unable to configure your environment variables because the environment "
            f"variables you have provided exceeded the 4KB limit. String measured: {measured}"
        )
