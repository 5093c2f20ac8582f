"""Concurrency through the Lambda API, with boto3 and real processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.command_line import Serving
from tests.support.lambda_api import ARN, client_of, create, publish, refusal, wait_updated, zip_of
from tests.support.peers import wait_until as wait

PYTHON = f"python3.{sys.version_info[1]}"
SOURCE = """
import os, pathlib, time

def handler(event, context):
    if event and "place" in event:
        place = pathlib.Path(event["place"])
        (place / str(os.getpid())).touch()
        while not (place / "go").exists():
            time.sleep(0.002)
    return [os.getpid(), os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"], context.function_version]
"""
RESERVED = "ReservedFunctionConcurrentInvocationLimitExceeded"
INVALID, CONFLICT = "InvalidParameterValueException", "ResourceConflictException"


def wait_until(condition: Callable[[], object], what: str) -> None:
    wait(condition, seconds=30, what=what)


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with Serving() as serving:
        yield serving


@pytest.fixture
def client(serving: Serving) -> Iterator[Any]:
    with client_of(serving.url) as client:
        create(client, "f", SOURCE, Runtime=PYTHON, Timeout=30)
        yield client
        client.delete_function(FunctionName="f")


def invoke(serving: Serving, event: Any = None, qualifier: str = "$LATEST") -> Any:
    """The function's answer, or the reason of a refusal for too many requests."""
    with client_of(serving.url) as own:
        try:
            answer = own.invoke(
                FunctionName="f", Qualifier=qualifier, Payload=json.dumps(event).encode()
            )
        except ClientError as refused:
            return refused.response["Reason"]
        payload = answer["Payload"].read()
        assert "FunctionError" not in answer, payload
        return json.loads(payload)


@contextmanager
def at_work(
    serving: Serving, place: Path, count: int, qualifier: str = "$LATEST"
) -> Iterator[list[Future[Any]]]:
    """`count` invocations that are at work inside the block and end after it."""
    place.mkdir()
    event = {"place": str(place)}
    with ThreadPoolExecutor(count) as pool:
        try:
            calls = [pool.submit(invoke, serving, event, qualifier) for _ in range(count)]
            wait_until(lambda: len(list(place.iterdir())) == count, f"{count} at work")
            yield calls
        finally:
            (place / "go").touch()


def provisioned(client: Any, qualifier: str) -> Any:
    got = client.get_provisioned_concurrency_config(FunctionName="f", Qualifier=qualifier)
    return (
        got["Status"],
        got["RequestedProvisionedConcurrentExecutions"],
        got["AvailableProvisionedConcurrentExecutions"],
        got["AllocatedProvisionedConcurrentExecutions"],
    )


def provision(client: Any, qualifier: str, count: int) -> Any:
    """Put a configuration and wait until it is no longer in progress; returns the put's answer."""
    put = client.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier=qualifier, ProvisionedConcurrentExecutions=count
    )
    wait_until(lambda: provisioned(client, qualifier)[0] != "IN_PROGRESS", "provisioning")
    return put


# --- Reserved -------------------------------------------------------------------------------


def test_fifty_callers_share_what_is_reserved(
    serving: Serving, client: Any, tmp_path: Path
) -> None:
    """With 2 reserved, of fifty parallel callers exactly two run and 48 hear the reason."""
    answer = client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
    assert answer["ReservedConcurrentExecutions"] == 2
    with at_work(serving, tmp_path / "two", 2) as calls:
        with ThreadPoolExecutor(16) as pool:
            reasons = list(pool.map(lambda _: invoke(serving), range(48)))
        assert reasons == [RESERVED] * 48
    assert len({call.result()[0] for call in calls}) == 2
    assert invoke(serving)[0] in {call.result()[0] for call in calls}


def test_fifty_callers_share_what_is_reserved_and_provisioned(
    serving: Serving, client: Any, tmp_path: Path
) -> None:
    """Reserved 5, of it 2 provisioned: of fifty callers 2 and 3 run, and 45 hear the reason."""
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=5)
    publish(client, "f")
    provision(client, "1", 2)
    with at_work(serving, tmp_path / "five", 5, "1") as calls:
        with ThreadPoolExecutor(16) as pool:
            reasons = list(pool.map(lambda _: invoke(serving, qualifier="1"), range(45)))
        assert reasons == [RESERVED] * 45
    kinds = sorted(call.result()[1] for call in calls)
    assert kinds == ["on-demand"] * 3 + ["provisioned-concurrency"] * 2


