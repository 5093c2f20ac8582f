"""The response and the next poll in one write: what goes out together, and what must not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.runtime_programs import (
    ACCEPTED,
    EVENT,
    Peer,
    answering,
    body_of,
    event,
    path_of,
    paths,
    refusal,
    run_against,
)

if TYPE_CHECKING:
    from pathlib import Path

ECHO = (
    "from lambda_runtime import after_response, use_pipelining\n"
    "use_pipelining()\n"
    "def handler(event, context):\n"
    "    print('handled', context.aws_request_id)\n"
    "    if event == 'later': after_response(print, 'after')\n"
    "    if event == 'large': return 'x' * 70000\n"
    "    if event == 'raise': raise ValueError('x')\n"
    "    return event\n"
)
SECOND = event(b'"two"', request_id="request-2")
CHUNKED = SECOND.replace(b"Content-Length: 5\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\n")
CHUNKED += b"\r\n0\r\n\r\n"


def together(peer: Peer, answer: bytes) -> bytes:
    """Serve a response that brings its poll along; both have come before either is answered."""
    response = peer.request()
    assert path_of(peer.request()).endswith("/invocation/next")
    peer.send(answer)
    return response


@pytest.mark.parametrize("second", [SECOND, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("parts", [1, 2])
def test_response_and_poll_leave_together(tmp_path: Path, second: bytes, parts: int) -> None:
    """Once the connection is proven, a response and a poll are one segment; so may the replies."""
    bodies = []

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        before = len(peer.segments)
        if parts == 1:
            bodies.append(body_of(together(peer, ACCEPTED + second)))
        else:
            bodies.append(body_of(together(peer, ACCEPTED)))
            peer.send(second)
        assert len(peer.segments) == before + 1
        bodies.append(body_of(together(peer, ACCEPTED)))

    finished = run_against(tmp_path, ECHO, serve)
    assert finished.stdout == "handled request-1\nhandled request-2\n"
    assert bodies == [b"{}", b'"two"']


@pytest.mark.parametrize("kind", ["large", "raise", "later"])
def test_what_is_not_followed_by_its_poll(tmp_path: Path, kind: str) -> None:
    """A body that may be refused for its size, an error, a response with work behind it."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(event(f'"{kind}"'.encode()))
        peer.request()
        assert peer.has_nothing()
        peer.send(ACCEPTED)
        peer.request()

    finished = run_against(tmp_path, ECHO, serve)
    assert paths(finished) == ["next", "error" if kind == "raise" else "response", "next"]


def test_an_event_whose_answer_was_refused_is_not_run_again(tmp_path: Path) -> None:
    """After a refusal the emulator delivers the same event again: the process ends, saying so."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        together(peer, refusal("400 Bad Request", "InvalidRequestID") + EVENT)
        peer.request()

    finished = run_against(tmp_path, ECHO, serve)
    assert finished.stdout.count("handled") == 1
    assert finished.exit_code == 1
    assert "request-1 a second time" in finished.stderr


def test_a_refused_answer_and_another_event(tmp_path: Path) -> None:
    """After a refusal a new event is handled as ever."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        together(peer, refusal("403 Forbidden") + SECOND)
        together(peer, ACCEPTED)

    finished = run_against(tmp_path, ECHO, serve)
    assert finished.stdout.count("handled") == 2


def test_an_end_between_the_replies(tmp_path: Path) -> None:
    """Only the poll is sent again: the response has been taken."""

    def first(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        together(peer, ACCEPTED)

    finished = run_against(tmp_path, ECHO, first, answering(SECOND, ACCEPTED))
    assert finished.stdout == "handled request-1\nhandled request-2\n"
    assert paths(finished)[:4] == ["next", "response", "next", "next"]


def test_an_end_before_any_reply(tmp_path: Path) -> None:
    """The response is sent again, alone, over a new connection; the poll follows its reply."""

    def first(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        peer.request()
        peer.request()

    finished = run_against(tmp_path, ECHO, first, answering(ACCEPTED, SECOND, ACCEPTED))
    assert finished.stdout == "handled request-1\nhandled request-2\n"
    assert paths(finished)[:5] == ["next", "response", "next", "response", "next"]


def test_an_end_inside_the_second_reply(tmp_path: Path) -> None:
    """Half an event is lost, and the process says so; nothing is asked for again."""

    def first(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        together(peer, ACCEPTED + SECOND[:-2])

    finished = run_against(tmp_path, ECHO, first)
    assert finished.exit_code == 1
    assert "no reply from" in finished.stderr


def test_a_server_that_closes_after_each_reply(tmp_path: Path) -> None:
    """`Connection: close` on the response's reply: the poll goes over a new connection."""
    closing = ACCEPTED.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)

    def first(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        together(peer, closing)

    finished = run_against(tmp_path, ECHO, first, answering(SECOND, ACCEPTED))
    assert finished.stdout == "handled request-1\nhandled request-2\n"


def test_without_the_option_nothing_leaves_early(tmp_path: Path) -> None:
    """By default the poll waits for the reply to the response."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        peer.request()
        assert peer.has_nothing()
        peer.send(ACCEPTED)
        peer.request()

    run_against(tmp_path, ECHO.replace("use_pipelining()\n", ""), serve)
