"""One kept connection: what leaves the socket, and when a request may leave it twice."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lambda_runtime.errors import ConnectionLost, InvalidAddress, InvalidReply
from lambda_runtime.transport import Connection
from tests.support.scripted_runtime_api import Peer, ScriptedRuntimeApi, replies

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
AGAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nagain"
LAST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
TOO_LARGE = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 5\r\n\r\nlarge"


@contextmanager
def connected(api: ScriptedRuntimeApi) -> Iterator[Connection]:
    connection = Connection(api.address)
    try:
        yield connection
    finally:
        connection.close()


def test_a_request_is_spelled_line_by_line() -> None:
    """Request line, Host, the caller's headers in order, Content-Length, an empty line, body."""
    with ScriptedRuntimeApi(replies(OK, OK, OK)) as api, connected(api) as connection:
        connection.request("GET", "/a?b=c")
        connection.request("POST", "/d", [("X-One", "1"), ("x-two", "2")], b"body")
        connection.request("POST", "/e")
    host = api.address.encode()
    assert api.requests == [
        b"GET /a?b=c HTTP/1.1\r\nHost: " + host + b"\r\n\r\n",
        b"POST /d HTTP/1.1\r\nHost: " + host + b"\r\nX-One: 1\r\nx-two: 2\r\n"
        b"Content-Length: 4\r\n\r\nbody",
        b"POST /e HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 0\r\n\r\n",
    ]
    assert len(api.peers) == 1


@pytest.mark.parametrize("size", [0, 10, 60_000, 70_000])
@pytest.mark.parametrize("kept", [False, True])
def test_a_request_leaves_in_one_send(size: int, kept: bool) -> None:
    """Head and body are one datagram where the socket keeps the bounds of each send."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    connection = Connection("127.0.0.1:9001")
    connection._socket = ours
    with theirs:
        for _ in range(2 if kept else 1):
            theirs.send(OK)
            connection.request("POST", "/a", [], b"x" * size)
            sent = theirs.recv(200_000)
        assert sent == (
            b"POST /a HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nContent-Length: %d\r\n\r\n" % size
            + b"x" * size
        )
        connection.close()


@pytest.mark.parametrize("kept", [False, True])
def test_a_reply_may_drip(kept: bool) -> None:
    """A reply that comes byte by byte is the reply that came at once."""

    def serve(peer: Peer) -> None:
        for drip in [peer.send, peer.drip] if kept else [peer.drip]:
            peer.request()
            drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")

    with ScriptedRuntimeApi(serve) as api, connected(api) as connection:
        for _ in range(2 if kept else 1):
            assert connection.request("GET", "/").body == b"abc"


def test_a_body_is_valid_until_the_next_request() -> None:
    """The view of a large body holds while nothing is received."""
    body = b"0123456789" * 50_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with ScriptedRuntimeApi(replies(head + body, OK)) as api, connected(api) as connection:
        reply = connection.request("GET", "/")
        assert reply.body == body
        assert connection.request("GET", "/").body == b"ok"


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb", "a\0b"])
def test_a_header_value_cannot_inject_another(value: str) -> None:
    """A line break in a value is a ValueError, before anything is sent."""
    connection = Connection("127.0.0.1:1")
    with pytest.raises(ValueError, match="line break"):
        connection.request("GET", "/", [("X-A", value)])


@pytest.mark.parametrize(
    ("address", "host", "path"),
    [
        ("127.0.0.1:9001", "127.0.0.1:9001", "/a"),
        ("localhost:80", "localhost:80", "/a"),
        ("localhost", "localhost:80", "/a"),
        ("http://localhost:9001", "localhost:9001", "/a"),
        ("http://localhost:9001/", "localhost:9001", "/a"),
        ("http://localhost:9001/prefix/env-1", "localhost:9001", "/prefix/env-1/a"),
        ("localhost:9001/prefix/", "localhost:9001", "/prefix/a"),
        ("[::1]:9001", "[::1]:9001", "/a"),
        ("[::1]", "[::1]:80", "/a"),
        ("http://[fe80::1]:65535/x", "[fe80::1]:65535", "/x/a"),
    ],
)
def test_forms_of_an_address(address: str, host: str, path: str) -> None:
    """host:port, a URL, a URL with a path, IPv6 in brackets."""
    head = Connection(address).head("GET", "/a", [])
    assert head == f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()


@pytest.mark.parametrize(
    "address",
    [
        *("", ":9001", "host:", "host:x", "host:-1", "host:0", "host:65536", "host:123456"),
        *("https://host:1", "unix:///run/x", "http://", "http://http://a:1", "::1", "::1:9001"),
        *("[]:1", "[host]:1", "[::1:9001", "a b:1", "a:1/b c", "a:1/\r\nX: y", "a\n:1", "a\0:1"),
        *("h\u00f6st:1", "host:\u0663"),
    ],
)
def test_what_is_no_address(address: str) -> None:
    """Everything else is an InvalidAddress that shows what was given."""
    with pytest.raises(InvalidAddress) as caught:
        Connection(address)
    assert repr(address) in str(caught.value)


def test_ipv6_is_spoken() -> None:
    """An IPv6 address in brackets is connected to."""
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback")
    with listener:
        connection = Connection(f"[::1]:{listener.getsockname()[1]}")
        upload = connection.upload(b"GET / HTTP/1.1\r\n\r\n")
        accepted, _ = listener.accept()
        with accepted:
            accepted.sendall(OK)
            assert upload.finish().status == 200
    connection.close()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "a..b:80"])
def test_nobody_there(address: str) -> None:
    """A refused connection and an unknown host are ConnectionLost and name the address."""
    with pytest.raises(ConnectionLost, match=r"cannot (connect to|resolve) "):
        Connection(address).request("GET", "/")


# --- Sent again, and not ----------------------------------------------------------------------


def after_one_reply(then: Callable[[Peer], None], *, reading: bool = True) -> Callable[..., None]:
    """A connection that serves one request and then does `then` to the next one."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        if reading:
            peer.request()
        then(peer)

    return serve


