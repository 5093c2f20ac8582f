"""Every form of invoke, through boto3 and real processes."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import Serving, write_code
from tests.support.lambda_api import ARN, client_of, create, refusal
from tests.support.peers import wait_until as wait

SOURCE = """
import json, os, pathlib, time

def handler(event, context):
    place = pathlib.Path(event["place"])
    (place / context.aws_request_id).write_text(json.dumps([
        event, context.invoked_function_arn, context.client_context is None]))
    while "until" in event and not pathlib.Path(event["until"]).exists():
        time.sleep(0.002)
    if "fail" in event:
        raise ValueError(event["fail"])
"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    code = write_code(tmp_path_factory.mktemp("code"), SOURCE)
    arguments = ("--code", str(code), "--concurrency", "1", "--timeout", "20")
    with Serving("app.handler", *arguments) as serving:
        yield serving


@pytest.fixture
def client(serving: Serving) -> Iterator[Any]:
    with client_of(serving.url) as client:
        yield client


def wait_until(condition: Callable[[], object]) -> None:
    wait(condition, seconds=20, what="what the function does")


def told(place: Path) -> list[Any]:
    return [json.loads(each.read_text() or "null") for each in place.iterdir()]


def send(client: Any, event: Any, **options: Any) -> Any:
    payload = json.dumps(event).encode()
    answer = client.invoke(
        FunctionName="function", InvocationType="Event", Payload=payload, **options
    )
    assert answer["Payload"].read() == b""
    return answer


def test_an_event_is_accepted_and_delivered_once(client: Any, tmp_path: Path) -> None:
    """Event: 202 at once without a payload or a version; the function gets it once, by its ARN."""
    event = {"place": str(tmp_path)}
    answer = send(client, event, ClientContext="eyJjdXN0b20iOnt9fQ==", Qualifier="$LATEST")
    assert answer["StatusCode"] == 202
    assert "ExecutedVersion" not in answer
    wait_until(lambda: None not in (told(tmp_path) or [None]))
    assert told(tmp_path) == [[event, f"{ARN}function:$LATEST", True]]
    assert [each.name for each in tmp_path.iterdir()] == [answer["ResponseMetadata"]["RequestId"]]


def test_events_wait_for_room(client: Any, tmp_path: Path) -> None:
    """Events above the limit are not refused: each is delivered, once there is room for it."""
    go, place = tmp_path / "go", tmp_path / "place"
    place.mkdir()
    for number in range(3):
        event = {"place": str(place), "until": str(go), "number": number}
        assert send(client, event)["StatusCode"] == 202
    wait_until(lambda: len(list(place.iterdir())) == 1)
    go.touch()
    wait_until(lambda: len(list(place.iterdir())) == 3)
    wait_until(lambda: None not in told(place))
    assert sorted(each[0]["number"] for each in told(place)) == [0, 1, 2]


def test_a_failing_event_is_delivered_once(client: Any, tmp_path: Path) -> None:
    """A function that raises has had its event; the next one is served."""
    send(client, {"place": str(tmp_path), "fail": "no"})
    wait_until(lambda: None not in (told(tmp_path) or [None]))
    send(client, {"place": str(tmp_path)})
    wait_until(lambda: len(told(tmp_path)) == 2)


def test_a_dry_run_runs_nothing(client: Any, tmp_path: Path) -> None:
    """DryRun: 204 for what could be invoked, the refusal for what could not."""
    event = json.dumps({"place": str(tmp_path)}).encode()
    answer = client.invoke(FunctionName="function", InvocationType="DryRun", Payload=event)
    assert (answer["StatusCode"], answer["Payload"].read()) == (204, b"")
    missing = {"FunctionName": "function", "Qualifier": "7", "InvocationType": "DryRun"}
    assert refusal(client, "invoke", **missing) == (
        404,
        "ResourceNotFoundException",
        f"Function not found: {ARN}function:7",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_streamed_dry_run(client: Any) -> None:
    """InvokeWithResponseStream takes DryRun: 204; and no Event: 400."""
    answer = client.invoke_with_response_stream(FunctionName="function", InvocationType="DryRun")
    assert (answer["StatusCode"], list(answer["EventStream"])) == (204, [])
    status, code, message = refusal(
        client, "invoke_with_response_stream", FunctionName="function", InvocationType="Event"
    )
    assert (status, code) == (400, "ValidationException")
    assert message.endswith("Member must satisfy enum value set: [RequestResponse, DryRun]")


@pytest.mark.parametrize(
    ("options", "status", "code", "start"),
    [
        (
            {"Payload": b"no json"},
            400,
            "InvalidRequestContentException",
            "Could not parse request body into json: ",
        ),
        (
            {"Payload": b'"%s"' % (b"x" * 1048576)},
            413,
            "RequestTooLargeException",
            "Request must be smaller than 1048576 bytes for the InvokeFunction operation",
        ),
        (
            {"Qualifier": "none"},
            404,
            "ResourceNotFoundException",
            f"Function not found: {ARN}function:none",
        ),
        (
            {"ClientContext": "e30" + "=" * 3584},
            400,
            "InvalidRequestContentException",
            "Client context must be at most 3583 bytes long.",
        ),
    ],
)
def test_events_that_are_refused(
    client: Any, options: dict[str, Any], status: int, code: str, start: str
) -> None:
    """An event is refused before it is queued: no JSON, above 1 MiB, no such version, context."""
    answer = refusal(client, "invoke", FunctionName="function", InvocationType="Event", **options)
    assert answer[:2] == (status, code)
    assert answer[2].startswith(start)


@pytest.mark.parametrize("end", ["", "/"])
def test_invoke_async_of_old_clients(serving: Serving, tmp_path: Path, end: str) -> None:
    """The InvokeAsync of 2014 is an event: 202 with its status as JSON; a slash may end it."""
    url = f"{serving.url}/2014-11-13/functions/function/invoke-async{end}"
    body = json.dumps({"place": str(tmp_path)}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert (answer.status, json.loads(answer.read())) == (202, {"Status": 202})
    wait_until(lambda: None not in (told(tmp_path) or [None]))


def test_a_function_that_is_being_updated_runs_its_old_code(
    serving: Serving, tmp_path: Path
) -> None:
    """What is at work when new code comes ends with the old; what comes afterwards has the new."""
    python = f"python3.{sys.version_info[1]}"
    go = tmp_path / "go"
    with client_of(serving.url) as client:
        create(client, "updated", SOURCE, Runtime=python, Timeout=20)
        event = json.dumps({"place": str(tmp_path), "until": str(go)}).encode()
        answers: list[Any] = []

        def invoke() -> None:
            with client_of(serving.url) as own:
                answers.append(own.invoke(FunctionName="updated", Payload=event)["Payload"].read())

        at_work = threading.Thread(target=invoke)
        at_work.start()
        wait_until(lambda: any(tmp_path.iterdir()))
        new = write_code(tmp_path / "new", "def handler(event, context):\n    return 'new'\n")
        client.update_function_code(FunctionName="updated", S3Bucket="hot-reload", S3Key=str(new))
        waiter = client.get_waiter("function_updated_v2")
        waiter.wait(FunctionName="updated", WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})
        assert client.invoke(FunctionName="updated")["Payload"].read() == b'"new"'
        go.touch()
        at_work.join(20)
    assert answers == [b"null"]
