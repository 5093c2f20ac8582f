from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from rapid_mock.http.router import Router
from rapid_mock.http.server import Buffered, Exchange
from tests.support.raw_http import RawClient, ServerThread

PLAIN = [("Content-Type", "text/plain")]
Pairs = list[tuple[str, str]]


class Far:
    """The far side: echoes, parks, takes streams, fails."""

    def __init__(self) -> None:
        self.parked: list[Exchange] = []
        self.vanished = threading.Event()
        self.truncated = threading.Event()
        self.chunks: list[bytes] = []
        self.trailers: list[tuple[str, str]] = []

    def router(self) -> Router:
        router = Router()
        router.add("POST", "/echo/{name}", Buffered(_echo, max_body=1000))
        router.add("GET", "/park", Buffered(self._park))
        router.add("GET", "/fail", Buffered(_fail))
        router.add("POST", "/stream", StreamEndpoint(self))
        return router

    def _park(self, exchange: Exchange, _body: bytes) -> None:
        exchange.survives_half_close = "survive" in exchange.request.query
        exchange.on_disconnect = self.vanished.set
        self.parked.append(exchange)


def _echo(exchange: Exchange, body: bytes) -> None:
    exchange.respond(200, PLAIN, exchange.request.params["name"].encode() + b"=" + body)


def _fail(_exchange: Exchange, _body: bytes) -> None:
    raise RuntimeError("a fault of ours")


class StreamEndpoint:
    max_body = 1000

    def __init__(self, far: Far) -> None:
        self._far = far

    def head(self, exchange: Exchange) -> StreamSink:
        return StreamSink(self._far, exchange)

    def complete(self, _exchange: Exchange, _body: bytes, _trailers: Pairs) -> None:
        raise AssertionError("a sink takes the body")

    def too_large(self, exchange: Exchange) -> None:
        exchange.respond(413, PLAIN, b"too large")

    def truncated(self, _exchange: Exchange) -> None:
        raise AssertionError("the sink hears of it")


class StreamSink:
    def __init__(self, far: Far, exchange: Exchange) -> None:
        self._far = far
        self._exchange = exchange

    def data(self, data: bytes) -> None:
        self._far.chunks.append(data)

    def end(self, trailers: list[tuple[str, str]]) -> None:
        self._far.trailers = trailers
        self._exchange.respond(200, PLAIN, b"".join(self._far.chunks))

    def truncated(self) -> None:
        self._far.truncated.set()


@pytest.fixture
def far() -> Far:
    return Far()


@pytest.fixture
def server(far: Far) -> Iterator[ServerThread]:
    with ServerThread(far.router()) as server:
        yield server


@pytest.fixture
def client(server: ServerThread) -> Iterator[RawClient]:
    with RawClient(server.address) as client:
        yield client


ECHO = b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"
ECHOED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na=hi"


def test_keep_alive_serves_many(client: RawClient) -> None:
    """A connection carries one request after the other."""
    assert [client.answer(ECHO) for _ in range(3)] == [ECHOED] * 3


def test_one_byte_at_a_time(client: RawClient) -> None:
    """A request that arrives byte by byte is a request."""
    for position in range(len(ECHO) - 1):
        client.send(ECHO[position : position + 1])
    assert client.answer(ECHO[-1:]) == ECHOED


def test_date_header(client: RawClient) -> None:
    """Every answer has a Date."""
    client.send(ECHO)
    assert b"\r\nDate: " in client.socket.recv(1000)


@pytest.mark.parametrize(
    ("request_head", "answer"),
    [
        (
            b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"X-Content-Type-Options: nosniff\r\nContent-Length: 19\r\n\r\n404 page not found\n",
        ),
        (
            b"GET /echo/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            b"GET /park/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"X-Content-Type-Options: nosniff\r\nContent-Length: 19\r\n\r\n404 page not found\n",
        ),
        (
            b"POST /echo/a%3Ab?x=y HTTP/1.1\r\nhOST: LOCALHOST:99\r\ncontent-LENGTH: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na:b=",
        ),
        (
            b"POST http://localhost:1/echo/z HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 1\r\n\r\n!",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nz=!",
        ),
        (
            b"POST /echo/c HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"1\r\nx\r\n2;ext=1\r\nyz\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nc=xyz",
        ),
    ],
)
def test_requests_and_their_answers(client: RawClient, request_head: bytes, answer: bytes) -> None:
    """Unknown paths, wrong methods, any header case, absolute targets, queries, chunked bodies."""
    assert client.answer(request_head) == answer
    assert client.answer(ECHO) == ECHOED


