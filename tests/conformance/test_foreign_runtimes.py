"""Runtimes in other languages: AWS's own, and some written against its documentation alone."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rapid_mock import LocalLambda
from tests.support.peers import CACHE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapid_mock import Function

HERE = Path(__file__).parent / "foreign"
NODE_RIC = CACHE / "node-ric" / "node_modules" / "aws-lambda-ric" / "bin" / "index.mjs"
"""AWS's client for Node; CONTRIBUTING.md says how it comes there. Its build takes minutes."""


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not here")


@pytest.fixture
def local() -> Iterator[LocalLambda]:
    with LocalLambda() as running:
        yield running


@needs("curl")
def test_bash_and_curl(local: LocalLambda) -> None:
    """AWS's tutorial runtime answers, fails and goes on, each call on a connection of its own."""
    function = local.create_function("shell", code=HERE, runtime=["./bash_runtime"])
    assert function.invoke({"n": 1}).payload == {"n": 1}
    failed = function.invoke({"fail": True})
    assert failed.function_error == "Unhandled"
    assert failed.payload == {"errorMessage": "as asked", "errorType": "Shell.Failed"}
    again = function.invoke({"n": 2})
    assert again.payload == {"n": 2}
    assert f"handling {again.request_id}\n" in again.logs


@needs("node")
def test_node(local: LocalLambda) -> None:
    """Node's agent keeps its connection, sends chunks and trailers its own way."""
    node = shutil.which("node")
    assert node is not None
    function = local.create_function("node", code=HERE, runtime=[node, "node_runtime.js"])
    event = {"text": "\u00e4" * 40_000}
    for _ in range(3):
        assert function.invoke(event).payload == event
    assert function.invoke({"stream": True}).raw == b"one two"
    with closing(local.client()) as client:
        assert streamed(client, function, {"stream": True}) == (b"one two", {})
        payload, end = streamed(client, function, {"stream": "break"})
    assert payload == b"one two"
    assert json.loads(end["ErrorDetails"])["errorType"] == "Node.Broken"


@needs("node")
@pytest.mark.skipif(not NODE_RIC.exists(), reason=f"not run: there is no {NODE_RIC}")
def test_node_client_of_aws(local: LocalLambda) -> None:
    """`aws-lambda-ric` answers, fails, dies and streams, and serves on after each."""
    function, stream = (
        local.create_function(
            name, handler=f"ric.{name}", code=HERE, runtime=["node", str(NODE_RIC), f"ric.{name}"]
        )
        for name in ("handler", "stream")
    )
    for event in ({"n": 1}, {"text": "\u00e4" * 500_000}):
        result = function.invoke(event)
        assert result.payload == {
            "event": event,
            "name": "handler",
            "id": result.request_id,
            "isInTime": True,
        }
    failed, dead = function.invoke({"fail": True}), function.invoke({"exit": True})
    assert failed.payload["errorType"] == "TypeError"
    assert dead.payload["errorType"] == "Runtime.ExitError"
    assert function.invoke({"n": 2}).payload["event"] == {"n": 2}
    with closing(local.client()) as client:
        for _ in range(2):
            assert streamed(client, stream, {}) == (b"one two", {})
            payload, end = streamed(client, stream, {"break": True})
            assert payload == b"one "
            assert json.loads(end["ErrorDetails"])["errorMessage"] == "midway"


def streamed(client: Any, function: Function, event: object) -> tuple[bytes, dict[str, str]]:
    answer = client.invoke_with_response_stream(
        FunctionName=function.name, Payload=json.dumps(event)
    )
    parts = list(answer["EventStream"])
    payload = b"".join(part["PayloadChunk"]["Payload"] for part in parts[:-1])
    return payload, parts[-1]["InvokeComplete"]
