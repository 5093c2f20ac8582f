"""RuntimeClient's requests, byte by byte, and what it makes of the replies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from pytest_httpserver import BlockingHTTPServer

from lambda_runtime import RuntimeClient
from lambda_runtime.client import Invocation
from lambda_runtime.errors import ConnectionLost, InvalidReply, RuntimeApiError
from tests.support.scripted_runtime_api import (
    ACCEPTED,
    Peer,
    ScriptedRuntimeApi,
    event,
    headers_of,
    path_of,
    replies,
)

AGENT = "aws-lambda-python/3.11.7-0.1.0"
ERROR = b'{"errorMessage":"no"}'
REFUSED = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 68\r\n\r\n"
    b'{"errorMessage":"State ...","errorType":"InvalidStateTransition"}\n  '
)

Call = Callable[[RuntimeClient, Invocation], object]
CALLS: dict[str, Call] = {
    "next": lambda client, _: client.next(),
    "respond": lambda client, invocation: client.respond(invocation, b"{}"),
    "fail": lambda client, invocation: client.fail(invocation, ERROR, error_type="Oops"),
    "init_error": lambda client, _: client.init_error(ERROR, "Oops"),
    "restore_next": lambda client, _: client.restore_next(),
    "restore_error": lambda client, _: client.restore_error(ERROR, "Oops"),
}


@contextmanager
def client_of(address: str) -> Iterator[RuntimeClient]:
    client = RuntimeClient(address, AGENT)
    try:
        yield client
    finally:
        client.close()


def request_of(
    call: Call, *headers: str, request_id: str = "request-1", prefix: str = "", reply: bytes
) -> tuple[bytes, bytes]:
    """The one request that a call sends after an event, and the Host it was sent to."""
    first = event(b"{}", *headers, request_id=request_id)
    with (
        ScriptedRuntimeApi(replies(first, reply)) as api,
        client_of(api.address + prefix) as client,
    ):
        call(client, client.next())
    return api.requests[-1], api.address.encode()


def test_next_is_a_get() -> None:
    """GET with Host and User-Agent, and nothing else."""
    request, host = request_of(CALLS["next"], reply=event(b"{}"))
    assert request == (
        b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
        b"Host: " + host + b"\r\n"
        b"User-Agent: aws-lambda-python/3.11.7-0.1.0\r\n"
        b"\r\n"
    )


def test_an_event_is_an_invocation() -> None:
    """Request id, headers, content type and body of the reply."""
    reply = event(b'{"a":1}', "Lambda-Runtime-Trace-Id: Root=1", "X-Empty:")
    with ScriptedRuntimeApi(replies(reply)) as api, client_of(api.address) as client:
        invocation = client.next()
    assert invocation.request_id == "request-1"
    assert invocation.body == b'{"a":1}'
    assert invocation.content_type == "application/json"
    assert invocation.header("lambda-runtime-trace-id") == "Root=1"
    assert invocation.header("X-Empty") is None
    assert invocation.header("X-Absent") is None


@pytest.mark.parametrize(
    ("line", "content_type"),
    [
        ("Content-Type: application/json", "application/json"),
        ("content-type: application/json; charset=utf-8", "application/json; charset=utf-8"),
        ("CONTENT-TYPE: image/png", "image/png"),
        ("X-Content-Type: image/png", None),
    ],
)
def test_content_type_of_an_event(line: str, content_type: str | None) -> None:
    """It is the header's value; None when there is none."""
    reply = f"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\n{line}\r\n".encode()
    reply += b"Content-Length: 0\r\n\r\n"
    with ScriptedRuntimeApi(replies(reply)) as api, client_of(api.address) as client:
        assert client.next().content_type == content_type


@pytest.mark.parametrize("line", ["X-Other: 1", "Lambda-Runtime-Aws-Request-Id:"])
def test_an_event_without_a_request_id_is_no_event(line: str) -> None:
    """The request id is required."""
    reply = f"HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    with (
        ScriptedRuntimeApi(replies(reply)) as api,
        client_of(api.address) as client,
        pytest.raises(InvalidReply, match="Lambda-Runtime-Aws-Request-Id"),
    ):
        client.next()


def test_a_response_is_posted() -> None:
    """Content type and length of the body, then the body."""
    request, host = request_of(
        lambda client, invocation: client.respond(invocation, b'{"a": 1}'), reply=ACCEPTED
    )
    assert request == (
        b"POST /2018-06-01/runtime/invocation/request-1/response HTTP/1.1\r\n"
        b"Host: " + host + b"\r\n"
        b"User-Agent: aws-lambda-python/3.11.7-0.1.0\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: 8\r\n"
        b"\r\n"
        b'{"a": 1}'
    )


def test_a_response_of_another_type() -> None:
    """Bytes go out as they are, under the type they are given."""
    request, _ = request_of(
        lambda client, invocation: client.respond(invocation, b"\0\xff", "application/unknown"),
        reply=ACCEPTED,
    )
    assert headers_of(request[:-2])["content-type"] == "application/unknown"
    assert request.endswith(b"Content-Length: 2\r\n\r\n\0\xff")