def test_http_1_0_closes(client: RawClient) -> None:
    """HTTP/1.0 needs no Host, and the connection closes after the answer."""
    client.send(b"POST /echo/a HTTP/1.0\r\nContent-Length: 1\r\n\r\nx")
    assert client.read_to_end() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"
        b"Connection: close\r\n\r\na=x"
    )


def test_http_1_0_keep_alive_on_request(client: RawClient) -> None:
    """HTTP/1.0 with keep-alive stays open and says so."""
    head = b"POST /echo/a HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx"
    assert b"Connection: keep-alive\r\n" in client.answer(head)
    assert client.answer(ECHO) == ECHOED


def test_connection_close_is_honoured(client: RawClient) -> None:
    """`Connection: close` closes after the answer."""
    client.send(ECHO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert b"Connection: close\r\n" in client.read_to_end()


@pytest.mark.parametrize(
    "garbage",
    [
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /park HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /park HTTP/1.1\r\nHost : localhost\r\n\r\n",
    ],
)
def test_malformed_requests(server: ServerThread, garbage: bytes) -> None:
    """Malformed HTTP gets 400 and a closed connection; other connections live on."""
    with RawClient(server.address) as other, RawClient(server.address) as guilty:
        guilty.send(garbage)
        assert guilty.read_to_end().startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert other.answer(ECHO) == ECHOED


def test_head_limits(server: ServerThread) -> None:
    """Above 10,000 header lines or 1 MiB of head the answer is 431."""
    many = b"GET /park HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 10_001
    long = b"GET /park HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * (1 << 20) + b"\r\n"
    for head in (many, long):
        with RawClient(server.address) as client:
            client.send(head)
            assert client.read_to_end().startswith(b"HTTP/1.1 431 ")


def test_missing_host(client: RawClient) -> None:
    """HTTP/1.1 without Host is 400, as in Go."""
    client.send(b"GET /park HTTP/1.1\r\n\r\n")
    assert client.read_to_end().startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_pipelined_requests_are_answered_in_order(client: RawClient, far: Far) -> None:
    """A second request waits for the first one's answer; then both come, in order."""
    client.send(b"GET /park HTTP/1.1\r\nHost: localhost\r\n\r\n" + ECHO + ECHO)
    assert client.is_parked()
    first = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
    exchange = far.parked[0]
    _in_loop(exchange, b"first")
    client.send(ECHO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    received = client.read_to_end()
    closed = ECHOED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert received == first + ECHOED + ECHOED + closed


def _in_loop(exchange: Exchange, body: bytes) -> None:
    loop = exchange._connection._transport._loop  # type: ignore[attr-defined]
    loop.call_soon_threadsafe(exchange.respond, 200, [], body)


def test_body_above_the_limit_is_refused_at_once(client: RawClient) -> None:
    """A Content-Length above the limit is 413 before the body is read; then it is discarded."""
    head = b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n"
    refused = b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n"
    assert client.answer(head) == refused
    client.send(b"x" * 2000)
    assert client.answer(ECHO) == ECHOED


def test_chunked_body_above_the_limit(client: RawClient) -> None:
    """A chunked body is refused as soon as it grows above the limit."""
    head = b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    client.send(head)
    assert client.answer(b"3e9\r\n" + b"x" * 1001).startswith(b"HTTP/1.1 413 ")
    client.send(b"\r\n0\r\n\r\n")
    assert client.answer(ECHO) == ECHOED


def test_refused_body_that_never_comes(client: RawClient) -> None:
    """After 2 s of waiting for a refused body the connection is closed."""
    client.answer(b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n")
    assert client.read_to_end() == b""


def test_expect_continue(client: RawClient) -> None:
    """100 Continue comes when the body is wanted, and not when it is refused."""
    head = b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    client.send(head + b"Content-Length: 2\r\n\r\n")
    assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.answer(b"hi") == ECHOED
    assert client.answer(head + b"Content-Length: 2000\r\n\r\n").startswith(b"HTTP/1.1 413 ")


def test_stream_and_trailers(server: ServerThread, far: Far) -> None:
    """A sink gets each chunk as it comes, and the trailers at the end."""
    with RawClient(server.address) as client:
        client.send(
            b"POST /stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Trailer: X-End\r\n\r\n3\r\none\r\n"
        )
        while not far.chunks:
            pass  # the test's timeout is the deadline
        answer = client.answer(b"3\r\ntwo\r\n0\r\nX-End: yes\r\n\r\n")
    assert far.chunks == [b"one", b"two"]
    assert far.trailers == [("x-end", "yes")]
    assert answer.endswith(b"\r\n\r\nonetwo")


def test_truncated_stream(server: ServerThread, far: Far) -> None:
    """A client that closes within its body is told to the sink."""
    with RawClient(server.address) as client:
        client.send(b"POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\none")
    assert far.truncated.wait(10)


@pytest.mark.parametrize("end", ["close", "reset", "half-close"])
def test_parked_exchange_hears_of_its_client(server: ServerThread, far: Far, end: str) -> None:
    """A client that closes, resets or half-closes while its poll is parked has vanished."""
    with RawClient(server.address) as client:
        client.send(b"GET /park HTTP/1.1\r\nHost: localhost\r\n\r\n")
        while not far.parked:
            pass  # the test's timeout is the deadline
        if end == "reset":
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if end == "half-close":
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_to_end() == b""
    assert far.vanished.wait(10)


def test_half_closed_client_gets_its_answer(server: ServerThread, far: Far) -> None:
    """An ordinary request whose client shut down its sending side is still answered."""
    with RawClient(server.address) as client:
        client.send(b"GET /park?survive HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        while not far.parked:
            pass  # the test's timeout is the deadline
        assert client.is_parked()
        _in_loop(far.parked[0], b"late")
        assert client.read_to_end().endswith(b"\r\n\r\nlate")


def test_fault_in_an_endpoint(server: ServerThread, client: RawClient) -> None:
    """A fault of ours is a 500 with AWS's body, told once; the connection lives on."""
    assert client.answer(b"GET /fail HTTP/1.1\r\nHost: localhost\r\n\r\n") == (
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
        b"Content-Length: 75\r\n\r\n"
        b'{"errorMessage":"Internal Server Error","errorType":"InternalServerError"}\n'
    )
    assert [str(error) for error in server.errors] == ["a fault of ours"]
    assert client.answer(ECHO) == ECHOED


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Host: evil.example", 403),
        (b"Host: localhost.evil.example", 403),
        (b"Host: 10.0.0.1", 403),
        (b"Host: 127.9.9.9:1", 200),
        (b"Host: fn.localhost", 200),
        (b"Host: mine.test", 200),
        (b"Host: localhost\r\nSec-Fetch-Site: cross-site", 403),
        (b"Host: localhost\r\nOrigin: https://evil.example", 403),
        (b"Host: localhost\r\nOrigin: null", 403),
        (b"Host: localhost\r\nOrigin: http://localhost:3000", 200),
    ],
)
def test_hosts_and_origins(far: Far, header: bytes, status: int) -> None:
    """Only loopback names, allowed names and local web pages are served."""
    with (
        ServerThread(far.router(), allowed_hosts=frozenset({"mine.test"})) as server,
        RawClient(server.address) as client,
    ):
        answer = client.answer(ECHO.replace(b"Host: localhost", header))
        assert answer.startswith(b"HTTP/1.1 %d " % status)


def test_foreign_clients(server: ServerThread) -> None:
    """http.client and requests are served."""
    host, port = server.address
    connection = http.client.HTTPConnection(host, port)
    for _ in range(2):
        connection.request("POST", "/echo/h", body=iter([b"a", b"b"]), encode_chunked=True)
        assert connection.getresponse().read() == b"h=ab"
    connection.close()
    with requests.Session() as session:
        assert session.post(f"http://{host}:{port}/echo/r", b"x").content == b"r=x"


def test_idle_connections_cost_nobody(server: ServerThread) -> None:
    """200 idle connections do not keep a request from its answer."""
    idle = [RawClient(server.address) for _ in range(200)]
    with RawClient(server.address) as client:
        assert client.answer(ECHO) == ECHOED
    for each in idle:
        each.socket.close()
