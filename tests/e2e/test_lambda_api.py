"""Functions through the Lambda API: boto3 with nothing but `endpoint_url`."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import stat
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import ROOT, Serving, write_code
from tests.support.lambda_api import (
    ARN,
    ROLE,
    client_of,
    create,
    invoke,
    publish,
    refusal,
    wait_active,
    wait_published,
    wait_updated,
    zip_of,
)

PYTHON = f"python3.{sys.version_info[1]}"
SAYS = """
import os
def handler(event, context):
    return [{!r}, context.function_version, context.invoked_function_arn, os.environ.get("SECRET")]
"""


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving() as serving:
        yield serving


@pytest.fixture
def client(serving: Serving) -> Iterator[Any]:
    with client_of(serving.url) as client:
        yield client
        for page in client.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                client.delete_function(FunctionName=function["FunctionName"])


def make(client: Any, name: str = "f", says: str = "one", **options: Any) -> Any:
    return create(client, name, SAYS.format(says), Runtime=PYTHON, **options)


def sha256_of(package: bytes) -> str:
    return base64.b64encode(hashlib.sha256(package).digest()).decode()


def test_a_function_from_nothing_but_a_zip(client: Any) -> None:
    """`start` without a handler serves an empty service; a created function becomes active."""
    assert client.list_functions()["Functions"] == []
    made = make(client, Environment={"Variables": {"SECRET": "s"}}, Tags={"team": "a"})
    package = zip_of(SAYS.format("one"))
    assert made["ResponseMetadata"]["HTTPStatusCode"] == 201
    assert (made["State"], made["StateReason"]) == ("Pending", "The function is being created.")
    assert made["StateReasonCode"] == "Creating"
    assert "LastUpdateStatus" not in made
    assert made["FunctionArn"] == f"{ARN}f"
    assert made["CodeSize"] == len(package)
    assert made["CodeSha256"] == sha256_of(package)
    got = client.get_function(FunctionName="f")
    configuration = got["Configuration"]
    assert (configuration["State"], configuration["LastUpdateStatus"]) == ("Active", "Successful")
    assert configuration["RevisionId"] != made["RevisionId"]
    assert configuration["LastModified"] == made["LastModified"]
    assert got["Tags"] == {"team": "a"}
    assert invoke(client, "f") == ["one", "$LATEST", f"{ARN}f", "s"]


def test_the_answer_has_every_default(client: Any) -> None:
    """What was not said has AWS's defaults; what was never given is absent."""
    made = make(client)
    for volatile in ("ResponseMetadata", "LastModified", "RevisionId", "CodeSha256", "CodeSize"):
        made.pop(volatile)
    runtime = made.pop("RuntimeVersionConfig")["RuntimeVersionArn"]
    assert made == {
        "FunctionName": "f",
        "FunctionArn": f"{ARN}f",
        "Runtime": PYTHON,
        "Role": ROLE,
        "Handler": "app.handler",
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
    }
    assert re.fullmatch(r"arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}", runtime)


def test_new_code_serves_once_the_update_has_succeeded(client: Any) -> None:
    """UpdateFunctionCode passes through InProgress; afterwards no old environment answers."""
    make(client)
    assert invoke(client, "f")[0] == "one"
    updated = client.update_function_code(FunctionName="f", ZipFile=zip_of(SAYS.format("two")))
    assert (updated["State"], updated["LastUpdateStatus"]) == ("Active", "InProgress")
    assert updated["LastUpdateStatusReasonCode"] == "Creating"
    wait_updated(client, "f")
    assert [invoke(client, "f")[0] for _ in range(3)] == ["two"] * 3


def test_new_configuration_replaces_what_is_given(client: Any) -> None:
    """UpdateFunctionConfiguration replaces given members whole and leaves the others."""
    make(client, Environment={"Variables": {"SECRET": "s", "OTHER": "o"}}, Timeout=5)
    client.update_function_configuration(
        FunctionName="f", MemorySize=256, Environment={"Variables": {"SECRET": "t"}}
    )
    wait_updated(client, "f")
    now = client.get_function_configuration(FunctionName="f")
    assert (now["MemorySize"], now["Timeout"]) == (256, 5)
    assert now["Environment"] == {"Variables": {"SECRET": "t"}}
    assert invoke(client, "f")[3] == "t"


