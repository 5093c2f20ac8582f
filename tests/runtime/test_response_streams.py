"""Generator handlers: chunks, preludes, errors before and after the first byte."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.support.runtime_programs import (
    ACCEPTED,
    EVENT,
    Peer,
    body_of,
    event,
    headers_of,
    path_of,
    paths,
    refusal,
    run_against,
    served,
    streamed,
)

RESPONSE = "/2018-06-01/runtime/invocation/request-1/response"


def test_a_generator_is_streamed(tmp_path: Path) -> None:
    """The head announces chunks and trailers; each yield is one chunk."""
    program = "def handler(event, context):\n    yield 'one'\n    yield b'two'\n"
    [post] = served(tmp_path, program).posted
    head, _, body = post.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST " + RESPONSE.encode() + b" HTTP/1.1"
    assert lines[3:] == [
        b"Content-Type: application/octet-stream",
        b"Lambda-Runtime-Function-Response-Mode: streaming",
        b"Transfer-Encoding: chunked",
        b"Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
    ]
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


def test_an_invocation_id_goes_back_with_a_stream(tmp_path: Path) -> None:
    """`Lambda-Runtime-Invocation-Id` is echoed on streamed responses too."""
    program = "def handler(event, context):\n    yield 'one'\n"
    finished = served(tmp_path, program, event(b"{}", "Lambda-Runtime-Invocation-Id: delivery-1"))
    assert headers_of(finished.posted[0])["lambda-runtime-invocation-id"] == "delivery-1"


@pytest.mark.parametrize(
    ("chunk", "sent"),
    [
        ("'gr\u00fc\u00df'", "gr\u00fc\u00df".encode()),
        ("b'\\0\\xff'", b"\0\xff"),
        ("bytearray(b'ab')", b"ab"),
        ("memoryview(b'abcd')[::1]", b"abcd"),
        ("{'n': 1}", b'{"n": 1}\n'),
        ("None", b"null\n"),
        ("'a\\ud800b'", b"a?b"),
    ],
)
def test_a_chunk_is_text_bytes_or_a_line_of_json(tmp_path: Path, chunk: str, sent: bytes) -> None:
    """Text goes as UTF-8, bytes as they are, any other value as JSON and a line break."""
    [post] = served(tmp_path, f"def handler(event, context):\n    yield {chunk}\n").posted
    assert streamed(post).chunks == [sent]


def test_an_empty_stream_is_an_empty_body(tmp_path: Path) -> None:
    """A generator that yields nothing answers with no chunk at all."""
    [post] = served(tmp_path, "def handler(event, context):\n    yield from ()\n").posted
    assert body_of(post) == b"0\r\n\r\n"


def test_an_async_generator_is_streamed_in_one_task(tmp_path: Path) -> None:
    """Context variables and time limits hold from one chunk to the next."""
    program = (
        "import asyncio, contextvars\n"
        "name = contextvars.ContextVar('name')\n"
        "async def handler(event, context):\n"
        "    name.set('kept')\n"
        "    async with asyncio.timeout(20):\n"
        "        yield 'one'\n"
        "        await asyncio.sleep(0)\n"
        "        yield name.get()\n"
    )
    [post] = served(tmp_path, program).posted
    assert streamed(post).chunks == [b"one", b"kept"]


def test_the_first_chunk_leaves_before_the_second_is_asked_for(tmp_path: Path) -> None:
    """The generator goes on only after its first chunk can be read at the other end."""
    program = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    yield 'first'\n"
        "    while not os.path.exists('seen'):\n"
        "        time.sleep(0.002)\n"
        "    yield 'second'\n"
    )

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        received = b""
        while not received.endswith(b"5\r\nfirst\r\n"):
            received += peer.read(1)
        (tmp_path / "seen").touch()
        assert peer.read(16) == b"6\r\nsecond\r\n0\r\n\r\n"
        peer.send(ACCEPTED)
        peer.request()

    run_against(tmp_path, program, serve)


# --- HTTP responses ---------------------------------------------------------------------------


def test_an_http_response_stands_before_the_body(tmp_path: Path) -> None:
    """Status, headers and cookies are JSON, then eight NUL bytes, in a chunk of their own."""
    program = (
        "from lambda_runtime import HttpResponse\n"
        "def handler(event, context):\n"
        "    yield HttpResponse(201, {'content-type': 'text/plain'}, ['a=b', 'c=d'])\n"
        "    yield 'hello'\n"
    )
    [post] = served(tmp_path, program).posted
    found = streamed(post)
    assert found.headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    assert found.chunks == [
        b'{"statusCode": 201, "headers": {"content-type": "text/plain"}, "cookies": ["a=b", "c=d"]}'
        b"\0\0\0\0\0\0\0\0",
        b"hello",
    ]


@pytest.mark.parametrize("define", ["def", "async def"])
@pytest.mark.parametrize(
    ("body", "chunks"), [("", []), ("body='x'", [b"x"]), ("body=iter(['x', b'y'])", [b"x", b"y"])]
)
def test_an_http_response_may_be_returned(
    tmp_path: Path, define: str, body: str, chunks: list[bytes]
) -> None:
    """A returned one is streamed with its body; an empty body still has its prelude."""
    program = (
        "from lambda_runtime import HttpResponse\n"
        f"{define} handler(event, context):\n"
        f"    return HttpResponse(204, {body})\n"
    )
    [post] = served(tmp_path, program).posted
    assert streamed(post).chunks == [b'{"statusCode": 204, "headers": {}}' + bytes(8), *chunks]


def test_a_prelude_in_the_middle_is_an_error(tmp_path: Path) -> None:
    """An HttpResponse after the first chunk breaks the stream off with a TypeError."""
    program = (
        "from lambda_runtime import HttpResponse\n"
        "def handler(event, context):\n"
        "    yield 'x'\n"
        "    yield HttpResponse(200)\n"
    )
    [post] = served(tmp_path, program).posted
    assert streamed(post).trailers["lambda-runtime-function-error-type"] == "TypeError"


def test_a_response_stream_names_its_content_type(tmp_path: Path) -> None:
    """Any iterable can be streamed, with a content type."""
    program = (
        "from lambda_runtime import ResponseStream\n"
        "def handler(event, context):\n"
        "    return ResponseStream(map(str, range(3)), 'text/plain')\n"
    )
    [post] = served(tmp_path, program).posted
    assert streamed(post).headers["content-type"] == "text/plain"
    assert streamed(post).chunks == [b"0", b"1", b"2"]


# --- Errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("define", ["def", "async def"])
def test_an_error_before_the_first_chunk_is_an_ordinary_one(tmp_path: Path, define: str) -> None:
    """Nothing has been sent yet, so the error is posted to /error."""
    program = f"{define} handler(event, context):\n    raise ValueError('early')\n    yield 1\n"
    finished = served(tmp_path, program, EVENT, EVENT)
    assert paths(finished) == ["next", "error", "next", "error", "next"]
    error = json.loads(body_of(finished.posted[0]))
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "early")
    assert len(error["stackTrace"]) == 1


@pytest.mark.parametrize("define", ["def", "async def"])
def test_an_error_after_the_first_chunk_goes_as_trailers(tmp_path: Path, define: str) -> None:
    """The type and, in base64, the error JSON follow the last chunk; the process lives on."""
    program = f"{define} handler(event, context):\n    yield 'x'\n    raise ValueError('late')\n"
    finished = served(tmp_path, program, EVENT, EVENT)
    assert [path_of(post) for post in finished.posted] == [RESPONSE, RESPONSE]
    found = streamed(finished.posted[0])
    assert found.chunks == [b"x"]
    assert found.trailers["lambda-runtime-function-error-type"] == "ValueError"
    error = json.loads(base64.b64decode(found.trailers["lambda-runtime-function-error-body"]))
    assert error == {
        "errorMessage": "late",
        "errorType": "ValueError",
        "requestId": "request-1",
        "stackTrace": [
            f"  File \"{tmp_path}/app.py\", line 3, in handler\n    raise ValueError('late')\n"
        ],
    }
    assert finished.stdout.count("[ERROR] ValueError: late\r") == 2


def test_an_exit_in_a_stream_is_reported_first(tmp_path: Path) -> None:
    """`sys.exit` breaks the stream off as any error does, then the process ends."""
    program = "import sys\ndef handler(event, context):\n    yield 'x'\n    sys.exit(7)\n"
    finished = served(tmp_path, program)
    trailers = streamed(finished.posted[0]).trailers
    assert trailers["lambda-runtime-function-error-type"] == "Runtime.ExitError"
    assert finished.exit_code == 7


ENDLESS = (
    "def handler(event, context):\n"
    "    return 'alive' if event else endless()\n"
    "def endless():\n"
    "    try:\n"
    "        while True: yield bytes(65536)\n"
    "    finally:\n"
    "        print('closed')\n"
)


def test_a_closed_connection_closes_the_generator(tmp_path: Path) -> None:
    """Its `finally` runs at once, and the next event is asked for on a new connection."""

    def cut(peer: Peer) -> None:
        peer.request()
        peer.send(event(b"{}"))
        peer.read(300_000)
        peer.reset()

    def live(peer: Peer) -> None:
        peer.request()
        peer.send(event(b"1", request_id="request-2"))
        peer.request()
        peer.send(ACCEPTED)
        peer.request()

    finished = run_against(tmp_path, ENDLESS, cut, live)
    assert finished.stdout.startswith("closed\n[ERROR] lambda_runtime: ")
    assert body_of(finished.requests[2]) == b'"alive"'


def test_a_refused_stream_closes_the_generator(tmp_path: Path) -> None:
    """An answer before the end, here 413, ends the stream; the process lives on."""

    def refuse(peer: Peer) -> None:
        peer.request()
        peer.send(event(b"{}"))
        peer.read(300_000)
        peer.send(refusal("413 Request Entity Too Large", "RequestEntityTooLarge"))
        while peer.some():
            continue

    def live(peer: Peer) -> None:
        assert peer.request().startswith(b"POST /2018-06-01/runtime/invocation/request-1/error ")
        peer.send(refusal("403 Forbidden"))
        peer.request()
        peer.send(event(b"1", request_id="request-2"))
        peer.request()
        peer.send(ACCEPTED)
        peer.request()

    finished = run_against(tmp_path, ENDLESS, refuse, live)
    assert finished.stdout.startswith("closed\n[ERROR] lambda_runtime: ")
    assert "413" in finished.stdout
    assert body_of(finished.requests[3]) == b'"alive"'


def test_a_long_stream_needs_no_memory(tmp_path: Path) -> None:
    """The peak of the process is the same after 100 MB as after 1 MB."""
    program = (
        "import resource\n"
        "def handler(event, context):\n"
        "    for _ in range(event): yield CHUNK\n"
        "    yield [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]\n"
        "CHUNK = bytes(1_000_000)\n"
    )
    seen = []

    def serve(peer: Peer) -> None:
        for number in (b"1", b"100"):
            peer.request()
            peer.send(event(number, request_id=f"r-{number.decode()}"))
            tail = b""
            while not tail.endswith(b"\r\n0\r\n\r\n"):
                tail = (tail + peer.some())[-100:]
            seen.append(json.loads(tail.split(b"\r\n")[-4]))
            peer.send(ACCEPTED)
        peer.request()

    run_against(tmp_path, program, serve)
    [[small], [large]] = seen
    assert large <= small + 1024
