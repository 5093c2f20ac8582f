"""`lambda_runtime.asgi` in a runtime: lifespan, streams, failures, work after the response."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.test_asgi_events import FUNCTION_URL, LOAD_BALANCER
from tests.support.runtime_programs import (
    ACCEPTED,
    Finished,
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

REQUEST = event(json.dumps(FUNCTION_URL).encode())
RAW = """
import asyncio, os, signal, sys, time
from lambda_runtime.asgi import asgi

START = {{"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/x")]}}
def part(data, more=True):
    return {{"type": "http.response.body", "body": data, "more_body": more}}

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
{body}

handler = asgi(app, stream={stream})
"""
PRELUDE = b'{"statusCode": 200, "headers": {"content-type": "text/x"}}\0\0\0\0\0\0\0\0'


def program(*lines: str, stream: bool = False) -> str:
    return RAW.format(body="".join(f"    {line}\n" for line in lines), stream=stream)


def ran(folder: Path, source: str, *events: bytes) -> Finished:
    """One request to the application of `source`, or other events."""
    return served(folder, source, *(events or (REQUEST,)))


def results(finished: Finished) -> list[Any]:
    return [json.loads(body_of(post)) for post in finished.posted]


# --- Lifespan ---------------------------------------------------------------------------------

STARLETTE = """
import contextlib, os
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from lambda_runtime.asgi import asgi

@contextlib.asynccontextmanager
async def lifespan(app):
    print("up")
    {starting}
    yield {{"pid": os.getpid(), "seen": []}}
    print("down")
    {ending}

async def root(request):
    request.state.seen.append(1)
    assert not hasattr(request.state, "own")
    request.state.own = len(request.state.seen)
    return PlainTextResponse(f"{{request.state.pid}} {{request.state.own}}")

routes = [Route("/{{path:path}}", root, methods=["POST"])]
handler = asgi(Starlette(routes=routes, lifespan=lifespan))
"""


def starlette(starting: str = "pass", ending: str = "pass") -> str:
    return STARLETTE.format(starting=starting, ending=ending)


def test_the_application_starts_in_the_init_phase(tmp_path: Path) -> None:
    """Startup comes before the first poll, shutdown with SIGTERM; each once for two requests."""

    def serve(peer: Peer) -> None:
        peer.request()
        assert (tmp_path / "up").exists()
        for count in (1, 2):
            peer.send(REQUEST)
            pid, seen = json.loads(body_of(peer.request()))["body"].split()
            assert seen == str(count)
            peer.send(ACCEPTED)
            peer.request()
        os.kill(int(pid), signal.SIGTERM)
        assert not peer.some()

    finished = run_against(tmp_path, starlette("open('up', 'w').close()"), serve)
    assert finished.stdout == "up\ndown\n"
    assert finished.stderr == ""
    assert finished.exit_code == 0


def test_an_application_that_cannot_start_is_an_init_error(tmp_path: Path) -> None:
    """What it raises is what is reported, and no event is asked for."""
    finished = ran(tmp_path, starlette("raise LookupError('no database')"))
    assert [path_of(request) for request in finished.requests] == ["/2018-06-01/runtime/init/error"]
    [report] = results(finished)
    assert (report["errorType"], report["errorMessage"]) == ("LookupError", "no database")
    assert finished.exit_code == 1


def test_a_startup_that_is_reported_as_failed(tmp_path: Path) -> None:
    """An application that gives a reason, and raises nothing, is an init error with that reason."""
    source = (
        "from lambda_runtime.asgi import asgi\n"
        "async def app(scope, receive, send):\n"
        "    await receive()\n"
        "    await send({'type': 'lifespan.startup.failed', 'message': 'no luck'})\n"
        "handler = asgi(app)\n"
    )
    [report] = results(ran(tmp_path, source))
    assert report["errorType"] == "LifespanFailed"
    assert report["errorMessage"] == (
        "the application answered lifespan.startup with a failure: no luck"
    )


def test_a_failing_end_is_logged(tmp_path: Path) -> None:
    """What the end of an application raises goes to the log, and the process ends as it should."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(REQUEST)
        pid = json.loads(body_of(peer.request()))["body"].split()[0]
        peer.send(ACCEPTED)
        peer.request()
        os.kill(int(pid), signal.SIGTERM)
        assert not peer.some()

    finished = run_against(tmp_path, starlette(ending="raise LookupError('at the end')"), serve)
    assert "[ERROR] LookupError: at the end" in finished.stdout
    assert finished.exit_code == 0