def test_a_dry_run_changes_nothing(client: Any) -> None:
    """UpdateFunctionCode with DryRun checks the code and shows what would be; nothing changes."""
    make(client)
    before = client.get_function_configuration(FunctionName="f")
    code = {"CodeSha256": sha256_of(zip_of("x")), "CodeSize": len(zip_of("x"))}
    shown = client.update_function_code(
        FunctionName="f", ZipFile=zip_of("x"), Architectures=["arm64"], DryRun=True
    )
    would_be = {**before, **code, "Architectures": ["arm64"]}
    del shown["ResponseMetadata"], would_be["ResponseMetadata"]
    assert shown == would_be
    after = client.get_function_configuration(FunctionName="f")
    del before["ResponseMetadata"], after["ResponseMetadata"]
    assert after == before
    assert invoke(client, "f")[0] == "one"


def test_the_code_can_be_fetched_where_get_function_says(client: Any) -> None:
    """`Location` is a URL of this service that gives the archive as it was uploaded."""
    make(client)
    location = client.get_function(FunctionName="f")["Code"]["Location"]
    with urllib.request.urlopen(location, timeout=10) as answer:
        assert answer.read() == zip_of(SAYS.format("one"))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(location + "x", timeout=10)


def test_a_local_directory_instead_of_an_archive(client: Any, tmp_path: Path) -> None:
    """A bucket called hot-reload means a directory here, whose path is the key."""
    write_code(tmp_path, SAYS.format("here"))
    client.create_function(
        FunctionName="f",
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Code={"S3Bucket": "hot-reload", "S3Key": str(tmp_path)},
    )
    wait_active(client, "f")
    assert invoke(client, "f")[0] == "here"
    write_code(tmp_path, SAYS.format("changed"))
    client.update_function_code(FunctionName="f", S3Bucket="hot-reload", S3Key=str(tmp_path))
    wait_updated(client, "f")
    assert invoke(client, "f")[0] == "changed"


def test_a_runtime_of_its_own_comes_as_a_bootstrap(client: Any) -> None:
    """With a provided runtime the executable `bootstrap` in the archive is the runtime."""
    bootstrap = zipfile.ZipInfo("bootstrap")
    bootstrap.external_attr = (stat.S_IFREG | 0o755) << 16
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(bootstrap, f'#!/bin/sh\nexec "{sys.executable}" runtime.py\n')
        archive.writestr(
            "runtime.py",
            "import http.client, os\n"
            "while True:\n"
            "    api = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])\n"
            "    api.request('GET', '/2018-06-01/runtime/invocation/next')\n"
            "    event = api.getresponse()\n"
            "    event.read()\n"
            "    name = event.headers['Lambda-Runtime-Aws-Request-Id']\n"
            "    path = f'/2018-06-01/runtime/invocation/{name}/response'\n"
            "    api.request('POST', path, b'\"own\"')\n"
            "    api.getresponse().read()\n",
        )
    client.create_function(
        FunctionName="f",
        Runtime="provided.al2023",
        Role=ROLE,
        Handler="none",
        Code={"ZipFile": data.getvalue()},
    )
    wait_active(client, "f")
    assert invoke(client, "f") == "own"


def test_a_function_on_managed_instances(client: Any) -> None:
    """Its capacity provider says how many invocations an environment has at once; logs are JSON."""
    source = """
import os
def handler(event, context):
    names = "MAX_CONCURRENCY", "LOG_FORMAT", "INITIALIZATION_TYPE"
    return [os.environ["AWS_LAMBDA_" + name] for name in names]
"""
    instances = {
        "CapacityProviderArn": "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p",
        "PerExecutionEnvironmentMaxConcurrency": 2,
    }
    create(
        client,
        "f",
        source,
        Runtime=PYTHON,
        MemorySize=2048,
        CapacityProviderConfig={"LambdaManagedInstancesCapacityProviderConfig": instances},
    )
    assert invoke(client, "f") == ["2", "JSON", "lambda-managed-instances"]


