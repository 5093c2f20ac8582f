from __future__ import annotations

from functools import partial

import pytest

from tests.support.http_far_side import FarSide
from tests.support.raw_http import RawClient, ServerThread

ECHO = b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"
ECHOED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na=hi"
PIECES = b"GET /pieces HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_pieces_leave_as_they_are_written(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """The head, each piece and the end are on the wire at once; an empty piece is nothing."""
    client.send(PIECES)
    assert client.read_until(b"\r\n\r\n") == HEAD
    far.wait_to_hear("streaming")
    writer = far.writers[0]
    for piece, wire in ((b"one", b"3\r\none\r\n"), (b"x" * 16, b"10\r\n" + b"x" * 16 + b"\r\n")):
        server.do(partial(writer.write, piece))
        server.do(partial(writer.write, b""))
        assert client.read_until(wire) == wire
    server.do(writer.close)
    assert client.read_until(b"0\r\n\r\n") == b"0\r\n\r\n"
    assert client.answer(ECHO) == ECHOED


def test_trailers(server: ServerThread, client: RawClient, far: FarSide) -> None:
    """Trailers are announced in the head and follow the last piece."""
    client.send(PIECES.replace(b"/pieces", b"/pieces?trailers"))
    assert b"\r\nTrailer: X-End\r\n" in client.read_until(b"\r\n\r\n")
    far.wait_to_hear("streaming")
    server.do(lambda: far.writers[0].close([("X-End", "yes\r\nno"), ("X-More", "\u00e4")]))
    end = b"0\r\nX-End: yes  no\r\nX-More: \xe4\r\n\r\n"
    assert client.read_until(end) == end
    assert client.answer(ECHO) == ECHOED


def test_http_1_0_reads_until_the_end(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """An HTTP/1.0 client gets plain bytes and then the connection's end, even with keep-alive."""
    client.send(b"GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    far.wait_to_hear("streaming")
    server.do(partial(far.writers[0].write, b"one"))
    server.do(partial(far.writers[0].close, [("X-End", "yes")]))
    assert client.read_to_end() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\none"
    )


def test_a_request_behind_a_stream_waits(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """The next request of a pipeline is answered after the stream's end."""
    client.send(PIECES + ECHO)
    assert client.read_until(b"\r\n\r\n") == HEAD
    far.wait_to_hear("streaming")
    assert client.is_parked()
    server.do(far.writers[0].close)
    assert client.read_until(b"a=hi") == b"0\r\n\r\n" + ECHOED


def test_an_aborted_stream_is_seen_as_broken(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """After an abort what was written arrives, but no last chunk does."""
    client.send(PIECES)
    far.wait_to_hear("streaming")
    server.do(partial(far.writers[0].write, b"#" * (8 << 20)))
    server.do(far.writers[0].abort)
    received = client.read_to_end()
    assert received.endswith(b"#\r\n")
    assert received.count(b"#") == 8 << 20


def test_an_aborted_http_1_0_stream_is_seen_as_broken(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """Where the connection's end is the answer's end, an abort is a reset."""
    client.send(PIECES.replace(b"HTTP/1.1", b"HTTP/1.0"))
    far.wait_to_hear("streaming")
    server.do(partial(far.writers[0].write, b"one"))
    assert client.read_until(b"one").endswith(b"\r\n\r\none")
    server.do(far.writers[0].abort)
    with pytest.raises(ConnectionResetError):
        client.read_to_end()


def test_a_slow_client_pauses_the_writer(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """`on_pause` is called when the buffer is full, `on_resume` when there is room again."""
    client.send(PIECES)
    far.wait_to_hear("streaming")
    writer = far.writers[0]
    pieces = 0
    while "paused" not in far.heard:
        server.do(lambda: writer.write(b"#" * (1 << 16)))
        pieces += 1
    assert server.do(lambda: writer.is_paused)
    assert far.heard == ["streaming", "paused"]
    server.do(writer.close)
    received = client.read_until(b"\r\n0\r\n\r\n")
    assert received.count(b"#") == pieces << 16
    assert client.answer(ECHO) == ECHOED


def test_a_slow_client_resumes_the_writer(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """A client that goes on reading makes the writer go on."""
    client.send(PIECES)
    far.wait_to_hear("streaming")
    writer = far.writers[0]
    pieces = 0
    while "paused" not in far.heard:
        server.do(lambda: writer.write(b"#" * (1 << 16)))
        pieces += 1
    wanted = pieces << 16
    while wanted:
        wanted -= client.socket.recv(1 << 16).count(b"#")
    far.wait_for(lambda: far.heard == ["streaming", "paused", "resumed"])
    assert not server.do(lambda: writer.is_paused)


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_client_that_leaves_its_stream(
    server: ServerThread, far: FarSide, is_reset: bool
) -> None:
    """The endpoint hears that the client is gone; what it still writes is dropped."""
    with RawClient(server.address) as client:
        client.send(PIECES)
        client.read_until(b"\r\n\r\n")
        if is_reset:
            client.reset_on_close()
    far.wait_to_hear("streaming")
    writer = far.writers[0]
    while "vanished" not in far.heard:
        server.do(lambda: writer.write(b"x"))
    server.do(lambda: writer.write(b"x"))
    server.do(writer.close)
    assert far.heard == ["streaming", "vanished"]
    assert not server.errors


def test_a_stream_ends_once(server: ServerThread, client: RawClient, far: FarSide) -> None:
    """Writing, closing or aborting after the end is a fault of the caller."""
    client.send(PIECES)
    far.wait_to_hear("streaming")
    writer = far.writers[0]
    server.do(writer.close)
    for again in (lambda: writer.write(b"x"), writer.close, writer.abort):
        with pytest.raises(RuntimeError, match="this answer has ended"):
            server.do(again)
