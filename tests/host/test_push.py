"""Delivery of telemetry to consumers that answer as consumers do, well and badly.

Source: "Lambda Telemetry API", AWS Lambda Developer Guide; headers and reasons: RIE.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from rapid_mock.host import push
from rapid_mock.host.clock import Clock, ManualClock, SystemClock
from rapid_mock.host.dial import Undelivered
from rapid_mock.host.push import Push
from rapid_mock.lifecycle.subscriptions import Destination

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
Answer = bytes | None
"""Bytes to answer with; None for none at all."""


class Consumer:
    """Takes requests on one port; answers each with the next of `answers`, the last for ever."""

    def __init__(self, *answers: Answer, closes: bool = False) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self.connections = 0
        self._closes = closes

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].split()[0])
                self.requests.append(head + await reader.readexactly(length))
                self.asked.set()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer is not None:
                    writer.write(answer)
                if self._closes:
                    break
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def deliver(
    consumer: Consumer, *batches: list[bytes], clock: Callable[[], Clock] = SystemClock, **to: Any
) -> list[str | None]:
    """Send batches one after the other; why each did not arrive, or None."""

    async def run() -> list[str | None]:
        server = await asyncio.start_server(consumer.take, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        sender = Push(Destination("HTTP", port, **to), clock())
        try:
            return [await failure_of(sender.send(batch)) for batch in batches]
        finally:
            sender.close()
            server.close()
            await server.wait_closed()
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                await asyncio.wait(others)

    return asyncio.run(run())


async def failure_of(sending: Awaitable[None]) -> str | None:
    try:
        await asyncio.wait_for(sending, 10)
    except Undelivered as failure:
        return str(failure)
    return None


def test_a_request_as_it_goes_over_the_wire() -> None:
    """A JSON array to the path that was asked for, with its hash, on a connection that is kept."""
    consumer = Consumer(OK)
    assert deliver(consumer, [b'{"a":1}', b'{"b":2}'], [b"{}"], path="/in?x=1", method="PUT") == [
        None,
        None,
    ]
    body = b'[{"a":1},{"b":2}]'
    digest = base64.b64encode(hashlib.sha256(body).digest())
    head, _, sent = consumer.requests[0].partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"PUT /in?x=1 HTTP/1.1"
    assert lines[1].startswith(b"Host: sandbox.localdomain:")
    assert lines[2:] == [
        b"User-Agent: rapid-mock",
        b"Content-Length: 17",
        b"Content-Type: application/json",
        b"Sequence-Id: " + digest,
    ]
    assert (sent, consumer.connections) == (body, 1)


@pytest.mark.parametrize(
    ("answer", "closes"),
    [
        (b"HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\n\r\nthanks", True),
        (b"HTTP/1.1 200 OK\r\nDate: now\r\n\r\n", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ncut", True),
        (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", False),
    ],
    ids=[
        "no length, closed",
        "a body without a length, closed",
        "no length, kept open",
        "204",
        "chunked",
        "100 first",
        "a body that is cut short",
        "a redirect",
    ],
)
def test_below_400_is_an_acknowledgement(answer: bytes, closes: bool) -> None:
    """Whatever its framing: each batch arrives once, and the next one does, too."""
    consumer = Consumer(answer, closes=closes)
    assert deliver(consumer, [b"1"], [b"2"]) == [None, None]
    assert [request[-3:] for request in consumer.requests] == [b"[1]", b"[2]"]


def test_the_servers_of_python_acknowledge() -> None:
    """AWS's own sample extension answers so: HTTP/1.0, and no word of a length."""
    taken: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    async def run(port: int) -> list[str | None]:
        sender = Push(Destination("HTTP", port), SystemClock())
        failures = [await failure_of(sender.send([batch])) for batch in (b"1", b"2")]
        sender.close()
        return failures

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            assert asyncio.run(run(server.server_port)) == [None, None]
        finally:
            server.shutdown()
            thread.join()
    assert taken == [b"[1]", b"[2]"]


