"""Received bytes become replies: RFC 9112, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_runtime.errors import InvalidReply
from lambda_runtime.replies import Reply, ReplyParser, quick_reply

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\n"
    b"Transfer-Encoding: chunked\r\n"
    b"\r\n"
    b'3;name=value;quoted="a;b"\r\n'
    b"hel\r\n"
    b"2 ;x\r\n"
    b"lo\r\n"
    b"0\r\n"
    b"Checksum: 1\r\n"
    b"Other: 2\r\n"
    b"\r\n"
)


def fed(parser: ReplyParser, data: bytes, step: int) -> Reply | None:
    """The reply, when `step` bytes are received at a time; nothing comes behind a whole reply."""
    parser.reset()
    reply = None
    position = 0
    while position < len(data):
        assert reply is None, "a whole reply before the last byte"
        count = min(step, len(data) - position, len(parser.room()))
        parser.room()[:count] = data[position : position + count]
        reply = parser.received(count)
        position += count
    return reply


def parsed(data: bytes, step: int = 1) -> Reply:
    reply = fed(ReplyParser(), data, step)
    assert reply is not None
    return reply


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize("data", [PLAIN, CHUNKED], ids=["length", "chunked"])
def test_a_reply_may_come_in_pieces(data: bytes, step: int) -> None:
    """The reply is complete with its last byte, however it was cut."""
    reply = parsed(data, step)
    assert (reply.status, bytes(reply.body)) == (200, b"hello")


@pytest.mark.parametrize("step", [1, 1000])
def test_a_parser_serves_one_reply_after_another(step: int) -> None:
    """The buffer is used again, whatever the kind of the reply before."""
    parser = ReplyParser()
    bodies = []
    for data in (PLAIN, CHUNKED, b"HTTP/1.1 204 No Content\r\n\r\n", CHUNKED, PLAIN):
        reply = fed(parser, data, step)
        assert reply is not None
        bodies.append(bytes(reply.body))
    assert bodies == [b"hello", b"hello", b"", b"hello", b"hello"]


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=8), st.integers(1, 400))
def test_chunks_are_joined(chunks: list[bytes], step: int) -> None:
    """The body of a chunked reply is its chunks' data, whatever it holds."""
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    data += b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert bytes(parsed(data, step).body) == b"".join(chunks)


@pytest.mark.parametrize("step", [1, 1000])
def test_informational_replies_are_passed_over(step: int) -> None:
    """100 and 103 announce the reply that counts."""
    informational = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    for final in (PLAIN, CHUNKED):
        reply = parsed(informational + final, step)
        assert (reply.status, bytes(reply.body)) == (200, b"hello")
        assert reply.header("Link") is None


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_some_replies_have_no_body(status: bytes) -> None:
    """204 and 304 end with their head, whatever length they announce."""
    reply = parsed(b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\n" % status)
    assert bytes(reply.body) == b""


def test_without_a_length_the_body_ends_with_the_connection() -> None:
    """Only the server's end of the stream completes such a reply; the connection is spent."""
    parser = ReplyParser()
    assert fed(parser, b"HTTP/1.1 200 OK\r\n\r\nhello", 3) is None
    reply = parser.ended()
    assert reply is not None
    assert bytes(reply.body) == b"hello"
    assert parser.closes


@pytest.mark.parametrize("partial", [b"", b"HTTP/1.1 200", PLAIN[:-1], CHUNKED[:-1], CHUNKED[:-20]])
def test_a_cut_reply_is_none(partial: bytes) -> None:
    """The end of the stream before the end of the reply completes nothing."""
    parser = ReplyParser()
    assert fed(parser, partial, 5) is None
    assert parser.ended() is None


@pytest.mark.parametrize(
    ("head", "closes"),
    [
        (b"HTTP/1.1 200 OK\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n", True),
        (b"HTTP/1.1 200 OK\r\nCONNECTION: Close\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", True),
    ],
)
def test_the_server_says_whether_the_connection_is_kept(head: bytes, closes: bool) -> None:
    """HTTP/1.1 keeps a connection unless it says `close`; HTTP/1.0 keeps none."""
    parser = ReplyParser()
    assert fed(parser, head + b"Content-Length: 0\r\n\r\n", 9)
    assert parser.closes is closes


@pytest.mark.parametrize("chunk", [0, 60_000])
def test_a_large_body_grows_the_buffer(chunk: int) -> None:
    """One or many MB come whole; the buffer keeps its size for the next reply."""
    body = bytes(range(256)) * 12_000
    if chunk:
        parts = [body[start : start + chunk] for start in range(0, len(body), chunk)]
        framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed
    else:
        data = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    parser = ReplyParser()
    first = fed(parser, data, 65536)
    assert first is not None
    assert first.body == body
    grown = parser.buffer
    again = fed(parser, data, 65536)
    assert again is not None
    assert again.body == body
    assert parser.buffer is grown


def test_a_known_length_is_made_room_for_at_once() -> None:
    """With the head, the buffer grows to the whole body: no copy for each doubling."""
    parser = ReplyParser()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    assert fed(parser, head, len(head)) is None
    assert len(parser.room()) >= 1_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1-200 OK\r\n\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
    ],
)
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    """A head that is no HTTP/1 or announces no number is an InvalidReply."""
    assert quick_reply(data) is None
    with pytest.raises(InvalidReply):
        fed(ReplyParser(), data, len(data))


