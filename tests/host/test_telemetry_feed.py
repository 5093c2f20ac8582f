"""Telemetry of an environment at work: lines put together, losses told, one life at a time."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from rapid_mock import ExecutionEnvironment
from tests.support.processes import eventually


class Listener:
    """A consumer of telemetry that keeps every record."""

    def __init__(self, port: int) -> None:
        self.uri = f"http://sandbox.localdomain:{port}"
        self.records: list[dict[str, Any]] = []

    def texts(self, kind: str) -> list[Any]:
        return [record["record"] for record in self.records if record["type"] == kind]


@pytest.fixture
def listener() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.records += json.loads(body)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Listener(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def unused_uri() -> Iterator[str]:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://sandbox:{unused.getsockname()[1]}"


def begin(env: ExecutionEnvironment, uri: str, *types: str) -> None:
    """An idle environment whose extension `shipper` has subscribed."""
    shipper = env.extension("shipper")
    env.init()
    shipper.register("SHUTDOWN")
    shipper.subscribe(uri, *types)
    shipper.next()
    env.runtime.next()


def invoke(env: ExecutionEnvironment, request_id: str, *prints: tuple[str, str]) -> None:
    invocation = env.invoke(request_id=request_id)
    for name, text in prints:
        env.print(name, text)
    env.runtime.respond(request_id)
    env.runtime.next()
    invocation.result()


def test_an_invocation_ends_the_lines_of_the_function_alone(
    execution_environment: ExecutionEnvironment, listener: Listener
) -> None:
    """A line that an extension is still writing goes on behind the END of the invocation."""
    env = execution_environment
    begin(env, listener.uri, "function", "extension")
    invoke(env, "r1", ("shipper", "one "), ("runtime", "without an end"))
    env.print("shipper", "line\n")
    env.advance(1.0)
    eventually(lambda: len(listener.records) == 2, "both lines")
    assert listener.texts("function") == ["without an end"]
    assert listener.texts("extension") == ["one line"]


@pytest.mark.execution_environment(max_concurrency=2)
def test_an_invocation_ends_no_line_of_another(
    execution_environment: ExecutionEnvironment, listener: Listener
) -> None:
    """With two at work, a line that is half written when one ends is the other's."""
    env = execution_environment
    begin(env, listener.uri, "function")
    env.runtime.next()
    first, second = env.invoke(request_id="r1"), env.invoke(request_id="r2")
    env.runtime.print("half of ")
    env.runtime.respond("r1")
    first.result()
    env.runtime.print("r2's line\nlast words")
    env.runtime.respond("r2")
    second.result()
    env.advance(1.0)
    eventually(lambda: len(listener.records) == 2, "both lines")
    assert listener.texts("function") == ["half of r2's line", "last words"]


def test_a_consumer_that_is_not_there_is_told_of(
    execution_environment: ExecutionEnvironment, unused_uri: str
) -> None:
    """One sentence says who loses records and why: the extension will never hear of it."""
    env = execution_environment
    begin(env, unused_uri)
    invoke(env, "r1")

    def is_told() -> bool:
        env.advance(1.0)
        return "loses telemetry records" in env.log

    eventually(is_told, "a sentence")
    port = unused_uri.rpartition(":")[2]
    assert (
        'rapid-mock: extension "shipper" loses telemetry records (8 so far): could not send events:'
        f" dial tcp 127.0.0.1:{port}: connect: connection refused\n"
    ) in env.log
    invoke(env, "r2")
    for _ in range(20):
        env.advance(1.0)
    assert env.log.count("loses telemetry records") == 1


@pytest.mark.execution_environment(log_format="json")
def test_losses_are_platform_records_too(
    execution_environment: ExecutionEnvironment, unused_uri: str
) -> None:
    """In JSON format each lost batch is a line as AWS has it."""
    env = execution_environment
    begin(env, unused_uri)

    def lines() -> list[dict[str, Any]]:
        env.advance(1.0)
        return [json.loads(line) for line in env.log.splitlines() if "logsDropped" in line]

    eventually(lambda: bool(lines()), "a record")
    record = lines()[0]["record"]
    assert list(record) == ["droppedBytes", "droppedRecords", "reason"]
    assert record["droppedRecords"] == 5
    assert record["reason"].startswith("could not send events: dial tcp 127.0.0.1:")


def test_nothing_is_sent_to_extensions_that_have_ended(
    execution_environment: ExecutionEnvironment, listener: Listener
) -> None:
    """END and REPORT of a failed invocation come when nobody is left, and are no loss."""
    env = execution_environment
    begin(env, listener.uri, "platform")
    invocation = env.invoke(request_id="r1")
    env.runtime.exit(1)
    eventually(lambda: bool(listener.texts("platform.runtimeDone")), "the flush")
    env.extension("shipper").exit(0)
    invocation.result()
    for _ in range(5):
        env.advance(1.0)
    assert listener.texts("platform.report") == []
    assert "loses" not in env.log


def test_over_tcp_there_is_one_connection(execution_environment: ExecutionEnvironment) -> None:
    """It is made when the extension subscribes, and kept; to subscribe again leaves it alone."""
    env = execution_environment
    shipper = env.extension("shipper")
    env.init()
    shipper.register("SHUTDOWN")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        destination = {"protocol": "TCP", "port": listener.getsockname()[1]}
        body = {"schemaVersion": "2025-01-29", "types": ["platform"], "destination": destination}
        sent = (
            "PUT",
            "/2022-07-01/telemetry",
            {"Lambda-Extension-Identifier": shipper.identifier},
            json.dumps(body).encode(),
        )
        assert env.send(*sent).answer().body == b'"OK"'
        kept, _ = listener.accept()
        assert env.send(*sent).answer().body == b'"OK"'
        other, _ = listener.accept()
        with kept, other, kept.makefile("rb") as records:
            env.advance(1.0)
            kinds = [json.loads(records.readline())["type"] for _ in range(2)]
            assert kinds == ["platform.initStart", "platform.telemetrySubscription"]
            assert other.recv(1) == b""
            shipper.next()
            env.runtime.next()
            env.advance(1.0)
            assert json.loads(records.readline())["type"] == "platform.initRuntimeDone"
