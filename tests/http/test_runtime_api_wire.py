from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from rapid_mock.http.router import Router
from rapid_mock.http.runtime_api import add_runtime_api
from rapid_mock.lifecycle.effects import (
    Accepted,
    InvocationDelivered,
    Message,
    Refused,
    ShutdownEvent,
)
from rapid_mock.lifecycle.events import (
    Ending,
    Event,
    Invocation,
    RuntimeErrorReported,
    RuntimeInitFailed,
    RuntimeNext,
    RuntimeResponseBegun,
    RuntimeResponseEnded,
)
from tests.support.raw_http import RawClient, ServerThread
from tests.support.scripted_environment import ScriptedEnvironment, ask, serving

NEXT = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n\r\n"
OK = (
    b"HTTP/1.1 202 Accepted\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 16\r\n"
    b"\r\n"
    b'{"status":"OK"}\n'
)
TOO_LARGE = (
    b"HTTP/1.1 413 Request Entity Too Large\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 110\r\n"
    b"\r\n"
    b'{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).",'
    b'"errorType":"RequestEntityTooLarge"}\n'
)
REFUSED = Refused(400, "InvalidRequestID", "Invalid request ID")
INVALID_REQUEST_ID = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 69\r\n"
    b"\r\n"
    b'{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}\n'
)

Serve = Callable[..., AbstractContextManager[tuple[ServerThread, ScriptedEnvironment]]]


@pytest.fixture
def serve() -> Serve:
    @contextmanager
    def serve_runtime_api(
        *answers: Message | None,
    ) -> Iterator[tuple[ServerThread, ScriptedEnvironment]]:
        environment = ScriptedEnvironment(*answers)
        with serving(lambda router: add_runtime_api(router, environment)) as server:
            yield server, environment

    return serve_runtime_api