def test_an_error_is_posted() -> None:
    """The error type and X-Ray's cause are headers; the body is the error JSON."""
    request, host = request_of(
        lambda client, invocation: client.fail(
            invocation, ERROR, error_type="ValueError", cause='{"paths": []}'
        ),
        reply=ACCEPTED,
    )
    assert request == (
        b"POST /2018-06-01/runtime/invocation/request-1/error HTTP/1.1\r\n"
        b"Host: " + host + b"\r\n"
        b"User-Agent: aws-lambda-python/3.11.7-0.1.0\r\n"
        b"Content-Type: application/json\r\n"
        b"Lambda-Runtime-Function-Error-Type: ValueError\r\n"
        b'Lambda-Runtime-Function-XRay-Error-Cause: {"paths": []}\r\n'
        b"Content-Length: 21\r\n"
        b"\r\n"
        b'{"errorMessage":"no"}'
    )


@pytest.mark.parametrize(
    ("call", "path"),
    [("init_error", "init/error"), ("restore_error", "restore/error")],
)
def test_errors_of_init_and_restore(call: str, path: str) -> None:
    """They carry the error type, no content type, and the error JSON."""
    request, host = request_of(CALLS[call], reply=ACCEPTED)
    assert request == (
        b"POST /2018-06-01/runtime/" + path.encode() + b" HTTP/1.1\r\n"
        b"Host: " + host + b"\r\n"
        b"User-Agent: aws-lambda-python/3.11.7-0.1.0\r\n"
        b"Lambda-Runtime-Function-Error-Type: Oops\r\n"
        b"Content-Length: 21\r\n"
        b"\r\n"
        b'{"errorMessage":"no"}'
    )


def test_restore_next_is_a_get() -> None:
    """It waits for 200 and takes nothing from the reply."""
    request, host = request_of(
        CALLS["restore_next"], reply=b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    )
    assert request == (
        b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\n"
        b"Host: " + host + b"\r\n"
        b"User-Agent: aws-lambda-python/3.11.7-0.1.0\r\n"
        b"\r\n"
    )


@pytest.mark.parametrize("call", ["respond", "fail"])
@pytest.mark.parametrize("name", ["Lambda-Runtime-Invocation-Id", "lambda-runtime-invocation-id"])
@pytest.mark.parametrize("value", [b"inv-1", b"\xc3\xa9", b"\xff"])
def test_the_invocation_id_goes_back_as_it_came(call: str, name: str, value: bytes) -> None:
    """On response and error; whatever bytes it is made of."""
    first = event(b"{}", f"{name}: VALUE").replace(b"VALUE", value)
    with ScriptedRuntimeApi(replies(first, ACCEPTED)) as api, client_of(api.address) as client:
        CALLS[call](client, client.next())
    assert b"\r\nLambda-Runtime-Invocation-Id: " + value + b"\r\n" in api.requests[1]


@pytest.mark.parametrize("call", ["respond", "fail"])
@pytest.mark.parametrize("headers", [(), ("Lambda-Runtime-Invocation-Id:",)])
def test_no_invocation_id_is_sent_when_none_came(call: str, headers: tuple[str, ...]) -> None:
    """An absent or empty header is not echoed."""
    request, _ = request_of(CALLS[call], *headers, reply=ACCEPTED)
    assert b"nvocation-id" not in request.lower()


