"""Checklist D, 69 to 84: the context object, from headers and environment."""

from __future__ import annotations

from typing import Any

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import Played, Scenario
from tests.support.scripted_runtime_api import event

PROGRAM = """
import os
import time

VARIABLES = (
    "function_name", "function_version", "memory_limit_in_mb", "log_group_name", "log_stream_name"
)
CLIENT = (
    "installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"
)

def members(value, names):
    return None if value is None else {name: getattr(value, name) for name in names}

def client_context(value):
    if value is None:
        return None
    shown = members(value, ("custom", "env"))
    return {**shown, "client": members(value.client, CLIENT), "has w3c": hasattr(value, "w3c")}

def remaining_at(seconds, context):
    clock = time.time
    time.time = lambda: seconds
    try:
        return context.get_remaining_time_in_millis()
    finally:
        time.time = clock

def handler(event, context):
    if context.aws_request_id == "log":
        print("[", end="", flush=True)
        context.log("YOLO!")
        print("]", end="", flush=True)
    if context.aws_request_id == "failing":
        raise ValueError("x")
    return {
        "aws_request_id": context.aws_request_id,
        "trace_id": os.environ.get("_X_AMZN_TRACE_ID"),
        "invoked_function_arn": context.invoked_function_arn,
        "tenant_id": context.tenant_id,
        "remaining": remaining_at(1_700_000_000.0, context),
        "client_context": client_context(context.client_context),
        "identity": members(
            context.identity, ("cognito_identity_id", "cognito_identity_pool_id")
        ),
        "w3c": context.w3c(),
        "variables": members(context, VARIABLES),
        "event": event if isinstance(event, dict) else "bytes",
    }
"""
ARN = "arn:aws:lambda:us-east-1:123456789012:function:hello"
CLIENT_CONTEXT = (
    '{"client": {"installation_id": "i", "app_title": "t", "app_version_name": "n",'
    ' "app_version_code": "c", "app_package_name": "p", "unknown": "u"},'
    ' "custom": {"k": "v\u00e9"}, "env": {"e": "f"}, "unknown": 1}'
)
IDENTITY = '{"cognitoIdentityId": "identity", "cognitoIdentityPoolId": "pool"}'
W3C = (
    '{"custom": {"k": "v"}, "w3c": {"traceparent": "00-a-b-01", "tracestate": "s=1",'
    ' "baggage": 5, "other": "x"}}'
)
HEADERS = {
    "all": (
        "Lambda-Runtime-Trace-Id: Root=1-a",
        f"Lambda-Runtime-Invoked-Function-Arn: {ARN}",
        "Lambda-Runtime-Deadline-Ms: 1700000003000",
        f"Lambda-Runtime-Client-Context: {CLIENT_CONTEXT}",
        f"Lambda-Runtime-Cognito-Identity: {IDENTITY}",
        "Lambda-Runtime-Aws-Tenant-Id: blue",
        "Content-Type: application/octet-stream",
    ),
    "nothing": (),
    "empty-tenant": ("Lambda-Runtime-Aws-Tenant-Id: ",),
    "empty-client": ('Lambda-Runtime-Client-Context: {"client": {}}',),
    "empty-context": ("Lambda-Runtime-Client-Context: {}",),
    "late": ("Lambda-Runtime-Deadline-Ms: 1699999999999",),
    "w3c": (f"Lambda-Runtime-Client-Context: {W3C}",),
    "log": (),
    "identified": ("Lambda-Runtime-Invocation-Id: invocation-1",),
    "failing": ("Lambda-Runtime-Invocation-Id: invocation-2",),
}
EVENTS = tuple(event(b"{}", *lines, request_id=name) for name, lines in HEADERS.items())
VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "hello",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1234",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/hello",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
}
WITH_VARIABLES = Scenario(program=PROGRAM, events=EVENTS, env=VARIABLES)
BARE = Scenario(program=PROGRAM, events=EVENTS[1:2])
NO_CLIENT = {
    "installation_id": None,
    "app_title": None,
    "app_version_name": None,
    "app_version_code": None,
    "app_package_name": None,
}


@item(69, "S")
def test_every_header_has_its_place(played: Played, ric: Ric) -> None:
    """Id, trace, ARN, deadline, client context, identity, tenant and content type are all read."""
    seen: dict[str, Any] = played(WITH_VARIABLES, ric).result("all")
    assert seen["aws_request_id"] == "all"
    assert seen["trace_id"] == "Root=1-a"
    assert seen["invoked_function_arn"] == ARN
    assert seen["remaining"] == 3000
    assert seen["client_context"]["custom"] == {"k": "v\u00e9"}
    assert seen["client_context"]["env"] == {"e": "f"}
    assert seen["identity"]["cognito_identity_id"] == "identity"
    assert seen["tenant_id"] == "blue"
    assert seen["event"] == "bytes"