def test_invocations_meet_in_one_environment_of_managed_instances(
    client: Any, serving: Serving, tmp_path: Path
) -> None:
    """Two that wait for each other are at work in one environment, which has one Runtime API."""
    source = """
import os, pathlib, time
def handler(event, context):
    place = pathlib.Path(event)
    (place / context.aws_request_id).touch()
    deadline = time.monotonic() + 15
    while len(list(place.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.002)
    return [len(list(place.iterdir())), os.environ["AWS_LAMBDA_RUNTIME_API"]]
"""
    instances = {
        "CapacityProviderArn": "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p",
        "PerExecutionEnvironmentMaxConcurrency": 2,
    }
    config = {"LambdaManagedInstancesCapacityProviderConfig": instances}
    create(client, "f", source, Runtime=PYTHON, Timeout=20, CapacityProviderConfig=config)

    def meet(_number: int) -> Any:
        with client_of(serving.url) as own:
            return invoke(own, "f", str(tmp_path))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(meet, range(2))
    assert first == second
    assert first[0] == 2


def test_managed_instances_have_limits_of_their_own(client: Any) -> None:
    """From 2 GB of memory to 32, and up to 90 minutes; an update is held to the same."""
    instances = {"CapacityProviderArn": "arn:aws:lambda:us-east-1:123456789012:capacity-provider:p"}
    config = {"LambdaManagedInstancesCapacityProviderConfig": instances}
    make(client, MemorySize=32768, Timeout=5400, CapacityProviderConfig=config)
    got = client.get_function_configuration(FunctionName="f")
    assert got["LoggingConfig"]["LogFormat"] == "JSON"
    answer = refusal(client, "update_function_configuration", FunctionName="f", MemorySize=1024)
    assert answer[:2] == (400, "ValidationException")
    assert answer[2].endswith("Member must have value greater than or equal to 2048")


TENANTS = """
served = []
def handler(event, context):
    served.append(context.tenant_id)
    return served
"""


def test_tenants_share_no_environment(client: Any) -> None:
    """PER_TENANT: each tenant has environments of its own; the function hears whose they are."""
    config = {"TenantIsolationMode": "PER_TENANT"}
    create(client, "f", TENANTS, Runtime=PYTHON, TenancyConfig=config)
    assert invoke(client, "f", TenantId="blue") == ["blue"]
    assert invoke(client, "f", TenantId="green") == ["green"]
    assert invoke(client, "f", TenantId="blue") == ["blue", "blue"]
    assert refusal(client, "invoke", FunctionName="f") == (
        400,
        "InvalidParameterValueException",
        "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your "
        "request and try again.",
    )
    client.update_function_code(FunctionName="f", ZipFile=zip_of(TENANTS + "served = [0]\n"))
    wait_updated(client, "f")
    assert invoke(client, "f", TenantId="blue") == [0, "blue"]
    publish(client, "f")
    provisioned = {"Qualifier": "1", "ProvisionedConcurrentExecutions": 1}
    make(client, "g")
    answer = refusal(client, "invoke", FunctionName="g", TenantId="blue")
    assert answer[:2] == (400, "InvalidParameterValueException")
    snapstart = {"SnapStart": {"ApplyOn": "PublishedVersions"}}
    queue = "arn:aws:sqs:us-east-1:123456789012:q"
    for operation, options, what in (
        ("put_provisioned_concurrency_config", provisioned, "Provisioned Concurrency is"),
        ("create_function_url_config", {"AuthType": "NONE"}, "Function URLs are"),
        ("create_event_source_mapping", {"EventSourceArn": queue}, "Event source mappings are"),
        ("update_function_configuration", snapstart, "SnapStart is"),
    ):
        assert refusal(client, operation, FunctionName="f", **options) == (
            400,
            "InvalidParameterValueException",
            f"{what} not supported for functions with tenancy configuration.",
        )
    assert refusal(client, "invoke", FunctionName="f", TenantId="no!") == (
        400,
        "ValidationException",
        "1 validation error detected: Value 'no!' at 'tenantId' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [a-zA-Z0-9\._:\/=+\-@ ]+",
    )