@pytest.mark.parametrize("size", [b"x", b"-5", b"+5", b"0x5", b"1_0", b";a", b"5 5", b"\xd9\xa3"])
def test_a_chunk_size_is_hexadecimal(size: bytes) -> None:
    """What Python's int() would take for a number is refused as well."""
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\nhello"
    with pytest.raises(InvalidReply, match="chunk size"):
        fed(ReplyParser(), data, len(data))


def test_bytes_behind_a_chunk_are_refused() -> None:
    """A chunk that is longer than its size says is an InvalidReply."""
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n"
    with pytest.raises(InvalidReply):
        fed(ReplyParser(), data, len(data))


def test_a_head_without_end_is_refused() -> None:
    """A megabyte of head is no reply."""
    data = b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200_000
    with pytest.raises(InvalidReply, match="no end"):
        fed(ReplyParser(), data, 65536)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Lambda-Runtime-Aws-Request-Id", "abc"),
        ("lambda-runtime-aws-request-id", "abc"),
        ("LAMBDA-RUNTIME-AWS-REQUEST-ID", "abc"),
        ("x-empty", ""),
        ("X-Text", "Gr\u00fc\u00dfe"),
        ("X-Bytes", "\udcff"),
        ("Request-Id", None),
        ("abc", None),
    ],
)
@pytest.mark.parametrize("body", [b"", b"X-Late: no\r\n"])
def test_headers_are_found_by_name_in_any_case(name: str, value: str | None, body: bytes) -> None:
    """A whole name is found, blanks around its value are not kept; bytes are UTF-8."""
    data = (
        b"HTTP/1.1 200 OK\r\n"
        b"lambda-Runtime-AWS-request-id:  abc \t\r\n"
        b"X-Empty:\r\n"
        b"X-Text: Gr\xc3\xbc\xc3\x9fe\r\n"
        b"X-Bytes: \xff\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    quick = quick_reply(data)
    assert quick is not None
    for reply in (parsed(data), quick):
        assert reply.header(name) == value
        assert reply.header("X-Late") is None


def test_the_first_of_two_headers_counts() -> None:
    """A repeated header is read at its first place."""
    reply = parsed(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 0\r\n\r\n")
    assert reply.header("x-a") == "1"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n',
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
    ],
)
def test_a_reply_that_came_whole_is_known_at_one_look(data: bytes) -> None:
    """The short cut says what the parser says."""
    quick, slow = quick_reply(data), parsed(data)
    assert quick is not None
    assert (quick.status, bytes(quick.body)) == (slow.status, bytes(slow.body))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:-1],
        PLAIN + b"x",
        CHUNKED,
        b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 16\r\n\r\n"
        b'{"status":"OK"}\n',
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 2xx OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_the_short_cut_leaves_everything_else_to_the_parser(data: bytes) -> None:
    """What is partial, chunked, final or not a success takes the long way."""
    assert quick_reply(data) is None


@given(st.sampled_from([PLAIN, CHUNKED]), st.integers(1, 100))
def test_bytes_taken_at_once_are_parsed_as_received_ones(data: bytes, cut: int) -> None:
    """What the first read brought goes on where the parser reads."""
    parser = ReplyParser()
    reply = parser.take(data[:cut])
    for value in data[cut:]:
        parser.room()[:1] = bytes([value])
        reply = parser.received(1)
    assert reply is not None
    assert bytes(reply.body) == b"hello"
