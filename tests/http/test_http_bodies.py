from __future__ import annotations

import socket

import pytest

from tests.support.http_far_side import FarSide
from tests.support.raw_http import RawClient, ServerThread

ECHO = b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"
ECHOED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na=hi"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n"


def post(path: bytes, *headers: bytes) -> bytes:
    lines = b"".join(line + b"\r\n" for line in headers)
    return b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n"


def test_a_body_up_to_the_limit(client: RawClient) -> None:
    """Exactly `max_body` bytes are accepted, with a length and chunked."""
    body = b"x" * 1000
    answer = b"Content-Length: 1002\r\n\r\na=" + body
    assert client.answer(post(b"/echo/a", b"Content-Length: 1000") + body).endswith(answer)
    chunked = post(b"/echo/a", b"Transfer-Encoding: chunked")
    assert client.answer(chunked + b"3e8\r\n" + body + b"\r\n0\r\n\r\n").endswith(answer)


@pytest.mark.parametrize("size", [0, 1, 70_000, 6 << 20])
@pytest.mark.parametrize("chunk", [None, 1000, 1 << 17])
def test_a_body_is_collected_whole(client: RawClient, size: int, chunk: int | None) -> None:
    """However a body is cut, the endpoint gets all of it."""
    if chunk is None:
        request = post(b"/length", b"Content-Length: %d" % size) + b"x" * size
    else:
        sizes = [chunk] * (size // chunk) + [size % chunk] * (size % chunk > 0)
        chunks = [b"%x\r\n" % each + b"x" * each + b"\r\n" for each in sizes]
        request = post(b"/length", b"Transfer-Encoding: chunked") + b"".join(chunks)
        request += b"0\r\n\r\n"
    assert client.answer(request).endswith(b"\r\n\r\n%d" % size)


def test_body_above_the_limit_is_refused_at_once(client: RawClient) -> None:
    """A Content-Length above the limit is 413 before the body is read; then it is discarded."""
    assert client.answer(post(b"/echo/a", b"Content-Length: 2000")) == TOO_LARGE
    client.send(b"x" * 2000)
    assert client.answer(ECHO) == ECHOED


def test_chunked_body_above_the_limit(client: RawClient) -> None:
    """A chunked body is refused as soon as it grows above the limit."""
    client.send(post(b"/echo/a", b"Transfer-Encoding: chunked"))
    assert client.answer(b"3e9\r\n" + b"x" * 1001) == TOO_LARGE
    client.send(b"\r\n0\r\n\r\n")
    assert client.answer(ECHO) == ECHOED


def test_chunks_count_together(client: RawClient) -> None:
    """Chunks within the limit each are refused when their sum is not."""
    client.send(post(b"/echo/a", b"Transfer-Encoding: chunked"))
    chunk = b"258\r\n" + b"x" * 600 + b"\r\n"
    client.send(chunk)
    assert client.is_parked()
    assert client.answer(chunk) == TOO_LARGE


def test_a_refused_body_that_has_ended(client: RawClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for discarding a body ends with the body: the connection stays."""
    monkeypatch.setattr("rapid_mock.http.connection.MAX_DISCARD_SECONDS", 0.02)
    client.answer(post(b"/echo/a", b"Content-Length: 2000"))
    client.send(b"x" * 2000)
    assert client.is_parked()
    assert client.answer(ECHO) == ECHOED


def test_an_endpoint_that_forgets_to_refuse(server: ServerThread, client: RawClient) -> None:
    """A too large body that the endpoint leaves unanswered is a 500, told as our fault."""
    answer = client.answer(post(b"/silent-limit", b"Content-Length: 2000"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert len(server.errors) == 1


def test_refused_body_that_never_comes(client: RawClient) -> None:
    """After 2 s of waiting for a refused body the connection is closed."""
    client.answer(post(b"/echo/a", b"Content-Length: 2000"))
    assert client.read_to_end() == b""


def test_refused_body_that_never_ends(client: RawClient) -> None:
    """After 16 MiB of a refused body the connection is closed, without waiting for 2 s."""
    client.answer(post(b"/echo/a", b"Content-Length: 99999999"))
    with pytest.raises(ConnectionError):
        client.send(b"x" * 99_999_998)


def test_expect_continue(client: RawClient) -> None:
    """100 Continue comes when the body is wanted."""
    expect = post(b"/echo/a", b"Expect: 100-Continue", b"Content-Length: 2")
    client.send(expect)
    assert client.socket.recv(100) == CONTINUE
    assert client.answer(b"hi") == ECHOED
    assert client.answer(ECHO) == ECHOED


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [(b"/echo/a", 2000, 413), (b"/nowhere", 2, 404), (b"/park", 2, 405), (b"/refusal", 2, 403)],
)
def test_expect_continue_is_refused(
    client: RawClient, path: bytes, length: int, status: int
) -> None:
    """A body that is not wanted gets its answer instead, and the connection's end.

    Whether the client sends the body after that is its choice, so no request could follow.
    """
    client.send(post(path, b"Expect: 100-continue", b"Content-Length: %d" % length))
    answer = client.answer()
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nConnection: close\r\n" in answer
    client.socket.shutdown(socket.SHUT_WR)
    assert client.read_to_end() == b""


def test_http_1_0_knows_no_continue(client: RawClient) -> None:
    """An HTTP/1.0 client is sent no 100."""
    client.send(b"POST /echo/a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert client.is_parked()
    client.send(b"hi")
    assert client.read_to_end().startswith(b"HTTP/1.1 200 OK\r\n")


def test_stream_and_trailers(client: RawClient, far: FarSide) -> None:
    """A sink gets each piece as it comes, and the trailers at the end."""
    client.send(post(b"/sink", b"Transfer-Encoding: chunked", b"Trailer: X-End"))
    client.send(b"3\r\none\r\n")
    far.wait_to_hear("data")
    answer = client.answer(b"3\r\ntwo\r\n0\r\nX-End: yes \r\nx-end: no\r\nX-Empty:\r\n\r\n")
    assert far.chunks == [b"one", b"two"]
    assert far.trailers == [("x-end", "yes"), ("x-end", "no"), ("x-empty", "")]
    assert answer.endswith(b"\r\n\r\n6")
    assert client.answer(ECHO) == ECHOED


def test_trailers_do_not_leak_into_the_next_request(client: RawClient, far: FarSide) -> None:
    """A request without trailers after one with them has none."""
    chunked = post(b"/sink", b"Transfer-Encoding: chunked")
    client.answer(chunked + b"0\r\nX-End: yes\r\n\r\n")
    assert far.trailers == [("x-end", "yes")]
    headers = client.answer(b"GET /headers HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert headers.endswith(b"\r\n\r\n-")
    client.answer(chunked + b"0\r\n\r\n")
    assert far.trailers == []


def test_reading_pauses_for_a_slow_endpoint(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """A sink that pauses gets no more than what has been read, until it resumes."""
    size = 64 << 20
    client.send(post(b"/pausing-sink", b"Content-Length: %d" % size))
    sent = client.send_what_fits(b"x" * size)
    assert sent < size
    assert sum(map(len, far.chunks)) <= 1 << 20
    server.do(far.go_on)
    client.send(b"x" * (size - sent))
    assert client.answer().endswith(b"\r\n\r\n%d" % size)


def test_reading_resumes_at_the_end_of_a_paused_body(client: RawClient) -> None:
    """A sink that pauses within the last read does not keep the next request from being read."""
    request = post(b"/pausing-sink", b"Content-Length: 3") + b"one"
    assert client.answer(request).endswith(b"\r\n\r\n3")
    assert client.answer(ECHO) == ECHOED


def test_reading_resumes_when_a_paused_body_is_refused(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """The rest of a body that was paused and then answered is read and discarded."""
    client.send(post(b"/pausing-sink", b"Content-Length: 6") + b"one")
    far.wait_to_hear("data")
    server.do(lambda: far.parked[0].respond(403, [], b"no"))
    assert client.answer().endswith(b"\r\n\r\nno")
    client.send(b"two")
    assert client.answer(ECHO) == ECHOED
    assert far.chunks == [b"one"]


def test_a_late_resume_or_pause_is_nobody_elses(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """Pausing an exchange whose body has ended does not pause its connection."""
    client.answer(post(b"/pausing-sink", b"Content-Length: 3") + b"one")
    server.do(far.parked[0].pause_reading)
    assert client.answer(ECHO) == ECHOED
    server.do(far.parked[0].resume_reading)
    assert client.answer(ECHO) == ECHOED


def test_a_refusal_in_the_head(client: RawClient) -> None:
    """An endpoint may answer at the head's end; the body is discarded, the connection lives."""
    answer = client.answer(post(b"/refusal", b"Content-Length: 3"))
    assert answer.endswith(b"\r\n\r\nno")
    client.send(b"one")
    assert client.answer(ECHO) == ECHOED


@pytest.mark.parametrize("end", ["close", "half-close", "reset", "framing"])
def test_a_sink_hears_of_a_broken_body(server: ServerThread, far: FarSide, end: str) -> None:
    """A body that ends too early, however it does, is told to its sink, once."""
    with RawClient(server.address) as client:
        client.send(post(b"/sink", b"Transfer-Encoding: chunked") + b"3\r\none\r\n")
        far.wait_to_hear("data")
        if end == "framing":
            client.send(b"zz\r\n")
            assert client.read_to_end().startswith(b"HTTP/1.1 400 Bad Request\r\n")
        if end == "half-close":
            client.socket.shutdown(socket.SHUT_WR)
            assert client.read_to_end() == b""
        if end == "reset":
            client.reset_on_close()
    far.wait_to_hear("truncated")
    assert far.heard == ["data", "truncated"]
    assert not server.errors


@pytest.mark.parametrize("end", ["half-close", "framing"])
def test_an_endpoint_may_answer_a_broken_body(client: RawClient, far: FarSide, end: str) -> None:
    """Who is still listening gets the endpoint's answer, and then the connection's end."""
    client.send(post(b"/told", b"Transfer-Encoding: chunked") + b"3\r\none\r\n")
    far.wait_to_hear("head")
    if end == "framing":
        client.send(b"zz\r\n")
    else:
        client.socket.shutdown(socket.SHUT_WR)
    received = client.read_to_end()
    assert received.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n")
    assert received.endswith(b"Connection: close\r\n\r\nbroke off")
    assert far.heard == ["head", "truncated"]


def test_a_broken_body_after_its_answer(
    server: ServerThread, client: RawClient, far: FarSide
) -> None:
    """The endpoint hears nothing of a body, or of its client, that it has answered already."""
    client.answer(post(b"/refusal", b"Transfer-Encoding: chunked"))
    client.send(b"zz\r\n")
    assert client.read_to_end() == b""
    assert far.heard == []
    assert not server.errors


def test_a_fault_in_a_sink(server: ServerThread, client: RawClient, far: FarSide) -> None:
    """A sink that raises ends as a 500; what comes after that is discarded."""
    client.send(post(b"/sink", b"Content-Length: 8") + b"raise")
    assert client.answer().startswith(b"HTTP/1.1 500 ")
    client.send(b"end")
    assert client.answer(ECHO) == ECHOED
    assert far.chunks == [b"raise"]
    assert [str(error) for error in server.errors] == ["a fault of ours"]
