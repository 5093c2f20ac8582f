"""Asynchronous invocations: retries in scaled time, destinations, dead letters."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from rapid_mock import Function, LocalLambda
from tests.support.command_line import write_code
from tests.support.processes import DEADLINE_SECONDS, eventually

HANDLER = """
def handler(event, context):
    if event.get("fail"):
        raise RuntimeError(event["fail"])
    return {"got": event, "arn": context.invoked_function_arn}
"""
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"
EVENTS = int(os.environ.get("ASYNC_EVENTS", "2000"))


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def local(log: io.BytesIO) -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=log, time_scale=6000) as running:
        yield running


@pytest.fixture
def function(local: LocalLambda, tmp_path: Path) -> Function:
    code = write_code(tmp_path / "code", HANDLER)
    return local.create_function("worker", handler="app.handler", code=code)


def test_a_failing_event_is_tried_three_times(function: Function) -> None:
    """The same request id each time; then its destination is told, in AWS's form."""
    told: list[Any] = []
    function.handle_events(on_failure=told.append)
    request_id = function.invoke_async({"fail": "no luck"})
    eventually(lambda: bool(told), "the failure")
    (record,) = told
    assert list(record) == [
        "version",
        "timestamp",
        "requestContext",
        "requestPayload",
        "responseContext",
        "responsePayload",
    ]
    assert record["requestContext"] == {
        "requestId": request_id,
        "functionArn": f"{ARN}worker:$LATEST",
        "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    }
    assert record["requestPayload"] == {"fail": "no luck"}
    assert record["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert record["responsePayload"]["errorMessage"] == "no luck"


def test_a_success_has_its_own_destination(function: Function) -> None:
    """With the function's result, and no error."""
    told: list[Any] = []
    function.handle_events(on_success=told.append, on_failure=told.append)
    function.invoke_async({"n": 1})
    eventually(lambda: bool(told), "the success")
    (record,) = told
    assert record["requestContext"]["condition"] == "Success"
    assert record["requestContext"]["approximateInvokeCount"] == 1
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}
    assert record["responsePayload"]["got"] == {"n": 1}


@pytest.mark.parametrize(
    ("retries", "max_age", "condition", "count"),
    [(0, 21600, "RetriesExhausted", 1), (2, 60, "EventAgeExceeded", 1)],
)
def test_retries_and_age_are_settings(
    function: Function, retries: int, max_age: int, condition: str, count: int
) -> None:
    """No retry, or none that would come too late."""
    told: list[Any] = []
    function.handle_events(on_failure=told.append, retries=retries, max_age=max_age)
    function.invoke_async({"fail": "x"})
    eventually(lambda: bool(told), "the failure")
    context = told[0]["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == (condition, count)


BUSY_AFTERWARDS = """
import time
from lambda_runtime import after_response

def handler(event, context):
    after_response(time.sleep, 0.1)
    raise RuntimeError("no")
"""


def test_a_retry_waits_for_the_environment_that_still_has_the_event(
    local: LocalLambda, tmp_path: Path
) -> None:
    """It has the same request id, which cannot be at work twice: that is no attempt, and no end."""
    code = write_code(tmp_path / "code", BUSY_AFTERWARDS)
    busy = local.create_function("busy", handler="app.handler", code=code)
    told: list[Any] = []
    busy.handle_events(on_failure=told.append)
    busy.invoke_async({})
    eventually(lambda: bool(told), "the failure")
    context = told[0]["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetriesExhausted", 3)


def test_no_reserved_concurrency_is_no_attempt(local: LocalLambda, function: Function) -> None:
    """With zero the event goes straight to its destination, without a response."""
    told: list[Any] = []
    function.handle_events(on_failure=told.append)
    local.client("lambda").put_function_concurrency(
        FunctionName="worker", ReservedConcurrentExecutions=0
    )
    function.invoke_async({})
    eventually(lambda: bool(told), "the failure")
    assert told[0]["requestContext"]["condition"] == "ZeroReservedConcurrency"
    assert told[0]["requestContext"]["approximateInvokeCount"] == 0
    assert "responseContext" not in told[0]


def test_records_go_to_functions_files_and_urls(
    local: LocalLambda, function: Function, tmp_path: Path, httpserver: HTTPServer
) -> None:
    """Another function gets the record as its event; a file a line; a URL a POST."""
    code = write_code(
        tmp_path / "next",
        "import json, pathlib\n"
        "def handler(event, context):\n"
        f"    pathlib.Path({str(tmp_path / 'seen')!r}).write_text(json.dumps(event))\n",
    )
    local.create_function("next", handler="app.handler", code=code)
    httpserver.expect_request("/dead", method="POST").respond_with_data("")
    for success, failure, name, has_failed in [
        (f"{ARN}next", f"file://{tmp_path}/dead.jsonl", "seen", (tmp_path / "dead.jsonl").exists),
        (
            f"file://{tmp_path}/good.jsonl",
            httpserver.url_for("/dead"),
            "good.jsonl",
            lambda: bool(httpserver.log),
        ),
    ]:
        function.handle_events(on_success=success, on_failure=failure, retries=0)
        function.invoke_async({"n": 1})
        function.invoke_async({"fail": "x"})
        eventually(tmp_path.joinpath(name).exists, "the success")
        eventually(has_failed, "the failure")
    (dead,) = (tmp_path / "dead.jsonl").read_text().splitlines()
    assert json.loads(dead)["responsePayload"]["errorMessage"] == "x"
    assert json.loads((tmp_path / "seen").read_text())["requestPayload"] == {"n": 1}
    posted = httpserver.log[0][0].json
    assert posted is not None
    assert posted["requestPayload"] == {"fail": "x"}


def test_a_destination_that_fails_is_reported(function: Function, log: io.BytesIO) -> None:
    """One sentence; the event is not tried again for it."""

    def broken(_record: Any) -> None:
        raise ValueError("no room")

    function.handle_events(on_success=broken)
    function.invoke_async({})
    eventually(lambda: b"did not take a record: ValueError: no room" in log.getvalue(), "it said")
    function.handle_events(on_success="arn:aws:sqs:us-east-1:123456789012:q")
    function.invoke_async({})
    sentence = b"destination arn:aws:sqs:us-east-1:123456789012:q did not take a record: "
    eventually(lambda: sentence in log.getvalue(), "the sentence")


def test_dead_letters_have_a_target_of_their_own(
    local: LocalLambda, function: Function, log: io.BytesIO
) -> None:
    """Both fire: the destination's record, and the event itself for the queue."""
    told: list[Any] = []
    function.handle_events(on_failure=told.append, retries=0)
    queue = "arn:aws:sqs:us-east-1:123456789012:dead"
    local.client("lambda").update_function_configuration(
        FunctionName="worker", DeadLetterConfig={"TargetArn": queue}
    )
    function.invoke_async({"fail": "x"})
    sentence = f"destination {queue} did not take a record: there is no such service here"
    eventually(lambda: sentence.encode() in log.getvalue(), "the dead letter")
    eventually(lambda: bool(told), "the record")


def test_the_api_of_event_invoke_configs(local: LocalLambda, function: Function) -> None:
    """Put replaces, update merges; errors in AWS's words."""
    client = local.client("lambda")
    name = {"FunctionName": function.name}
    local.create_function("other", handler="app.handler")
    target = {"Destination": f"{ARN}other"}
    put = client.put_function_event_invoke_config(
        **name, MaximumRetryAttempts=1, DestinationConfig={"OnFailure": target}
    )
    assert put["FunctionArn"] == f"{ARN}worker:$LATEST"
    assert put["DestinationConfig"] == {"OnSuccess": {}, "OnFailure": target}
    merged = client.update_function_event_invoke_config(**name, MaximumEventAgeInSeconds=60)
    assert (merged["MaximumRetryAttempts"], merged["MaximumEventAgeInSeconds"]) == (1, 60)
    replaced = client.put_function_event_invoke_config(**name, MaximumRetryAttempts=0)
    assert "MaximumEventAgeInSeconds" not in replaced
    listed = client.list_function_event_invoke_configs(**name)["FunctionEventInvokeConfigs"]
    assert [each["MaximumRetryAttempts"] for each in listed] == [0]
    client.delete_function_event_invoke_config(**name)
    for call, arguments, text in [
        (
            client.put_function_event_invoke_config,
            {},
            "You must specify at least one of error handling or destination setting.",
        ),
        (
            client.put_function_event_invoke_config,
            {"DestinationConfig": {"OnSuccess": {"Destination": f"{ARN}worker"}}},
            "You can't specify the function as a destination for itself.",
        ),
        (
            client.put_function_event_invoke_config,
            {"DestinationConfig": {"OnFailure": {"Destination": f"{ARN}missing"}}},
            f"The destination ARN {ARN}missing is invalid.",
        ),
        (
            client.put_function_event_invoke_config,
            {"DestinationConfig": {"OnSuccess": {"Destination": "arn:aws:s3:::bucket"}}},
            "The provided destination config DestinationConfig(onSuccess="
            "OnSuccess(destination=arn:aws:s3:::bucket), onFailure=null) is invalid.",
        ),
        (
            client.put_function_event_invoke_config,
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:iam::1:role/x"}}},
            "The provided destination config DestinationConfig(onSuccess=null, "
            "onFailure=OnFailure(destination=arn:aws:iam::1:role/x)) is invalid.",
        ),
        (
            client.get_function_event_invoke_config,
            {},
            f"The function {ARN}worker:$LATEST doesn't have an EventInvokeConfig",
        ),
    ]:
        with pytest.raises(client.exceptions.ClientError) as refused:
            call(**name, **arguments)
        assert refused.value.response["Error"]["Message"] == text


def test_every_event_ends_exactly_once(function: Function) -> None:
    """Of many events one in twenty fails: each ends once, in the destination that is its own.

    ASYNC_EVENTS is how many (2,000).
    """
    succeeded: list[Any] = []
    failed: list[Any] = []
    function.handle_events(on_success=succeeded.append, on_failure=failed.append)
    events = [{"n": n, "fail": "x"} if n % 20 == 0 else {"n": n} for n in range(EVENTS)]
    sent = {function.invoke_async(event): event for event in events}
    patience = DEADLINE_SECONDS + EVENTS / 100
    eventually(lambda: len(succeeded) + len(failed) >= EVENTS, "the end of all", seconds=patience)
    for records, condition, attempts in [
        (succeeded, "Success", 1),
        (failed, "RetriesExhausted", 3),
    ]:
        for record in records:
            context = record["requestContext"]
            assert record["requestPayload"] == sent.pop(context["requestId"])
            assert (context["condition"], context["approximateInvokeCount"]) == (
                condition,
                attempts,
            )
    assert sent == {}
    assert len(failed) == len(range(0, EVENTS, 20))
