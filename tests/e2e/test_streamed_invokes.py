"""Streams from a function in Python to boto3, through two processes and three sockets."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import ROOT, write_code

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCE = """
import os, time

def handler(event, context):
    if event.get("kind") == "value":
        return {"n": event["n"]}
    return stream(event)

def stream(event):
    yield "first"
    while "wait_for" in event and not os.path.exists(event["wait_for"]):
        time.sleep(0.002)
    if event.get("kind") == "raise":
        raise ValueError("mid-stream")
    if event.get("kind") == "exit":
        os._exit(3)
    for _ in range(event.get("count", 1)):
        yield bytes(event.get("size", 3))
"""


@pytest.fixture
def client(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A client of a function; its timeout is 2 s, or the parameter."""
    code = write_code(tmp_path / "code", SOURCE)
    with LocalLambda() as local:
        local.create_function(
            "f",
            handler="app.handler",
            code=code,
            timeout=getattr(request, "param", 2),
            environment={"PYTHONPATH": str(ROOT)},
        )
        with closing(local.client()) as made:
            yield made


def stream(client: Any, event: dict[str, object], **options: str) -> Iterator[tuple[str, Any]]:
    """Each event's name, and its payload or members."""
    answer = client.invoke_with_response_stream(
        FunctionName="f", Payload=json.dumps(event), **options
    )
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    for part in answer["EventStream"]:
        [(name, members)] = part.items()
        yield name, members.get("Payload", members)


def test_the_first_chunk_arrives_before_the_second_is_made(client: Any, tmp_path: Path) -> None:
    """The function goes on only after the invoker has read its first chunk."""
    seen = tmp_path / "seen"
    parts = stream(client, {"wait_for": str(seen)})
    assert next(parts) == ("PayloadChunk", b"first")
    seen.touch()
    assert list(parts) == [("PayloadChunk", b"\0\0\0"), ("InvokeComplete", {})]


def test_twenty_megabytes(client: Any) -> None:
    """More than a buffered response may have arrives whole."""
    parts = list(stream(client, {"count": 320, "size": 65536}))
    assert sum(len(payload) for _, payload in parts[:-1]) == 5 + 320 * 65536
    assert parts[-1] == ("InvokeComplete", {})


@pytest.mark.parametrize("client", [30], indirect=True, ids=["30s"])
def test_two_hundred_megabytes_and_no_byte_more(client: Any) -> None:
    """The last byte that a stream may have arrives; one more is the function's error."""
    for size, code in ((209_715_195, None), (209_715_196, "Unhandled")):
        received, end = 0, {}
        for name, members in stream(client, {"size": size}):
            received += len(members) if name == "PayloadChunk" else 0
            end = members
        assert received == 209_715_200 if code is None else 209_000_000 < received <= 209_715_200
        assert end.get("ErrorCode") == code
    assert json.loads(end["ErrorDetails"])["errorType"] == "Function.ResponseSizeTooLarge"
    assert list(stream(client, {}))[-1] == ("InvokeComplete", {})


@pytest.mark.parametrize(
    ("event", "details"),
    [
        ({"kind": "raise"}, ("ValueError", "mid-stream")),
        ({"kind": "exit"}, ("Runtime.TruncatedResponse", "")),
        (
            {"wait_for": "/nonexistent/never"},
            ("Sandbox.Timedout", "Task timed out after 2.00 seconds"),
        ),
    ],
    ids=["raises", "exits", "times out"],
)
def test_a_failure_behind_the_first_chunk(
    client: Any, event: dict[str, object], details: tuple[str, str]
) -> None:
    """The chunk stays, the end says why, and the next invocation works."""
    [chunk, (name, end)] = stream(client, event, LogType="Tail")
    assert chunk == ("PayloadChunk", b"first")
    assert (name, end["ErrorCode"]) == ("InvokeComplete", "Unhandled")
    error = json.loads(end["ErrorDetails"])
    assert error["errorType"] == details[0]
    assert error.get("errorMessage", "").endswith(details[1])
    assert b"REPORT RequestId: " in base64.b64decode(end["LogResult"])
    assert list(stream(client, {}))[-1] == ("InvokeComplete", {})


def test_a_value_is_one_chunk(client: Any) -> None:
    """A handler that returns needs no change for an invoker that takes streams."""
    assert list(stream(client, {"kind": "value", "n": 1})) == [
        ("PayloadChunk", b'{"n": 1}'),
        ("InvokeComplete", {}),
    ]


def test_a_stream_for_an_invoker_who_waits(client: Any) -> None:
    """`Invoke` collects what the function streams."""
    answer = client.invoke(FunctionName="f", Payload=b"{}")
    assert answer["Payload"].read() == b"first\0\0\0"
