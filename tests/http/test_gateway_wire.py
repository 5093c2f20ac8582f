"""What the gateway passes on, byte for byte, and how it holds both sides to each other's pace."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Self

import pytest

from rapid_mock.http import upstream
from rapid_mock.http.exchange import Exchange, Request
from rapid_mock.http.gateway import AwsAnswer, Gateway
from rapid_mock.http.server import Buffered
from rapid_mock.http.upstream import Upstream
from tests.support.raw_http import DEADLINE_SECONDS, PARKED_SECONDS, RawClient, ServerThread

SIGNED = (
    b"authorization: AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/%b/aws4_request, "
    b"SignedHeaders=host, Signature=00\r\n"
)
LARGE = 64 << 20


class Upper:
    """An interception of SQS that passes bodies on in capitals, and marks the answers."""

    max_body = 10

    def wants(self, service: str, request: Request) -> bool:
        return service == "sqs" and request.path == "/wanted"

    async def answer(
        self, request: Request, body: bytes, forward: Callable[[bytes], Awaitable[AwsAnswer]]
    ) -> AwsAnswer:
        if body == b"raise":
            raise RuntimeError("a fault of ours")
        answer = await forward(body.upper())
        return AwsAnswer(answer.status, [("x-marked", request.method)], answer.body + b"!")


class FarAws:
    """Accepts connections of the gateway; the test spells what it answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_SECONDS)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def accept(self) -> FarConnection:
        accepted, _ = self._listener.accept()
        accepted.settimeout(DEADLINE_SECONDS)
        return FarConnection(accepted)

    def close(self) -> None:
        self._listener.close()


class FarConnection:
    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def read_until(self, end: bytes) -> bytes:
        received = b""
        while not received.endswith(end):
            data = self.socket.recv(1)
            assert data, received
            received += data
        return received

    def count(self, most: int) -> int:
        """Read so many bytes, or to the end."""
        return read_bytes(self.socket, most)

    def send_what_fits(self, most: int) -> int:
        """Send until nothing has been taken for 50 ms; how many bytes were."""
        sent = 0
        self.socket.settimeout(PARKED_SECONDS)
        with contextlib.suppress(TimeoutError):
            while sent < most:
                sent += self.socket.send(bytes(1 << 20))
        self.socket.settimeout(DEADLINE_SECONDS)
        return sent

    def answer(self, data: bytes) -> None:
        self.socket.sendall(data)


def read_bytes(side: socket.socket, most: int) -> int:
    count = 0
    while count < most and (data := side.recv(min(1 << 20, most - count))):
        count += len(data)
    return count


def read_head(side: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += side.recv(1)
    return head


@contextmanager
def gateway_to(url: str) -> Iterator[RawClient]:
    gateway = Gateway(Upstream(url), [Upper()])
    gateway.add("GET", "/2015-03-31/functions", Buffered(_ours))
    with ServerThread(gateway) as server:
        with RawClient(server.address) as client:
            yield client
        server.finish(gateway.close())


def _ours(exchange: Exchange, _body: bytes) -> None:
    exchange.respond(200, [], b"ours")


@pytest.fixture
def aws() -> Iterator[FarAws]:
    far = FarAws()
    yield far
    far.close()


@pytest.fixture
def client(aws: FarAws) -> Iterator[RawClient]:
    with gateway_to(aws.url) as client:
        yield client


def test_request_and_answer(aws: FarAws, client: RawClient) -> None:
    """Method, target, Host, signature and body arrive as they were sent; so does the answer."""
    client.send(
        b"PUT /bucket/a%2Fb+c?x=1&y HTTP/1.1\r\nHost: bucket.localhost:9000\r\n"
        + SIGNED % b"s3"
        + b"X-Amz-Meta-Two: a\r\nX-Amz-Meta-Two: b\r\nConnection: keep-alive\r\n"
        b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    )
    assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"hello")
    with aws.accept() as far:
        assert far.read_until(b"hello") == (
            b"PUT /bucket/a%2Fb+c?x=1&y HTTP/1.1\r\nhost: bucket.localhost:9000\r\n"
            + SIGNED % b"s3"
            + b"x-amz-meta-two: a\r\nx-amz-meta-two: b\r\ncontent-length: 5\r\n\r\nhello"
        )
        far.answer(
            b'HTTP/1.1 200 OK\r\nETag: "e"\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n'
            b"Connection: keep-alive\r\nContent-Length: 3\r\n\r\nyes"
        )
        assert client.read_until(b"yes") == (
            b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 3\r\n\r\nyes'
        )


