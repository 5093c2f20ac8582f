from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.http_far_side import FarSide
from tests.support.raw_http import RawClient, ServerThread

ECHO = b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"
PIPELINE = (
    ECHO
    + b"POST /length HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX-End: yes\r\n\r\n"
    + b"POST /length HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
    + b"Content-Length: 3\r\n\r\nabc"
    + b"GET /headers?q HTTP/1.1\r\nHost: localhost\r\nX-A: \r\nX-B: one \r\n\r\n"
    + b"\r\nPOST /refusal HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n!"
    + b"POST /echo/b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n"
    + b"x" * 1001
    + b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
)
REQUESTS = [
    ECHO,
    b"POST /echo/long HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
    b"POST /length HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"2\r\nhi\r\n0\r\nX-A: 1\r\n\r\n",
    b"GET /headers HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
    b"GET /headers HTTP/1.1\r\nHost: localhost\r\nX-A: 2\r\n\r\n",
    b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\nX-A: 2\r\n\r\n",
]
FRAGMENTS = st.sampled_from(
    [
        *(b"\r\n", b"\n", b"\r\n\r\n", b"\0", b" ", b"0\r\n\r\n", b"5\r\nhello\r\n", b"%"),
        *(
            b"Content-Length: 3\r\n",
            b"Content-Length: 99999\r\n",
            b"Transfer-Encoding: chunked\r\n",
        ),
        *(b"Connection: close\r\n", b"Expect: 100-continue\r\n", b"Upgrade: h2c\r\n"),
        *(b"Connection: upgrade\r\n", b"Host: evil\r\n", b"GET /park HTTP/1.1\r\n", b"HTTP/1.0"),
        *(b"POST /sink HTTP/1.1\r\nHost: localhost\r\n", b"CONNECT a:1 HTTP/1.1\r\n", ECHO),
    ]
)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    with ServerThread(FarSide().router()) as server:
        yield server


def converse(server: ServerThread, *pieces: bytes) -> bytes:
    """Send piece by piece, half-close, and read to the end."""
    with RawClient(server.address) as client, contextlib.suppress(ConnectionError):
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return finish(client, *pieces)
    return b""


def finish(client: RawClient, *pieces: bytes) -> bytes:
    for piece in pieces:
        client.send(piece)
    with contextlib.suppress(OSError):  # it may be closed already
        client.socket.shutdown(socket.SHUT_WR)
    return client.read_to_end()


@settings(max_examples=60, deadline=None)
@given(cuts=st.lists(st.integers(0, len(PIPELINE)), max_size=12))
def test_cuts_do_not_matter(server: ServerThread, cuts: list[int]) -> None:
    """However a pipeline is cut into packets, its answers are the same bytes."""
    whole = converse(server, PIPELINE)
    statuses = re.findall(rb"HTTP/1.1 (\d+)", whole)
    assert statuses == [b"200", b"200", b"200", b"200", b"403", b"413", b"404"]
    edges = [0, *sorted(cuts), len(PIPELINE)]
    pieces = [PIPELINE[start:end] for start, end in pairwise(edges)]
    assert converse(server, *pieces) == whole


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_requests(server: ServerThread, data: st.DataObject) -> None:
    """Whatever is cut out of requests or put into them, the conversation ends; nobody is hurt."""
    damaged = bytearray(PIPELINE)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(PIPELINE)))
        length = data.draw(st.integers(0, 30))
        damaged[start : start + length] = data.draw(st.binary(max_size=8) | FRAGMENTS)
    converse(server, bytes(damaged))
    assert not server.errors
    assert converse(server, ECHO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).endswith(
        b"\r\n\r\na=hi"
    )


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_went_before_does_not_matter(server: ServerThread, data: st.DataObject) -> None:
    """A request, damaged or not, is answered on a used connection as on a fresh one."""
    request = bytearray(data.draw(st.sampled_from(REQUESTS)))
    for _ in range(data.draw(st.integers(0, 2))):
        start = data.draw(st.integers(0, len(request)))
        length = data.draw(st.integers(0, 10))
        request[start : start + length] = data.draw(st.binary(max_size=4) | FRAGMENTS)
    before = data.draw(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=3))
    fresh = converse(server, bytes(request))
    with RawClient(server.address) as client:
        for each in before:
            assert client.answer(each).startswith(b"HTTP/1.1 ")
        assert finish(client, bytes(request)) == fresh


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.binary(max_size=200) | FRAGMENTS, max_size=10))
def test_noise(server: ServerThread, pieces: list[bytes]) -> None:
    """Noise ends the conversation, without a fault."""
    received = converse(server, *pieces)
    assert not received or received.startswith(b"HTTP/1.1 ")
    assert not server.errors
