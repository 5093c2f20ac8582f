"""Answers as bytes: heads, and bodies that are written piece by piece."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rapid_mock.http.connection import Connection
    from rapid_mock.http.exchange import Exchange

Headers = Sequence[tuple[str, str]]

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {
    413: "Request Entity Too Large",
    414: "Request URI Too Long",
    416: "Requested Range Not Satisfiable",
    422: "Unprocessable Entity",
}
"""Reason phrases as Go's services have them; Python's change with its version."""
_START_LINES = {status: f"HTTP/1.1 {status} {reason}\r\n" for status, reason in _REASONS.items()}
_line = "%s: %s\r\n".__mod__
"""A header's line; as a method of a text it is mapped over headers without a step of Python's."""
BODILESS = frozenset({204, 304})


class Framing(Enum):
    """How the end of a streaming answer's body is told."""

    CHUNKED = "chunked"
    COUNTED = "its length is in the head"
    UNTIL_EOF = "until EOF"
    NO_BODY = "no body"


class ResponseWriter:
    """The body of a streaming answer. Bytes for a client that has gone are dropped.

    A slow client fills the connection's buffer: `on_pause` is called then, and `on_resume` when
    there is room again; `is_paused` says which of them came last.
    """

    def __init__(self, connection: Connection, exchange: Exchange, framing: Framing) -> None:
        self._connection = connection
        self._exchange = exchange
        self._framing = framing
        self.on_pause: Callable[[], None] | None = None
        self.on_resume: Callable[[], None] | None = None

    @property
    def is_paused(self) -> bool:
        return self._connection.is_writing_paused

    def write(self, *parts: bytes) -> None:
        """Send one piece, which may come in parts. Raises RuntimeError after the end."""
        self._require_open()
        size = sum(map(len, parts))
        if not size or self._framing is Framing.NO_BODY:
            return
        if self._framing is Framing.CHUNKED:
            parts = (b"%x\r\n" % size, *parts, b"\r\n")
        self._connection.send_piece(self._exchange, b"".join(parts))

    def close(self, trailers: Headers = ()) -> None:
        """End the answer; an HTTP/1.0 client does not see the trailers. Raises RuntimeError."""
        self._require_open()
        if self._framing is Framing.CHUNKED:
            end = f"0\r\n{render_lines(trailers)}\r\n".encode("latin-1", "replace")
            self._connection.send_piece(self._exchange, end)
        self._connection.end_answer(self._exchange)

    def abort(self) -> None:
        """Cut the answer short, so that the client sees a broken one. Raises RuntimeError."""
        self._require_open()
        self._exchange.cut()

    def _require_open(self) -> None:
        if self._exchange.is_over:
            raise RuntimeError("this answer has ended")


def framing_of(method: str, http_version: str, status: int, length: int | None) -> Framing:
    """How the body of a streaming answer to such a request goes over the wire."""
    if method == "HEAD" or status in BODILESS:
        return Framing.NO_BODY
    if length is not None:
        return Framing.COUNTED
    return Framing.CHUNKED if http_version == "1.1" else Framing.UNTIL_EOF


def render_head(
    status: int,
    headers: Headers,
    *,
    length: int | None,
    connection: str = "",
) -> bytes:
    """The head of an answer, without a Content-Length if `length` is None.

    `connection` is empty, or the Connection header's value.
    """
    size = "" if length is None or status in BODILESS else f"Content-Length: {length}\r\n"
    option = f"Connection: {connection}\r\n" if connection else ""
    start = _START_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n"
    head = f"{start}{render_lines(headers)}Date: {_date()}\r\n{size}{option}\r\n"
    return head.encode("latin-1", "replace")


def render_lines(headers: Headers) -> str:
    """Header lines; a line end inside a name or value becomes a space, as in Go."""
    text = "".join(map(_line, headers))
    if text.count("\n") != len(headers) or text.count("\r") != len(headers):
        text = "".join([f"{_one_line(name)}: {_one_line(value)}\r\n" for name, value in headers])
    return text


def _one_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_last_date = (0, "")


def _date() -> str:
    """The Date header, made once a second; names are English whatever the locale."""
    global _last_date  # noqa: PLW0603  one value for the process, by design
    second = int(time.time())
    if _last_date[0] != second:
        now = time.gmtime(second)
        text = (
            f"{_DAYS[now.tm_wday]}, {now.tm_mday:02d} {_MONTHS[now.tm_mon - 1]} {now.tm_year} "
            f"{now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d} GMT"
        )
        _last_date = (second, text)
    return _last_date[1]