def test_json_logs_have_levels(client: Any) -> None:
    """With JSON both levels are INFO unless it is said; with text there are none, as recorded."""
    make(client, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": "DEBUG"})
    got = client.get_function_configuration(FunctionName="f")["LoggingConfig"]
    assert got == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "DEBUG",
        "LogGroup": "/aws/lambda/f",
    }
    text = client.update_function_configuration(
        FunctionName="f", LoggingConfig={"LogFormat": "Text"}
    )
    assert text["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}
    wait_updated(client, "f")


def test_an_archive_without_entries(client: Any) -> None:
    """A zip of nothing is a 400."""
    data = io.BytesIO()
    zipfile.ZipFile(data, "w").close()
    make(client)
    assert refusal(client, "update_function_code", FunctionName="f", ZipFile=data.getvalue()) == (
        400,
        "InvalidParameterValueException",
        "Uploaded file must be a non-empty zip",
    )


@pytest.mark.parametrize(
    ("level", "kinds"),
    [
        ("DEBUG", ["start", "runtimeDone", "report"]),
        ("INFO", ["start", "report"]),
        ("WARN", []),
    ],
)
def test_platform_records_are_logged_by_the_system_log_level(
    client: Any, level: str, kinds: list[str]
) -> None:
    """What is less than a warning is logged from its level on, INFO unless said otherwise."""
    make(client, LoggingConfig={"LogFormat": "JSON", "SystemLogLevel": level})
    answer = client.invoke(FunctionName="f", LogType="Tail")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert [json.loads(line)["type"] for line in lines] == [f"platform.{kind}" for kind in kinds]


def test_levels_and_groups_of_logs_reach_the_function(client: Any) -> None:
    """LoggingConfig sets format, level and group in the function's environment."""
    source = """
import os
def handler(event, context):
    names = "LOG_FORMAT", "LOG_LEVEL", "LOG_GROUP_NAME"
    return [os.environ["AWS_LAMBDA_" + name] for name in names]
"""
    logging = {"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "LogGroup": "mine"}
    create(client, "f", source, Runtime=PYTHON, LoggingConfig=logging)
    assert invoke(client, "f") == ["JSON", "WARN", "mine"]


def test_a_damaged_archive_fails_the_function(client: Any) -> None:
    """An archive whose content is damaged: the state is Failed, and an invoke says so."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return 'unharmed'")
    damaged = data.getvalue().replace(b"unharmed", b"HARMED!!")
    client.create_function(
        FunctionName="f",
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": damaged},
    )
    with pytest.raises(Exception, match="terminal failure state"):
        wait_active(client, "f")
    now = client.get_function_configuration(FunctionName="f")
    assert (now["State"], now["StateReasonCode"]) == ("Failed", "InvalidZipFileException")
    assert now["StateReason"] == "The code could not be unpacked: the archive is damaged"
    assert refusal(client, "invoke", FunctionName="f") == (
        409,
        "ResourceConflictException",
        "The operation cannot be performed at this time. The function is currently in the "
        "following state: Failed",
    )


def test_sixty_functions_come_in_two_pages(client: Any) -> None:
    """ListFunctions gives 50 a page, whatever MaxItems says; the paginator gets all, in order."""
    names = [f"f{number:02}" for number in range(60)]
    for name in names:
        client.create_function(
            FunctionName=name,
            Runtime=PYTHON,
            Role=ROLE,
            Handler="app.handler",
            Code={"ZipFile": zip_of("")},
        )
    first = client.list_functions(MaxItems=1000)
    assert (len(first["Functions"]), "NextMarker" in first) == (50, True)
    assert not {"State", "LastUpdateStatus"} & first["Functions"][0].keys()
    pages = list(client.get_paginator("list_functions").paginate())
    assert [each["FunctionName"] for page in pages for each in page["Functions"]] == names


def test_every_list_comes_in_pages(client: Any) -> None:
    """The paginators of versions, aliases, layers and configurations get all, page by page."""
    make(client)
    for number in range(1, 4):
        client.update_function_configuration(FunctionName="f", Description=str(number))
        wait_updated(client, "f")
        publish(client, "f")
        client.create_alias(FunctionName="f", Name=f"a{number}", FunctionVersion=str(number))
        client.put_function_event_invoke_config(
            FunctionName="f", Qualifier=f"a{number}", MaximumRetryAttempts=0
        )
        content = {"ZipFile": zip_of("", "python/words.py")}
        client.publish_layer_version(LayerName=f"layer{number}", Content=content)
        client.publish_layer_version(LayerName="layer1", Content=content)
    for operation, member, key, expected in (
        ("list_functions", "Functions", "Version", ["$LATEST", "1", "2", "3"]),
        ("list_versions_by_function", "Versions", "Version", ["$LATEST", "1", "2", "3"]),
        ("list_aliases", "Aliases", "Name", ["a1", "a2", "a3"]),
        ("list_layers", "Layers", "LayerName", ["layer1", "layer2", "layer3"]),
        ("list_layer_versions", "LayerVersions", "Version", [4, 3, 2, 1]),
        (
            "list_function_event_invoke_configs",
            "FunctionEventInvokeConfigs",
            "FunctionArn",
            [f"{ARN}f:a{number}" for number in (1, 2, 3)],
        ),
    ):
        named = {
            "list_functions": {"FunctionVersion": "ALL"},
            "list_layers": {},
            "list_layer_versions": {"LayerName": "layer1"},
        }.get(operation, {"FunctionName": "f"})
        pages = list(
            client.get_paginator(operation).paginate(**named, PaginationConfig={"PageSize": 2})
        )
        assert [len(page[member]) for page in pages] in ([2, 2], [2, 1])
        assert [each[key] for page in pages for each in page[member]] == expected


def test_nothing_is_missed_by_deleting_page_by_page(client: Any) -> None:
    """What a page shows can be deleted before the next is asked for: a marker is no position."""
    for number in range(5):
        client.create_function(
            FunctionName=f"f{number}",
            Runtime=PYTHON,
            Role=ROLE,
            Handler="app.handler",
            Code={"ZipFile": zip_of("")},
        )
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    for page in pages:
        for function in page["Functions"]:
            client.delete_function(FunctionName=function["FunctionName"])
    assert client.list_functions()["Functions"] == []
    for marker in ("zzz", "%", "é"):
        answer = refusal(client, "list_functions", Marker=marker)
        assert answer == (
            400,
            "InvalidParameterValueException",
            f"The marker {marker} is not valid.",
        )


def test_every_version_counts_in_the_size_of_all_code(client: Any) -> None:
    """The account's usage has each version of functions and layers, also of the same code."""
    make(client)
    size = len(zip_of(SAYS.format("one")))

    def used() -> Any:
        return client.get_account_settings()["AccountUsage"]

    before = used()
    assert before["FunctionCount"] == 1
    publish(client, "f")
    assert used()["TotalCodeSize"] == before["TotalCodeSize"] + size
    layer = zip_of("", "python/words.py")
    made = client.publish_layer_version(LayerName="sized", Content={"ZipFile": layer})
    assert used()["TotalCodeSize"] == before["TotalCodeSize"] + size + len(layer)
    client.delete_layer_version(LayerName="sized", VersionNumber=made["Version"])
    assert used()["TotalCodeSize"] == before["TotalCodeSize"] + size


def test_settings_of_the_platform_are_kept(client: Any) -> None:
    """Recursion is terminated, runtimes are updated and nothing is signed, unless it is said."""
    make(client)
    get = client.get_function_recursion_config
    assert get(FunctionName="f")["RecursiveLoop"] == "Terminate"
    client.put_function_recursion_config(FunctionName="f", RecursiveLoop="Allow")
    assert get(FunctionName="f")["RecursiveLoop"] == "Allow"
    assert client.get_runtime_management_config(FunctionName="f")["UpdateRuntimeOn"] == "Auto"
    client.put_runtime_management_config(FunctionName="f", UpdateRuntimeOn="FunctionUpdate")
    managed = client.get_runtime_management_config(FunctionName="f")
    assert (managed["UpdateRuntimeOn"], managed["FunctionArn"]) == ("FunctionUpdate", f"{ARN}f")
    assert "CodeSigningConfigArn" not in client.get_function_code_signing_config(FunctionName="f")


def test_tags(client: Any) -> None:
    """Tags are set, listed and taken away by the function's ARN."""
    make(client)
    client.tag_resource(Resource=f"{ARN}f", Tags={"a": "1", "b": "2"})
    client.untag_resource(Resource=f"{ARN}f", TagKeys=["a"])
    assert client.list_tags(Resource=f"{ARN}f")["Tags"] == {"b": "2"}


def test_a_deleted_function_is_gone(client: Any) -> None:
    """DeleteFunction answers 204; afterwards there is nothing to get or to invoke."""
    make(client)
    invoke(client, "f")
    deleted = client.delete_function(FunctionName="f")
    assert deleted["ResponseMetadata"]["HTTPStatusCode"] == 204
    missing = (404, "ResourceNotFoundException", f"Function not found: {ARN}f")
    assert refusal(client, "get_function", FunctionName="f") == missing
    assert refusal(client, "delete_function", FunctionName="f") == missing


# --- Versions and aliases -------------------------------------------------------------------


def test_published_versions_stay_as_they_were(client: Any) -> None:
    """A version keeps its code and configuration; unchanged content is not published again."""
    make(client, Environment={"Variables": {"SECRET": "1"}})
    assert publish(client, "f") == "1"
    assert publish(client, "f") == "1"
    client.update_function_code(FunctionName="f", ZipFile=zip_of(SAYS.format("two")))
    wait_updated(client, "f")
    client.update_function_configuration(FunctionName="f", Environment={"Variables": {}})
    wait_updated(client, "f")
    assert publish(client, "f") == "2"
    assert invoke(client, "f", Qualifier="1") == ["one", "1", f"{ARN}f:1", "1"]
    assert invoke(client, "f:2") == ["two", "2", f"{ARN}f:2", None]
    versions = client.list_versions_by_function(FunctionName="f")["Versions"]
    assert [each["FunctionArn"] for each in versions] == [
        f"{ARN}f:$LATEST",
        f"{ARN}f:1",
        f"{ARN}f:2",
    ]
    client.delete_function(FunctionName="f", Qualifier="2")
    client.delete_function(FunctionName="f", Qualifier="2")
    assert refusal(client, "invoke", FunctionName="f", Qualifier="2")[2].endswith(":f:2")
    client.update_function_code(FunctionName="f", ZipFile=zip_of(SAYS.format("three")))
    wait_updated(client, "f")
    assert publish(client, "f") == "3"


def test_a_published_version_is_there_at_once(client: Any) -> None:
    """PublishVersion answers Active, nothing need be waited for, and its revision stays."""
    make(client)
    made = client.publish_version(FunctionName="f")
    assert (made["State"], made["LastUpdateStatus"]) == ("Active", "Successful")
    assert invoke(client, "f:1")[1] == "1"
    got = client.get_function_configuration(FunctionName="f", Qualifier="1")
    assert got["RevisionId"] == made["RevisionId"]
    updated = client.update_function_code(FunctionName="f", ZipFile=zip_of(""), Publish=True)
    assert (updated["Version"], updated["State"]) == ("2", "Pending")
    wait_published(client, "f", "2")


def test_create_with_publish(client: Any) -> None:
    """Publish=True creates version 1 too: its number in an answer with the unqualified ARN."""
    made = make(client, Publish=True)
    assert (made["Version"], made["FunctionArn"]) == ("1", f"{ARN}f")
    assert publish(client, "f") == "1"
    assert invoke(client, "f", Qualifier="1")[:2] == ["one", "1"]
    assert invoke(client, "f")[:2] == ["one", "$LATEST"]


def test_an_alias_is_invoked_as_it_is_named(client: Any) -> None:
    """The executed version is the alias's; the function sees the ARN with the alias."""
    make(client)
    publish(client, "f")
    made = client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    made.pop("ResponseMetadata"), made.pop("RevisionId")
    assert made == {
        "AliasArn": f"{ARN}f:live",
        "Name": "live",
        "FunctionVersion": "1",
        "Description": "",
    }
    answer = client.invoke(FunctionName="f", Qualifier="live")
    assert answer["ExecutedVersion"] == "1"
    assert json.loads(answer["Payload"].read()) == ["one", "1", f"{ARN}f:live", None]
    got = client.get_function_configuration(FunctionName="f", Qualifier="live")
    assert (got["FunctionArn"], got["Version"]) == (f"{ARN}f:live", "1")


def test_a_weighted_alias_uses_both_versions(client: Any) -> None:
    """With half of the weight each, 40 invocations reach both versions; without weights one."""
    make(client)
    publish(client, "f")
    client.update_function_code(FunctionName="f", ZipFile=zip_of(SAYS.format("two")))
    wait_updated(client, "f")
    publish(client, "f")
    client.create_alias(
        FunctionName="f",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    assert {invoke(client, "f:live")[1] for _ in range(40)} == {"1", "2"}
    updated = client.update_alias(FunctionName="f", Name="live", RoutingConfig={})
    assert "RoutingConfig" not in updated
    assert {invoke(client, "f:live")[1] for _ in range(10)} == {"1"}
    assert [each["Name"] for each in client.list_aliases(FunctionName="f")["Aliases"]] == ["live"]
    client.delete_alias(FunctionName="f", Name="live")
    assert (
        client.delete_alias(FunctionName="f", Name="live")["ResponseMetadata"]["HTTPStatusCode"]
        == 204
    )


# --- Safety ---------------------------------------------------------------------------------


def test_control_operations_need_authorization(serving: Serving) -> None:
    """Without an Authorization header nothing is created, deleted or listed: 403."""
    for method, path in (("POST", ""), ("GET", ""), ("DELETE", "/f")):
        url = f"{serving.url}/2015-03-31/functions{path}"
        request = urllib.request.Request(url, b"{}", method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        with refused.value as answer:
            assert answer.code == 403
            assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
            assert json.loads(answer.read()) == {"Message": "Missing Authentication Token"}


@pytest.mark.parametrize(
    "header", [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")]
)
def test_other_web_sites_are_refused(serving: Serving, header: tuple[str, str]) -> None:
    """A web page of another site creates nothing, whatever it authorizes itself with."""
    url = f"{serving.url}/2015-03-31/functions"
    headers = {"Authorization": "any", header[0]: header[1]}
    request = urllib.request.Request(url, b"{}", headers, method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    with refused.value as answer:
        assert answer.code == 403
        assert b"refused" in answer.read()


def test_a_function_of_the_command_line_is_one_of_the_api(tmp_path: Path) -> None:
    """What `start HANDLER` serves can be looked at, published and updated through the API."""
    write_code(tmp_path, SAYS.format("cli"))
    with (
        Serving("app.handler", "--code", str(tmp_path), "--name", "mine", cwd=ROOT) as serving,
        client_of(serving.url) as client,
    ):
        got = client.get_function_configuration(FunctionName="mine")
        assert (got["Handler"], got["Runtime"], got["State"]) == ("app.handler", PYTHON, "Active")
        assert publish(client, "mine") == "1"
        client.update_function_configuration(
            FunctionName="mine", Environment={"Variables": {"SECRET": "new"}}
        )
        wait_updated(client, "mine")
        assert invoke(client, "mine") == ["cli", "$LATEST", f"{ARN}mine", "new"]
        assert invoke(client, "mine:1") == ["cli", "1", f"{ARN}mine:1", None]
        client.update_function_code(FunctionName="mine", ZipFile=zip_of(SAYS.format("zip")))
        wait_updated(client, "mine")
        assert invoke(client, "mine")[0] == "zip"
