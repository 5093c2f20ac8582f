"""The Telemetry API and the Logs API on the wire: what is asked, what is answered."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from rapid_mock.http.router import Router
from rapid_mock.http.telemetry_api import add_telemetry_api
from rapid_mock.lifecycle.effects import Refused, Subscribed
from rapid_mock.lifecycle.events import TelemetrySubscribed
from rapid_mock.lifecycle.modes import CLASSIC, Mode, managed_instances
from rapid_mock.lifecycle.subscriptions import Buffering, Destination, Subscription
from tests.support.raw_http import DEADLINE_SECONDS, ServerThread
from tests.support.scripted_environment import ScriptedEnvironment, ask, serving

IDENTIFIER = "00000000-1111-2222-3333-444444444444"
SCHEMA = "file:///tmp/telemetry-subscription-schema.json#"
TELEMETRY, LOGS = "/2022-07-01/telemetry", "/2020-08-15/logs"


@contextmanager
def serve(
    *answers: Subscribed | Refused, mode: Mode = CLASSIC
) -> Iterator[tuple[ServerThread, ScriptedEnvironment]]:
    environment = ScriptedEnvironment(*answers)

    def add(router: Router) -> None:
        add_telemetry_api(router, environment, mode)

    with serving(add) as server:
        yield server, environment


def put(path: str, body: bytes, identifier: str = IDENTIFIER) -> bytes:
    return (
        f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nLambda-Extension-Identifier: {identifier}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def body_of(**members: Any) -> bytes:
    document: dict[str, Any] = {
        "schemaVersion": "2022-12-13",
        "types": ["platform", "function", "extension"],
        "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/in?x=1"},
    }
    document.update(members)
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def event_of(server_answer: ScriptedEnvironment) -> TelemetrySubscribed:
    (event,) = server_answer.events
    assert isinstance(event, TelemetrySubscribed)
    return event


def test_a_subscription_is_answered_ok() -> None:
    """200 with the JSON string "OK" as plain text; all that was asked for reaches the core."""
    buffering = {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25}
    with serve(Subscribed()) as (server, environment):
        assert ask(server, put(TELEMETRY, body_of(buffering=buffering))) == (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b'Content-Length: 4\r\n\r\n"OK"'
        )
    event = event_of(environment)
    assert event.identifier == IDENTIFIER
    assert event.wanted == Subscription(
        False,
        "2022-12-13",
        ("platform", "function", "extension"),
        Destination("HTTP", 4243, "sandbox.localdomain", "/in?x=1"),
        Buffering(1000, 262144, 0.025),
    )


def test_the_logs_api_has_defaults() -> None:
    """Its schema version may be left out, as may the buffering; the method may be PUT."""
    destination = {"protocol": "HTTP", "URI": "http://sandbox:1", "method": "PUT"}
    body = body_of(schemaVersion=None, types=["function"], destination=destination)
    with serve(Subscribed()) as (server, environment):
        assert ask(server, put(LOGS, body)).startswith(b"HTTP/1.1 200 OK\r\n")
    event = event_of(environment)
    assert event.is_logs_api
    assert event.wanted == Subscription(
        True,
        "2020-08-15",
        ("function",),
        Destination("HTTP", 1, "sandbox", "/", "PUT"),
        Buffering(10000, 262144, 1.0),
    )


def place(pointer: str, schema: str, text: str) -> str:
    return (
        f"schema validation error: jsonschema: '{pointer}' does not validate with "
        f"{SCHEMA}{schema}: {text}"
    )


BUFFERING = "/properties/buffering/properties"
DESTINATION = "/properties/destination/oneOf/0"
HTTP = "http://sandbox.localdomain:1"
FAULTS = [
    (b"", "failed to parse JSON: unexpected end of JSON input"),
    (
        b"{bad",
        "failed to parse JSON: invalid character 'b' looking for beginning of object key string",
    ),
    (
        b"[]",
        "failed to parse JSON: json: cannot unmarshal array into Go value of type "
        "map[string]interface {}",
    ),
    (
        b"{}",
        place("", "/required", "missing properties: 'schemaVersion', 'types', 'destination'"),
    ),
    (
        body_of(schemaVersion="2020-01-01"),
        place(
            "/schemaVersion",
            "/properties/schemaVersion/enum",
            'value must be one of "2022-07-01", "2022-12-13", "2025-01-29"',
        ),
    ),
    (
        body_of(types=["platform", "bogus"]),
        place(
            "/types/1",
            "/properties/types/items/enum",
            'value must be one of "platform", "function", "extension"',
        ),
    ),
    (
        body_of(types="platform"),
        place("/types", "/properties/types/type", "expected array, but got string"),
    ),
    (
        body_of(buffering={"maxItems": 999}),
        place(
            "/buffering/maxItems", f"{BUFFERING}/maxItems/minimum", "must be >= 1000 but found 999"
        ),
    ),
    (
        body_of(buffering={"maxBytes": 1048577}),
        place(
            "/buffering/maxBytes",
            f"{BUFFERING}/maxBytes/maximum",
            "must be <= 1.048576e+06 but found 1.048577e+06",
        ),
    ),
    (
        body_of(buffering={"timeoutMs": 30001}),
        place(
            "/buffering/timeoutMs",
            f"{BUFFERING}/timeoutMs/maximum",
            "must be <= 30000 but found 30001",
        ),
    ),
    (
        body_of(buffering={"maxItems": "x"}),
        place(
            "/buffering/maxItems",
            f"{BUFFERING}/maxItems/type",
            "expected integer, but got string",
        ),
    ),
    (
        body_of(destination={"protocol": "HTTP"}),
        place("/destination", f"{DESTINATION}/required", "missing properties: 'URI'"),
    ),
    (
        body_of(destination={"protocol": "http", "URI": HTTP}),
        place(
            "/destination/protocol",
            f"{DESTINATION}/properties/protocol/enum",
            'value must be "HTTP"',
        ),
    ),
    (
        body_of(destination={"protocol": "TCP", "port": 0}),
        place("/destination", f"{DESTINATION}/required", "missing properties: 'URI'"),
    ),
    (
        body_of(destination={"protocol": "TCP", "port": True}),
        place("/destination", f"{DESTINATION}/required", "missing properties: 'URI'"),
    ),
    (
        body_of(destination={"protocol": "HTTP", "URI": "http://127.0.0.1:1"}),
        "Invalid destination: destination.URI host must be sandbox.localdomain",
    ),
    (
        body_of(destination={"protocol": "HTTP", "URI": "not a uri"}),
        "Invalid destination: destination.URI host must be sandbox.localdomain",
    ),
    (
        body_of(types=[], destination={"protocol": "HTTP", "URI": "http://sandbox.localdomain"}),
        "URI port is not provided; types should not be empty",
    ),
]


@pytest.mark.parametrize(("body", "fault"), FAULTS, ids=lambda value: str(value)[-40:])
def test_a_faulty_subscription_is_told_its_fault(body: bytes, fault: str) -> None:
    """400, plain text that is JSON, `errorType` first, in the words of Lambda or its emulator."""
    with serve() as (server, environment):
        server.errors.clear()
        ask_later = put(TELEMETRY, body)
        environment._answers = []
        dispatch = environment.dispatch

        def answer(event: Any) -> None:
            dispatch(event)
            environment.reply(event.exchange, event.wanted)

        environment.dispatch = answer  # type: ignore[method-assign]
        head, _, text = ask(server, ask_later).partition(b"\r\n\r\n")
    assert head.startswith(
        b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    )
    expected = json.dumps(fault)
    assert text == b'{"errorType": "ValidationError", "errorMessage": ' + expected.encode() + b"}"


def test_a_tcp_destination_must_listen() -> None:
    """Nobody on the port: the subscription is refused with the address."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        body = body_of(destination={"protocol": "TCP", "port": port})
        with serve(Subscribed()) as (server, environment):
            ask(server, put(TELEMETRY, body))
    wanted: Any = event_of(environment).wanted
    assert wanted.message == (
        f"Invalid destination: could not TCP dial provided address 127.0.0.1:{port}: "
        f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    )


