"""Refusals and function errors in the words that were recorded from AWS."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from tests.support.command_line import Serving
from tests.support.lambda_api import client_of, create, publish, refusal, zip_of
from tests.support.lambda_api import wait_updated as wait
from tests.support.recorded_texts import (
    BUSY,
    CONFLICT,
    FAULTS,
    GOOD,
    INVALID,
    PYTHON,
    REQUEST_TOO_LARGE,
    SOURCE,
    STATES,
    TABLE,
    Fault,
    Row,
    archive_with,
)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of a service with what the table's rows speak of."""
    with Serving() as serving, client_of(serving.url, parameter_validation=False) as client:
        for name in ("f", "p", "r"):
            create(client, name, SOURCE, Runtime=PYTHON)
            publish(client, name)
        for name, aliases in (("f", ("live",)), ("p", ("one", "two"))):
            client.update_function_configuration(FunctionName=name, Timeout=4)
            wait(client, name)
            publish(client, name)
            for number, alias in enumerate(aliases, 1):
                client.create_alias(FunctionName=name, Name=alias, FunctionVersion=str(number))
        client.create_alias(
            FunctionName="f",
            Name="split",
            FunctionVersion="2",
            RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}},
        )
        for qualifier in ("one", "2"):
            client.put_provisioned_concurrency_config(
                FunctionName="p", Qualifier=qualifier, ProvisionedConcurrentExecutions=1
            )
        client.put_function_concurrency(FunctionName="r", ReservedConcurrentExecutions=0)
        for _ in range(2):
            client.publish_layer_version(LayerName="words", Content={"ZipFile": zip_of("")})
        yield client


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE)
def test_refusals_are_in_the_words_of_aws(client: Any, row: Row) -> None:
    """Status, error code, message and the other members of the body are those recorded from AWS."""
    expected = row.message
    if "<sha>" in expected:
        sha256 = client.get_function_configuration(FunctionName="f")["CodeSha256"]
        expected = expected.replace("<sha>", sha256)
    with pytest.raises(ClientError) as refused:
        getattr(client, row.operation)(**row.arguments)
    answer = dict(refused.value.response)
    status, error = answer.pop("ResponseMetadata")["HTTPStatusCode"], answer.pop("Error")
    assert (status, error["Code"], error["Message"] or "") == (row.status, row.code, expected)
    answer.pop("message", None), answer.pop("Message", None)
    assert answer == row.body()


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_function_errors_are_in_the_words_of_aws(client: Any, fault: Fault) -> None:
    """A function that fails answers 200, Unhandled, and the error that was recorded from AWS."""
    create(client, "fails", fault.source, Runtime=PYTHON, **fault.options)
    answer = client.invoke(FunctionName="fails")
    text = answer["Payload"].read().decode()
    client.delete_function(FunctionName="fails")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    text = text.replace(answer["ResponseMetadata"]["RequestId"], "<id>")
    error = json.loads(re.sub(r'File \\"[^"]*/app.py', r'File \\"/var/task/app.py', text))
    if "stackTrace" not in fault.payload:
        error.pop("stackTrace", None)
    assert error == fault.payload
    assert answer["ExecutedVersion"] == "$LATEST"


def test_a_request_that_is_too_large_is_refused_before_it_is_read(client: Any) -> None:
    """A CreateFunction above 70,167,211 bytes is a 413 without a Type, as recorded from AWS."""
    with closing(http.client.HTTPConnection(urlsplit(client.meta.endpoint_url).netloc)) as sender:
        sender.putrequest("POST", "/2015-03-31/functions")
        sender.putheader("Authorization", "any")
        sender.putheader("Content-Length", "70167212")
        sender.endheaders()
        answer = sender.getresponse()
        assert (answer.status, json.loads(answer.read())) == (413, {"Message": REQUEST_TOO_LARGE})
        assert answer.headers["x-amzn-ErrorType"] == "RequestEntityTooLargeException"


def test_states_are_told_in_the_words_of_aws(client: Any) -> None:
    """A new function is pending, then active; an update is in progress, then has succeeded."""

    def shown(configuration: Any) -> dict[str, str]:
        names = ("State", "LastUpdateStatus")
        return {name: text for name, text in configuration.items() if name.startswith(names)}

    assert shown(create(client, "states", SOURCE, Runtime=PYTHON)) == STATES["created"]
    assert shown(client.get_function(FunctionName="states")["Configuration"]) == STATES["active"]
    updated = client.update_function_configuration(FunctionName="states", Timeout=5)
    assert shown(updated) == STATES["updating"]
    wait(client, "states")
    assert shown(client.publish_version(FunctionName="states")) == STATES["active"]
    changed = client.update_function_code(FunctionName="states", ZipFile=zip_of(""), Publish=True)
    assert shown(changed) == STATES["created"]


def test_an_update_in_progress_refuses_others(client: Any) -> None:
    """While code is being deployed, updates and PublishVersion are a 409 that says so."""
    large = archive_with("large", 150 << 20)
    client.update_function_code(FunctionName="f", ZipFile=large)
    busy = (409, CONFLICT, BUSY)
    assert refusal(client, "update_function_configuration", FunctionName="f", Timeout=5) == busy
    assert refusal(client, "publish_version", FunctionName="f") == busy
    wait(client, "f")


def test_a_version_in_use_cannot_be_deleted(client: Any) -> None:
    """Deleting a version that an alias points to is a 409."""
    answer = refusal(client, "delete_function", FunctionName="f", Qualifier="1")
    assert answer[:2] == (409, CONFLICT)


def test_a_runtime_that_does_not_run_here_says_so(client: Any) -> None:
    """One of AWS's runtimes that does not run here is a 400 that says what would."""
    for runtime in ("ruby3.4", "python3.9"):
        status, code, message = refusal(client, "create_function", **{**GOOD, "Runtime": runtime})
        assert (status, code) == (400, INVALID)
        assert message.startswith(f"The runtime {runtime} does not run here")


def test_what_does_not_exist_here_is_refused(client: Any) -> None:
    """Container images, durable functions and `$LATEST.PUBLISHED` are a 400 that says so."""
    for operation, arguments, start in (
        ("create_function", {**GOOD, "PackageType": "Image"}, "Container images do not run here"),
        (
            "create_function",
            {**GOOD, "DurableConfig": {"ExecutionTimeout": 5}},
            "Durable functions",
        ),
        ("invoke", {"FunctionName": "f", "DurableExecutionName": "d"}, "Durable functions"),
        ("create_function", {**GOOD, "PublishTo": "LATEST_PUBLISHED"}, "PublishTo has no meaning"),
        ("publish_version", {"FunctionName": "f", "PublishTo": "LATEST_PUBLISHED"}, "PublishTo"),
    ):
        status, code, message = refusal(client, operation, **arguments)
        assert (status, code) == (400, INVALID)
        assert message.startswith(start)


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
        {"FileSystemConfigs": "no list"},
        {"FileSystemConfigs": ["no structure"]},
        {"VpcConfig": {"Ipv6AllowedForDualStack": "yes"}},
        {"Publish": "yes"},
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
