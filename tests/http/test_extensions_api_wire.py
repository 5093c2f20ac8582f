from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from rapid_mock.http.extensions_api import add_extensions_api
from rapid_mock.http.router import Router
from rapid_mock.http.telemetry_api import add_telemetry_api
from rapid_mock.lifecycle.effects import (
    Accepted,
    InvokeEvent,
    Message,
    Refused,
    RegistrationAccepted,
    ShutdownEvent,
)
from rapid_mock.lifecycle.events import (
    ExtensionExitFailed,
    ExtensionInitFailed,
    ExtensionNext,
    ExtensionRegistered,
)
from rapid_mock.lifecycle.modes import CLASSIC
from tests.support.raw_http import RawClient, ServerThread
from tests.support.scripted_environment import ScriptedEnvironment, ask, serving

UUID4 = rb"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
IDENTIFIER = "12345678-1234-1234-1234-123456789abc"
OK = (
    b"HTTP/1.1 202 Accepted\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 16\r\n"
    b"\r\n"
    b'{"status":"OK"}\n'
)
REGISTERED = RegistrationAccepted(
    "a2c1ba65-ed1d-4b3a-9d6e-2c4b1b3a5f6d", "hello", "$LATEST", "app.handler"
)

Serve = Callable[..., AbstractContextManager[tuple[ServerThread, ScriptedEnvironment]]]


@pytest.fixture
def serve() -> Serve:
    @contextmanager
    def serve_extensions_api(
        *answers: Message | None,
    ) -> Iterator[tuple[ServerThread, ScriptedEnvironment]]:
        environment = ScriptedEnvironment(*answers)

        def add(router: Router) -> None:
            add_extensions_api(router, environment)
            add_telemetry_api(router, environment, CLASSIC)

        with serving(add) as server:
            yield server, environment

    return serve_extensions_api


def post(call: str, body: bytes, *headers: bytes) -> bytes:
    lines = [f"POST /2020-01-01/extension/{call} HTTP/1.1".encode(), b"Host: localhost:9001"]
    lines += [*headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def register(body: bytes, *headers: bytes) -> bytes:
    return post("register", body, b"Lambda-Extension-Name: shipper", *headers)


def next_event(*headers: bytes) -> bytes:
    lines = [b"GET /2020-01-01/extension/event/next HTTP/1.1", b"Host: localhost:9001", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


NEXT = next_event(b"Lambda-Extension-Identifier: " + IDENTIFIER.encode())


def refusal(error_type: str, message: str) -> bytes:
    body = f'{{"errorMessage":"{message}","errorType":"{error_type}"}}\n'.encode()
    return (
        b"HTTP/1.1 403 Forbidden\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: %d\r\n"
        b"\r\n" % len(body)
    ) + body


# --- register -------------------------------------------------------------------------------


def test_a_registration_is_answered_with_the_function_and_an_identifier(serve: Serve) -> None:
    """The identifier comes in a header, the function in the body, with a newline."""
    with serve(REGISTERED) as (server, environment):
        assert ask(server, register(b'{"events":["INVOKE","SHUTDOWN"]}')) == (
            b"HTTP/1.1 200 OK\r\n"
            b"Content-Type: application/json\r\n"
            b"Lambda-Extension-Identifier: a2c1ba65-ed1d-4b3a-9d6e-2c4b1b3a5f6d\r\n"
            b"Content-Length: 77\r\n"
            b"\r\n"
            b'{"functionName":"hello","functionVersion":"$LATEST","handler":"app.handler"}\n'
        )
    [event] = environment.events
    assert isinstance(event, ExtensionRegistered)
    assert re.fullmatch(UUID4.decode(), event.identifier)
    event.identifier = "fresh"
    assert event == ExtensionRegistered(1, "shipper", ("INVOKE", "SHUTDOWN"), "fresh")


def test_the_account_id_comes_first(serve: Serve) -> None:
    """An extension that asked for the account id gets it as the first member."""
    registered = RegistrationAccepted("id", "f", "1", "h", "123456789012")
    with serve(registered) as (server, _):
        assert ask(server, register(b"{}")).endswith(
            b'\r\n\r\n{"accountId":"123456789012","functionName":"f","functionVersion":"1",'
            b'"handler":"h"}\n'
        )


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (b"Lambda-Extension-Accept-Feature: accountId", True),
        (b"lambda-extension-accept-feature: other , accountId", True),
        (b"Lambda-Extension-Accept-Feature: ACCOUNTID", False),
        (b"Lambda-Extension-Accept-Feature: accountIds", False),
        (b"Lambda-Extension-Accept-Feature:", False),
    ],
)
def test_features_are_a_list_of_words(serve: Serve, header: bytes, wanted: bool) -> None:
    """Only `accountId`, in this case and between commas, asks for the account id."""
    with serve(REGISTERED) as (server, environment):
        ask(server, register(b"{}", header))
    [event] = environment.events
    assert isinstance(event, ExtensionRegistered)
    assert event.wants_account_id is wanted


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"{}", ()),
        (b"null", ()),
        (b'{"events":null}', ()),
        (b'{"events":[]}', ()),
        (b'{"Events":["invoke","FOO"],"more":{"a":[1]}}', ("invoke", "FOO")),
        (b'{"events":[null],"configurationKeys":[]}', ("",)),
    ],
)
def test_event_names_are_passed_on_unjudged(
    serve: Serve, body: bytes, events: tuple[str, ...]
) -> None:
    """Whether an event exists is for the environment to say; unknown members are ignored."""
    with serve(REGISTERED) as (server, environment):
        ask(server, register(body))
    [event] = environment.events
    assert isinstance(event, ExtensionRegistered)
    assert event.events == events