@pytest.mark.parametrize(
    ("answer", "closes", "reason"),
    [
        (
            b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno",
            False,
            "http request failed with status 500 Internal Server Error: no",
        ),
        (
            b"HTTP/1.0 503 Busy\r\n\r\nlater",
            True,
            "http request failed with status 503 Busy: later",
        ),
        (
            b"HTTP/1.1 400 Bad\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
            False,
            "http request failed with status 400 Bad: " + "x" * 1024,
        ),
        (b"SSH-2.0-OpenSSH\r\n", False, "the answer is not HTTP: "),
        (b"", True, "the connection was closed without an answer"),
        (b"HTTP/1.1 200 O", True, "the connection was closed without an answer"),
    ],
    ids=["500", "503 without a length", "a long body", "no HTTP", "nothing", "half a head"],
)
def test_everything_else_is_a_failure_with_a_reason(
    answer: bytes, closes: bool, reason: str
) -> None:
    """The status with the beginning of its body, in RIE's words, or what happened instead."""
    (failure,) = deliver(Consumer(answer, closes=closes), [b"1"])
    assert failure is not None
    assert failure.startswith(reason)


def test_a_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    """A consumer may close what is idle: the batch is no failure, and arrives once."""
    consumer = Consumer(OK, closes=True)
    assert deliver(consumer, [b"1"], [b"2"], [b"3"]) == [None, None, None]
    assert [request[-3:] for request in consumer.requests] == [b"[1]", b"[2]", b"[3]"]
    assert consumer.connections == 3


@pytest.mark.parametrize("protocol", ["HTTP", "TCP"])
def test_nobody_listens(protocol: str) -> None:
    """The reason names the address, as the refusal of a subscription does."""

    async def run(port: int) -> str | None:
        return await failure_of(Push(Destination(protocol, port), SystemClock()).send([b"1"]))

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        failure = asyncio.run(run(port))
    assert failure == f"dial tcp 127.0.0.1:{port}: connect: connection refused"


def test_a_consumer_that_does_not_answer_has_five_seconds() -> None:
    """By the environment's clock: here they take no time."""
    consumer, clock = Consumer(None), ManualClock()

    async def run() -> str | None:
        server = await asyncio.start_server(consumer.take, "127.0.0.1", 0)
        sender = Push(Destination("HTTP", server.sockets[0].getsockname()[1]), clock)
        sending = asyncio.ensure_future(failure_of(sender.send([b"1"])))
        await consumer.asked.wait()
        clock.advance(4.999)
        await asyncio.sleep(0)
        assert not sending.done()
        clock.advance(0.001)
        failure = await sending
        server.close()
        await server.wait_closed()
        return failure

    assert asyncio.run(run()) == "no answer within 5.0 s"


LINES = [b"%d " % number + b"x" * 1000 for number in range(2000)]


def test_over_tcp_a_record_is_a_line() -> None:
    """On one connection that is kept, batch after batch."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        async def run() -> None:
            sender = Push(Destination("TCP", listener.getsockname()[1]), SystemClock())
            await sender.send([b"1", b"2"])
            await sender.send([b"3"])
            sender.close()

        asyncio.run(run())
        wire, _ = listener.accept()
        with wire, wire.makefile("rb") as stream:
            assert [stream.readline() for _ in range(3)] == [b"1\n", b"2\n", b"3\n"]


def test_over_tcp_slow_is_not_late() -> None:
    """A consumer that takes longer for a batch than an attempt may take gets each line once."""
    clock, received = ManualClock(), bytearray()
    whole, ended = asyncio.Event(), asyncio.Event()

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            before = len(received) >> 20
            received.extend(data)
            clock.advance((len(received) >> 20) - before)  # a second for a mebibyte
            if len(received) >= size:
                whole.set()
        writer.close()
        ended.set()

    async def run() -> str | None:
        server = await asyncio.start_server(read, "127.0.0.1", 0)
        sender = Push(Destination("TCP", server.sockets[0].getsockname()[1]), clock)
        failure = await failure_of(sender.send(LINES * 5))
        await whole.wait()
        sender.close()
        await ended.wait()
        server.close()
        await server.wait_closed()
        return failure

    size = 5 * sum(len(line) + 1 for line in LINES)
    began = clock.now().monotonic
    assert asyncio.run(run()) is None
    assert clock.now().monotonic - began > push.SEND_SECONDS
    assert bytes(received).split(b"\n")[:-1] == LINES * 5


def test_over_tcp_a_consumer_that_does_not_read_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the kernel takes nothing more for as long as an attempt may take."""
    monkeypatch.setattr(push, "SEND_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        async def run() -> str | None:
            sender = Push(Destination("TCP", listener.getsockname()[1]), SystemClock())
            return await failure_of(sender.send(LINES * 10))

        assert asyncio.run(run()) == "no answer within 0.05 s"
