"""One endpoint for all of AWS: Lambda is ours, every other service's request is passed on.

A request says in its signature's credential scope which service it is for; one without a signature
(curl, a presigned URL of S3) is ours when its path is one of the Lambda API.
"""

from __future__ import annotations

import asyncio
import re
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from rapid_mock.errors import RapidMockError
from rapid_mock.http.exchange import BodySink, Exchange, Request, ResponseWriter
from rapid_mock.http.router import MethodNotAllowed, NotFound, Route, Router
from rapid_mock.http.upstream import Pairs, Upstream

_SCOPE = re.compile(r"Credential=[^/,\s]*/[0-9]+/([^/,\s]+)/([^/,\s]+)/aws4_request")
_LAMBDA = "lambda"
_TEXT = [("Content-Type", "text/plain; charset=utf-8")]


def service_of(request: Request) -> tuple[str, str]:
    """The service and the region that a request was signed for; both empty without a signature."""
    scope = _SCOPE.search(request.headers.get("authorization", ""))
    if scope is None and "X-Amz-Credential" in request.query:
        scope = _SCOPE.search(unquote(request.query).replace("X-Amz-Credential", "Credential"))
    return ("", "") if scope is None else (scope[2], scope[1])


@dataclass(frozen=True, slots=True)
class AwsAnswer:
    """A whole answer: its status, its headers, its body."""

    status: int
    headers: Pairs
    body: bytes


Forward = Callable[[bytes], Awaitable[AwsAnswer]]
"""Passes a request on with this body (its own, or another) and returns the answer."""


class Interception(Protocol):
    """Has a say in some requests for another service, whose bodies are then small enough to hold.

    `wants` is asked with the head of each request that would be passed on; the first that wants one
    has it. `answer` gets its body and may pass it on, as it is or changed, before or after what it
    does itself; what it returns is the caller's answer. One that raises is a 500 for its caller.
    """

    max_body: int

    def wants(self, service: str, request: Request) -> bool: ...

    async def answer(self, request: Request, body: bytes, forward: Forward) -> AwsAnswer: ...


