"""One client connection: bytes in, exchanges out, answers back in the order of the requests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

import httptools

from rapid_mock.http.exchange import BodySink, Endpoint, Exchange, Headers, Request, render_head
from rapid_mock.http.router import MethodNotAllowed, NotFound

if TYPE_CHECKING:
    from rapid_mock.http.guard import Guard
    from rapid_mock.http.router import Router

MAX_HEAD_BYTES = 1024 * 1024
MAX_HEAD_LINES = 10_000
MAX_DISCARDED_BYTES = 16 * 1024 * 1024
MAX_DISCARD_SECONDS = 2.0

TEXT = ("Content-Type", "text/plain; charset=utf-8")
NO_SNIFF = ("X-Content-Type-Options", "nosniff")
JSON = ("Content-Type", "application/json")
INTERNAL_ERROR = b'{"errorMessage":"Internal Server Error","errorType":"InternalServerError"}\n'


class HeadTooLarge(Exception):
    """Raised when a request's head exceeds what one may send."""


class Incoming:
    """A request being received: its exchange, and where its body goes."""

    __slots__ = (
        "backlog",
        "body",
        "endpoint",
        "exchange",
        "is_complete",
        "keeps_alive",
        "received",
        "sink",
        "trailers",
    )

    def __init__(self, exchange: Exchange, *, keeps_alive: bool) -> None:
        self.exchange = exchange
        self.keeps_alive = keeps_alive
        self.endpoint: Endpoint | None = None
        self.sink: BodySink | None = None
        self.backlog: list[bytes] | None = []
        self.body: list[bytes] = []
        self.received = 0
        self.trailers: list[tuple[str, str]] = []
        self.is_complete = False