def test_chunks(aws: FarAws, client: RawClient) -> None:
    """A chunked body is passed on in chunks as it comes, and so is a chunked answer."""
    client.send(
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    )
    with aws.accept() as far:
        far.read_until(b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
        client.send(b"0\r\n\r\n")
        far.read_until(b"0\r\n\r\n")
        far.answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n")
        assert client.read_until(b"de\r\n").endswith(b"chunked\r\n\r\n2\r\nde\r\n")
        far.answer(b"0\r\n\r\n")
        assert client.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"


def test_connections_are_kept(aws: FarAws, client: RawClient) -> None:
    """One connection serves request after request; the answer to HEAD has a length and no body."""
    client.send(b"HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with aws.accept() as far:
        far.read_until(b"\r\n\r\n")
        far.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        client.read_until(b"Content-Length: 9\r\n\r\n")
        client.send(b"GET /b HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert far.read_until(b"\r\n\r\n").startswith(b"GET /b HTTP/1.1\r\n")
        far.answer(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert client.read_until(b"\r\n\r\n") == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_connections_are_not_kept_for_long(
    aws: FarAws, client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is not used again is closed by us, before the server may close it."""
    monkeypatch.setattr(upstream, "IDLE_SECONDS", 0.05)
    client.send(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with aws.accept() as far:
        far.read_until(b"\r\n\r\n")
        far.answer(b"HTTP/1.1 204 No Content\r\n\r\n")
        client.read_until(b"\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert far.socket.recv(1) == b""
    client.send(b"GET /b HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with aws.accept() as far:
        assert far.read_until(b"\r\n\r\n").startswith(b"GET /b HTTP/1.1\r\n")


def test_answer_that_ends_with_its_connection(aws: FarAws, client: RawClient) -> None:
    """An answer without a length ends where its connection does."""
    client.send(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with aws.accept() as far:
        far.read_until(b"\r\n\r\n")
        far.answer(b"HTTP/1.1 200 OK\r\n\r\nabc")
        far.socket.shutdown(socket.SHUT_WR)
        assert client.read_until(b"0\r\n\r\n").endswith(b"3\r\nabc\r\n0\r\n\r\n")


def test_broken_answer(aws: FarAws, client: RawClient) -> None:
    """An answer that breaks off breaks off for the client too."""
    client.send(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with aws.accept() as far:
        far.read_until(b"\r\n\r\n")
        far.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    assert client.read_to_end().endswith(b"Content-Length: 9\r\n\r\nabc")


def test_no_answer(aws: FarAws, client: RawClient) -> None:
    """A server that closes without an answer, or says something else than HTTP, is a 502."""
    for said, why in (
        (b"", b"it closed the connection"),
        (b"SSH-2.0\r\n", b"it answered with something that is no HTTP"),
    ):
        client.send(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        with aws.accept() as far:
            far.read_until(b"\r\n\r\n")
            far.answer(said)
        answer = client.answer()
        assert answer.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b"\r\n\r\nrapid-mock: " + why in answer


def test_client_that_leaves(aws: FarAws, client: RawClient) -> None:
    """When the client goes away, so does the connection of its request."""
    client.send(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with aws.accept() as far:
        far.read_until(b"\r\n\r\n")
        client.socket.close()
        with contextlib.suppress(ConnectionResetError):
            assert far.socket.recv(1) == b""


def test_pace_of_the_answer(aws: FarAws, client: RawClient) -> None:
    """A client that does not read holds the server back, and gets everything when it does."""
    client.send(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n")
    with aws.accept() as far:
        far.read_until(b"\r\n\r\n")
        far.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
        sent = far.send_what_fits(LARGE)
        assert sent < LARGE // 2
        assert read_head(client.socket).startswith(b"HTTP/1.1 200 OK\r\n")
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(far.answer, bytes(LARGE - sent))
            assert read_bytes(client.socket, LARGE) == LARGE
            rest.result(DEADLINE_SECONDS)


def test_pace_of_the_request(aws: FarAws, client: RawClient) -> None:
    """A server that does not read holds the client back."""
    client.send(b"PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % LARGE)
    with aws.accept() as far:
        sent = client.send_what_fits(bytes(LARGE))
        assert sent < LARGE // 2
        with ThreadPoolExecutor(1) as pool:
            rest = pool.submit(client.send, bytes(LARGE - sent))
            far.read_until(b"\r\n\r\n")
            assert far.count(LARGE) == LARGE
            rest.result(DEADLINE_SECONDS)
        far.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        assert client.answer().startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("scope", [b"", SIGNED % b"lambda"])
def test_ours(client: RawClient, scope: bytes) -> None:
    """A path of the Lambda API is ours, signed for Lambda or not signed."""
    request = b"GET /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\n" + scope + b"\r\n"
    assert client.answer(request).endswith(b"ours")


def test_a_bucket_that_looks_like_a_path_of_ours(aws: FarAws, client: RawClient) -> None:
    """What is signed for another service is passed on, whatever its path."""
    client.send(
        b"GET /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\n" + SIGNED % b"s3" + b"\r\n"
    )
    with aws.accept() as far:
        far.read_until(b"\r\n\r\n")
        far.answer(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        assert client.answer().startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_interception(aws: FarAws, client: RawClient) -> None:
    """An interception has the whole body, passes another one on and changes the answer."""
    head = b"POST /wanted HTTP/1.1\r\nHost: localhost\r\n" + SIGNED % b"sqs"
    client.send(head + b"Content-Length: 3\r\n\r\nabc")
    with aws.accept() as far:
        assert far.read_until(b"ABC").endswith(b"content-length: 3\r\n\r\nABC")
        far.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")
        assert client.answer().endswith(b"x-marked: POST\r\nContent-Length: 4\r\n\r\nyes!")


def test_faults_of_an_interception(client: RawClient, capsys: pytest.CaptureFixture[str]) -> None:
    """A body that is too large is a 413, a fault a 500 for its caller only."""
    head = b"POST /wanted HTTP/1.1\r\nHost: localhost\r\n" + SIGNED % b"sqs"
    answer = client.answer(head + b"Content-Length: 5\r\n\r\nraise")
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert answer.endswith(b"rapid-mock: RuntimeError: a fault of ours\n")
    assert "a fault of ours" in capsys.readouterr().err
    answer = client.answer(head + b"Content-Length: 11\r\n\r\n" + b"x" * 11)
    assert answer.startswith(b"HTTP/1.1 413 ")
