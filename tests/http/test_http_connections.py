from __future__ import annotations

import asyncio
import socket

import pytest

from rapid_mock.http.router import Router
from rapid_mock.http.server import HttpServer
from tests.support.http_far_side import FarSide, answer
from tests.support.raw_http import DEADLINE_SECONDS, RawClient, ServerThread

ECHO = b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"
ECHOED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na=hi"
PARK = b"GET /park HTTP/1.1\r\nHost: localhost\r\n\r\n"
SURVIVE = b"GET /park?survive HTTP/1.1\r\nHost: localhost\r\n\r\n"
FIRST = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"


def closing(request: bytes) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)


def test_pipelined_requests_are_answered_in_order(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """A second request waits for the first one's answer; then all come, in order."""
    client.send(PARK + ECHO + ECHO)
    far.wait_to_hear("parked")
    assert client.is_parked()
    answer(server, far.parked[0], b"first")
    client.send(closing(ECHO))
    assert client.read_to_end() == FIRST + ECHOED + ECHOED + closing(ECHOED)


def test_a_second_request_is_not_begun_before_the_first_is_answered(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """Of two polls in one pipeline the endpoint sees one at a time."""
    client.send(PARK)
    client.send(PARK)
    far.wait_to_hear("parked")
    assert client.is_parked()
    assert far.heard == ["parked"]
    answer(server, far.parked[0], b"first")
    assert client.answer() == FIRST
    far.wait_for(lambda: far.heard == ["parked", "parked"])


def test_a_request_in_pieces_behind_a_poll(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """A waiting request may still be on its way when its turn comes."""
    client.send(PARK + ECHO[:-1])
    far.wait_to_hear("parked")
    assert client.is_parked()
    answer(server, far.parked[0], b"first")
    assert client.answer() == FIRST
    assert client.answer(ECHO[-1:]) == ECHOED


def test_a_long_pipeline(server: ServerThread, client: RawClient, far: FarSide) -> None:
    """Thousands of requests behind a poll are answered, however deep they are."""
    client.send(PARK + ECHO * 3000 + closing(ECHO))
    far.wait_to_hear("parked")
    answer(server, far.parked[0], b"first")
    assert client.read_to_end() == FIRST + ECHOED * 3000 + closing(ECHOED)
    assert not server.errors


def test_a_client_that_does_not_read(server: ServerThread, client: RawClient, far: FarSide) -> None:
    """Its answers fill one buffer, not the memory: further requests wait until it reads."""
    requests = 100
    ask = b"GET /large?1048576 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    client.send(ask * (requests - 1) + closing(ask))
    far.wait_to_hear("large")
    with RawClient(server.address) as other:
        assert other.answer(ECHO) == ECHOED
    assert len(far.heard) < requests // 2
    assert client.read_to_end().count(b"HTTP/1.1 200 OK") == requests
    assert len(far.heard) == requests


def test_an_upload_of_a_client_that_does_not_read(client: RawClient, far: FarSide) -> None:
    """The body of a request that waits for its client to read is not taken into memory."""
    client.send(b"GET /large?33554432 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    far.wait_to_hear("large")
    size = 64 << 20
    upload = b"POST /length HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    client.send(upload % size)
    sent = client.send_what_fits(b"x" * size)
    assert sent < size
    assert len(client.answer()) > 1 << 25
    assert client.answer(b"x" * (size - sent)).endswith(b"\r\n\r\n%d" % size)


def test_what_follows_a_closing_poll(client: RawClient, far: FarSide) -> None:
    """After `Connection: close` nothing is a request any more; a flood of it ends the poll."""
    client.send(closing(PARK) + ECHO)
    client.send(ECHO)
    far.wait_to_hear("parked")
    assert client.is_parked()
    assert far.heard == ["parked"]
    with pytest.raises(ConnectionError):
        client.send(b"x" * (64 << 20))
    far.wait_for(lambda: far.heard == ["parked", "vanished"])


def test_what_follows_a_pending_request_is_malformed(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """A good request gets its answer before the 400 for what came behind it."""
    client.send(SURVIVE + b"NONSENSE\r\n\r\n")
    far.wait_to_hear("parked")
    assert client.is_parked()
    answer(server, far.parked[0], b"first")
    received = client.read_to_end()
    assert received.startswith(FIRST + b"HTTP/1.1 400 Bad Request\r\n")


def test_what_follows_a_parked_poll_is_malformed(client: RawClient, far: FarSide) -> None:
    """A poll whose client goes on with nonsense has lost its client."""
    client.send(PARK + b"NONSENSE\r\n\r\n")
    assert client.read_to_end() == b""
    far.wait_for(lambda: far.heard == ["parked", "vanished"])


@pytest.mark.parametrize("end", ["close", "reset", "half-close"])
def test_a_parked_poll_hears_of_its_client(server: ServerThread, far: FarSide, end: str) -> None:
    """A client that closes, resets or half-closes while its poll is parked has vanished."""
    with RawClient(server.address) as client:
        client.send(PARK)
        far.wait_to_hear("parked")
        if end == "reset":
            client.reset_on_close()
        if end == "half-close":
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_to_end() == b""
    far.wait_to_hear("vanished")
    answer(server, far.parked[0], b"too late")
    assert far.heard == ["parked", "vanished"]
    assert not server.errors


def test_an_ordinary_request_is_reset(server: ServerThread, far: FarSide) -> None:
    """A reset means that the client is gone, even for an exchange that survives a half-close."""
    with RawClient(server.address) as client:
        client.send(SURVIVE)
        far.wait_to_hear("parked")
        client.reset_on_close()
    far.wait_to_hear("vanished")


def test_a_half_closed_client_gets_its_answer(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """An ordinary request whose client shut down its sending side is still answered."""
    client.send(SURVIVE)
    client.socket.shutdown(socket.SHUT_WR)
    far.wait_to_hear("parked")
    assert client.is_parked()
    answer(server, far.parked[0], b"first")
    assert client.read_to_end() in (FIRST, closing(FIRST))
    assert far.heard == ["parked"]


def test_a_half_closed_pipeline_is_answered(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """Requests that came before the half-close are answered; a cut one is not begun."""
    client.send(SURVIVE + ECHO + ECHO[:-1])
    client.socket.shutdown(socket.SHUT_WR)
    far.wait_to_hear("parked")
    answer(server, far.parked[0], b"first")
    received = client.read_to_end()
    assert received.startswith(FIRST)
    assert received.endswith(b"\r\n\r\na=hi")
    assert received.count(b"HTTP/1.1 ") == 2


def test_a_poll_that_begins_after_the_half_close(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """A poll whose turn comes when its client has half-closed has no client."""
    client.send(SURVIVE + PARK)
    far.wait_to_hear("parked")
    client.socket.shutdown(socket.SHUT_WR)
    answer(server, far.parked[0], b"first")
    assert client.read_to_end().startswith(FIRST)
    far.wait_for(lambda: far.heard == ["parked", "parked", "vanished"])


def test_the_client_is_told_once(server: ServerThread, far: FarSide) -> None:
    """An exchange that was answered does not hear of its client's end."""
    with RawClient(server.address) as client:
        client.send(PARK)
        far.wait_to_hear("parked")
        answer(server, far.parked[0], b"first")
        assert client.answer() == FIRST
    with RawClient(server.address) as client:
        client.send(PARK)
        far.wait_for(lambda: far.heard == ["parked", "parked"])
    far.wait_for(lambda: far.heard == ["parked", "parked", "vanished"])


def test_closing_the_server(far: FarSide) -> None:
    """Closing ends idle, waiting and stalled connections, and frees the port."""
    with ServerThread(far.router()) as server:
        idle, parked, stalled = (RawClient(server.address) for _ in range(3))
        parked.send(PARK)
        stalled.send(b"GET /large?33554432 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        far.wait_for(lambda: {"parked", "large"} <= set(far.heard))
    assert idle.read_to_end() == b""
    assert parked.read_to_end() == b""
    far.wait_to_hear("vanished")
    with pytest.raises(ConnectionRefusedError):
        RawClient(server.address)
    for each in (idle, parked, stalled):
        each.socket.close()


def test_closing_the_server_lets_written_answers_leave(far: FarSide) -> None:
    """An answer that is on its way when the server closes arrives whole."""
    size = 16 << 20
    with ServerThread(far.router()) as server:
        client = RawClient(server.address)
        client.send(b"GET /large?%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % size)
        far.wait_to_hear("large")
        closing_server = server.start_closing()
        received = client.read_to_end()
        closing_server()
    client.socket.close()
    assert len(received.partition(b"\r\n\r\n")[2]) == size


def test_a_connection_accepted_while_closing() -> None:
    """A connection that the closed listener had just accepted is closed as well."""

    async def accept_late() -> bytes:
        server = HttpServer(Router())
        await server.start()
        await server.close()
        ours, theirs = socket.socketpair()
        await asyncio.get_running_loop().connect_accepted_socket(server._accept, ours)
        reader, writer = await asyncio.open_connection(sock=theirs)
        received = await asyncio.wait_for(reader.read(), DEADLINE_SECONDS)
        writer.close()
        await writer.wait_closed()
        return received

    assert asyncio.run(accept_late()) == b""


def test_ports(server: ServerThread) -> None:
    """Port 0 takes a free port of 127.0.0.1; a taken one is an OSError."""
    host, port = server.address
    assert host == "127.0.0.1"
    with pytest.raises(OSError, match="address already in use"):
        server.listen_again(port)


@pytest.mark.parametrize("begun", [b"G", b"GET /park HT", PARK[:-2]], ids=["byte", "line", "head"])
def test_a_head_that_does_not_end(
    server: ServerThread, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A head has 60 s from its first packet, however it crawls: then 408 and the end."""
    monkeypatch.setattr("rapid_mock.http.connection.MAX_HEAD_SECONDS", 0.1)
    with RawClient(server.address) as client:
        client.send(begun)
        received = client.read_to_end()
    assert received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert received.endswith(b"408 Request Timeout")


def test_time_for_a_head_is_for_heads_only(
    server: ServerThread, far: FarSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body, a chunk's size, a poll and an idle connection may take longer."""
    monkeypatch.setattr("rapid_mock.http.connection.MAX_HEAD_SECONDS", 0.1)
    chunked = b"POST /sink HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    clients = [RawClient(server.address) for _ in range(4)]
    idle, body, chunk, late = clients
    assert idle.answer(ECHO) == ECHOED
    body.send(ECHO[:20]).send(ECHO[20:-1])
    chunk.send(chunked + b"1\r\nx\r\n")
    far.wait_to_hear("data")
    chunk.send(b"2\r")
    assert late.send(b"G").read_to_end().startswith(b"HTTP/1.1 408 ")
    assert body.answer(ECHO[-1:]) == ECHOED
    assert chunk.answer(b"\nhi\r\n0\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert idle.answer(ECHO) == ECHOED
    for client in clients:
        client.socket.close()
