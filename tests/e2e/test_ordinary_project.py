"""What an ordinary project does with Lambda, by boto3 as it comes and by the AWS CLI."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support.command_line import Serving
from tests.support.lambda_api import ROLE, zip_of
from tests.support.peers import CACHE, require_network
from tests.support.processes import eventually, is_running

PYTHON = f"python3.{sys.version_info[1]}"
ONE = "def handler(event, context):\n    return [1, event, context.function_version]\n"
TWO = "def handler(event, context):\n    yield 'first '\n    yield 'second'\n"
CLI = ("awscli==1.46.3", "botocore==1.44.5")
INSTALL_SECONDS = 280


@pytest.fixture
def serving() -> Iterator[Serving]:
    with Serving() as serving:
        yield serving


@pytest.fixture
def client(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client as a project makes it: nothing is set but where the service is."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", serving.url)
    with closing(boto3.client("lambda")) as client:
        yield client


def test_a_project_with_boto3(client: Any) -> None:
    """Create, wait, invoke, update, publish, route, reserve, provision and stream: unchanged."""
    client.create_function(
        FunctionName="orders",
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zip_of(ONE)},
        Timeout=10,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="orders")
    assert call(client, "orders", {"id": 7}) == [1, {"id": 7}, "$LATEST"]
    assert client.publish_version(FunctionName="orders")["Version"] == "1"
    client.get_waiter("published_version_active").wait(FunctionName="orders", Qualifier="1")
    client.update_function_code(FunctionName="orders", ZipFile=zip_of(TWO))
    client.get_waiter("function_updated_v2").wait(FunctionName="orders")
    assert client.publish_version(FunctionName="orders")["Version"] == "2"
    client.get_waiter("published_version_active").wait(FunctionName="orders", Qualifier="2")
    client.create_alias(
        FunctionName="orders",
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )
    versions = {executed(client, "orders:live") for _ in range(100)}
    assert versions == {"1", "2"}
    client.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=2)
    for _ in range(2):  # on demand, then provisioned: ten callers have two environments
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(lambda n: call(client, "orders:1", n), range(10)))
        assert answers == [[1, n, "1"] for n in range(10)]
        client.put_provisioned_concurrency_config(
            FunctionName="orders", Qualifier="1", ProvisionedConcurrentExecutions=2
        )
    client.delete_provisioned_concurrency_config(FunctionName="orders", Qualifier="1")
    stream = client.invoke_with_response_stream(FunctionName="orders", Qualifier="2")
    events = list(stream["EventStream"])
    chunks = [event["PayloadChunk"]["Payload"] for event in events if "PayloadChunk" in event]
    assert (b"".join(chunks), events[-1]) == (b"first second", {"InvokeComplete": {}})
    assert [
        function["FunctionName"]
        for page in client.get_paginator("list_functions").paginate()
        for function in page["Functions"]
    ] == ["orders"]
    client.delete_function(FunctionName="orders")


def call(client: Any, name: str, event: Any) -> Any:
    """The result; throttled calls are repeated by boto3 itself."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return json.loads(answer["Payload"].read())


def executed(client: Any, name: str) -> str:
    answer = client.invoke(FunctionName=name)
    answer["Payload"].read()
    return str(answer["ExecutedVersion"])


# --- The AWS CLI ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def command_line_interface() -> Path:
    """A folder with the AWS CLI, fetched once and kept in the cache."""
    require_network()
    wanted = "\n".join([*CLI, sys.version]).encode()
    target = CACHE / f"awscli-{hashlib.sha256(wanted).hexdigest()[:12]}"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            staged = Path(scratch) / "site"
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(staged)]
            subprocess.run([*command, *CLI], check=True, timeout=INSTALL_SECONDS)
            staged.rename(target)
    return target


