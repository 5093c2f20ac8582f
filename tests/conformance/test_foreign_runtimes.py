"""Runtimes in other languages, written against AWS's documentation alone."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rapid_mock import LocalLambda

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rapid_mock import Function

HERE = Path(__file__).parent / "foreign"


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


def streamed(client: Any, function: Function, event: object) -> tuple[bytes, dict[str, str]]:
    answer = client.invoke_with_response_stream(
        FunctionName=function.name, Payload=json.dumps(event)
    )
    parts = list(answer["EventStream"])
    payload = b"".join(part["PayloadChunk"]["Payload"] for part in parts[:-1])
    return payload, parts[-1]["InvokeComplete"]