def post(path: str, body: bytes = b"", *headers: bytes) -> bytes:
    lines = [f"POST /2018-06-01/runtime/{path} HTTP/1.1".encode(), b"Host: 127.0.0.1:9001"]
    lines += [*headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def ended(payload: bytes, **members: object) -> RuntimeResponseEnded:
    size = 0 if "ending" in members else len(payload)  # of a body that broke off nobody asks
    event = RuntimeResponseEnded(1, "id-1", payload, size=size)
    for name, value in members.items():
        setattr(event, name, value)
    return event


# --- next -----------------------------------------------------------------------------------


def test_next_delivers_the_payload_as_it_is_with_everything_the_invocation_has(
    serve: Serve,
) -> None:
    """The event of `next` is the payload byte for byte, its headers say the rest."""
    invocation = Invocation(
        request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
        function_arn="arn:aws:lambda:us-east-1:123456789012:function:hello:prod",
        payload=b'{ "k" : "\xff" }\n',
        content_type="application/vnd.custom+json",
        trace_id="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
        client_context='{"custom":{"a":"b"}}',
        cognito_identity='{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}',
        tenant_id="tenant-1",
    )
    with serve(InvocationDelivered(invocation, 1542409706888)) as (server, environment):
        assert ask(server, NEXT) == (
            b"HTTP/1.1 200 OK\r\n"
            b"Content-Type: application/vnd.custom+json\r\n"
            b"Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
            b"Lambda-Runtime-Aws-Tenant-Id: tenant-1\r\n"
            b'Lambda-Runtime-Client-Context: {"custom":{"a":"b"}}\r\n'
            b"Lambda-Runtime-Cognito-Identity: "
            b'{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}\r\n'
            b"Lambda-Runtime-Deadline-Ms: 1542409706888\r\n"
            b"Lambda-Runtime-Invoked-Function-Arn: "
            b"arn:aws:lambda:us-east-1:123456789012:function:hello:prod\r\n"
            b"Lambda-Runtime-Trace-Id: "
            b"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n"
            b"Content-Length: 14\r\n"
            b"\r\n"
            b'{ "k" : "\xff" }\n'
        )
    assert environment.events == [RuntimeNext(1)]


@pytest.mark.parametrize("nothing", [None, ""])
def test_next_leaves_out_headers_without_a_value(serve: Serve, nothing: str | None) -> None:
    """A header whose value is missing or empty is not sent; the content type has a default."""
    invocation = Invocation("id-1", "arn:f", b"", "", nothing, nothing, nothing, nothing)
    with serve(InvocationDelivered(invocation, 1)) as (server, _):
        assert ask(server, NEXT) == (
            b"HTTP/1.1 200 OK\r\n"
            b"Content-Type: application/json\r\n"
            b"Lambda-Runtime-Aws-Request-Id: id-1\r\n"
            b"Lambda-Runtime-Deadline-Ms: 1\r\n"
            b"Lambda-Runtime-Invoked-Function-Arn: arn:f\r\n"
            b"Content-Length: 0\r\n"
            b"\r\n"
        )


def test_no_value_can_end_its_header_line(serve: Serve) -> None:
    """Text goes out in UTF-8, and line ends inside a value become spaces."""
    context = '{\n  "name": "Zoë\u2028\U0001f600"\r\n}\x00'
    invocation = Invocation("id-1", "arn:f", b"{}", client_context=context)
    with serve(InvocationDelivered(invocation, 1)) as (server, _):
        line = (
            b"\r\nLambda-Runtime-Client-Context: "
            b'{   "name": "Zo\xc3\xab\xe2\x80\xa8\xf0\x9f\x98\x80"  } \r\n'
        )
        assert line in ask(server, NEXT)


def test_a_body_sent_with_next_is_ignored(serve: Serve) -> None:
    """A GET with a body gets its event all the same, and the connection lives on."""
    delivered = InvocationDelivered(Invocation("id-1", "arn:f", b"{}"), 1)
    with serve(delivered, delivered) as (server, _), RawClient(server.address) as client:
        with_body = NEXT.replace(b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello")
        assert client.answer(with_body).startswith(b"HTTP/1.1 200 OK\r\n")
        assert client.answer(NEXT).startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_refusal_spells_its_message_as_go_does(serve: Serve) -> None:
    """`errorMessage` comes before `errorType`, `<`, `>` and `&` are escaped, a newline ends it."""
    with serve(Refused(403, "InvalidStateTransition", 'from <A> & "é"')) as (server, _):
        assert ask(server, NEXT) == (
            b"HTTP/1.1 403 Forbidden\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: 89\r\n"
            b"\r\n"
            b'{"errorMessage":"from \\u003cA\\u003e \\u0026 \\"\xc3\xa9\\"",'
            b'"errorType":"InvalidStateTransition"}\n'
        )


def test_next_waits_until_the_environment_answers(serve: Serve) -> None:
    """A parked `next` sends no byte before its event comes."""
    delivered = InvocationDelivered(Invocation("id-1", "arn:f", b"late"), 1)
    with serve() as (server, environment), RawClient(server.address) as client:
        client.send(NEXT)
        environment.wait_for(lambda told: told.events == [RuntimeNext(1)])
        assert client.is_parked()
        server.do(lambda: environment.reply(1, delivered))
        assert client.answer().endswith(b"\r\n\r\nlate")


@pytest.mark.parametrize("leave", ["close", "half-close"])
def test_a_runtime_that_leaves_its_next_is_told(serve: Serve, leave: str) -> None:
    """When the client of a parked `next` goes away, the environment hears which exchange it was."""
    with serve() as (server, environment), RawClient(server.address) as client:
        client.send(NEXT)
        environment.wait_for(lambda told: told.events == [RuntimeNext(1)])
        if leave == "close":
            client.socket.close()
        else:
            client.socket.shutdown(socket.SHUT_WR)
        environment.wait_for(lambda told: told.gone == [1])


# --- response -------------------------------------------------------------------------------


def test_a_response_is_told_at_its_head_and_at_its_end(serve: Serve) -> None:
    """The environment may refuse a response before its body; else it gets the body whole."""
    with serve(None, Accepted()) as (server, environment):
        request = post("invocation/id-1/response", b'"ok"', b"Content-Type: text/plain")
        assert ask(server, request) == OK
    assert environment.events == [
        RuntimeResponseBegun(1, "id-1", None),
        ended(b'"ok"', content_type="text/plain"),
    ]


def test_a_refused_response_is_answered_before_its_body(serve: Serve) -> None:
    """The refusal needs no body; the body that follows is discarded and the connection lives on."""
    with serve(REFUSED, None, Accepted()) as (server, environment):
        with RawClient(server.address) as client:
            head, body = post("invocation/nonsense/response", b"x" * 100_000).split(b"\r\n\r\n")
            assert client.answer(head + b"\r\n\r\n") == INVALID_REQUEST_ID
            assert client.answer(body + post("invocation/id-1/response", b"1")) == OK
        assert environment.events == [
            RuntimeResponseBegun(1, "nonsense", None),
            RuntimeResponseBegun(2, "id-1", None),
            RuntimeResponseEnded(2, "id-1", b"1", size=1),
        ]


def test_a_refused_response_is_only_refused(serve: Serve) -> None:
    """How long a refused body would be is nobody's concern: there is no ending to tell."""
    with serve(REFUSED) as (server, environment):
        head = post("invocation/id-1/response").replace(b"Length: 0", b"Length: 6291557")
        assert ask(server, head) == INVALID_REQUEST_ID
    assert environment.events == [RuntimeResponseBegun(1, "id-1", None)]


@pytest.mark.parametrize(
    ("segment", "request_id"),
    [("x%2Fy", "x/y"), ("%20", " "), ("", ""), ("A-B", "A-B")],
)
def test_the_request_id_is_one_decoded_segment(serve: Serve, segment: str, request_id: str) -> None:
    """Whatever stands between the slashes is the id, percent-decoded; judging it is the core's."""
    with serve(REFUSED) as (server, environment):
        assert ask(server, post(f"invocation/{segment}/response")) == INVALID_REQUEST_ID
    assert environment.events == [RuntimeResponseBegun(1, request_id, None)]


@pytest.mark.parametrize(
    ("line", "mode"),
    [
        (b"Lambda-Runtime-Function-Response-Mode: streaming", "streaming"),
        (b"lambda-runtime-function-response-mode: STREAMING", "STREAMING"),
        (b"Lambda-Runtime-Function-Response-Mode:", None),
    ],
)
def test_the_response_mode_is_passed_on_unjudged(
    serve: Serve, line: bytes, mode: str | None
) -> None:
    """The mode goes to the environment as it was spelled; an empty header is none."""
    with serve(REFUSED) as (server, environment):
        ask(server, post("invocation/id-1/response", b"", line))
    assert environment.events == [RuntimeResponseBegun(1, "id-1", mode)]


CHUNKED = (
    b"POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1\r\n"
    b"Host: 127.0.0.1:9001\r\n"
    b"Content-Type: application/octet-stream\r\n"
    b"Transfer-Encoding: chunked\r\n"
    b"Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n"
    b"\r\n"
)


def test_a_chunked_response_is_put_together(serve: Serve) -> None:
    """Chunks and extensions are the transport's business; the payload is what they carry."""
    with serve(None, Accepted()) as (server, environment):
        assert ask(server, CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n") == OK
    assert environment.events[1] == ended(b"abcde", content_type="application/octet-stream")


def test_chunks_of_a_byte_take_no_more_room_than_the_body(serve: Serve) -> None:
    """200 kB in as many chunks are kept as 200 kB, give or take what is being read."""
    count = 200_000
    with serve(None, Accepted()) as (server, environment):
        tracemalloc.start()
        try:
            assert ask(server, CHUNKED + b"1\r\nx\r\n" * count + b"0\r\n\r\n") == OK
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert environment.events[1] == ended(b"x" * count, content_type="application/octet-stream")
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("trailers", "error_type", "error_body"),
    [
        (
            b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n"
            b"Lambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJib29tIn0=\r\n",
            "Runtime.StreamError",
            b'{"errorMessage":"boom"}',
        ),
        (b"lambda-runtime-function-error-type: Oops\r\n", "Runtime.Unknown", None),
        (
            b"Lambda-Runtime-Function-Error-Type: Function.X\r\n"
            b"Lambda-Runtime-Function-Error-Body: e30=!\r\n",
            "Function.Unknown",
            None,
        ),
        (b"Lambda-Runtime-Function-Error-Body: e30=\r\n", None, None),
        (b"Lambda-Runtime-Function-Error-Type:\r\n", None, None),
        (b"X-Other: y\r\n", None, None),
    ],
)
def test_trailers_carry_the_error_that_ended_a_stream(
    serve: Serve, trailers: bytes, error_type: str | None, error_body: bytes | None
) -> None:
    """With a type there is an error; its body is base64, and none when it cannot be decoded."""
    with serve(None, Accepted()) as (server, environment):
        assert ask(server, CHUNKED + b"7\r\npartial\r\n0\r\n" + trailers + b"\r\n") == OK
    assert environment.events[1] == ended(
        b"partial",
        content_type="application/octet-stream",
        error_type=error_type,
        error_body=error_body,
    )


def test_a_response_of_exactly_the_limit_is_taken(serve: Serve) -> None:
    """6291556 bytes are allowed."""
    body = b"a" * 6291556
    with serve(None, Accepted()) as (server, environment):
        assert ask(server, post("invocation/id-1/response", body)) == OK
    assert environment.events[1] == ended(body)


def test_a_response_that_says_it_is_too_large_is_told_before_its_body(serve: Serve) -> None:
    """One byte more in Content-Length is an oversized ending, with no byte of the body read."""
    refusal = Refused(
        413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes)."
    )
    with serve(None, refusal) as (server, environment):
        head = post("invocation/id-1/response").replace(b"Length: 0", b"Length: 6291557")
        assert ask(server, head) == TOO_LARGE
    assert environment.events == [
        RuntimeResponseBegun(1, "id-1", None),
        ended(b"", ending=Ending.OVERSIZED),
    ]


def test_a_chunked_response_is_too_large_at_its_first_byte_above_the_limit(serve: Serve) -> None:
    """The environment hears once that the body is oversized, while it still arrives."""
    refusal = Refused(
        413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size (6291556 bytes)."
    )
    with serve(None, refusal) as (server, environment), RawClient(server.address) as client:
        client.send(CHUNKED + b"5fffff\r\n" + b"a" * 0x5FFFFF + b"\r\n66\r\n" + b"a" * 0x66)
        assert client.answer() == TOO_LARGE
        client.send(b"\r\n5\r\nabcde\r\n0\r\n\r\n")
        client.send(NEXT)
        environment.wait_for(lambda told: len(told.events) == 3)
    assert environment.events == [
        RuntimeResponseBegun(1, "id-1", None),
        ended(b"", content_type="application/octet-stream", ending=Ending.OVERSIZED),
        RuntimeNext(2),
    ]


@pytest.mark.parametrize(
    "request_start",
    [
        post("invocation/id-1/response", b"abc").replace(b"Length: 3", b"Length: 10"),
        CHUNKED.replace(b"Content-Type: application/octet-stream\r\n", b"") + b"5\r\nabc",
    ],
    ids=["short", "chunk"],
)
def test_a_response_that_ends_too_early_is_told_as_truncated(
    serve: Serve, request_start: bytes
) -> None:
    """EOF inside the body is a truncated ending, which the environment answers."""
    refusal = Refused(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
    with serve(None, refusal) as (server, environment), RawClient(server.address) as client:
        client.send(request_start)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_to_end() == (
            b"HTTP/1.1 400 Bad Request\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: 89\r\n"
            b"Connection: close\r\n"
            b"\r\n"
            b'{"errorMessage":"HTTP request detected as truncated",'
            b'"errorType":"TruncatedHTTPRequest"}\n'
        )
    assert environment.events[1] == ended(b"abc", ending=Ending.TRUNCATED)


def test_a_broken_chunk_truncates_the_response(serve: Serve) -> None:
    """Bytes that are no chunk end the body, and the connection."""
    refusal = Refused(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
    with serve(None, refusal) as (server, environment), RawClient(server.address) as client:
        client.send(CHUNKED + b"3\r\nabc\r\nzz\r\n")
        environment.wait_for(lambda told: len(told.events) == 2)
        client.read_to_end()
    assert environment.events[1] == ended(
        b"abc", content_type="application/octet-stream", ending=Ending.TRUNCATED
    )


def test_a_runtime_that_dies_inside_its_response_truncates_it(serve: Serve) -> None:
    """A connection lost inside the body is a truncated ending too, without an answer."""
    refusal = Refused(400, "TruncatedHTTPRequest", "HTTP request detected as truncated")
    with serve(None, refusal) as (server, environment):
        with RawClient(server.address) as client:
            client.send(CHUNKED + b"3\r\nabc\r\n")
            environment.wait_for(lambda told: len(told.events) == 1)
        environment.wait_for(lambda told: len(told.events) == 2)


# --- error, init/error ----------------------------------------------------------------------


def test_an_error_goes_to_the_environment_with_its_body_as_it_is(serve: Serve) -> None:
    """The invoker gets the posted bytes: the body is not looked into."""
    body = b'{"errorMessage":"boom","errorType":"MyError","stackTrace":["a"]} '
    with serve(Accepted()) as (server, environment):
        request = post(
            "invocation/id-1/error",
            body,
            b"Content-Type: application/json",
            b"Lambda-Runtime-Function-Error-Type: Function.MyError",
            b"Lambda-Runtime-Function-Response-Mode: bogus",
            b"Lambda-Runtime-Function-XRay-Error-Cause: not json",
        )
        assert ask(server, request) == OK
    assert environment.events == [
        RuntimeErrorReported(
            1, "id-1", "Function.MyError", body, "application/json", size=len(body)
        )
    ]


def test_an_error_may_be_bare(serve: Serve) -> None:
    """Neither headers nor a body are required."""
    with serve(Accepted()) as (server, environment):
        assert ask(server, post("invocation/id-1/error")) == OK
    assert environment.events == [RuntimeErrorReported(1, "id-1", "Runtime.Unknown", b"", None)]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"Runtime.Xy", "Runtime.Xy"),
        (b"Function.MyError", "Function.MyError"),
        (b"my Function.MyError 1", "my Function.MyError 1"),
        (b"Runtime.ImportModuleError.Deep", "Runtime.ImportModuleError.Deep"),
        (b"Function.X", "Function.Unknown"),
        (b"Function.lower", "Function.Unknown"),
        (b"Runtime.lower", "Runtime.Unknown"),
        (b"runtime.MyError", "Runtime.Unknown"),
        (b"MyError", "Runtime.Unknown"),
        (b"Sandbox.Failure", "Runtime.Unknown"),
        (b"", "Runtime.Unknown"),
    ],
)
@pytest.mark.parametrize("path", ["invocation/id-1/error", "init/error"])
def test_error_types_are_filtered(serve: Serve, path: str, sent: bytes, kept: str) -> None:
    """A type stays when it has AWS's form somewhere, else it is an unknown one of its kind."""
    with serve(Accepted()) as (server, environment):
        ask(server, post(path, b"{}", b"Lambda-Runtime-Function-Error-Type: " + sent))
    [event] = environment.events
    assert isinstance(event, RuntimeErrorReported | RuntimeInitFailed)
    assert event.error_type == kept


