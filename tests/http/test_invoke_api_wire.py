from __future__ import annotations

import base64
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from rapid_mock.errors import (
    InvalidParameterValue,
    ResourceNotFound,
    ServiceError,
    TooManyRequests,
    ValidationFailed,
)
from rapid_mock.http.invoke_api import add_invoke_api
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer
from tests.support.raw_http import DEADLINE_SECONDS, RawClient, ServerThread
from tests.support.scripted_environment import ask, serving

UUID4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
ID = "2ce4b1a5-4b8c-4c3c-9f0e-4a2f5f4d9c11"
TRACE = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1"
GIVEN = (b"X-Amzn-RequestId: " + ID.encode(), b"X-Amzn-Trace-Id: " + TRACE.encode())
PATH = "/2015-03-31/functions/function/invocations"


class ScriptedService:
    """In place of the Lambda service: keeps the requests; without an answer the invoker waits."""

    def __init__(self, answer: InvokeAnswer | ServiceError | None) -> None:
        self.requests: list[InvokeRequest] = []
        self.waiting: list[OnAnswer] = []
        self.invoked = threading.Event()
        self._answer = answer

    def invoke(self, request: InvokeRequest, on_answer: OnAnswer) -> None:
        self.requests.append(request)
        if self._answer is None:
            self.waiting.append(on_answer)
        else:
            on_answer(self._answer)
        self.invoked.set()


Serve = Callable[..., AbstractContextManager[tuple[ServerThread, ScriptedService]]]
OK = InvokeAnswer(ID, b'"ok"', "$LATEST")


@pytest.fixture
def serve() -> Serve:
    @contextmanager
    def serve_invoke_api(
        answer: InvokeAnswer | ServiceError | None = OK,
    ) -> Iterator[tuple[ServerThread, ScriptedService]]:
        service = ScriptedService(answer)
        with serving(lambda router: add_invoke_api(router, service)) as server:
            yield server, service

    return serve_invoke_api