@pytest.mark.parametrize("end", [Peer.close, Peer.reset], ids=["close", "reset"])
@pytest.mark.parametrize("reading", [True, False])
@pytest.mark.parametrize("size", [0, 1000, 100_000])
def test_a_kept_connection_that_closes_without_a_byte_is_replaced(
    end: Callable[[Peer], None], reading: bool, size: int
) -> None:
    """The request goes out again on a fresh connection, and its reply says so."""
    first = after_one_reply(end, reading=reading)
    with ScriptedRuntimeApi(first, replies(AGAIN)) as api, connected(api) as connection:
        assert not connection.request("GET", "/1").resent
        reply = connection.request("POST", "/2", [], b"x" * size)
    assert reply.body == b"again"
    assert reply.resent
    assert api.requests[-1].startswith(b"POST /2 ")
    assert api.requests[-1].endswith(b"\r\n\r\n" + b"x" * size)


def test_a_partial_reply_is_lost_and_not_asked_for_again() -> None:
    """After the first byte of a reply the server may have acted: ConnectionLost, one request."""
    first = after_one_reply(lambda peer: peer.send(b"H"))
    with ScriptedRuntimeApi(first) as api, connected(api) as connection:
        connection.request("GET", "/1")
        with pytest.raises(ConnectionLost) as caught:
            connection.request("POST", "/2", [], b"body")
    assert caught.value.received == 1
    assert len(api.requests) == 2


@pytest.mark.parametrize("end", [Peer.close, Peer.reset], ids=["close", "reset"])
def test_a_fresh_connection_is_not_tried_twice(end: Callable[[Peer], None]) -> None:
    """The first request on a connection is not sent again."""

    def serve(peer: Peer) -> None:
        peer.request()
        end(peer)

    with (
        ScriptedRuntimeApi(serve) as api,
        connected(api) as connection,
        pytest.raises(ConnectionLost, match="no reply from"),
    ):
        connection.request("GET", "/")
    assert len(api.requests) == 1


