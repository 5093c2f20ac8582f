from __future__ import annotations

import http.client

import pytest
import requests

from rapid_mock.http.router import Router
from rapid_mock.http.server import Buffered, Exchange
from tests.support.http_far_side import FarSide
from tests.support.raw_http import RawClient, ServerThread

ECHO = b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"
ECHOED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na=hi"
HEADERS = b"GET /headers HTTP/1.1\r\nHost: localhost\r\n"
NOT_FOUND = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"X-Content-Type-Options: nosniff\r\nContent-Length: 19\r\n\r\n404 page not found\n"
)


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
    ("request_bytes", "answer"),
    [
        (b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", NOT_FOUND),
        (b"GET /park/ HTTP/1.1\r\nHost: localhost\r\n\r\n", NOT_FOUND),
        (b"GET //park HTTP/1.1\r\nHost: localhost\r\n\r\n", NOT_FOUND),
        (b"GET http://localhost HTTP/1.1\r\nHost: localhost\r\n\r\n", NOT_FOUND),
        (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", NOT_FOUND),
        (
            b"GET /echo/a HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            b"HEAD /park HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n\r\n",
        ),
        (
            b"PURGE /park HTTP/1.1\r\nHost: localhost\r\n\r\n",
            b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            b"POST /echo/a%3Ab?x=y HTTP/1.1\r\nhOST: LOCALHOST:99\r\ncontent-LENGTH: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na:b=",
        ),
        (
            b"POST http://localhost:1/echo/z?q HTTP/1.1\r\nHost: localhost\r\n"
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
def test_requests_and_their_answers(client: RawClient, request_bytes: bytes, answer: bytes) -> None:
    """Unknown paths, wrong methods, any header case, absolute targets, queries, chunked bodies."""
    assert client.answer(request_bytes) == answer
    assert client.answer(ECHO) == ECHOED


@pytest.mark.parametrize(
    ("lines", "seen"),
    [
        (b"X-A: 1\r\nx-a: 2\r\nX-B: 3\r\n", b"x-a=1&x-a=2&x-b=3&1"),
        (b"X-A:\r\nX-B: \r\n", b"x-a=&x-b=&"),
        (b"X-A: \t one two \t \r\n", b"x-a=one two&one two"),
        (b"X-A: \xc3\xa4\xa0\r\n", "x-a=\u00c3\u00a4\u00a0&\u00c3\u00a4\u00a0".encode()),
    ],
)
def test_headers_of_a_request(client: RawClient, lines: bytes, seen: bytes) -> None:
    """Names in lower case, values without blanks around them, in Latin-1; the first one counts."""
    assert client.answer(HEADERS + lines + b"\r\n").endswith(b"\r\n\r\n" + seen)


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
    """`Connection: close` closes after the answer; what follows such a request is ignored."""
    client.send(ECHO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + ECHO)
    received = client.read_to_end()
    assert b"Connection: close\r\n" in received
    assert received.endswith(b"\r\n\r\na=hi")
    assert received.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize(
    "offer",
    [
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n",
        b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    ],
)
def test_an_offered_upgrade_is_declined(client: RawClient, offer: bytes, is_split: bool) -> None:
    """A request that offers another protocol is served as HTTP/1.1, its body too (Java does so)."""
    request = ECHO.replace(b"Host: localhost\r\n", b"Host: localhost\r\n" + offer)
    if is_split:
        client.send(request[:40])
        client.send(request[40:-1])
        request = request[-1:]
    assert client.answer(request) == ECHOED
    assert client.answer(ECHO) == ECHOED


def test_what_follows_a_declined_upgrade(server: ServerThread, client: RawClient) -> None:
    """A request behind one that offered an upgrade is judged as any other."""
    offer = b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    client.send(ECHO.replace(b"Host: localhost\r\n", offer) + b"GET /park HTTP/1.1\r\n\r\n")
    assert client.read_to_end().startswith(ECHOED + b"HTTP/1.1 400 Bad Request\r\n")
    assert not server.errors


@pytest.mark.parametrize(
    ("malformed", "status"),
    [
        (b"NONSENSE\r\n\r\n", b"400 Bad Request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400 Bad Request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"400 Bad Request"),
        (b"GET /park HTTP/9.9\r\nHost: localhost\r\n\r\n", b"400 Bad Request"),
        (b"GET /park HTTP/2.0\r\nHost: localhost\r\n\r\n", b"505 HTTP Version Not Supported"),
        (b"GET /park\r\n\r\n", b"505 HTTP Version Not Supported"),
        (b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400 Bad Request"),
        (b"GET /park HTTP/1.1\nHost: localhost\n\n", b"400 Bad Request"),
        (b"GET /park HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n", b"400 Bad Request"),
        (b"GET /park HTTP/1.1\r\nHost: localhost\r\nA: \0\r\n\r\n", b"400 Bad Request"),
        (b"GET /park HTTP/1.1\r\nHost : localhost\r\n\r\n", b"400 Bad Request"),
        (b"GET /park HTTP/1.1\r\n\r\n", b"400 Bad Request"),
        (b"GET /park HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", b"400 Bad Request"),
        (
            b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"400 Bad Request",
        ),
        (
            b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
            b"Content-Length: 2\r\n\r\n0\r\n\r\n",
            b"400 Bad Request",
        ),
        (
            b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
            b"Content-Length: 1\r\n\r\nx",
            b"400 Bad Request",
        ),
        (
            b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            b"400 Bad Request",
        ),
        (
            b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Length: 99999999999999999999\r\n\r\n",
            b"400 Bad Request",
        ),
        (
            b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
            b"0\r\n\r\n",
            b"501 Not Implemented",
        ),
        (
            b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"400 Bad Request",
        ),
    ],
)
def test_malformed_requests(server: ServerThread, malformed: bytes, status: bytes) -> None:
    """What is no request gets its status and a closed connection; other connections live on."""
    with RawClient(server.address) as other, RawClient(server.address) as guilty:
        guilty.send(malformed)
        received = guilty.read_to_end()
        assert received.startswith(
            b"HTTP/1.1 " + status + b"\r\nContent-Type: text/plain; charset=utf-8\r\n"
        )
        assert b"\r\nConnection: close\r\n\r\n" + status in received
        assert other.answer(ECHO) == ECHOED


@pytest.mark.parametrize(
    "head",
    [
        b"GET /park HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 10_001,
        b"GET /park HTTP/1.1\r\nHost: localhost\r\n" + b"a: b\r\n" * 10_001 + b"\r\n",
        b"GET /park HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * (3 << 20),
        b"GET /" + b"x" * (3 << 20),
        b"POST /length HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\nA: " + b"x" * (3 << 20),
        b"POST /length HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"1;" + b"x" * (3 << 20),
    ],
    ids=["unfinished lines", "lines", "value", "target", "trailer", "chunk extension"],
)
def test_head_limits(client: RawClient, head: bytes) -> None:
    """Above 10,000 lines or 1 MiB a head or trailer is 431, which reaches who is still sending."""
    client.send(head)
    assert client.read_to_end().startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_large_heads_are_served(client: RawClient) -> None:
    """A value of almost 1 MiB, and 10,000 lines, are within the limits."""
    value = b"x" * ((1 << 20) - 1000)
    assert len(client.answer(HEADERS + b"X-A: " + value + b"\r\n\r\n")) > 2 * len(value)
    assert b" 200 OK" in client.answer(HEADERS + b"X-A: 1\r\n" * 9_999 + b"\r\n")


@pytest.mark.parametrize(
    ("status", "headers", "answer"),
    [
        (204, [], b"HTTP/1.1 204 No Content\r\n\r\n"),
        (304, [], b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        (413, [], b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 4\r\n\r\nbody"),
        (422, [], b"HTTP/1.1 422 Unprocessable Entity\r\nContent-Length: 4\r\n\r\nbody"),
        (299, [], b"HTTP/1.1 299 Unknown\r\nContent-Length: 4\r\n\r\nbody"),
        (
            200,
            [("X-a-B", "1"), ("x-a-b", "\u00e4\u4e16")],
            b"HTTP/1.1 200 OK\r\nX-a-B: 1\r\nx-a-b: \xe4?\r\nContent-Length: 4\r\n\r\nbody",
        ),
        (
            200,
            [("X-A", "1\r\nSet-Cookie: 2")],
            b"HTTP/1.1 200 OK\r\nX-A: 1  Set-Cookie: 2\r\nContent-Length: 4\r\n\r\nbody",
        ),
        (200, [("X", "1\n2")], b"HTTP/1.1 200 OK\r\nX: 1 2\r\nContent-Length: 4\r\n\r\nbody"),
        (200, [("X", "1\r2")], b"HTTP/1.1 200 OK\r\nX: 1 2\r\nContent-Length: 4\r\n\r\nbody"),
    ],
)
def test_answers(status: int, headers: list[tuple[str, str]], answer: bytes) -> None:
    """Header names keep their spelling, no value makes a line of its own, 204 has no body."""
    router = Router()
    router.add("GET", "/", Buffered(lambda exchange, _: exchange.respond(status, headers, b"body")))
    with ServerThread(router) as server, RawClient(server.address) as client:
        assert client.answer(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") == answer


def test_head_gets_no_body() -> None:
    """An endpoint for HEAD may answer as for GET: the length is told, the body not sent."""
    router = Router()
    router.add("HEAD", "/", Buffered(lambda exchange, _: exchange.respond(200, [], b"body")))
    with ServerThread(router) as server, RawClient(server.address) as client:
        client.send(b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert client.read_to_end().endswith(b"Content-Length: 4\r\nConnection: close\r\n\r\n")


def test_fault_in_an_endpoint(server: ServerThread, client: RawClient) -> None:
    """A fault of ours is a 500 with AWS's body, told once; the connection lives on."""
    assert client.answer(b"GET /fail HTTP/1.1\r\nHost: localhost\r\n\r\n") == (
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
        b"Content-Length: 75\r\n\r\n"
        b'{"errorMessage":"Internal Server Error","errorType":"InternalServerError"}\n'
    )
    assert [str(error) for error in server.errors] == ["a fault of ours"]
    assert client.answer(ECHO) == ECHOED


def test_an_answer_after_our_500_does_nothing() -> None:
    """An endpoint that failed and answers later raises nothing and sends nothing."""
    kept: list[Exchange] = []
    told: list[str] = []

    def fail(exchange: Exchange, _body: bytes) -> None:
        kept.append(exchange)
        exchange.on_disconnect = lambda: told.append("gone")
        raise RuntimeError("too early")

    router = Router()
    router.add("GET", "/", Buffered(fail))
    with ServerThread(router) as server, RawClient(server.address) as client:
        get = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
        first = client.answer(get)
        assert told == ["gone"]
        server.do(lambda: kept[0].respond(200, [], b"late"))
        assert first.startswith(b"HTTP/1.1 500 ")
        assert client.answer(get) == first
        assert [str(error) for error in server.errors] == ["too early", "too early"]


def test_an_answer_that_cannot_be_rendered_is_a_fault() -> None:
    """A status or header of the wrong type ends as a 500, not as a request without an answer."""
    router = Router()
    broken = [("X-A",)]
    router.add("GET", "/", Buffered(lambda exchange, _: exchange.respond(200, broken)))  # type: ignore[arg-type]
    with ServerThread(router) as server, RawClient(server.address) as client:
        received = client.answer(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert received.startswith(b"HTTP/1.1 500 ")
        assert len(server.errors) == 1


def test_an_exchange_is_answered_once() -> None:
    """A second answer is refused as our own fault, and nothing of it is sent."""

    def answer_twice(exchange: Exchange, _body: bytes) -> None:
        exchange.respond(200, [], b"first")
        exchange.respond(200, [], b"second")

    router = Router()
    router.add("GET", "/", Buffered(answer_twice))
    with ServerThread(router) as server, RawClient(server.address) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert client.read_to_end().endswith(b"\r\n\r\nfirst")
        assert [str(error) for error in server.errors] == ["this exchange has been answered"]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Host: evil.example", 403),
        (b"Host: localhost.evil.example", 403),
        (b"Host: evillocalhost", 403),
        (b"Host: 10.0.0.1", 403),
        (b"Host: 0.0.0.0", 403),
        (b"Host: 127.0.0.1.evil.example", 403),
        (b"Host: [::1].evil.example", 403),
        (b"Host: [::2]", 403),
        (b"Host: [::1", 403),
        (b"Host: localhost:80:evil", 403),
        (b"Host:", 403),
        (b"Host: 127.9.9.9:1", 200),
        (b"Host: [::1]:9001", 200),
        (b"Host: LocalHost.", 200),
        (b"Host: fn.localhost", 200),
        (b"Host: Mine.Test:80", 200),
        (b"Host: localhost\r\nSec-Fetch-Site: cross-site", 403),
        (b"Host: localhost\r\nSec-Fetch-Site: Cross-Site", 403),
        (b"Host: localhost\r\nSec-Fetch-Site: same-origin", 200),
        (b"Host: localhost\r\nOrigin: https://evil.example", 403),
        (b"Host: localhost\r\nOrigin: http://[", 403),
        (b"Host: localhost\r\nOrigin: null", 403),
        (b"Host: localhost\r\nOrigin:", 403),
        (b"Host: localhost\r\nOrigin: http://localhost:3000", 200),
        (b"Host: localhost\r\nOrigin: http://[::1]:3000", 200),
    ],
)
def test_hosts_and_origins(far: FarSide, header: bytes, status: int) -> None:
    """Only loopback names, allowed names and local web pages are served; the rest learns why."""
    with (
        ServerThread(far.router(), allowed_hosts=frozenset({"mine.test"})) as server,
        RawClient(server.address) as client,
    ):
        answer = client.answer(ECHO.replace(b"Host: localhost", header))
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert (b"\r\n\r\nrapid-mock: " in answer) == (status == 403)
        assert not server.errors


def test_the_host_of_an_absolute_target_counts(client: RawClient) -> None:
    """`http://evil/` in the request line is refused whatever Host says."""
    answer = client.answer(ECHO.replace(b"/echo", b"http://evil.example/echo"))
    assert answer.startswith(b"HTTP/1.1 403 ")


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


def test_foreign_clients_learn_why_their_body_is_refused(server: ServerThread) -> None:
    """requests sends a body to its end, and then reads the 413."""
    host, port = server.address
    with requests.Session() as session:
        refused = session.post(f"http://{host}:{port}/echo/r", b"x" * (4 << 20))
        assert refused.status_code == 413
        assert session.post(f"http://{host}:{port}/echo/r", b"x").content == b"r=x"


def test_idle_connections_cost_nobody(server: ServerThread) -> None:
    """200 idle connections do not keep a request from its answer."""
    idle = [RawClient(server.address) for _ in range(200)]
    with RawClient(server.address) as client:
        assert client.answer(ECHO) == ECHOED
    for each in idle:
        each.socket.close()