@pytest.mark.parametrize(
    ("posted", "told"),
    [
        (
            b'{"errorCause":{"message":"c"},"stackTrace":["a","<b>"],"x":1,'
            b'"errorType":"T","errorMessage":"m & m"}',
            b'{"errorMessage":"m \\u0026 m","errorType":"T","stackTrace":["a","\\u003cb\\u003e"]}',
        ),
        (b"{}", b'{"errorMessage":"","errorType":""}'),
        (b"null", b'{"errorMessage":"","errorType":""}'),
        (
            b'{"ERRORMESSAGE":"m","errorType":null,"stackTrace":[]}',
            b'{"errorMessage":"m","errorType":""}',
        ),
        (b'{"stackTrace":[null]}', b'{"errorMessage":"","errorType":"","stackTrace":[""]}'),
    ],
)
def test_an_error_with_its_cause_is_written_anew(serve: Serve, posted: bytes, told: bytes) -> None:
    """Of a body of the error-cause type only message, type and stack trace reach the invoker."""
    cause_type = b"Content-Type: application/vnd.aws.lambda.error.cause+json"
    with serve(Accepted()) as (server, environment):
        assert ask(server, post("invocation/id-1/error", posted, cause_type)) == OK
    assert environment.events == [
        RuntimeErrorReported(
            1, "id-1", "Runtime.Unknown", told, "application/json", size=len(posted)
        )
    ]