def invoke(body: bytes = b"{}", *headers: bytes, path: str = PATH) -> bytes:
    lines = [f"POST {path} HTTP/1.1".encode(), b"Host: localhost:9000", *headers]
    lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def refusal(status: bytes, error_type: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = [
        b"HTTP/1.1 " + status,
        b"Content-Type: application/json",
        b"x-amzn-RequestId: " + ID.encode(),
        b"x-amzn-ErrorType: " + error_type,
        *headers,
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


# --- What the service is asked --------------------------------------------------------------


def test_an_invocation_carries_everything_the_invoker_said(serve: Serve) -> None:
    """Path, query and headers are decoded; the payload stays as it is."""
    request = invoke(
        b'{"k": 1}\n',
        *GIVEN,
        b"Content-Type: text/plain",
        b"X-Amz-Invocation-Type: RequestResponse",
        b"X-Amz-Log-Type: Tail",
        b"X-Amz-Client-Context: eyJjdXN0b20iOnsiYSI6IsOpIn19",
        b"X-Amz-Tenant-Id: tenant-1",
        path="/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction"
        "%3Ahello/invocations?Qualifier=%24LATEST",
    )
    with serve() as (server, service):
        ask(server, request)
    assert service.requests == [
        InvokeRequest(
            ID,
            "arn:aws:lambda:us-east-1:123456789012:function:hello",
            b'{"k": 1}\n',
            qualifier="$LATEST",
            invocation_type="RequestResponse",
            content_type="text/plain",
            trace_id=TRACE,
            client_context='{"custom":{"a":"\u00e9"}}',
            tenant_id="tenant-1",
            wait_for_report=True,
        )
    ]


def test_an_invocation_needs_no_header_and_no_body(serve: Serve) -> None:
    """An absent payload is `{}`; ids are fresh: a UUID and an unsampled trace."""
    with serve() as (server, service):
        ask(server, invoke(b""))
        ask(server, invoke(b"", b"X-Amzn-Trace-Id:", b"X-Amz-Log-Type: None"))
    first, second = service.requests
    assert re.fullmatch(UUID4, first.request_id)
    assert first.request_id != second.request_id
    for request in service.requests:
        assert request.trace_id is not None
        assert re.fullmatch(
            "Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0", request.trace_id
        )
    assert first == InvokeRequest(
        first.request_id,
        "function",
        b"{}",
        content_type="application/json",
        trace_id=first.trace_id,
    )


@pytest.mark.parametrize(
    ("given", "honoured"),
    [
        (b"same", True),
        (b"a" * 128, True),
        (b"Root=1;a,b:c@d$(e)*+!~_.'&", True),
        (b"a" * 129, False),
        (b"with space", False),
        (b"a/b", False),
        (b"50%", False),
        (b"caf\xc3\xa9", False),
    ],
)
def test_the_invokers_request_id_is_honoured_when_a_path_can_hold_it(
    serve: Serve, given: bytes, honoured: bool
) -> None:
    """The runtime puts the id into a path as it stands: what would not fit is replaced."""
    with serve() as (server, service):
        answer = ask(server, invoke(b"{}", b"X-Amzn-RequestId: " + given))
    [request] = service.requests
    assert (request.request_id == given.decode("utf-8")) is honoured
    assert honoured or re.fullmatch(UUID4, request.request_id)
    assert f"\r\nx-amzn-RequestId: {request.request_id}\r\n".encode() in answer


def test_what_curl_calls_a_form_is_json(serve: Serve) -> None:
    """`curl -d '{}'`, with which RIE is documented, is an event in JSON for the runtime."""
    with serve() as (server, service):
        ask(server, invoke(b"{}", b"Content-Type: application/x-www-form-urlencoded"))
    assert service.requests[0].content_type == "application/json"


@pytest.mark.parametrize("kind", ["Event", "DryRun"])
def test_other_invocation_types_are_the_services_business(serve: Serve, kind: str) -> None:
    """The HTTP layer passes every known type on."""
    refused = InvalidParameterValue(f"no {kind}")
    with serve(refused) as (server, service):
        answer = ask(server, invoke(b"{}", b"X-Amz-Invocation-Type: " + kind.encode(), *GIVEN))
    assert service.requests[0].invocation_type == kind
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize(
    "body",
    [b"null", b'"text"', b" [1] ", b"1e5000", b"9" * 5000, b"[" * 2000 + b"]" * 2000],
    ids=["null", "string", "list", "large", "long", "deep"],
)
def test_any_json_is_a_payload(serve: Serve, body: bytes) -> None:
    """Every JSON value is passed on byte for byte, however large its numbers or deep its lists."""
    with serve() as (server, service):
        ask(server, invoke(body))
    assert service.requests[0].payload == body


def test_a_chunked_payload_is_put_together(serve: Serve) -> None:
    """A body without Content-Length is a payload too."""
    head = invoke(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with serve() as (server, service):
        ask(server, head + b"3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n")
    assert service.requests[0].payload == b"[1,2]"


# --- Answers --------------------------------------------------------------------------------


def test_a_result_is_the_runtimes_bytes(serve: Serve) -> None:
    """The payload comes back as it is, with version, ids and trace in the headers."""
    with serve(InvokeAnswer(ID, b"\x00\xff{", "$LATEST")) as (server, _):
        assert ask(server, invoke(b"{}", *GIVEN)) == (
            b"HTTP/1.1 200 OK\r\n"
            b"Content-Type: application/json\r\n"
            b"x-amzn-RequestId: 2ce4b1a5-4b8c-4c3c-9f0e-4a2f5f4d9c11\r\n"
            b"X-Amz-Executed-Version: $LATEST\r\n"
            b"X-Amzn-Trace-Id: "
            b"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n"
            b"Content-Length: 3\r\n"
            b"\r\n"
            b"\x00\xff{"
        )


def test_a_function_error_is_a_200_with_a_mark(serve: Serve) -> None:
    """A failed function answers 200; `X-Amz-Function-Error` tells, the runtime's type is kept."""
    answer = InvokeAnswer(
        ID, b'{"errorType":"E"}', "7", "text/x; charset=utf-8", "Unhandled", "Function.E", b"log"
    )
    with serve(answer) as (server, _):
        assert ask(server, invoke(b"{}", *GIVEN)) == (
            b"HTTP/1.1 200 OK\r\n"
            b"Content-Type: text/x; charset=utf-8\r\n"
            b"x-amzn-RequestId: 2ce4b1a5-4b8c-4c3c-9f0e-4a2f5f4d9c11\r\n"
            b"X-Amz-Executed-Version: 7\r\n"
            b"X-Amz-Function-Error: Unhandled\r\n"
            b"X-Amzn-Trace-Id: "
            b"Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n"
            b"Content-Length: 17\r\n"
            b"\r\n"
            b'{"errorType":"E"}'
        )


def test_the_log_tail_is_its_last_4096_bytes(serve: Serve) -> None:
    """With `X-Amz-Log-Type: Tail` the end of the log comes in base64."""
    answer = InvokeAnswer(ID, b"", "$LATEST", log=b"cut" + b"\xffx" * 2048)
    with serve(answer) as (server, _):
        got = ask(server, invoke(b"{}", b"X-Amz-Log-Type: Tail"))
    line = b"\r\nX-Amz-Log-Result: " + base64.b64encode(b"\xffx" * 2048) + b"\r\n"
    assert line in got


def test_a_content_type_cannot_add_a_header(serve: Serve) -> None:
    """What a runtime posted as its content type stays within its line."""
    answer = InvokeAnswer(ID, b"", "$LATEST", content_type="a\r\nX-Evil: 1")
    with serve(answer) as (server, _):
        assert b"\r\nContent-Type: a  X-Evil: 1\r\n" in ask(server, invoke())


def test_an_invoker_waits_for_its_answer(serve: Serve) -> None:
    """Nothing is sent before the service answers; a half-closed invoker still gets its answer."""
    with serve(None) as (server, service), RawClient(server.address) as client:
        client.send(invoke())
        client.socket.shutdown(socket.SHUT_WR)
        assert service.invoked.wait(DEADLINE_SECONDS)
        assert client.is_parked()
        server.do(lambda: service.waiting[0](OK))
        assert client.read_to_end().endswith(b'\r\n\r\n"ok"')


def test_an_invoker_that_leaves_costs_its_answer_only(serve: Serve) -> None:
    """The answer to a vanished invoker is dropped, and the API serves on."""
    with serve(None) as (server, service):
        with RawClient(server.address) as client:
            client.send(invoke())
            assert service.invoked.wait(DEADLINE_SECONDS)
        server.do(lambda: service.waiting[0](OK))
        assert ask(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 404")


# --- Refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (
            ResourceNotFound("Function not found: arn:f:$LATEST"),
            refusal(
                b"404 Not Found",
                b"ResourceNotFoundException",
                b'{"Type":"User","Message":"Function not found: arn:f:$LATEST"}',
            ),
        ),
        (
            TooManyRequests("Rate Exceeded.", "ReservedFunctionConcurrentInvocationLimitExceeded"),
            refusal(
                b"429 Too Many Requests",
                b"TooManyRequestsException",
                b'{"Reason":"ReservedFunctionConcurrentInvocationLimitExceeded","Type":"User",'
                b'"message":"Rate Exceeded."}',
            ),
        ),
        (
            ServiceError("<oh & no> \u00e9"),
            refusal(
                b"500 Internal Server Error",
                b"ServiceException",
                b'{"Type":"Service","Message":"<oh & no> \xc3\xa9"}',
            ),
        ),
        (
            ValidationFailed("Value 'a' at 'b' failed", "Value 'c' at 'd' failed"),
            refusal(
                b"400 Bad Request",
                b"ValidationException",
                b"""{"message":"2 validation errors detected: Value 'a' at 'b' failed; """
                b"""Value 'c' at 'd' failed"}""",
            ),
        ),
    ],
    ids=["not-found", "throttled", "service", "validation"],
)
def test_a_refusal_of_the_service_has_its_shape(
    serve: Serve, error: ServiceError, answer: bytes
) -> None:
    """Status, `x-amzn-ErrorType` and the members of the body are those of the Lambda API."""
    with serve(error) as (server, _):
        assert ask(server, invoke(b"{}", *GIVEN)) == answer


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (
            b"X-Amz-Invocation-Type: Sync",
            b"1 validation error detected: Value 'Sync' at 'invocationType' failed to satisfy "
            b"constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]",
        ),
        (
            b"X-Amz-Log-Type: tail",
            b"1 validation error detected: Value 'tail' at 'logType' failed to satisfy "
            b"constraint: Member must satisfy enum value set: [Tail, None]",
        ),
    ],
)
def test_an_unknown_word_is_a_validation_error(serve: Serve, header: bytes, message: bytes) -> None:
    """AWS names the value and the words it knows; the body has no Type."""
    with serve() as (server, service):
        assert ask(server, invoke(b"{}", header, *GIVEN)) == refusal(
            b"400 Bad Request", b"ValidationException", b'{"message":"' + message + b'"}'
        )
    assert service.requests == []


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            b"{bad",
            b"Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
        (b'{"a":NaN}', b"NaN is not JSON"),
        (b"-Infinity", b"-Infinity is not JSON"),
        (b" ", b"Expecting value: line 1 column 2 (char 1)"),
        (
            b'"\xff"',
            b"Invalid UTF-8 start byte 0xff\\n at [Source: REDACTED "
            b"(`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 3]",
        ),
    ],
)
def test_a_payload_that_is_no_json_is_refused(serve: Serve, body: bytes, fault: bytes) -> None:
    """AWS parses every payload: NaN, Infinity and broken UTF-8 are not JSON."""
    with serve() as (server, service):
        assert ask(server, invoke(body, *GIVEN)) == refusal(
            b"400 Bad Request",
            b"InvalidRequestContentException",
            b'{"Type":"User","message":"Could not parse request body into json: '
            b"Could not parse payload into json: " + fault + b'"}',
        )
    assert service.requests == []