def test_a_name_is_utf8(serve: Serve) -> None:
    """A name of any bytes reaches the environment as text."""
    with serve(REGISTERED) as (server, environment):
        ask(server, post("register", b"{}", b"Lambda-Extension-Name: Zo\xc3\xab.sh"))
    [event] = environment.events
    assert isinstance(event, ExtensionRegistered)
    assert event.name == "Zo\u00eb.sh"


@pytest.mark.parametrize("headers", [[], [b"Lambda-Extension-Name:"]])
def test_a_registration_needs_a_name_before_all_else(serve: Serve, headers: list[bytes]) -> None:
    """A missing or empty name is refused before the body is looked at."""
    with serve() as (server, environment):
        assert ask(server, post("register", b"{bad", *headers)) == refusal(
            "Extension.InvalidExtensionName", "Empty extension name"
        )
    assert environment.events == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "unexpected end of JSON input"),
        (b"{bad", "invalid character 'b' looking for beginning of object key string"),
        (b'{"events":["\xff" "b"]}', "invalid character '\\\"' after array element"),
        (
            b"[]",
            "json: cannot unmarshal array into Go value of type struct { handler.RegisterRequest;"
            ' ConfigurationKeys []string \\"json:\\\\\\"configurationKeys\\\\\\"\\" }',
        ),
        (
            b'{"events":"INVOKE"}',
            "json: cannot unmarshal string into Go struct field .RegisterRequest.events"
            " of type []core.Event",
        ),
        (
            b'{"events":["FOO",1]}',
            "json: cannot unmarshal number into Go struct field .RegisterRequest.events"
            " of type core.Event",
        ),
        (
            b'{"configurationKeys":[true]}',
            "json: cannot unmarshal bool into Go struct field .configurationKeys of type string",
        ),
        (
            b'{"events":["FOO"],"configurationKeys":["a"]}',
            "configurationKeys are deprecated; use environment variables instead",
        ),
    ],
)
def test_a_registration_of_the_wrong_form_is_refused(
    serve: Serve, body: bytes, message: str
) -> None:
    """The body must be a JSON object of the right types; the environment is not asked."""
    with serve() as (server, environment):
        assert ask(server, register(body)) == refusal("InvalidRequestFormat", message)
    assert environment.events == []


def test_a_registration_cut_short_is_refused(serve: Serve) -> None:
    """EOF inside the body is a malformed request."""
    with serve() as (server, environment), RawClient(server.address) as client:
        client.send(register(b"{").replace(b"Length: 1", b"Length: 10"))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_to_end().endswith(
            b'\r\n\r\n{"errorMessage":"unexpected EOF","errorType":"InvalidRequestFormat"}\n'
        )
    assert environment.events == []


def test_a_refused_registration_names_the_event_safely(serve: Serve) -> None:
    """The environment's refusal is a 403 with its text, HTML escaped."""
    answer = Refused(403, "Extension.InvalidEventType", "<b>: ErrorInvalidEventType")
    with serve(answer) as (server, _):
        assert ask(server, register(b'{"events":["<b>"]}')) == refusal(
            "Extension.InvalidEventType", "\\u003cb\\u003e: ErrorInvalidEventType"
        )