@pytest.mark.parametrize(
    "posted",
    [b"{bad", b"", b"[]", b'{"errorType":1}', b'{"stackTrace":"a"}', b'{"stackTrace":[1]}'],
)
def test_an_error_with_a_cause_that_is_not_one_is_invalid(serve: Serve, posted: bytes) -> None:
    """A body of the error-cause type that has not its shape becomes one JSON string."""
    cause_type = b"Content-Type: application/vnd.aws.lambda.error.cause+json"
    with serve(Accepted()) as (server, environment):
        assert ask(server, post("invocation/id-1/error", posted, cause_type)) == OK
    assert environment.events == [
        RuntimeErrorReported(
            1,
            "id-1",
            "Runtime.Unknown",
            b'"Invalid error body"',
            "application/octet-stream",
            size=len(posted),
        )
    ]


def test_an_init_error_goes_to_the_environment(serve: Serve) -> None:
    """`init/error` carries its type and its body, whatever that is."""
    with serve(Accepted()) as (server, environment):
        error_type = b"Lambda-Runtime-Function-Error-Type: Runtime.ImportModuleError"
        assert ask(server, post("init/error", b"oops", error_type)) == OK
    assert environment.events == [RuntimeInitFailed(1, "Runtime.ImportModuleError", b"oops")]