def test_a_throttle_is_a_429_with_its_reason(client: Any) -> None:
    """The refusal has AWS's message, type and reason, and nothing else, as recorded."""
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError) as refused:
        client.invoke(FunctionName="f")
    answer = refused.value.response
    assert (answer["Error"]["Code"], answer["Error"]["Message"]) == (
        "TooManyRequestsException",
        "Rate Exceeded.",
    )
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Type"]) == (429, "User")
    assert answer["Reason"] == RESERVED
    assert "retryAfterSeconds" not in answer


def test_a_reservation_comes_and_goes(serving: Serving, client: Any) -> None:
    """Put, get and delete; 0 stops the function; GetFunction and the account show it."""
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="f")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    assert invoke(serving) == RESERVED
    assert client.get_function(FunctionName="f")["Concurrency"] == {
        "ReservedConcurrentExecutions": 0
    }
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=7)
    limits = client.get_account_settings()
    assert limits["AccountLimit"] == {
        "TotalCodeSize": 80530636800,
        "CodeSizeUnzipped": 262144000,
        "CodeSizeZipped": 52428800,
        "ConcurrentExecutions": 1000,
        "UnreservedConcurrentExecutions": 993,
    }
    size = client.get_function_configuration(FunctionName="f")["CodeSize"]
    assert limits["AccountUsage"] == {"TotalCodeSize": size, "FunctionCount": 1}
    client.delete_function_concurrency(FunctionName="f")
    assert client.get_account_settings()["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000
    assert invoke(serving)[1] == "on-demand"


# --- Provisioned ----------------------------------------------------------------------------


@pytest.mark.parametrize("qualifier", ["1", "live"])
def test_provisioned_concurrency_is_used_first_and_spills_over(
    serving: Serving, client: Any, tmp_path: Path, qualifier: str
) -> None:
    """Two initialised environments take two callers, an on-demand one the third."""
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    put = provision(client, qualifier, 2)
    assert put["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert (put["Status"], put["RequestedProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 2)
    assert put["AvailableProvisionedConcurrentExecutions"] == 0
    assert provisioned(client, qualifier) == ("READY", 2, 2, 2)
    assert invoke(serving, qualifier=qualifier)[1:] == ["provisioned-concurrency", "1"]
    assert invoke(serving)[1:] == ["on-demand", "$LATEST"]
    with at_work(serving, tmp_path / "three", 3, qualifier) as calls:
        pass
    kinds = sorted(call.result()[1] for call in calls)
    assert kinds == ["on-demand", "provisioned-concurrency", "provisioned-concurrency"]


def test_nothing_is_left_when_all_that_is_reserved_is_provisioned(
    serving: Serving, client: Any
) -> None:
    """Reserved 2 and provisioned 2 for version 1: `$LATEST` is throttled, version 1 is not."""
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
    publish(client, "f")
    provision(client, "1", 2)
    assert invoke(serving) == RESERVED
    assert invoke(serving, qualifier="1")[1] == "provisioned-concurrency"


def test_provisioned_concurrency_moves_with_its_alias(serving: Serving, client: Any) -> None:
    """An alias's configuration follows it to another version; deleting it ends the environments."""
    publish(client, "f")
    client.update_function_code(FunctionName="f", ZipFile=zip_of(SOURCE + "\n"))
    wait_updated(client, "f")
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    provision(client, "live", 1)
    assert invoke(serving, qualifier="live")[1:] == ["provisioned-concurrency", "1"]
    client.update_alias(FunctionName="f", Name="live", FunctionVersion="2")
    wait_until(lambda: provisioned(client, "live")[0] == "READY", "provisioning")
    assert invoke(serving, qualifier="live")[1:] == ["provisioned-concurrency", "2"]
    assert invoke(serving, qualifier="1")[1:] == ["on-demand", "1"]
    listed = client.list_provisioned_concurrency_configs(FunctionName="f")
    assert [each["FunctionArn"] for each in listed["ProvisionedConcurrencyConfigs"]] == [
        f"{ARN}f:live"
    ]
    for _ in range(2):
        client.delete_provisioned_concurrency_config(FunctionName="f", Qualifier="live")
    assert invoke(serving, qualifier="live")[1:] == ["on-demand", "2"]


def test_a_version_that_cannot_be_initialised(serving: Serving, client: Any) -> None:
    """The configuration fails with AWS's reason; the version still runs on demand, or fails so."""
    client.update_function_code(FunctionName="f", ZipFile=zip_of("raise ValueError('no')\n"))
    wait_updated(client, "f")
    publish(client, "f")
    provision(client, "1", 2)
    assert provisioned(client, "1") == ("FAILED", 2, 0, 0)
    got = client.get_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
    assert got["StatusReason"] == "FUNCTION_ERROR_INIT_FAILURE"
    with client_of(serving.url) as own:
        answer = own.invoke(FunctionName="f", Qualifier="1")
        assert (answer["FunctionError"], answer["Payload"].read()[:22]) == (
            "Unhandled",
            b'{"errorMessage": "no",',
        )


# --- Refusals -------------------------------------------------------------------------------


def test_refusals_of_reservations_are_in_the_words_of_aws(client: Any) -> None:
    """Status, code and message of what cannot be reserved are those recorded from AWS."""
    reserve = {"FunctionName": "f", "ReservedConcurrentExecutions": 1}
    assert refusal(client, "put_function_concurrency", **{**reserve, "FunctionName": "f:1"}) == (
        400,
        INVALID,
        "This operation is permitted on Lambda functions only. Aliases and versions do not support"
        " this operation. Please specify either a function name or an unqualified function ARN.",
    )
    assert refusal(
        client, "put_function_concurrency", **{**reserve, "FunctionName": "doesnotexist"}
    ) == (404, "ResourceNotFoundException", f"Function not found: {ARN}doesnotexist:$LATEST")
    assert refusal(
        client, "put_function_concurrency", **{**reserve, "ReservedConcurrentExecutions": 901}
    ) == (
        400,
        INVALID,
        "Specified ReservedConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].",
    )
    publish(client, "f")
    provision(client, "1", 2)
    assert refusal(client, "put_function_concurrency", **reserve) == (
        400,
        INVALID,
        " ReservedConcurrentExecutions  1 should not be lower than function's total provisioned "
        "concurrency [2].",
    )


def test_refusals_of_provisioning_are_in_the_words_of_aws(client: Any) -> None:
    """Status, code and message of what cannot be provisioned are those recorded from AWS."""
    publish(client, "f")
    client.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    client.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)

    def put(qualifier: str, count: int = 1) -> tuple[int, str, str]:
        return refusal(
            client,
            "put_provisioned_concurrency_config",
            FunctionName="f",
            Qualifier=qualifier,
            ProvisionedConcurrentExecutions=count,
        )

    def get(operation: str, qualifier: str) -> tuple[int, str, str]:
        return refusal(client, operation, FunctionName="f", Qualifier=qualifier)

    unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function "
    assert put("$LATEST") == (400, INVALID, f"{unpublished}versions.")
    for operation in (
        "get_provisioned_concurrency_config",
        "delete_provisioned_concurrency_config",
    ):
        assert get(operation, "$LATEST") == (
            400,
            INVALID,
            "The function resource provided must be an alias or a published version.",
        )
    assert get("get_provisioned_concurrency_config", "1") == (
        404,
        "ProvisionedConcurrencyConfigNotFoundException",
        "No Provisioned Concurrency Config found for this function",
    )
    assert put("1", 3) == (
        400,
        INVALID,
        "Requested Provisioned Concurrency should not be greater than the "
        "reservedConcurrentExecution for function",
    )
    client.delete_function_concurrency(FunctionName="f")
    assert put("1", 1001) == (
        400,
        INVALID,
        "Specified ConcurrentExecutions for function is greater than account's unreserved "
        "concurrency [1000].",
    )
    assert put("1", 901) == (
        400,
        INVALID,
        "Specified ConcurrentExecutions for function decreases account's "
        "UnreservedConcurrentExecution below its minimum value of [100].",
    )
    provision(client, "1", 1)
    assert put("live") == (
        409,
        CONFLICT,
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned "
        "version",
    )
    client.delete_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
    provision(client, "live", 1)
    assert put("1") == (409, CONFLICT, "Version is pointed by a Provisioned Concurrency alias")


# --- Idle environments ----------------------------------------------------------------------


def test_idle_environments_end(tmp_path: Path) -> None:
    """With --idle-timeout an unused environment ends by itself; the next invoke has a new one."""
    (tmp_path / "app.py").write_text(SOURCE)
    arguments = ("--code", str(tmp_path), "--name", "f", "--idle-timeout", "0.2")
    with Serving("app.handler", *arguments) as serving:
        first = invoke(serving)[0]
        gone = Path(f"/proc/{first}")
        if not gone.parent.joinpath("self").exists():
            pytest.skip("this machine has no /proc to see the end of a process in")
        wait_until(lambda: not gone.exists(), "the end of the idle environment")
        assert invoke(serving)[0] != first