class Gateway(Router):
    """The routes of the Lambda API, and another server for all other requests."""

    def __init__(self, upstream: Upstream, interceptions: Sequence[Interception]) -> None:
        super().__init__()
        self._upstream = upstream
        self._interceptions = interceptions
        self._passing = _Passing(upstream)
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, request: Request) -> Route | NotFound | MethodNotAllowed:
        """Whose request it is."""
        service, _ = service_of(request)
        if service in ("", _LAMBDA):
            found = super().find(request)
            if service or not isinstance(found, NotFound):
                return found
        for interception in self._interceptions:
            if interception.wants(service, request):
                return Route(_Intercepted(interception, self._upstream, self._tasks), {})
        return Route(self._passing, {})

    async def close(self) -> None:
        """Give up what interceptions are doing, and every connection to the other server."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._upstream.close()


class _Passing:
    """The endpoint of every request that is passed on."""

    max_body = sys.maxsize

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def head(self, exchange: Exchange) -> BodySink:
        return _Passed(exchange, self._upstream)

    def complete(self, exchange: Exchange, body: bytes, trailers: Pairs) -> None:
        """Never called: the sink has the body."""

    def too_large(self, exchange: Exchange) -> None:
        exchange.respond(413, [])

    def truncated(self, exchange: Exchange) -> None:
        """Never called: the sink hears of it."""


class _Passed:
    """A request that is passed on: its body there, the answer back, each side as fast as both."""

    def __init__(self, exchange: Exchange, upstream: Upstream) -> None:
        self._exchange = exchange
        self._writer: ResponseWriter | None = None
        self._passage = upstream.send(exchange.request, self)
        exchange.on_disconnect = self._passage.cancel
        # A long poll whose client has gone would take messages that nobody gets.
        exchange.survives_half_close = False

    # --- The request's body -----------------------------------------------------------------

    def data(self, data: bytes) -> None:
        self._passage.write(data)

    def end(self, _trailers: Pairs) -> None:
        self._passage.end()

    def truncated(self) -> None:
        self._passage.cancel()

    # --- The answer -------------------------------------------------------------------------

    def answer_head(self, status: int, headers: Pairs, length: int | None) -> None:
        writer = self._exchange.start_response(status, headers, length=length)
        writer.on_pause = self._passage.pause_reading
        writer.on_resume = self._passage.resume_reading
        self._writer = writer
        if writer.is_paused:
            self._passage.pause_reading()

    def answer_data(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.write(data)

    def answer_end(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def answer_failed(self, why: str) -> None:
        if self._writer is None:
            self._exchange.respond(502, _TEXT, _sentence(why))
        else:
            self._writer.abort()

    def writable(self, is_writable: bool) -> None:
        if is_writable:
            self._exchange.resume_reading()
        else:
            self._exchange.pause_reading()


class _Intercepted:
    """The endpoint of a request that an interception wants."""

    def __init__(
        self, interception: Interception, upstream: Upstream, tasks: set[asyncio.Task[None]]
    ) -> None:
        self.max_body = interception.max_body
        self._interception = interception
        self._upstream = upstream
        self._tasks = tasks

    def head(self, _exchange: Exchange) -> None:
        return None

    def complete(self, exchange: Exchange, body: bytes, _trailers: Pairs) -> None:
        task = asyncio.get_running_loop().create_task(self._answer(exchange, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def too_large(self, exchange: Exchange) -> None:
        exchange.respond(413, [])

    def truncated(self, _exchange: Exchange) -> None:
        """Nobody is left to answer."""

    async def _answer(self, exchange: Exchange, body: bytes) -> None:
        request = exchange.request

        async def forward(body: bytes) -> AwsAnswer:
            return await _whole(self._upstream, _with_body(request, body), body)

        try:
            answer = await self._interception.answer(request, body, forward)
        except UpstreamFailed as failure:
            exchange.respond(502, _TEXT, _sentence(str(failure)))
        except Exception as error:  # noqa: BLE001  whatever it is, the others must live
            traceback.print_exception(error)
            exchange.respond(500, _TEXT, _sentence(f"{type(error).__name__}: {error}"))
        else:
            exchange.respond(answer.status, answer.headers, answer.body)


class UpstreamFailed(RapidMockError):
    """Raised by `forward` when the other server did not answer; one sentence says why."""


async def _whole(upstream: Upstream, request: Request, body: bytes) -> AwsAnswer:
    """A request's whole answer; raises UpstreamFailed."""
    collected = _Collected()
    passage = upstream.send(request, collected)
    passage.write(body)
    passage.end()
    try:
        return await collected.answer
    finally:
        passage.cancel()


class _Collected:
    """Takes an answer that is small enough to hold."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[AwsAnswer] = asyncio.get_running_loop().create_future()
        self._status = 0
        self._headers: Pairs = []
        self._body = bytearray()

    def answer_head(self, status: int, headers: Pairs, _length: int | None) -> None:
        self._status, self._headers = status, headers

    def answer_data(self, data: bytes) -> None:
        self._body += data

    def answer_end(self) -> None:
        if not self.answer.done():
            self.answer.set_result(AwsAnswer(self._status, self._headers, bytes(self._body)))

    def answer_failed(self, why: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(UpstreamFailed(why))

    def writable(self, is_writable: bool) -> None:
        """The body is there already."""


def _with_body(request: Request, body: bytes) -> Request:
    """The same request with another body."""
    left_out = ("content-length", "transfer-encoding")
    pairs = [(name, value) for name, value in request.header_pairs if name not in left_out]
    target = f"{request.path}?{request.query}" if request.query else request.path
    pairs.append(("content-length", str(len(body))))
    return Request(request.method, target, request.http_version, pairs)


def _sentence(text: str) -> bytes:
    return f"rapid-mock: {text}\n".encode()