@pytest.mark.parametrize("path", ["invocation/id-1/error", "init/error"])
def test_an_error_above_the_limit_is_refused_unread(serve: Serve, path: str) -> None:
    """An oversized error is 413 at once; the environment is not told: there may be a second try."""
    with serve() as (server, environment):
        head = post(path).replace(b"Length: 0", b"Length: 6291557")
        assert ask(server, head) == TOO_LARGE
    assert environment.events == []


def test_a_truncated_error_is_refused(serve: Serve) -> None:
    """EOF inside an error's body is 400, and no error is told."""
    with serve() as (server, environment), RawClient(server.address) as client:
        client.send(post("init/error", b"abc").replace(b"Length: 3", b"Length: 10"))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_to_end().endswith(
            b'{"errorMessage":"HTTP request detected as truncated",'
            b'"errorType":"TruncatedHTTPRequest"}\n'
        )
    assert environment.events == []


# --- The rest -------------------------------------------------------------------------------


def test_ping_is_answered(serve: Serve) -> None:
    """`ping` tells that the API is there."""
    with serve() as (server, _):
        assert ask(server, b"GET /2018-06-01/ping HTTP/1.1\r\nHost: localhost\r\n\r\n") == (
            b"HTTP/1.1 200 OK\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 4\r\n"
            b"\r\n"
            b"pong"
        )