@pytest.mark.parametrize("call", ["respond", "fail"])
@pytest.mark.parametrize(
    ("request_id", "quoted"),
    [
        ("8476a536-e9f4-11e8-9739-2dfe598c3fcd", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("a/../b?c#d e%", "a%2F..%2Fb%3Fc%23d%20e%25"),
        ("\u00e9", "%C3%A9"),
    ],
)
def test_the_request_id_is_quoted_in_urls(call: str, request_id: str, quoted: str) -> None:
    """No request id changes the path around it."""
    request, _ = request_of(CALLS[call], request_id=request_id, reply=ACCEPTED)
    assert path_of(request).split("/")[:-1] == f"/2018-06-01/runtime/invocation/{quoted}".split("/")


def test_an_address_may_have_a_path() -> None:
    """Every request goes below it."""
    with (
        ScriptedRuntimeApi(replies(event(b"{}"), ACCEPTED, event(b"{}"), ACCEPTED)) as api,
        client_of(f"http://{api.address}/env/1/") as client,
    ):
        client.respond(client.next(), b"{}")
        client.fail(client.next(), b"{}", error_type="A")
    assert [path_of(request) for request in api.requests] == [
        "/env/1/2018-06-01/runtime/invocation/next",
        "/env/1/2018-06-01/runtime/invocation/request-1/response",
        "/env/1/2018-06-01/runtime/invocation/next",
        "/env/1/2018-06-01/runtime/invocation/request-1/error",
    ]


@pytest.mark.parametrize(
    ("cause", "is_sent"),
    [
        ("x" * 1_048_575, True),
        ("x" * 1_048_576, False),
        ("\u00e9" * 524_287, True),
        ("\u00e9" * 524_288, False),
    ],
    ids=["1 MiB - 1", "1 MiB", "below in UTF-8", "1 MiB in UTF-8"],
)
def test_an_xray_cause_of_one_mebibyte_is_left_out(cause: str, is_sent: bool) -> None:
    """1 048 575 bytes of UTF-8 are sent; one more and the error goes out without the header."""
    request, _ = request_of(
        lambda client, invocation: client.fail(invocation, ERROR, error_type="Oops", cause=cause),
        reply=ACCEPTED,
    )
    header = b"\r\nLambda-Runtime-Function-XRay-Error-Cause: " + cause.encode() + b"\r\n"
    assert (header in request) is is_sent
    assert (b"XRay" in request) is is_sent
    assert request.endswith(b"\r\n\r\n" + ERROR)


def test_an_error_type_is_one_line_of_ascii() -> None:
    """Line breaks and letters beyond ASCII in a class name do not break the header."""
    request, _ = request_of(
        lambda client, invocation: client.fail(invocation, b"{}", error_type="Gr\u00fcn\r\nX: y"),
        reply=ACCEPTED,
    )
    assert b"\r\nLambda-Runtime-Function-Error-Type: Gr\\xfcn  X: y\r\n" in request


@pytest.mark.parametrize("call", CALLS)
def test_a_refusal_is_an_error_with_its_status(call: str) -> None:
    """RuntimeApiError says what was asked, the status and the text of the reply."""
    with (
        ScriptedRuntimeApi(replies(event(b"{}"), REFUSED)) as api,
        client_of(api.address) as client,
    ):
        invocation = client.next()
        with pytest.raises(RuntimeApiError, match="403") as caught:
            CALLS[call](client, invocation)
    assert caught.value.status == 403
    assert caught.value.body == '{"errorMessage":"State ...","errorType":"InvalidStateTransition"}'


def test_an_event_without_a_body_may_be_no_content() -> None:
    """204 with a request id is an event like any other; its body is empty."""
    reply = b"HTTP/1.1 204 No Content\r\nLambda-Runtime-Aws-Request-Id: request-1\r\n\r\n"
    with ScriptedRuntimeApi(replies(reply)) as api, client_of(api.address) as client:
        invocation = client.next()
        assert (invocation.request_id, bytes(invocation.body)) == ("request-1", b"")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", ["204 No Content", "500 Oops", "301 Moved", "413 Too Large"])
def test_only_the_documented_status_is_success(call: str, status: str) -> None:
    """200 for what is fetched, 202 for what is posted."""
    reply = f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode()
    with ScriptedRuntimeApi(replies(event(b"{}"), reply)) as api, client_of(api.address) as client:
        invocation = client.next()
        with pytest.raises(RuntimeApiError) as caught:
            CALLS[call](client, invocation)
    assert caught.value.status == int(status[:3])


@pytest.mark.parametrize("call", CALLS)
def test_a_lost_connection_is_an_error(call: str) -> None:
    """ConnectionLost when the connection breaks inside a reply."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(event(b"{}"))
        peer.request()
        peer.send(b"HTTP/1.1 2")

    with ScriptedRuntimeApi(serve) as api, client_of(api.address) as client:
        invocation = client.next()
        with pytest.raises(ConnectionLost):
            CALLS[call](client, invocation)


def test_a_long_refusal_is_cut() -> None:
    """The text of a refusal is at most 1000 bytes; what is no UTF-8 is replaced."""
    reply = b"HTTP/1.1 500 Oops\r\nContent-Length: 5000\r\n\r\n" + b"\xff" * 5000
    with (
        ScriptedRuntimeApi(replies(reply)) as api,
        client_of(api.address) as client,
        pytest.raises(RuntimeApiError) as caught,
    ):
        client.next()
    assert caught.value.body == "\ufffd" * 1000


def test_a_dialogue_with_an_http_server() -> None:
    """Three invocations against a server made for no runtime: HTTP/1.0, a connection each time."""
    heads = {"Lambda-Runtime-Aws-Request-Id": "request-1", "Content-Type": "application/json"}
    prefix = "/2018-06-01/runtime/invocation"
    with (
        BlockingHTTPServer(host="127.0.0.1", timeout=10) as server,
        client_of(f"127.0.0.1:{server.port}") as client,
        ThreadPoolExecutor(1) as pool,
    ):
        for number in range(3):
            polled = pool.submit(client.next)
            server.assert_request(f"{prefix}/next", "GET").respond_with_data(
                f'{{"n": {number}}}', headers=heads
            )
            invocation = polled.result()
            assert bytes(invocation.body) == f'{{"n": {number}}}'.encode()
            posted = pool.submit(client.respond, invocation, b'"done"')
            server.assert_request(
                f"{prefix}/request-1/response",
                "POST",
                data='"done"',
                headers={"Content-Type": "application/json"},
            ).respond_with_data('{"status":"OK"}', status=202)
            posted.result()
