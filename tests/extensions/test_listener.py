"""The telemetry listener as its senders see it: bytes over HTTP and TCP."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_extensions.http_batches import MAX_BODY_BYTES, BadRequest, BatchReader
from lambda_extensions.listener import TelemetryListener
from lambda_extensions.records import TelemetryRecord
from tests.support.processes import eventually

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Inbox:
    """Takes batches while it is open."""

    def __init__(self) -> None:
        self.is_open = True
        self.messages: list[Any] = []
        self.sizes: list[int] = []
        self.offers = 0

    def accept(self, records: list[TelemetryRecord], size: int) -> bool:
        self.offers += 1
        if self.is_open:
            self.messages += [record.record for record in records]
            self.sizes.append(size)
        return self.is_open


@contextmanager
def listening(protocol: Literal["HTTP", "TCP"] = "HTTP") -> Iterator[tuple[Inbox, socket.socket]]:
    inbox = Inbox()
    listener = TelemetryListener(inbox.accept, protocol)
    listener.start()
    try:
        with socket.create_connection(("127.0.0.1", listener.port), timeout=5) as client:
            yield inbox, client
    finally:
        listener.close()


def batch(*texts: str) -> bytes:
    return json.dumps(
        [{"time": "t", "type": "function", "record": text} for text in texts]
    ).encode()


def post(body: bytes) -> bytes:
    return (
        b"POST / HTTP/1.1\r\nHost: sandbox.localdomain:1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def read(client: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length and (more := client.recv(length - len(data))):
        data += more
    return data


def test_batch_is_acknowledged_after_it_was_taken() -> None:
    """A POST with a JSON array is answered with 200 once its records are taken."""
    with listening() as (inbox, client):
        client.sendall(post(batch("a", "b")))
        assert read(client, len(OK)) == OK
        assert inbox.messages == ["a", "b"]
        assert inbox.sizes == [len(batch("a", "b"))]


def test_connection_is_kept() -> None:
    """Many batches come over one connection, also several at once, and also with PUT."""
    with listening() as (inbox, client):
        client.sendall(post(batch("a")))
        assert read(client, len(OK)) == OK
        client.sendall(post(batch("b")) + post(batch("c")).replace(b"POST /", b"PUT /logs"))
        assert read(client, 2 * len(OK)) == OK + OK
        assert inbox.messages == ["a", "b", "c"]


def test_connections_side_by_side() -> None:
    """A sender that dawdles does not keep another from being heard."""
    with listening() as (inbox, client):
        client.sendall(post(batch("slow"))[:-1])
        with socket.create_connection(client.getpeername(), timeout=5) as other:
            other.sendall(post(batch("quick")))
            assert read(other, len(OK)) == OK
        client.sendall(b"]")
        assert read(client, len(OK)) == OK
        assert inbox.messages == ["quick", "slow"]


def test_sender_that_resets_disturbs_nobody() -> None:
    """A connection that is reset in the middle of a batch is forgotten; others are served."""
    with listening() as (inbox, client):
        with socket.create_connection(client.getpeername(), timeout=5) as rude:
            rude.sendall(post(batch("lost"))[:-1])
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(post(batch("a")))
        assert read(client, len(OK)) == OK
        assert inbox.messages == ["a"]


def test_chunked_batch() -> None:
    """A batch may come in chunks, with extensions and trailers nobody needs."""
    body = batch("a")
    request = (
        b"POST /x HTTP/1.1\r\nhost: y\r\ntransfer-encoding: Chunked\r\n\r\n"
        b"5;ext=1\r\n%b\r\n%x\r\n%b\r\n0\r\nTrailer: 1\r\n\r\n"
        % (body[:5], len(body) - 5, body[5:])
    )
    with listening() as (inbox, client):
        client.sendall(request + post(batch("b")))
        assert read(client, 2 * len(OK)) == OK + OK
        assert inbox.messages == ["a", "b"]


def test_batch_that_finds_no_room_is_refused_whole() -> None:
    """Without room the answer is 503, which makes Lambda send the batch again."""
    with listening() as (inbox, client):
        inbox.is_open = False
        client.sendall(post(batch("a")))
        assert read(client, len(BUSY)) == BUSY
        inbox.is_open = True
        client.sendall(post(batch("a")))
        assert read(client, len(OK)) == OK
        assert inbox.messages == ["a"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / SMTP\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"POST / HTTP/1.1\r\nX: " + b"x" * 40_000,
    ],
)
def test_what_is_no_delivery_is_refused(request_bytes: bytes) -> None:
    """Anything but a POST or PUT with a sane length gets 400 and a closed connection."""
    with listening() as (inbox, client):
        client.sendall(request_bytes)
        assert read(client, 1000) == BAD
        with socket.create_connection(client.getpeername(), timeout=5) as other:
            other.sendall(post(batch("a")))
            assert read(other, len(OK)) == OK
        assert inbox.messages == ["a"]


@given(st.lists(st.binary(max_size=20), max_size=4), st.lists(st.integers(1, 40), min_size=1))
def test_pieces_of_any_size_give_the_same_bodies(bodies: list[bytes], cuts: list[int]) -> None:
    """However the network cuts the bytes, the same bodies come out."""
    data = b"".join(
        post(body)
        if index % 2
        else b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"1\r\n%c\r\n" % byte for byte in body)
        + b"0\r\n\r\n"
        for index, body in enumerate(bodies)
    )
    reader, found, at = BatchReader(), [], 0
    while at < len(data):
        step = cuts[at % len(cuts)]
        reader.receive(data[at : at + step])
        at += step
        while (body := reader.next_body()) is not None:
            found.append(body)
    assert found == bodies


@given(st.binary(max_size=100))
def test_any_bytes_are_a_body_or_a_bad_request(data: bytes) -> None:
    """Whatever arrives gives bodies, nothing yet, or BadRequest; never another exception."""
    reader = BatchReader()
    reader.receive(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + data)
    try:
        while reader.next_body() is not None:
            pass
    except BadRequest:
        pass


@pytest.mark.parametrize(
    "endless",
    [b"100000\r\n" + b"x" * 0x100000 + b"\r\n", b"1" * 0x100000, b"0\r\n" + b"x" * 0x100000],
)
def test_chunked_body_has_a_limit_as_a_whole(endless: bytes) -> None:
    """However small its chunks, and in sizes and trailers too: it is not kept for ever."""
    reader = BatchReader()
    reader.receive(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(MAX_BODY_BYTES // len(endless)):
        reader.receive(endless)
        assert reader.next_body() is None
    reader.receive(endless)
    with pytest.raises(BadRequest):
        reader.next_body()


def test_tcp_delivers_a_record_a_line() -> None:
    """Over TCP each line that is not empty is a record; a line may arrive in pieces."""
    line = b'{"time":"t","type":"function","record":"%b"}\n'
    with listening("TCP") as (inbox, client):
        client.sendall(line % b"a" + (line % b"b")[:10])
        eventually(lambda: inbox.messages == ["a"], "the first line")
        client.sendall((line % b"b")[10:] + b"\n\r\n" + line % b"c")
        eventually(lambda: inbox.messages == ["a", "b", "c"], "the other lines")


def test_tcp_waits_for_room() -> None:
    """Over TCP a full backlog stops reading; nothing is lost, and it goes on with room."""
    line = b'{"time":"t","type":"function","record":"%d"}\n'
    with listening("TCP") as (inbox, client):
        inbox.is_open = False
        client.sendall(line % 1)
        eventually(lambda: inbox.offers > 0, "the first offer")
        sender = threading.Thread(
            target=client.sendall, args=(b"".join(line % n for n in range(2, 50_000)),)
        )
        sender.start()
        assert inbox.messages == []
        inbox.is_open = True
        sender.join()
        eventually(lambda: len(inbox.messages) == 49_999, "all lines")
        assert inbox.messages == [str(n) for n in range(1, 50_000)]


def test_what_was_sent_before_the_end_is_still_read() -> None:
    """What has arrived when the listener is closed is accepted, over HTTP and over TCP."""
    texts = [f"{number} " + "x" * 40_000 for number in range(40)]  # more than one read takes
    line = b'{"time":"t","type":"function","record":"%b"}\n'
    for protocol, sent in (
        ("HTTP", b"".join(post(batch(text)) for text in texts)),
        ("TCP", b"".join(line % text.encode() for text in texts)),
    ):
        inbox = Inbox()
        listener = TelemetryListener(inbox.accept, protocol)  # type: ignore[arg-type]  # of two
        listener.start()
        with socket.create_connection(("127.0.0.1", listener.port), timeout=5) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            client.sendall(sent)
            assert listener.close() == []
        assert inbox.messages == texts


def test_tcp_records_without_room_are_handed_over_at_the_end() -> None:
    """TCP cannot refuse: what was read and found no room comes back, with a record cut short."""
    line = b'{"time":"t","type":"function","record":"%b"}\n'
    inbox = Inbox()
    inbox.is_open = False
    listener = TelemetryListener(inbox.accept, "TCP")
    listener.start()
    with socket.create_connection(("127.0.0.1", listener.port), timeout=5) as client:
        client.sendall(line % b"a" + (line % b"b")[:10])
        eventually(lambda: inbox.offers > 0, "the first offer")
        ((records, size),) = listener.close()
    assert [record.record for record in records] == ["a", None]
    assert records[1].raw == '{"time":"t'
    assert size == len(line % b"a") - 1 + 10


def test_tcp_record_without_an_end_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that grows beyond every record's size ends its connection, and nobody else's."""
    monkeypatch.setattr("lambda_extensions.listener.MAX_BODY_BYTES", 1000)
    with listening("TCP") as (inbox, client):
        client.sendall(b"x" * 2000)
        assert client.recv(1) == b""
        with socket.create_connection(client.getpeername(), timeout=5) as other:
            other.sendall(b'{"type":"function","record":"a"}\n')
            eventually(lambda: inbox.messages == ["a"], "the other sender's record")


def test_name_of_the_sandbox_does_not_resolve(capsys: pytest.CaptureFixture[str]) -> None:
    """Outside of Lambda it listens on 127.0.0.1, says so once, and advertises Lambda's name."""
    listener = TelemetryListener(lambda _records, _size: True)
    try:
        assert listener.destination == {
            "protocol": "HTTP",
            "URI": f"http://sandbox.localdomain:{listener.port}/",
        }
    finally:
        listener.close()
    assert capsys.readouterr().err == (
        "lambda_extensions: sandbox.localdomain is no address of this machine: "
        "telemetry is received on 127.0.0.1\n"
    )


def test_destination_of_tcp_is_a_port() -> None:
    """A TCP subscription names the port alone."""
    listener = TelemetryListener(lambda _records, _size: True, "TCP")
    try:
        assert listener.destination == {"protocol": "TCP", "port": listener.port}
    finally:
        listener.close()


def test_two_listeners_have_two_ports() -> None:
    """Ports are free ones: two extensions with this SDK do not collide."""
    with listening() as (_, one), listening() as (_, other):
        assert one.getpeername() != other.getpeername()