# --- event/next -----------------------------------------------------------------------------


def test_an_invoke_event_says_what_is_invoked(serve: Serve) -> None:
    """INVOKE has a fresh identifier per delivery, its members in AWS's order, and no newline."""
    event = InvokeEvent(
        676051,
        "3da1f2dc-3222-475e-9205-e2e6c6318895",
        "arn:aws:lambda:us-east-1:123456789012:function:hello",
        "Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Parent=2be948a625588e32;Sampled=1",
    )
    with serve(event, event) as (server, environment):
        answers = [ask(server, NEXT), ask(server, NEXT)]
    pattern = (
        rb"HTTP/1\.1 200 OK\r\n"
        rb"Content-Type: application/json\r\n"
        rb"Lambda-Extension-Event-Identifier: (" + UUID4 + rb")\r\n"
        rb"Content-Length: 291\r\n"
        rb"\r\n"
    )
    body = (
        b'{"eventType":"INVOKE","deadlineMs":676051,'
        b'"requestId":"3da1f2dc-3222-475e-9205-e2e6c6318895",'
        b'"invokedFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:hello",'
        b'"tracing":{"type":"X-Amzn-Trace-Id",'
        b'"value":"Root=1-5f35ae12-0c0fec141ab77a00bc047aa2;Parent=2be948a625588e32;Sampled=1"}}'
    )
    matches = [re.fullmatch(pattern + re.escape(body), answer) for answer in answers]
    assert all(matches), answers
    assert len({match[1] for match in matches if match}) == 2
    assert environment.events == [ExtensionNext(1, IDENTIFIER), ExtensionNext(2, IDENTIFIER)]


def test_an_invoke_event_without_a_trace_has_no_tracing(serve: Serve) -> None:
    """`tracing` is left out when the invocation has no trace id."""
    with serve(InvokeEvent(1, "id-1", "arn:f", None)) as (server, _):
        assert ask(server, NEXT).endswith(
            b'\r\n\r\n{"eventType":"INVOKE","deadlineMs":1,"requestId":"id-1",'
            b'"invokedFunctionArn":"arn:f"}'
        )


def test_a_shutdown_event_says_why(serve: Serve) -> None:
    """SHUTDOWN is JSON with an identifier too, as in AWS."""
    with serve(ShutdownEvent(676051, "spindown")) as (server, _):
        answer = ask(server, NEXT)
    assert re.fullmatch(
        rb"HTTP/1\.1 200 OK\r\n"
        rb"Content-Type: application/json\r\n"
        rb"Lambda-Extension-Event-Identifier: " + UUID4 + rb"\r\n"
        rb"Content-Length: 72\r\n"
        rb"\r\n"
        rb'\{"eventType":"SHUTDOWN","deadlineMs":676051,"shutdownReason":"spindown"\}',
        answer,
    )


@pytest.mark.parametrize("leave", ["close", "half-close"])
def test_an_extension_that_leaves_its_next_is_told(serve: Serve, leave: str) -> None:
    """A parked `event/next` sends no byte, and its client's leaving is told."""
    with serve() as (server, environment), RawClient(server.address) as client:
        client.send(NEXT)
        environment.wait_for(lambda told: len(told.events) == 1)
        assert client.is_parked()
        if leave == "close":
            client.socket.close()
        else:
            client.socket.shutdown(socket.SHUT_WR)
        environment.wait_for(lambda told: told.gone == [1])


# --- Identifiers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [
        b"12345678-1234-1234-1234-123456789abc",
        b"12345678-1234-1234-1234-123456789ABC",
        b"{12345678-1234-1234-1234-123456789abc}",
        b"(12345678-1234-1234-1234-123456789abc]",
        b"urn:uuid:12345678-1234-1234-1234-123456789abc",
        b"URN:UUID:12345678-1234-1234-1234-123456789ABC",
        b"12345678123412341234123456789ABC",
    ],
)
@pytest.mark.parametrize("call", ["event/next", "init/error"])
def test_an_identifier_may_be_spelled_as_go_reads_uuids(
    serve: Serve, call: str, spelling: bytes
) -> None:
    """Every spelling reaches the environment in the canonical one."""
    header = b"Lambda-Extension-Identifier: " + spelling
    with serve(Accepted()) as (server, environment):
        if call == "event/next":
            ask(server, next_event(header))
        else:
            ask(server, post(call, b"", header, b"Lambda-Extension-Function-Error-Type: X"))
    [event] = environment.events
    assert isinstance(event, ExtensionNext | ExtensionInitFailed)
    assert event.identifier == IDENTIFIER


