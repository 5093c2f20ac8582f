from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.command_line import Serving, write_code

SOURCE = """
import os, pathlib, time
HERE = str(os.getpid())

def handler(event, context):
    if "fail" in event:
        raise ValueError(event["fail"])
    if "meet" in event:
        meeting = pathlib.Path(event["meet"])
        (meeting / HERE).touch()
        while len(list(meeting.iterdir())) < event["size"]:
            time.sleep(0.005)
    print("said", event.get("say"))
    return {"pid": HERE, "id": context.aws_request_id, "arn": context.invoked_function_arn,
            "context": context.client_context and context.client_context.custom}
"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    code = write_code(tmp_path_factory.mktemp("code"), SOURCE)
    with Serving("app.handler", "--code", str(code), "--concurrency", "4") as serving:
        yield serving


@pytest.fixture
def client(serving: Serving) -> Iterator[Any]:
    with _client(serving.url) as client:
        yield client


def _client(url: str) -> closing[Any]:
    """A client that gives back its connections at the end of the block."""
    made = boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}),
    )
    return closing(made)


def test_payload_version_and_log_tail(client: Any) -> None:
    """boto3 gets the payload, the executed version and, with LogType=Tail, the log's end."""
    answer = client.invoke(FunctionName="function", LogType="Tail", Payload=b'{"say": "hi"}')
    payload = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert "FunctionError" not in answer
    log = base64.b64decode(answer["LogResult"]).decode()
    assert log.startswith(f"START RequestId: {payload['id']} Version: $LATEST\n")
    assert "said hi\n" in log
    assert f"END RequestId: {payload['id']}\nREPORT RequestId: {payload['id']}\t" in log
    assert answer["ResponseMetadata"]["RequestId"] == payload["id"]
    assert payload["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:function"


def test_no_log_without_tail(client: Any) -> None:
    """Without LogType=Tail there is no LogResult."""
    answer = client.invoke(FunctionName="function", Payload=b"{}")
    answer["Payload"].read()
    assert "LogResult" not in answer


def test_function_error(client: Any) -> None:
    """A handler that raises is status 200 with FunctionError Unhandled and the error JSON."""
    answer = client.invoke(FunctionName="function", Payload=b'{"fail": "no"}')
    error = json.loads(answer["Payload"].read())
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert list(error) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    assert (error["errorMessage"], error["errorType"]) == ("no", "ValueError")


def test_client_context_reaches_the_handler(client: Any) -> None:
    """ClientContext arrives decoded in the handler's context."""
    context = base64.b64encode(json.dumps({"custom": {"a": "b"}}).encode()).decode()
    answer = client.invoke(FunctionName="function", ClientContext=context, Payload=b"{}")
    assert json.loads(answer["Payload"].read())["context"] == {"a": "b"}


def test_arn_and_qualifier(client: Any) -> None:
    """A full ARN with $LATEST works and is the ARN that the handler sees."""
    arn = "arn:aws:lambda:us-east-1:123456789012:function:function:$LATEST"
    answer = client.invoke(FunctionName=arn, Payload=b"{}")
    assert json.loads(answer["Payload"].read())["arn"] == arn


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            {"FunctionName": "other"},
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:123456789012:function:other:$LATEST",
        ),
        (
            {"FunctionName": "function", "Qualifier": "7"},
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:123456789012:function:function:7",
        ),
        (
            {"FunctionName": "function", "Payload": b"nonsense"},
            "InvalidRequestContentException",
            "Could not parse request body into json: ",
        ),
    ],
)
def test_refusals(client: Any, arguments: dict[str, Any], code: str, message: str) -> None:
    """Unknown functions, unknown qualifiers and payloads that are not JSON get AWS's errors."""
    with pytest.raises(ClientError) as refusal:
        client.invoke(**arguments)
    assert refusal.value.response["Error"]["Code"] == code
    assert refusal.value.response["Error"]["Message"].startswith(message)


def test_payload_above_6_megabytes(client: Any) -> None:
    """A payload above 6 MiB is 413 RequestTooLargeException."""
    with pytest.raises(ClientError) as refusal:
        client.invoke(FunctionName="function", Payload=b'"%s"' % (b"x" * 6291456))
    assert refusal.value.response["Error"]["Code"] == "RequestTooLargeException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413


def test_four_overlapping_invokes_run_in_four_environments(
    serving: Serving, tmp_path: Path
) -> None:
    """Four invokes that wait for each other end: each has an environment of its own."""
    payload = json.dumps({"meet": str(tmp_path), "size": 4}).encode()

    def invoke(_: int) -> str:
        with _client(serving.url) as client:
            answer = client.invoke(FunctionName="function", Payload=payload)
            return str(json.loads(answer["Payload"].read())["pid"])

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(invoke, range(4)))) == 4


def test_fifth_overlapping_invoke_is_throttled(serving: Serving, tmp_path: Path) -> None:
    """Above --concurrency the answer is 429 TooManyRequestsException with its reason."""
    payload = json.dumps({"meet": str(tmp_path), "size": 5}).encode()
    started = threading.Barrier(5)

    def invoke(_: int) -> Any:
        with _client(serving.url) as client:
            started.wait()
            answer = client.invoke(FunctionName="function", Payload=payload)
            answer["Payload"].read()
            return answer

    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(invoke, number) for number in range(4)]
        started.wait()
        while len(list(tmp_path.iterdir())) < 4:
            assert not any(each.done() for each in busy)
        with _client(serving.url) as client, pytest.raises(ClientError) as refusal:
            client.invoke(FunctionName="function", Payload=b"{}")
        (tmp_path / "fifth").touch()
        assert all(each.result()["StatusCode"] == 200 for each in busy)
    assert refusal.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert refusal.value.response["Reason"] == "ConcurrentInvocationLimitExceeded"
