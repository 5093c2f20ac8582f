"""Endpoints for tests of the HTTP server: they echo, park, collect, stream and fail."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rapid_mock.http.router import Router
from rapid_mock.http.server import Buffered, Exchange, ResponseWriter
from tests.support.raw_http import DEADLINE_SECONDS, ServerThread

PLAIN = [("Content-Type", "text/plain")]
MAX_BODY = 1000
MANY_BYTES = 1 << 30
Pairs = list[tuple[str, str]]


class FarSide:
    """What the server's endpoints were told, in order; a test waits for it with `wait_for`."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.parked: list[Exchange] = []
        self.writers: list[ResponseWriter] = []
        self.chunks: list[bytes] = []
        self.trailers: Pairs = []
        self.pauses = True
        self._changed = threading.Condition()

    def router(self) -> Router:
        router = Router()
        router.add("POST", "/echo/{name}", Buffered(_echo, max_body=MAX_BODY))
        router.add("POST", "/length", Buffered(_length, max_body=MANY_BYTES))
        router.add("GET", "/headers", Buffered(_headers))
        router.add("GET", "/large", Buffered(self._large))
        router.add("GET", "/park", Buffered(self._park))
        router.add("GET", "/pieces", Buffered(self._pieces))
        router.add("GET", "/fail", Buffered(_fail))
        router.add("POST", "/sink", SinkEndpoint(self))
        router.add("POST", "/pausing-sink", SinkEndpoint(self, pauses=True))
        router.add("POST", "/refusal", RefusingEndpoint(self))
        router.add("POST", "/silent-limit", SilentEndpoint())
        router.add("POST", "/told", TruncationEndpoint(self))
        return router

    def hear(self, news: str) -> None:
        with self._changed:
            self.heard.append(news)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[[], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, DEADLINE_SECONDS), self.heard

    def wait_to_hear(self, news: str) -> None:
        self.wait_for(lambda: news in self.heard)

    def go_on(self) -> None:
        """Let the pausing sink pause no more."""
        self.pauses = False
        self.parked[0].resume_reading()

    def _park(self, exchange: Exchange, _body: bytes) -> None:
        exchange.survives_half_close = exchange.request.query == "survive"
        exchange.on_disconnect = lambda: self.hear("vanished")
        self.parked.append(exchange)
        self.hear("parked")

    def _pieces(self, exchange: Exchange, _body: bytes) -> None:
        exchange.on_disconnect = lambda: self.hear("vanished")
        announced = ("X-End",) if exchange.request.query == "trailers" else ()
        writer = exchange.start_response(200, PLAIN, announced)
        writer.on_pause = lambda: self.hear("paused")
        writer.on_resume = lambda: self.hear("resumed")
        self.writers.append(writer)
        self.hear("streaming")

    def _large(self, exchange: Exchange, _body: bytes) -> None:
        self.hear("large")
        exchange.respond(200, [], b"x" * int(exchange.request.query))


def _echo(exchange: Exchange, body: bytes) -> None:
    exchange.respond(200, PLAIN, exchange.request.params["name"].encode() + b"=" + body)


def _length(exchange: Exchange, body: bytes) -> None:
    exchange.respond(200, [], b"%d" % len(body))


def _headers(exchange: Exchange, _body: bytes) -> None:
    request = exchange.request
    shown = [f"{name}={value}" for name, value in request.header_pairs if name.startswith("x-")]
    exchange.respond(200, [], "&".join([*shown, request.headers.get("x-a", "-")]).encode())


def _fail(_exchange: Exchange, _body: bytes) -> None:
    raise RuntimeError("a fault of ours")


class SinkEndpoint:
    """Takes bodies piece by piece; with `pauses` it stops reading at the first piece."""

    max_body = MANY_BYTES

    def __init__(self, far: FarSide, *, pauses: bool = False) -> None:
        self._far = far
        self._pauses = pauses

    def head(self, exchange: Exchange) -> Sink:
        if self._pauses:
            self._far.parked.append(exchange)
        return Sink(self._far, exchange, pauses=self._pauses)

    def complete(self, _exchange: Exchange, _body: bytes, _trailers: Pairs) -> None:
        raise AssertionError("a sink takes the body")

    def too_large(self, _exchange: Exchange) -> None:
        raise AssertionError("nothing is too large")

    def truncated(self, _exchange: Exchange) -> None:
        raise AssertionError("the sink hears of it")


class Sink:
    def __init__(self, far: FarSide, exchange: Exchange, *, pauses: bool) -> None:
        self._far = far
        self._exchange = exchange
        self._pauses = pauses

    def data(self, data: bytes) -> None:
        self._far.chunks.append(data)
        self._far.hear("data")
        if data == b"raise":
            raise RuntimeError("a fault of ours")
        if self._pauses and self._far.pauses:
            self._exchange.pause_reading()

    def end(self, trailers: Pairs) -> None:
        self._far.trailers = trailers
        self._exchange.respond(200, PLAIN, b"%d" % sum(map(len, self._far.chunks)))

    def truncated(self) -> None:
        self._far.hear("truncated")


class _NeverCompletes:
    max_body = MAX_BODY

    def complete(self, _exchange: Exchange, _body: bytes, _trailers: Pairs) -> None:
        raise AssertionError("the exchange was answered before")

    def truncated(self, _exchange: Exchange) -> None:
        raise AssertionError("the exchange was answered before")


class RefusingEndpoint(_NeverCompletes):
    """Answers 403 at the end of the headers."""

    def __init__(self, far: FarSide) -> None:
        self._far = far

    def head(self, exchange: Exchange) -> None:
        exchange.on_disconnect = lambda: self._far.hear("vanished")
        exchange.respond(403, PLAIN, b"no")

    def too_large(self, exchange: Exchange) -> None:
        exchange.respond(413, PLAIN, b"large")


class SilentEndpoint(_NeverCompletes):
    """Forgets to answer what is too large."""

    def head(self, _exchange: Exchange) -> None:
        """Collect the body."""

    def too_large(self, _exchange: Exchange) -> None:
        """Forgotten."""


class TruncationEndpoint(_NeverCompletes):
    """Answers a body that broke off."""

    def __init__(self, far: FarSide) -> None:
        self._far = far

    def head(self, _exchange: Exchange) -> None:
        self._far.hear("head")

    def too_large(self, _exchange: Exchange) -> None:
        raise AssertionError("nothing is too large")

    def truncated(self, exchange: Exchange) -> None:
        self._far.hear("truncated")
        exchange.respond(400, PLAIN, b"broke off")


def answer(server: ServerThread, exchange: Exchange, body: bytes) -> None:
    """Answer a parked exchange, inside the server's loop."""
    server.do(lambda: exchange.respond(200, [], body))