@pytest.mark.parametrize(
    "spelling",
    [
        b"nope",
        b"12345678-1234-1234-1234-123456789ab",
        b"12345678-1234-1234-1234-123456789abcd",
        b"12345678-1234-1234-1234-123456789abg",
        b"12345678_1234_1234_1234_123456789abc",
        b"{12345678123412341234123456789abc}",
        b"urn:uuid;12345678-1234-1234-1234-123456789abc",
        b"\xc3\xa912345678-1234-1234-1234-123456789ab",
    ],
)
@pytest.mark.parametrize("call", ["event/next", "init/error", "exit/error"])
def test_an_identifier_that_is_no_uuid_is_invalid(serve: Serve, call: str, spelling: bytes) -> None:
    """The identifier's form is checked before anything else about the call."""
    header = b"Lambda-Extension-Identifier: " + spelling
    request = next_event(header) if call == "event/next" else post(call, b"", header)
    with serve() as (server, environment):
        assert ask(server, request) == refusal(
            "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier"
        )
    assert environment.events == []


@pytest.mark.parametrize("headers", [[], [b"Lambda-Extension-Identifier:"]])
@pytest.mark.parametrize("call", ["event/next", "init/error", "exit/error"])
def test_an_identifier_is_required(serve: Serve, call: str, headers: list[bytes]) -> None:
    """A missing or empty identifier is refused."""
    request = next_event(*headers) if call == "event/next" else post(call, b"", *headers)
    with serve() as (server, environment):
        assert ask(server, request) == refusal(
            "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header"
        )
    assert environment.events == []


# --- init/error, exit/error -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "event"),
    [
        ("init/error", ExtensionInitFailed(1, IDENTIFIER, "weird <type>")),
        ("exit/error", ExtensionExitFailed(1, IDENTIFIER, "weird <type>")),
    ],
)
def test_an_extension_reports_an_error_by_its_type(
    serve: Serve, call: str, event: ExtensionInitFailed | ExtensionExitFailed
) -> None:
    """Any type is taken, and the body is not looked at."""
    request = post(
        call,
        b"{not json",
        b"Lambda-Extension-Identifier: " + IDENTIFIER.encode(),
        b"Lambda-Extension-Function-Error-Type: weird <type>",
    )
    with serve(Accepted()) as (server, environment):
        assert ask(server, request) == OK
    assert environment.events == [event]


@pytest.mark.parametrize("headers", [[], [b"Lambda-Extension-Function-Error-Type:"]])
@pytest.mark.parametrize("call", ["init/error", "exit/error"])
def test_an_error_needs_a_type_before_its_extension_is_looked_up(
    serve: Serve, call: str, headers: list[bytes]
) -> None:
    """Without a type the call is refused, whoever makes it; the environment is not asked."""
    identifier = b"Lambda-Extension-Identifier: " + IDENTIFIER.encode()
    with serve() as (server, environment):
        assert ask(server, post(call, b"{}", identifier, *headers)) == refusal(
            "Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found"
        )
    assert environment.events == []


@pytest.mark.parametrize(
    ("line", "allow"),
    [
        (b"GET /2022-07-01/telemetry", b"PUT"),
        (b"POST /2020-08-15/logs", b"PUT"),
        (b"POST /2020-01-01/extension/event/next", b"GET"),
        (b"GET /2020-01-01/extension/register", b"POST"),
        (b"PUT /2020-01-01/extension/init/error", b"POST"),
        (b"GET /2020-01-01/extension/exit/error", b"POST"),
    ],
)
def test_another_method_is_not_allowed(serve: Serve, line: bytes, allow: bytes) -> None:
    """The method is decided before the identifier is looked at."""
    with serve() as (server, _):
        assert ask(server, line + b" HTTP/1.1\r\nHost: localhost\r\n\r\n") == (
            b"HTTP/1.1 405 Method Not Allowed\r\nAllow: " + allow + b"\r\nContent-Length: 0\r\n\r\n"
        )