def test_an_application_that_knows_no_lifespan_is_left_alone(tmp_path: Path) -> None:
    """It raises for a scope of that type, as the specification lets it."""
    finished = ran(tmp_path, program("await send(START)", "await send(part(b'ok', False))"))
    assert [result["body"] for result in results(finished)] == ["ok"]
    assert finished.stdout == ""


def test_without_lifespan_the_application_is_not_told(tmp_path: Path) -> None:
    """`lifespan=False`: no startup, no shutdown, and an empty state."""
    source = starlette().replace("lifespan=lifespan))", "lifespan=lifespan), lifespan=False)")
    source = source.replace("request.state.seen.append(1)", "return PlainTextResponse('none')")
    finished = ran(tmp_path, source)
    assert (results(finished)[0]["body"], finished.stdout) == ("none", "")


# --- Streams ----------------------------------------------------------------------------------


def test_a_stream_leaves_chunk_by_chunk(tmp_path: Path) -> None:
    """The first is at the other end before the application, which never pauses, makes the next."""
    source = program(
        "await send(START)",
        "await send(part(b'first'))",
        "while not os.path.exists('seen'): time.sleep(0.002)",
        "await send(part(b'second'))",
        "await send(part(b'', False))",
        stream=True,
    )
    head = b"%x\r\n%b\r\n5\r\nfirst\r\n" % (len(PRELUDE), PRELUDE)

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(REQUEST)
        received = b""
        while not received.endswith(head):
            received += peer.read(1)
        (tmp_path / "seen").touch()
        assert peer.read(16) == b"6\r\nsecond\r\n0\r\n\r\n"
        peer.send(ACCEPTED)
        peer.request()

    run_against(tmp_path, source, serve)


def test_a_stream_is_an_http_response(tmp_path: Path) -> None:
    """The prelude comes with the first part of the body, for the application may yet fail."""
    source = program(
        "await send(START)",
        "for n in range(3): await send(part(b'%d' % n))",
        "await send(part(b'', False))",
        stream=True,
    )
    [post] = ran(tmp_path, source).posted
    found = streamed(post)
    assert found.headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    assert found.headers["lambda-runtime-function-response-mode"] == "streaming"
    assert found.chunks == [PRELUDE, b"0", b"1", b"2"]
    assert found.trailers == {}


def test_a_stream_that_may_not_be_one_is_joined(tmp_path: Path) -> None:
    """An application that streams, and an invocation that does not: one result."""
    lines = (
        "await send(START)",
        "for n in range(3): await send(part(b'%d' % n))",
        "await send(part(b'', False))",
    )
    [result] = results(ran(tmp_path, program(*lines)))
    assert result["body"] == "012"
    balanced = event(json.dumps(LOAD_BALANCER).encode())
    [result] = results(ran(tmp_path, program(*lines, stream=True), balanced))
    assert result["body"] == "012"


def test_a_stream_whose_application_fails_ends_in_trailers(tmp_path: Path) -> None:
    """Part of the body has left: the invocation fails, so that nobody takes it for complete."""
    source = program(
        "await send(START)",
        "await send(part(b'half'))",
        "raise LookupError('gone')",
        stream=True,
    )
    finished = ran(tmp_path, source)
    found = streamed(finished.posted[0])
    assert found.chunks == [PRELUDE, b"half"]
    assert found.trailers["lambda-runtime-function-error-type"] == "LookupError"
    body = json.loads(base64.b64decode(found.trailers["lambda-runtime-function-error-body"]))
    assert body["errorMessage"] == "gone"
    assert finished.stdout.count("LookupError: gone") == 1


def test_a_stream_that_is_refused_disconnects_the_application(tmp_path: Path) -> None:
    """`send` raises OSError, `receive` tells of the disconnect, and the next event comes after."""
    source = program(
        "await receive()",
        "await send(START)",
        "try:",
        "    while True: await send(part(b'x' * 10000))",
        "except OSError as error:",
        "    print('send:', error)",
        "    print('receive:', (await receive())['type'])",
        stream=True,
    )

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(REQUEST)
        peer.read(500)
        peer.send(refusal("413 Request Entity Too Large", "RequestEntityTooLarge"))

    def again(peer: Peer) -> None:
        while request := peer.request():
            if request.startswith(b"GET"):
                return
            peer.send(ACCEPTED)

    finished = run_against(tmp_path, source, serve, again)
    assert "send: nobody takes the response any more\n" in finished.stdout
    assert "receive: http.disconnect\n" in finished.stdout
    assert paths(finished)[-1] == "next"