@pytest.mark.parametrize(
    "context",
    [b"!", b"e30", b"e30=e30=", b"bm90IGpzb24=", b"IngiIA==", b"W10=", b"eyJhIjr/fQ=="],
)
def test_a_client_context_must_be_a_json_object_in_base64(serve: Serve, context: bytes) -> None:
    """Anything else is refused before the function runs."""
    with serve() as (server, service):
        header = b"X-Amz-Client-Context: " + context
        assert ask(server, invoke(b"{}", header, *GIVEN)) == refusal(
            b"400 Bad Request",
            b"InvalidRequestContentException",
            b'{"Type":"User","message":'
            b'"Client context must be a valid Base64-encoded JSON object."}',
        )
    assert service.requests == []


def test_a_payload_above_6_mib_is_refused_unread(serve: Serve) -> None:
    """One byte too many is 413 at once, before any of them is sent."""
    with serve() as (server, service):
        head = invoke(b"", *GIVEN).replace(b"Length: 0", b"Length: 6291457")
        assert ask(server, head) == refusal(
            b"413 Request Entity Too Large",
            b"RequestTooLargeException",
            b'{"Type":"User","message":'
            b'"Request must be smaller than 6291456 bytes for the InvokeFunction operation"}',
        )
    assert service.requests == []


def test_a_payload_of_6_mib_is_taken(serve: Serve) -> None:
    """6291456 bytes are allowed."""
    body = b'"' + b"a" * 6291454 + b'"'
    with serve() as (server, service):
        assert ask(server, invoke(body)).startswith(b"HTTP/1.1 200 OK\r\n")
    assert service.requests[0].payload == body


def test_a_payload_cut_short_invokes_nothing(serve: Serve) -> None:
    """An invoker that goes away inside its payload has asked for nothing."""
    with serve() as (server, service):
        with RawClient(server.address) as client:
            client.send(invoke(b"{}").replace(b"Length: 2", b"Length: 20"))
        assert ask(server, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 404")
    assert service.requests == []


def test_only_post_invokes(serve: Serve) -> None:
    """Another method is 405 with the right one."""
    with serve() as (server, _):
        assert ask(server, invoke().replace(b"POST", b"GET", 1)) == (
            b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\n\r\n"
        )