def test_a_request_is_sent_again_only_once() -> None:
    """The fresh connection that closes as well is the end."""
    ends = [after_one_reply(Peer.close), lambda peer: peer.close()]
    with ScriptedRuntimeApi(*ends) as api, connected(api) as connection:
        connection.request("GET", "/1")
        with pytest.raises(ConnectionLost):
            connection.request("GET", "/2")
    assert len(api.peers) == 2


def test_the_next_request_after_a_loss_connects_anew() -> None:
    """A lost connection is forgotten."""
    first = after_one_reply(lambda peer: peer.send(b"HTTP/1.1 200"))
    with ScriptedRuntimeApi(first, replies(AGAIN)) as api, connected(api) as connection:
        connection.request("GET", "/1")
        with pytest.raises(ConnectionLost):
            connection.request("GET", "/2")
        reply = connection.request("GET", "/3")
    assert reply.body == b"again"
    assert not reply.resent


@pytest.mark.parametrize("final", [LAST, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"])
def test_a_connection_the_server_ends_is_not_used_again(final: bytes) -> None:
    """After `Connection: close` the next request opens a connection of its own."""
    scripts = [replies(OK, final), replies(AGAIN)]
    with ScriptedRuntimeApi(*scripts) as api, connected(api) as connection:
        connection.request("GET", "/1")
        connection.request("GET", "/2")
        reply = connection.request("GET", "/3")
    assert not reply.resent


def test_without_a_length_the_reply_ends_with_the_connection() -> None:
    """A body of unknown length is read to the end of the stream."""
    first = replies(OK, b"HTTP/1.1 200 OK\r\n\r\nto the end")
    with ScriptedRuntimeApi(first, replies(AGAIN)) as api, connected(api) as connection:
        connection.request("GET", "/1")
        assert connection.request("GET", "/2").body == b"to the end"
        assert connection.request("GET", "/3").body == b"again"


@pytest.mark.parametrize("kept", [False, True])
def test_a_reply_that_is_no_http_ends_the_connection(kept: bool) -> None:
    """What follows on that connection is never taken for a reply."""
    nonsense = b"SMTP ready\r\n\r\n" + OK
    first = replies(OK, nonsense) if kept else replies(nonsense)
    with ScriptedRuntimeApi(first, replies(AGAIN)) as api, connected(api) as connection:
        if kept:
            connection.request("GET", "/1")
        with pytest.raises(InvalidReply):
            connection.request("GET", "/2")
        assert connection.request("GET", "/3").body == b"again"


# --- Large bodies and uploads -----------------------------------------------------------------


@pytest.mark.parametrize("kept", [False, True])
def test_an_early_refusal_of_a_large_body_is_read(kept: bool) -> None:
    """A server may answer 413 and close before the body is sent: its answer is the reply."""

    def serve(peer: Peer) -> None:
        if kept:
            peer.request()
            peer.send(OK)
        peer.read(65536)
        peer.send(TOO_LARGE)
        peer.finish_sending()
        peer.read(40_000_000)

    with ScriptedRuntimeApi(serve) as api, connected(api) as connection:
        if kept:
            connection.request("GET", "/1")
        reply = connection.request("POST", "/2", [], bytes(30_000_000))
    assert (reply.status, reply.body) == (413, b"large")


def test_a_reset_while_a_large_body_is_sent() -> None:
    """A reset in the middle of a body is ConnectionLost, not an OSError."""

    def serve(peer: Peer) -> None:
        peer.read(65536)
        peer.reset()

    with (
        ScriptedRuntimeApi(serve) as api,
        connected(api) as connection,
        pytest.raises(ConnectionLost),
    ):
        connection.request("POST", "/", [], bytes(30_000_000))


UPLOAD_HEAD = [("Transfer-Encoding", "chunked"), ("Trailer", "X-Error")]


def test_an_upload_is_chunks_and_trailers() -> None:
    """Each write is a chunk, an empty one is none; the trailers follow the last chunk."""
    with ScriptedRuntimeApi(replies(OK)) as api, connected(api) as connection:
        upload = connection.upload(connection.head("POST", "/up", UPLOAD_HEAD))
        upload.write(b"hello")
        upload.write(b"")
        upload.write(memoryview(b"0123456789abcdef0"))
        reply = upload.finish([("X-Error", "Oops"), ("X-Body", "e30=")])
    assert reply.body == b"ok"
    assert api.requests == [
        b"POST /up HTTP/1.1\r\nHost: " + api.address.encode() + b"\r\n"
        b"Transfer-Encoding: chunked\r\nTrailer: X-Error\r\n\r\n"
        b"5\r\nhello\r\n"
        b"11\r\n0123456789abcdef0\r\n"
        b"0\r\nX-Error: Oops\r\nX-Body: e30=\r\n\r\n"
    ]


def test_an_upload_without_trailers_ends_with_an_empty_line() -> None:
    """`0`, and nothing behind it."""
    with ScriptedRuntimeApi(replies(OK)) as api, connected(api) as connection:
        connection.upload(connection.head("POST", "/", UPLOAD_HEAD)).finish()
    assert api.requests[0].endswith(b"\r\n\r\n0\r\n\r\n")


def test_a_chunk_leaves_in_one_send() -> None:
    """Size, data and line break are one datagram where the socket keeps the bounds."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    connection = Connection("127.0.0.1:9001")
    connection._socket = ours
    connection.served = 1
    with theirs:
        upload = connection.upload(b"head")
        upload.write(b"x" * 20)
        theirs.send(OK)
        upload.finish()
        assert [theirs.recv(100) for _ in range(3)] == [
            b"head",
            b"14\r\n" + b"x" * 20 + b"\r\n",
            b"0\r\n\r\n",
        ]
        connection.close()


def test_a_trailer_cannot_inject_another() -> None:
    """A line break in a trailer is a ValueError."""
    with ScriptedRuntimeApi(Peer.request) as api, connected(api) as connection:  # type: ignore[arg-type]
        upload = connection.upload(connection.head("POST", "/", UPLOAD_HEAD))
        with pytest.raises(ValueError, match="line break"):
            upload.finish([("X-Error", "a\r\nX: b")])
        connection.close()


def test_a_stale_connection_is_replaced_before_an_upload() -> None:
    """An upload cannot be sent again, so a kept connection is looked at before."""
    first = after_one_reply(Peer.close, reading=False)
    with ScriptedRuntimeApi(first, replies(AGAIN)) as api, connected(api) as connection:
        connection.request("GET", "/1")
        stale = connection._socket
        assert stale is not None
        assert stale.recv(1, socket.MSG_PEEK) == b""  # the close has arrived
        upload = connection.upload(connection.head("POST", "/2", UPLOAD_HEAD))
        upload.write(b"x")
        assert upload.finish().body == b"again"


def test_a_cut_upload_is_lost_with_its_connection() -> None:
    """A chunk that cannot be sent is ConnectionLost; no later chunk opens a connection."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(OK)
        peer.read(100)
        peer.reset()

    with ScriptedRuntimeApi(serve, replies(AGAIN)) as api, connected(api) as connection:
        connection.request("GET", "/1")
        upload = connection.upload(connection.head("POST", "/2", UPLOAD_HEAD))
        with pytest.raises(ConnectionLost):  # noqa: PT012  some write fails, not the first
            for _ in range(1000):
                upload.write(bytes(100_000))
        with pytest.raises(ConnectionLost, match="closed"):
            upload.write(b"more")
        assert connection.request("GET", "/3").body == b"again"


def test_an_early_refusal_ends_an_upload() -> None:
    """A server that answers before the end wants no more: `write` says so, `finish` has it."""

    def serve(peer: Peer) -> None:
        peer.read(100)
        peer.send(TOO_LARGE)
        peer.reset()

    with ScriptedRuntimeApi(serve, replies(AGAIN)) as api, connected(api) as connection:
        upload = connection.upload(connection.head("POST", "/2", UPLOAD_HEAD))
        written = [upload.write(bytes(100_000)) for _ in range(1000)]
        assert not written[-1]
        assert upload.finish([("X-Error", "Oops")]).status == 413
        assert connection.request("GET", "/3").body == b"again"