@pytest.mark.parametrize(
    "line",
    [
        b"GET /2018-06-01/runtime/restore/next",
        b"POST /2018-06-01/runtime/restore/error",
        b"GET /2021-04-23/credentials",
        b"GET /2018-06-01/runtime/invocation/next/",
        b"POST /2018-06-01/runtime/invocation/id-1/RESPONSE",
        b"POST /2018-06-01/runtime/invocation/id-1//response",
        b"GET /2018-06-01/runtime/invocation/%2e%2e/next",
    ],
)
def test_what_is_not_served_is_not_found(serve: Serve, line: bytes) -> None:
    """SnapStart's calls exist with SnapStart only, and no path is bent to fit."""
    with serve() as (server, _):
        assert ask(server, line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n") == (
            b"HTTP/1.1 404 Not Found\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"X-Content-Type-Options: nosniff\r\n"
            b"Content-Length: 19\r\n"
            b"\r\n"
            b"404 page not found\n"
        )


@pytest.mark.parametrize(
    ("line", "allow"),
    [
        (b"POST /2018-06-01/runtime/invocation/next", b"GET"),
        (b"PUT /2018-06-01/runtime/invocation/id-1/response", b"POST"),
        (b"GET /2018-06-01/runtime/invocation/id-1/error", b"POST"),
        (b"GET /2018-06-01/runtime/init/error", b"POST"),
    ],
)
def test_another_method_is_not_allowed(serve: Serve, line: bytes, allow: bytes) -> None:
    """A wrong method is 405 with the right one."""
    with serve() as (server, environment):
        assert ask(server, line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n") == (
            b"HTTP/1.1 405 Method Not Allowed\r\nAllow: " + allow + b"\r\nContent-Length: 0\r\n\r\n"
        )
    assert environment.events == []


def test_head_is_not_allowed(serve: Serve) -> None:
    """A route for GET is none for HEAD; the 405 has no body, and does not say how long none is."""
    line = b"HEAD /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serve() as (server, environment):
        assert ask(server, line) == b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n\r\n"
    assert environment.events == []


def test_a_query_changes_nothing(serve: Serve) -> None:
    """The query of a call is ignored."""
    with serve(None, Accepted()) as (server, environment):
        assert ask(server, post("invocation/id-1/response?x=1", b"q")) == OK
    events: list[Event] = [RuntimeResponseBegun(1, "id-1", None), ended(b"q")]
    assert environment.events == events


def test_an_answer_to_another_call_is_an_internal_error() -> None:
    """A message that does not belong to its call is a fault of ours: 500, and it is reported."""
    environment = ScriptedEnvironment(ShutdownEvent(1, "spindown"))
    router = Router()
    add_runtime_api(router, environment)
    with ServerThread(router) as server:
        assert ask(server, NEXT).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert [type(error) for error in server.errors] == [TypeError]