class Connection(asyncio.Protocol):
    """An HTTP/1.1 server connection over llhttp; requests are dispatched one after the other."""

    def __init__(
        self,
        router: Router,
        guard: Guard,
        connections: set[Connection],
        on_error: Callable[[BaseException], None],
    ) -> None:
        self._router = router
        self._guard = guard
        self._connections = connections
        self._on_error = on_error
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[Incoming] = deque()
        self._receiving: Incoming | None = None
        self._target = b""
        self._headers: dict[str, str] = {}
        self._head_bytes = 0
        self._head_lines = 0
        self._discard_timer: asyncio.TimerHandle | None = None
        self._is_closing = False
        self._transport: asyncio.Transport

    # --- asyncio ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  a stream's is one
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._is_closing:
            return
        try:
            self._parser.feed_data(data)
            self._count_head(len(data))
        except HeadTooLarge:
            self._refuse_and_close(431, b"431 Request Header Fields Too Large")
        except httptools.HttpParserUpgrade:
            self.close()
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, HeadTooLarge):
                self._refuse_and_close(431, b"431 Request Header Fields Too Large")
            else:
                self._malformed()

    def eof_received(self) -> bool:
        """A half-closed client still gets its answer; one that waits for an event is gone."""
        if self._receiving is not None and not self._receiving.is_complete:
            self._truncate()
            return False
        self._is_closing = True
        waits = bool(self._queue) and self._queue[0].exchange.survives_half_close
        if not waits:
            self._tell_vanished()
        return waits

    def connection_lost(self, _exc: Exception | None) -> None:
        self._connections.discard(self)
        self._is_closing = True
        if self._discard_timer is not None:
            self._discard_timer.cancel()
        self._truncate()
        self._tell_vanished()

    # --- httptools --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = {}
        self._head_lines = 0

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_lines += 1
        if self._head_lines > MAX_HEAD_LINES:
            raise HeadTooLarge
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        if self._receiving is not None:
            self._receiving.trailers.append((key, text))
        elif key not in self._headers:
            self._headers[key] = text

    def on_headers_complete(self) -> None:
        version = self._parser.get_http_version()
        request = Request(
            self._parser.get_method().decode("latin-1"),
            _origin_form(self._target.decode("latin-1")),
            version,
            self._headers,
        )
        keeps_alive = self._parser.should_keep_alive()
        incoming = Incoming(Exchange(request, self), keeps_alive=keeps_alive)
        self._receiving = incoming
        self._queue.append(incoming)
        if len(self._queue) == 1:
            self._dispatch(incoming)
        else:
            self._transport.pause_reading()

    def on_body(self, data: bytes) -> None:
        incoming = self._receiving
        if incoming is None:
            return
        if incoming.backlog is not None:
            incoming.backlog.append(data)
        else:
            self._take(incoming, data)

    def on_message_complete(self) -> None:
        incoming, self._receiving = self._receiving, None
        self._head_bytes = 0
        if incoming is None:
            return
        incoming.is_complete = True
        if incoming.backlog is None:
            self._complete(incoming)

    # --- Requests ---------------------------------------------------------------------------

    def _dispatch(self, incoming: Incoming) -> None:
        """It is this request's turn: route it, then give it what has arrived of its body."""
        backlog, incoming.backlog = incoming.backlog or [], None
        self._guarded(incoming, self._route)
        for data in backlog:
            self._take(incoming, data)
        if incoming.is_complete:
            self._complete(incoming)

    def _route(self, incoming: Incoming) -> None:
        exchange, request = incoming.exchange, incoming.exchange.request
        if "host" not in request.headers and request.http_version == "1.1":
            incoming.keeps_alive = False
            exchange.respond(400, [TEXT], b"400 Bad Request: missing required Host header")
            return
        refusal = self._guard.refusal(request.headers)
        if refusal is not None:
            exchange.respond(403, [TEXT], f"rapid-mock: {refusal}\n".encode())
            return
        found = self._router.resolve(request.method, request.path)
        if isinstance(found, NotFound):
            exchange.respond(404, [TEXT, NO_SNIFF], b"404 page not found\n")
        elif isinstance(found, MethodNotAllowed):
            exchange.respond(405, [("Allow", found.allow)])
        else:
            request.params = found.params
            self._begin(incoming, found.endpoint)

    def _begin(self, incoming: Incoming, endpoint: Endpoint) -> None:
        exchange = incoming.exchange
        incoming.endpoint = endpoint
        length = exchange.request.headers.get("content-length", "")
        if length.isdigit() and int(length) > endpoint.max_body:
            endpoint.too_large(exchange)
            return
        incoming.sink = endpoint.head(exchange)
        expects = exchange.request.headers.get("expect", "").lower() == "100-continue"
        if expects and not exchange.is_answered and not incoming.is_complete:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take(self, incoming: Incoming, data: bytes) -> None:
        incoming.received += len(data)
        if incoming.exchange.is_answered:
            if incoming.received > MAX_DISCARDED_BYTES:
                self.close()
        elif incoming.endpoint is not None and incoming.received > incoming.endpoint.max_body:
            incoming.body.clear()
            self._guarded(incoming, _too_large)
        elif incoming.sink is not None:
            sink = incoming.sink
            self._guarded(incoming, lambda _: sink.data(data))
        else:
            incoming.body.append(data)

    def _complete(self, incoming: Incoming) -> None:
        if not incoming.exchange.is_answered:
            self._guarded(incoming, _complete)
        self._advance()

    def _guarded(self, incoming: Incoming, step: Callable[[Incoming], None]) -> None:
        """A fault of ours is a 500 for this request, reported once, and nobody else's trouble."""
        try:
            step(incoming)
        except Exception as error:  # noqa: BLE001  whatever it is, the others must live
            self._on_error(error)
            if not incoming.exchange.is_answered:
                incoming.exchange.respond(500, [JSON], INTERNAL_ERROR)

    # --- Answers ----------------------------------------------------------------------------

    def answer(self, exchange: Exchange, status: int, headers: Headers, body: bytes) -> None:
        """Send an exchange's answer; it is the oldest one's turn, for others are not dispatched."""
        incoming = self._queue[0] if self._queue else None
        if incoming is None or incoming.exchange is not exchange or self._transport.is_closing():
            return
        head = render_head(status, headers, len(body), self._connection_header(incoming))
        if exchange.request.method == "HEAD":
            body = b""
        self._transport.write(head + body)
        if incoming.is_complete:
            if len(self._queue) == 1:
                self._advance()
            else:
                asyncio.get_running_loop().call_soon(self._advance)
        else:
            self._discard_timer = asyncio.get_running_loop().call_later(
                MAX_DISCARD_SECONDS, self.close
            )

    def _connection_header(self, incoming: Incoming) -> str:
        if not incoming.keeps_alive or self._is_closing:
            return "close"
        return "keep-alive" if incoming.exchange.request.http_version == "1.0" else ""

    def _advance(self) -> None:
        """The oldest exchange may be over: close, or turn to the next request."""
        while self._queue and self._queue[0].is_complete and self._queue[0].exchange.is_answered:
            done = self._queue.popleft()
            if self._discard_timer is not None:
                self._discard_timer.cancel()
                self._discard_timer = None
            if not done.keeps_alive or (self._is_closing and not self._queue):
                self.close()
                return
            if self._queue:
                self._dispatch(self._queue[0])
        if not self._queue and not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Send what has been written, then close."""
        self._is_closing = True
        self._transport.close()

    # --- Faults of the client ---------------------------------------------------------------

    def _count_head(self, size: int) -> None:
        """Parts of a header are kept by llhttp until its line ends: count what it is fed."""
        if self._receiving is None and not self._queue:
            self._head_bytes += size
            if self._head_bytes > MAX_HEAD_BYTES:
                raise HeadTooLarge

    def _malformed(self) -> None:
        if self._receiving is not None:
            self._truncate()
            self.close()
        else:
            self._refuse_and_close(400, b"400 Bad Request")

    def _refuse_and_close(self, status: int, body: bytes) -> None:
        if not any(not incoming.exchange.is_answered for incoming in self._queue):
            self._transport.write(render_head(status, [TEXT], len(body), "close") + body)
        self._tell_vanished()
        self.close()

    def _truncate(self) -> None:
        """The body being received will never be complete."""
        incoming, self._receiving = self._receiving, None
        if incoming is None or incoming.is_complete or incoming.exchange.is_answered:
            return
        incoming.keeps_alive = False
        if incoming.sink is not None:
            sink = incoming.sink
            self._guarded(incoming, lambda _: sink.truncated())
        elif incoming.endpoint is not None:
            self._guarded(incoming, _truncated)

    def _tell_vanished(self) -> None:
        for incoming in self._queue:
            exchange = incoming.exchange
            callback, exchange.on_disconnect = exchange.on_disconnect, None
            if callback is not None and not exchange.is_answered:
                self._guarded(incoming, lambda _, callback=callback: callback())  # type: ignore[misc]


def _complete(incoming: Incoming) -> None:
    if incoming.sink is not None:
        incoming.sink.end(incoming.trailers)
    elif incoming.endpoint is not None:
        body = incoming.body[0] if len(incoming.body) == 1 else b"".join(incoming.body)
        incoming.endpoint.complete(incoming.exchange, body, incoming.trailers)


def _too_large(incoming: Incoming) -> None:
    if incoming.endpoint is not None:
        incoming.endpoint.too_large(incoming.exchange)


def _truncated(incoming: Incoming) -> None:
    if incoming.endpoint is not None:
        incoming.endpoint.truncated(incoming.exchange)


def _origin_form(target: str) -> str:
    """`http://host:port/path` as a proxy's client sends it, reduced to its path."""
    if target.startswith("/"):
        return target
    _, found, rest = target.partition("://")
    return "/" + rest.partition("/")[2] if found else target