@item(70, "S")
def test_no_tenant(played: Played, ric: Ric) -> None:
    """Without its header the tenant is None."""
    assert played(WITH_VARIABLES, ric).result("nothing")["tenant_id"] is None


@item(71, "P")
def test_an_empty_tenant(played: Played, ric: Ric) -> None:
    """A tenant header without a value is none."""
    assert not played(WITH_VARIABLES, ric).result("empty-tenant")["tenant_id"]


@item(72, "S")
def test_what_comes_from_the_environment(played: Played, ric: Ric) -> None:
    """The values are those of the variables; the memory size is text."""
    assert played(WITH_VARIABLES, ric).result("all")["variables"] == {
        "function_name": "hello",
        "function_version": "$LATEST",
        "memory_limit_in_mb": "1234",
        "log_group_name": "/aws/lambda/hello",
        "log_stream_name": "2026/01/01/[$LATEST]0",
    }


@item(73, "S")
def test_what_is_not_in_the_environment(played: Played, ric: Ric) -> None:
    """A variable that is missing is None."""
    assert set(played(BARE, ric).result("nothing")["variables"].values()) == {None}


@item(74, "S")
def test_an_empty_client(played: Played, ric: Ric) -> None:
    """`client` is an object whose five fields are None; `custom` and `env` are None."""
    assert played(WITH_VARIABLES, ric).result("empty-client")["client_context"] == {
        "custom": None,
        "env": None,
        "client": NO_CLIENT,
        "has w3c": False,
    }


@item(75, "S")
def test_an_empty_client_context(played: Played, ric: Ric) -> None:
    """It is an object, and its client is None; without the header there is none."""
    record = played(WITH_VARIABLES, ric)
    assert record.result("empty-context")["client_context"] == {
        "custom": None,
        "env": None,
        "client": None,
        "has w3c": False,
    }
    assert record.result("nothing")["client_context"] is None


@item(76, "S")
def test_the_fields_of_a_client(played: Played, ric: Ric) -> None:
    """All five are read."""
    assert played(WITH_VARIABLES, ric).result("all")["client_context"]["client"] == {
        "installation_id": "i",
        "app_title": "t",
        "app_version_name": "n",
        "app_version_code": "c",
        "app_package_name": "p",
    }


@item(77, "S")
def test_an_identity(played: Played, ric: Ric) -> None:
    """Both ids are read."""
    assert played(WITH_VARIABLES, ric).result("all")["identity"] == {
        "cognito_identity_id": "identity",
        "cognito_identity_pool_id": "pool",
    }


@item(78, "S")
def test_no_identity(played: Played, ric: Ric) -> None:
    """The identity is an object all the same, and its fields are None."""
    assert played(WITH_VARIABLES, ric).result("nothing")["identity"] == {
        "cognito_identity_id": None,
        "cognito_identity_pool_id": None,
    }


@item(79, "S")
def test_a_tenant(played: Played, ric: Ric) -> None:
    """The tenant is the header's value."""
    assert played(WITH_VARIABLES, ric).result("all")["tenant_id"] == "blue"


@item(80, "S")
def test_the_remaining_time(played: Played, ric: Ric) -> None:
    """Three seconds before the deadline it is 3000 ms."""
    assert played(WITH_VARIABLES, ric).result("all")["remaining"] == 3000


@item(81, "S")
def test_the_remaining_time_after_the_deadline(played: Played, ric: Ric) -> None:
    """It is never below 0."""
    assert played(WITH_VARIABLES, ric).result("late")["remaining"] == 0


@item(82, "S")
def test_what_the_context_logs(played: Played, ric: Ric) -> None:
    """`context.log` writes the text as it is, without a line break."""
    assert played(WITH_VARIABLES, ric).stdout.startswith("[YOLO!]")


@item(83, "P")
def test_the_w3c_trace_context(played: Played, ric: Ric) -> None:
    """`w3c()` has the texts among traceparent, tracestate, baggage; the client context has none."""
    seen = played(WITH_VARIABLES, ric).result("w3c")
    assert seen["w3c"] == {"traceparent": "00-a-b-01", "tracestate": "s=1"}
    assert seen["client_context"]["has w3c"] is False
    assert played(WITH_VARIABLES, ric).result("nothing")["w3c"] == {}


@item(84, "P")
def test_the_invocation_id_goes_back(played: Played, ric: Ric) -> None:
    """It is a header of the response and of the error, and absent when the event had none."""
    record = played(WITH_VARIABLES, ric)
    assert record.of("identified").headers["lambda-runtime-invocation-id"] == "invocation-1"
    assert record.error("failing").headers["lambda-runtime-invocation-id"] == "invocation-2"
    assert "lambda-runtime-invocation-id" not in record.of("nothing").headers
