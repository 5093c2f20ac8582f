"""One HTTP request and its one answer, as endpoints see them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rapid_mock.http.connection import Connection

Headers = Sequence[tuple[str, str]]

_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Request:
    """The head of a request; header names are lower-cased, of repeated ones the first counts."""

    __slots__ = ("headers", "http_version", "method", "params", "path", "query")

    def __init__(
        self, method: str, target: str, http_version: str, headers: dict[str, str]
    ) -> None:
        self.method = method
        self.http_version = http_version
        self.headers = headers
        self.params: dict[str, str] = {}
        self.path, _, self.query = target.partition("?")


class BodySink(Protocol):
    """Takes a request's body as it arrives."""

    def data(self, data: bytes) -> None: ...

    def end(self, trailers: list[tuple[str, str]]) -> None: ...

    def truncated(self) -> None: ...


class Endpoint(Protocol):
    """Answers the requests of one route.

    `head` is called at the end of the headers; a sink it returns takes the body, else the body is
    collected and given to `complete`. A body above `max_body` bytes calls `too_large` at once.
    """

    max_body: int

    def head(self, exchange: Exchange) -> BodySink | None: ...

    def complete(
        self, exchange: Exchange, body: bytes, trailers: list[tuple[str, str]]
    ) -> None: ...

    def too_large(self, exchange: Exchange) -> None: ...

    def truncated(self, exchange: Exchange) -> None: ...


class Exchange:
    """One request on its connection; answer it once, with `respond`.

    `on_disconnect` is called once when the client goes away before the answer. An exchange that
    does not survive a half-close (a parked poll) counts a client's EOF as going away.
    """

    __slots__ = ("_connection", "is_answered", "on_disconnect", "request", "survives_half_close")

    def __init__(self, request: Request, connection: Connection) -> None:
        self.request = request
        self.on_disconnect: Callable[[], None] | None = None
        self.survives_half_close = True
        self.is_answered = False
        self._connection = connection

    def respond(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send the answer in one write; Content-Length, Date and Connection are added."""
        if self.is_answered:
            raise RuntimeError("this exchange has been answered")
        self.is_answered = True
        self._connection.answer(self, status, headers, body)


def render_head(status: int, headers: Headers, length: int, connection: str) -> bytes:
    """The head of an answer; `connection` is empty, or the Connection header's value."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append(f"Date: {_date()}")
    if status not in (204, 304):
        lines.append(f"Content-Length: {length}")
    if connection:
        lines.append(f"Connection: {connection}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


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
