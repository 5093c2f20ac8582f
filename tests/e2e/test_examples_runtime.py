"""streaming_chat, async_client, managed_instances and run_handler, as real processes."""

from __future__ import annotations

import io
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_httpserver import HTTPServer

EXAMPLES = ROOT / "examples"
CHAT_EVENT = json.loads((EXAMPLES / "streaming_chat" / "event.json").read_text())
SDK = {"PYTHONPATH": str(ROOT)}
PRELUDE = (
    b'{"statusCode": %d, "headers": {"content-type": "text/plain; charset=utf-8", '
    b'"cache-control": "no-store"}}\0\0\0\0\0\0\0\0'
)


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def local(log: io.BytesIO) -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=log) as running:
        yield running


def test_streaming_chat(local: LocalLambda) -> None:
    """The head of the HTTP response comes first, then the words in order."""
    chat = local.create_function(
        "chat", handler="app.handler", code=EXAMPLES / "streaming_chat", environment=SDK
    )
    answer = chat.invoke(CHAT_EVENT)
    assert answer.raw == PRELUDE % 200 + b"You said: why is the sky not green "
    encoded = CHAT_EVENT | {"body": "eyJwcm9tcHQiOiAiw6QifQ==", "isBase64Encoded": True}
    assert chat.invoke(encoded).raw == PRELUDE % 200 + "You said: \u00e4 ".encode()


@pytest.mark.parametrize("body", [None, "{}", "nonsense", "[]"])
def test_streaming_chat_without_a_prompt(local: LocalLambda, body: str | None) -> None:
    """A request without a prompt is answered with 400, not with a function error."""
    chat = local.create_function(
        "chat", handler="app.handler", code=EXAMPLES / "streaming_chat", environment=SDK
    )
    answer = chat.invoke(CHAT_EVENT | {"body": body})
    assert answer.function_error is None
    assert answer.raw == PRELUDE % 400 + b'send JSON: {"prompt": "..."}\n'


def test_async_client(log: io.BytesIO, httpserver: HTTPServer) -> None:
    """Both services are asked over one client, which is closed when the environment ends."""
    httpserver.expect_request("/a").respond_with_data("a")
    httpserver.expect_request("/b").respond_with_data("b", status=503)
    urls = [httpserver.url_for("/a"), httpserver.url_for("/b")]
    with LocalLambda(log_stream=log) as local:
        ask = local.create_function(
            "ask", handler="app.handler", code=EXAMPLES / "async_client", environment=SDK
        )
        assert ask.invoke({"urls": urls}).payload == dict(zip(urls, (200, 503), strict=True))
        assert ask.invoke({"urls": urls[:1]}).payload == {urls[0]: 200}
    assert log.getvalue().endswith(b"client closed\n")


def test_managed_instances(local: LocalLambda, log: io.BytesIO) -> None:
    """Sixteen invocations at once ask once, and each knows who it is."""
    many = local.create_function(
        "many",
        handler="app.handler",
        code=EXAMPLES / "managed_instances",
        environment=SDK,
        max_concurrency=16,
        concurrency=1,
    )
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(many.invoke, [{"key": "a"}] * 16))
    assert [result.payload["value"] for result in results] == ["value of a"] * 16
    assert [result.payload["request_id"] for result in results] == [
        result.request_id for result in results
    ]
    assert log.getvalue().count(b"fetching a") == 1


def test_run_handler(local: LocalLambda) -> None:
    """One file is a whole function."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    hello = local.create_function(
        "hello",
        code=EXAMPLES / "run_handler",
        runtime=["./bootstrap"],
        environment=SDK | {"PATH": path},
    )
    assert hello.invoke({"name": "Ada"}).payload == {"message": "Hello, Ada!"}
