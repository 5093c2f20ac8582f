"""Header lines that a client sends again and again; the server parses such lines once."""

from __future__ import annotations

import pytest

from tests.support.raw_http import RawClient, ServerThread

GET = b"GET /headers HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n\r\n"


def echo(name: bytes, body: bytes) -> bytes:
    size = b"%d" % len(body)
    return (b"POST /echo/" + name + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + size) + (
        b"\r\n\r\n" + body
    )


def echoed(name: bytes, body: bytes) -> bytes:
    text = name + b"=" + body
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
    return head % len(text) + text


def test_path_and_body_are_each_requests_own(client: RawClient) -> None:
    """The same lines under another path and above another body are another request."""
    for name, body in ((b"a", b"one"), (b"b", b"two"), (b"c%20d", b"six"), (b"e", b"four")):
        assert client.answer(echo(name, body)) == echoed(name.replace(b"%20", b" "), body)


def test_headers_are_the_same_each_time(client: RawClient) -> None:
    """An endpoint sees the headers of the third request as those of the first."""
    first = client.answer(GET)
    assert b"x-a" in first
    assert [client.answer(GET) for _ in range(2)] == [first, first]


def test_one_method_does_not_stand_for_another(client: RawClient) -> None:
    """The lines of a GET under a POST are a POST."""
    client.answer(GET)
    refused = client.answer(GET.replace(b"GET", b"POST"))
    assert refused.startswith(b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n")


def test_body_in_parts(client: RawClient) -> None:
    """Lines that came before may be followed by a body that comes later."""
    client.answer(echo(b"a", b"one"))
    again = echo(b"b", b"two")
    client.send(again[:-2])
    assert client.is_parked()
    assert client.answer(again[-2:]) == echoed(b"b", b"two")


def test_several_at_once(client: RawClient) -> None:
    """Requests with the same lines in one packet are answered one by one."""
    client.answer(echo(b"a", b"one"))
    client.send(echo(b"b", b"two") + echo(b"c", b"six"))
    assert client.read_until(b"c=six") == echoed(b"b", b"two") + echoed(b"c", b"six")


def test_a_body_that_looks_like_a_request_is_a_body(client: RawClient) -> None:
    """A packet inside a body is body, even if it spells a request that came before."""
    client.answer(GET)
    whole = echo(b"a", GET)
    client.send(whole[: -len(GET)])
    assert client.is_parked()
    assert client.answer(GET) == echoed(b"a", GET)


def test_a_head_that_began_before_is_no_request_of_its_own(client: RawClient) -> None:
    """A packet in the middle of a head is a part of it."""
    client.answer(GET)
    client.send(b"POST /echo/a HTTP/1.1\r\nHost: localhost\r\nX-B: ")
    assert client.is_parked()
    assert client.answer(GET).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("size", [3, 300])
def test_many_different_heads(server: ServerThread, size: int) -> None:
    """A client whose lines differ each time is served as well."""
    with RawClient(server.address) as client:
        for number in range(20):
            get = GET.replace(b"X-A: 1", b"X-%d: %b" % (number, b"v" * size * number))
            assert b"x-%d" % number in client.answer(get)


def test_close_closes_each_time(server: ServerThread) -> None:
    """Lines that ask to close are heard on a connection that has served others before."""
    with RawClient(server.address) as client:
        client.answer(GET)
        client.send(GET.replace(b"X-A: 1", b"Connection: close"))
        assert b"Connection: close\r\n" in client.read_to_end()
