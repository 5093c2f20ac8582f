"""A request on its way to its endpoint: guarded, routed, fed with its body."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, NamedTuple

from lambda_runtime import contract
from rapid_mock.http.exchange import OVER, BodySink, Endpoint, Exchange
from rapid_mock.http.router import MethodNotAllowed, Route

if TYPE_CHECKING:
    from rapid_mock.http.guard import Guard
    from rapid_mock.http.router import Router

PLAIN_TEXT = ("Content-Type", "text/plain; charset=utf-8")
_NO_SNIFF = ("X-Content-Type-Options", "nosniff")
_JSON = ("Content-Type", contract.CONTENT_TYPE_JSON)
_INTERNAL_ERROR = b'{"errorMessage":"Internal Server Error","errorType":"%b"}\n' % (
    contract.ERROR_INTERNAL.encode()
)


class Site(NamedTuple):
    """What a listener serves, to whom, and who hears of faults in endpoints."""

    router: Router
    guard: Guard
    on_error: Callable[[BaseException], None]


class Incoming:
    """A request being received; its body waits in the backlog until `begin` says it is its turn.

    A fault of an endpoint is a 500 for its request, reported once, and nobody else's trouble. For
    the endpoint the client has gone then: an answer that comes later does nothing.
    """

    __slots__ = (
        "_backlog",
        "_body",
        "_endpoint",
        "_received",
        "_sink",
        "_site",
        "awaits_continue",
        "discarded",
        "exchange",
        "is_complete",
        "keeps_alive",
        "trailers",
    )

    def __init__(self, exchange: Exchange, site: Site, *, keeps_alive: bool) -> None:
        request = exchange.request
        self.exchange = exchange
        self.keeps_alive = keeps_alive
        expected = request.headers.get("expect")
        self.awaits_continue = (
            expected is not None
            and expected.lower() == "100-continue"
            and request.http_version == "1.1"
        )
        self.is_complete = False
        self.discarded = 0
        self.trailers: list[tuple[str, str]] = []
        self._site = site
        self._endpoint: Endpoint | None = None
        self._sink: BodySink | None = None
        self._backlog: list[bytes] | None = []
        self._body: bytes | BytesIO = b""
        self._received = 0

    @property
    def has_begun(self) -> bool:
        return self._backlog is None

    def begin(self) -> None:
        """Hand it to its endpoint, with what has arrived of its body."""
        backlog, self._backlog = self._backlog or (), None
        self._guarded(self._route)
        for data in backlog:
            self.take(data)
        if self.is_complete:
            self.complete()

    def serve(self, body: bytes) -> None:
        """Begin and complete in one step: all of it is there."""
        self._backlog = None
        self._guarded(self._serve, body)

    def _serve(self, body: bytes) -> None:
        self._route()
        exchange, sink = self.exchange, self._sink
        if exchange.progress is OVER or self._endpoint is None:
            return
        if sink is None:
            self._endpoint.complete(exchange, body, self.trailers)
            return
        if body:
            sink.data(body)
        if exchange.progress is not OVER:
            sink.end(self.trailers)

    def take(self, data: bytes) -> None:
        """Give a part of the body to whoever wants it."""
        self.awaits_continue = False
        if self._backlog is not None:
            self._backlog.append(data)
            return
        if self.exchange.progress is OVER:
            self.discarded += len(data)
            return
        self._received += len(data)
        if self._endpoint is not None and self._received > self._endpoint.max_body:
            self._body = b""
            self._guarded(self._refuse_body, self._endpoint)
        elif self._sink is not None:
            self._guarded(self._sink.data, data)
        else:
            self._collect(data)

    def complete(self) -> None:
        """The body and the trailers are there."""
        if self.exchange.progress is OVER or self._endpoint is None:
            return
        if self._sink is not None:
            self._guarded(self._sink.end, self.trailers)
            return
        body = self._body if isinstance(self._body, bytes) else self._body.getvalue()
        self._guarded(self._endpoint.complete, self.exchange, body, self.trailers)

    def truncate(self) -> None:
        """The rest of the body will never come."""
        self.keeps_alive = False
        self.is_complete = True
        if self.exchange.is_over or self._endpoint is None:
            return
        if self._sink is not None:
            self._guarded(self._sink.truncated)
        else:
            self._guarded(self._endpoint.truncated, self.exchange)

    def vanish(self) -> None:
        """The client is gone."""
        self._guarded(self.exchange.vanish)

    def _route(self) -> None:
        exchange, request = self.exchange, self.exchange.request
        if request.endpoint is not None:
            self._enter(request.endpoint)
            return
        refusal = self._site.guard.refusal(request.host, request.headers)
        if refusal is not None:
            exchange.respond(403, [PLAIN_TEXT], f"rapid-mock: {refusal}\n".encode())
            return
        found = self._site.router.find(request)
        if isinstance(found, Route):
            request.params, request.endpoint = found.params, found.endpoint
            self._enter(found.endpoint)
        elif isinstance(found, MethodNotAllowed):
            exchange.respond(405, [("Allow", found.allow)])
        else:
            exchange.respond(404, [PLAIN_TEXT, _NO_SNIFF], b"404 page not found\n")

    def _enter(self, endpoint: Endpoint) -> None:
        exchange = self.exchange
        self._endpoint = endpoint
        length = exchange.request.headers.get("content-length")
        if length is not None and int(length) > endpoint.max_body:
            self._refuse_body(endpoint)
            return
        self._sink = endpoint.head(exchange)
        if self.awaits_continue and not exchange.is_answered:
            self.awaits_continue = False
            exchange.invite_body()

    def _refuse_body(self, endpoint: Endpoint) -> None:
        endpoint.too_large(self.exchange)
        if not self.exchange.is_over:
            raise RuntimeError(f"{endpoint!r} did not answer a body that is too large")

    def _collect(self, data: bytes) -> None:
        if not self._body:
            self._body = data
            return
        if isinstance(self._body, bytes):
            first, self._body = self._body, BytesIO()
            self._body.write(first)
        self._body.write(data)

    def _guarded(self, step: Callable[..., None], *arguments: object) -> None:
        try:
            step(*arguments)
        except Exception as error:  # noqa: BLE001  whatever it is, the others must live
            self._site.on_error(error)
            self._fail()

    def _fail(self) -> None:
        if not self.exchange.is_answered:
            failed, self.exchange = self.exchange, self.exchange.replaced()
            self._guarded(failed.vanish)
            if not self.exchange.is_answered:
                self.exchange.respond(500, [_JSON], _INTERNAL_ERROR)
        elif not self.exchange.is_over:
            self.exchange.cut()