def test_a_tcp_destination_that_listens_is_taken() -> None:
    """The subscription has the port; a connection that nobody wants is closed."""
    with socket.create_server(("127.0.0.1", 0)) as consumer:
        port = consumer.getsockname()[1]
        body = body_of(destination={"protocol": "TCP", "port": port})
        with serve(Subscribed()) as (server, environment):
            assert b" 200 OK\r\n" in ask(server, put(TELEMETRY, body))
        wire, _ = consumer.accept()
        with wire:
            wire.settimeout(DEADLINE_SECONDS)
            assert wire.recv(1) == b""
    wanted: Any = event_of(environment).wanted
    assert wanted.destination == Destination("TCP", port)


def test_a_body_over_a_mebibyte_is_refused_at_once() -> None:
    """500, as the emulator answers; nothing reaches the environment."""
    with serve() as (server, environment):
        answer = ask(server, put(TELEMETRY, b"x" * 1048577))
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert answer.endswith(
        b'{"errorMessage":"Internal Server Error","errorType":"InternalServerError"}\n'
    )
    assert environment.events == []


def test_an_identifier_is_needed_first() -> None:
    """Without an identifier, or with a bad one, the body is not looked at."""
    with serve() as (server, environment):
        missing = ask(server, b"PUT /2020-08-15/logs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        invalid = ask(server, put(TELEMETRY, b"{", "x"))
    assert missing.endswith(
        b'{"errorMessage":"Missing Lambda-Extension-Identifier header",'
        b'"errorType":"Extension.MissingExtensionIdentifier"}\n'
    )
    assert invalid.endswith(
        b'{"errorMessage":"Invalid Lambda-Extension-Identifier",'
        b'"errorType":"Extension.InvalidExtensionIdentifier"}\n'
    )
    assert environment.events == []


def test_managed_instances_have_one_schema_and_no_logs_api() -> None:
    """As recorded: only 2025-01-29 is a schema, and /2020-08-15/logs is not found."""
    with serve(Subscribed(), mode=managed_instances(4)) as (server, environment):
        assert ask(server, put(LOGS, body_of())).startswith(b"HTTP/1.1 404 ")
        ask(server, put(TELEMETRY, body_of()))
    wanted: Any = event_of(environment).wanted
    assert wanted.message.endswith('/schemaVersion/enum: value must be "2025-01-29"')