@pytest.mark.network
@pytest.mark.timeout(360)
def test_a_project_with_the_aws_cli(
    command_line_interface: Path, serving: Serving, tmp_path: Path
) -> None:
    """The same by `aws lambda`, whose waiters end and whose outputs are the API's."""
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("app.py", ONE)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(command_line_interface),
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_LAMBDA": serving.url,
        "HOME": str(tmp_path),
    }

    def aws(*arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "awscli", "lambda", *arguments, "--output", "json"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout or b"null")

    orders = ("--function-name", "orders")
    made = aws(
        *("create-function", *orders, "--runtime", PYTHON, "--role", ROLE),
        *("--handler", "app.handler", "--zip-file", "fileb://code.zip"),
    )
    assert made["State"] == "Pending"
    aws("wait", "function-active-v2", *orders)
    answer = aws("invoke", *orders, "--payload", '{"id": 7}', "answer.json")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads((tmp_path / "answer.json").read_text()) == [1, {"id": 7}, "$LATEST"]
    aws("update-function-configuration", *orders, "--environment", "Variables={STAGE=test}")
    aws("wait", "function-updated-v2", *orders)
    assert aws("publish-version", *orders)["Version"] == "1"
    aws("wait", "published-version-active", *orders, "--qualifier", "1")
    aws("update-function-code", *orders, "--zip-file", "fileb://code.zip")
    aws("wait", "function-updated-v2", *orders)
    aws("update-function-configuration", *orders, "--environment", "Variables={STAGE=live}")
    aws("wait", "function-updated-v2", *orders)
    assert aws("publish-version", *orders)["Version"] == "2"
    aws("wait", "published-version-active", *orders, "--qualifier", "2")
    alias = ("--name", "live", "--function-version", "1")
    aws("create-alias", *orders, *alias, "--routing-config", "AdditionalVersionWeights={2=0.1}")
    assert aws("get-alias", *orders, "--name", "live")["RoutingConfig"] == {
        "AdditionalVersionWeights": {"2": 0.1}
    }
    routed = aws("invoke", *orders, "--qualifier", "live", "answer.json")
    assert routed["ExecutedVersion"] in {"1", "2"}
    aws("put-function-concurrency", *orders, "--reserved-concurrent-executions", "2")
    version = (*orders, "--qualifier", "1")
    provisioned = "put-provisioned-concurrency-config"
    made = aws(provisioned, *version, "--provisioned-concurrent-executions", "2")
    assert made["RequestedProvisionedConcurrentExecutions"] == 2
    config = ("get-provisioned-concurrency-config", *version)
    eventually(lambda: aws(*config)["Status"] == "READY", "provisioned environments")
    assert aws("invoke", *version, "answer.json")["ExecutedVersion"] == "1"
    aws("delete-provisioned-concurrency-config", *version)
    accepted = aws("invoke", *orders, "--invocation-type", "Event", "answer.json")
    assert accepted["StatusCode"] == 202
    versions = aws("list-versions-by-function", *orders)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]
    aws("delete-function", *orders)
    assert aws("list-functions")["Functions"] == []


def test_kill_9_of_the_service_leaves_no_process(client: Any, serving: Serving) -> None:
    """Environments of functions made through the API, provisioned ones too, end with it."""
    source = "import os\ndef handler(event, context):\n    return os.getpid()\n"
    client.create_function(
        FunctionName="f",
        Runtime=PYTHON,
        Role=ROLE,
        Handler="app.handler",
        Code={"ZipFile": zip_of(source)},
        Publish=True,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="f")
    client.get_waiter("published_version_active").wait(FunctionName="f", Qualifier="1")
    client.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=1
    )
    pids = [call(client, "f", {}), call(client, "f:1", {})]
    os.kill(serving.pid, signal.SIGKILL)
    killed = time.monotonic()
    for pid in pids:
        eventually(lambda pid=pid: not is_running(pid), f"the end of process {pid}")  # type: ignore[misc]
    assert time.monotonic() - killed < 2.0