# --- Failures ---------------------------------------------------------------------------------

FAILURES = {
    "before the head": ["raise LookupError('oh no')"],
    "after the head": ["await send(START)", "raise LookupError('oh no')"],
    "without a response": ["return"],
    "a body without a head": ["await send(part(b'x'))"],
    "two heads": ["await send(START)", "await send(START)"],
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("lines", FAILURES.values(), ids=FAILURES)
def test_an_application_that_fails_is_a_500(tmp_path: Path, lines: list[str], stream: bool) -> None:
    """Logged, and answered as by any ASGI server; no function error."""
    finished = ran(tmp_path, program(*lines, stream=stream))
    assert "[ERROR]" in finished.stdout
    [post] = finished.posted
    assert path_of(post).endswith("/response")
    if stream:
        assert streamed(post).chunks == [
            b'{"statusCode": 500, "headers": {"content-type": "text/plain; charset=utf-8"}}'
            b"\0\0\0\0\0\0\0\0",
            b"Internal Server Error",
        ]
    else:
        assert json.loads(body_of(post)) == {
            "statusCode": 500,
            "headers": {"content-type": "text/plain; charset=utf-8"},
            "body": "Internal Server Error",
            "isBase64Encoded": False,
        }


def test_half_a_response_that_was_not_sent_is_a_500_too(tmp_path: Path) -> None:
    """What has not left is not half of a response."""
    finished = ran(
        tmp_path,
        program("await send(START)", "await send(part(b'half'))", "raise LookupError('gone')"),
    )
    assert results(finished)[0]["statusCode"] == 500


def test_an_error_page_of_the_framework_is_the_answer(tmp_path: Path) -> None:
    """Starlette answers 500 itself and raises again: its page is sent, its error is logged."""
    source = starlette().replace("request.state.seen.append(1)", "raise LookupError('oh no')")
    finished = ran(tmp_path, source)
    [result] = results(finished)
    assert (result["statusCode"], result["body"]) == (500, "Internal Server Error")
    assert finished.stdout.count("[ERROR] LookupError: oh no") == 1


def test_an_event_that_is_no_request_is_a_function_error(tmp_path: Path) -> None:
    """Nobody waits for an HTTP response to it."""
    finished = ran(tmp_path, program("pass"), event(b'{"Records": []}'))
    [report] = results(finished)
    assert paths(finished)[1] == "error"
    assert report["errorType"] == "NotAnHttpEvent"


def test_a_request_that_takes_too_long_is_cancelled(tmp_path: Path) -> None:
    """`cancel_before_deadline` reaches the application, whose cleanup is awaited."""
    source = program(
        "try: await asyncio.sleep(60)",
        "finally: print('cleaned up')",
    )
    source += "from lambda_runtime import cancel_before_deadline\ncancel_before_deadline(0.2)\n"
    request = event(json.dumps(FUNCTION_URL).encode(), "Lambda-Runtime-Deadline-Ms: 1")
    finished = ran(tmp_path, source, request)
    assert results(finished)[0]["errorType"] == "DeadlineReached"
    assert finished.stdout.startswith("cleaned up\n")


# --- After the response -----------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_background_work_is_done_after_the_response(tmp_path: Path, stream: bool) -> None:
    """What an application does after its last part comes before the next event is asked for."""
    source = program(
        "await send(START)",
        "await send(part(b'ok', False))",
        "while not os.path.exists('answered'): await asyncio.sleep(0.002)",
        "print('background')",
        "raise LookupError('in the background')",
        stream=stream,
    )

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(REQUEST)
        peer.request()
        peer.send(ACCEPTED)
        (tmp_path / "answered").touch()
        assert peer.request().startswith(b"GET")

    finished = run_against(tmp_path, source, serve)
    assert finished.stdout.startswith("background\n")
    assert "[ERROR] LookupError: in the background" in finished.stdout


def test_an_invocation_id_and_the_context_reach_the_application(tmp_path: Path) -> None:
    """`scope["aws.context"]` is the invocation's context, `scope["aws.event"]` its event."""
    source = program(
        "data = scope['aws.context'].aws_request_id + scope['aws.event']['rawPath']",
        "await send(START)",
        "await send(part(data.encode(), False))",
    )
    finished = ran(tmp_path, source)
    assert results(finished)[0]["body"] == "request-1/my/path%20two"
    assert headers_of(finished.posted[0])["content-type"] == "application/json"
