"""One HTTP request and its one answer, as endpoints see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from rapid_mock.http.response import Headers, ResponseWriter

if TYPE_CHECKING:
    from rapid_mock.http.connection import Connection

__all__ = ["BodySink", "Endpoint", "Exchange", "Headers", "Request", "ResponseWriter"]


class Request:
    """The head of a request.

    `path` is raw, `query` stands after its `?`. `headers` maps lower-cased names to values in
    Latin-1, of repeated ones the first; `header_pairs` has them all, in the order they came.
    `host` is the name the client asked for, None without one. `params` and `endpoint` are the
    route's, once it was let in: a client that repeats a request to the letter has the same one.
    """

    __slots__ = (
        "endpoint",
        "header_pairs",
        "headers",
        "host",
        "http_version",
        "method",
        "params",
        "path",
        "query",
    )

    def __init__(
        self,
        method: str,
        target: str,
        http_version: str,
        header_pairs: list[tuple[str, str]],
        headers: dict[str, str] | None = None,
    ) -> None:
        self.method = method
        self.http_version = http_version
        self.header_pairs = header_pairs
        self.headers = dict(reversed(header_pairs)) if headers is None else headers
        self.host = self.headers.get("host")
        self.params: dict[str, str] = {}
        self.endpoint: Endpoint | None = None
        if not target.startswith("/"):
            target = self._take_authority(target)
        self.path, _, self.query = target.partition("?")

    def _take_authority(self, target: str) -> str:
        """`http://host:port/path` names the host in place of the Host header (RFC 9112, 3.2.2)."""
        _, found, rest = target.partition("://")
        if not found:
            return target
        self.host, slash, path = rest.partition("/")
        return "/" + path if slash else "/"


class BodySink(Protocol):
    """Takes a request's body as it arrives."""

    def data(self, data: bytes) -> None: ...

    def end(self, trailers: list[tuple[str, str]]) -> None: ...

    def truncated(self) -> None: ...


class Endpoint(Protocol):
    """Answers the requests of one route.

    `head` is called at the end of the headers; a sink it returns takes the body, else the body is
    collected and given to `complete`. A body above `max_body` bytes calls `too_large` at once,
    which must answer. A body that ends too early, by a closed connection or broken framing, calls
    `truncated`: of the sink if there is one. Once answered, an exchange hears of its body no more.
    """

    max_body: int

    def head(self, exchange: Exchange) -> BodySink | None: ...

    def complete(
        self, exchange: Exchange, body: bytes, trailers: list[tuple[str, str]]
    ) -> None: ...

    def too_large(self, exchange: Exchange) -> None: ...

    def truncated(self, exchange: Exchange) -> None: ...


class Progress(Enum):
    """How far the answer of an exchange is."""

    UNANSWERED = "unanswered"
    STREAMING = "streaming"
    OVER = "over"


UNANSWERED, STREAMING, OVER = Progress.UNANSWERED, Progress.STREAMING, Progress.OVER
"""Read several times a request; through its class an enum's member costs 0.1 us each time."""


class Exchange:
    """One request on its connection; answer it once, with `respond` or `start_response`.

    `on_disconnect` is called once when the client goes away before the answer's end; answering
    afterwards is allowed and does nothing. An exchange that does not survive a half-close (a parked
    poll) counts a client's EOF as going away.
    """

    __slots__ = (
        "_connection",
        "on_disconnect",
        "progress",
        "request",
        "survives_half_close",
        "writer",
    )

    def __init__(self, request: Request, connection: Connection) -> None:
        self.request = request
        self.on_disconnect: Callable[[], None] | None = None
        self.survives_half_close = True
        self.progress = UNANSWERED
        self.writer: ResponseWriter | None = None
        self._connection = connection

    @property
    def is_answered(self) -> bool:
        """Whether an answer has begun."""
        return self.progress is not UNANSWERED

    @property
    def is_over(self) -> bool:
        """Whether the answer has ended."""
        return self.progress is OVER

    def respond(self, status: int, headers: Headers, body: bytes = b"") -> None:
        """Send the answer; Content-Length, Date and Connection are added.

        Raises RuntimeError when an answer has begun.
        """
        if self.progress is not UNANSWERED:
            raise RuntimeError("this exchange has been answered")
        self._connection.answer(self, status, headers, body)

    def start_response(
        self,
        status: int,
        headers: Headers,
        trailers_announced: Sequence[str] = (),
        length: int | None = None,
    ) -> ResponseWriter:
        """Begin an answer whose body is written piece by piece, chunked (HTTP/1.0: until EOF).

        `trailers_announced` are the names in its Trailer header. With a `length` the body is not
        chunked, and must be that long. Raises RuntimeError when an answer has begun.
        """
        if self.progress is not UNANSWERED:
            raise RuntimeError("this exchange has been answered")
        if trailers_announced:
            headers = [*headers, ("Trailer", ", ".join(trailers_announced))]
        self.writer = self._connection.start_answer(self, status, headers, length)
        return self.writer

    def pause_reading(self) -> None:
        """Take no more of this request's body from the client, but what has been read."""
        self._connection.pause_body(self)

    def resume_reading(self) -> None:
        """Go on with the body; its end and the answer's end do so by themselves."""
        self._connection.resume_body(self)

    def invite_body(self) -> None:
        """Tell a client that waits for it to send the body (100 Continue)."""
        self._connection.invite_body(self)

    def cut(self) -> None:
        """End a streaming answer so that its client sees that it is incomplete."""
        self._connection.cut_answer(self)

    def replaced(self) -> Exchange:
        """An exchange in its place: whatever this one says from now on reaches nobody."""
        return Exchange(self.request, self._connection)

    def vanish(self) -> None:
        """Tell, once, that the client went away before the answer's end."""
        callback, self.on_disconnect = self.on_disconnect, None
        if callback is not None and not self.is_over:
            callback()
