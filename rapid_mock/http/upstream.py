"""Another HTTP server, to which requests are passed on: bytes to it, answers back, as they come.

The far side of `connection.py`: llhttp again, connections that are kept, no body held.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import Protocol, cast
from urllib.parse import urlsplit

import httptools

from rapid_mock.http.exchange import Request
from rapid_mock.http.response import BODILESS

Pairs = list[tuple[str, str]]

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 120.0
"""How long a server may take to begin its answer: SQS holds a long poll for 20 s."""
IDLE_CONNECTIONS = 8
IDLE_SECONDS = 2.0
"""How long a connection is kept for the next request: servers close theirs after some seconds."""
ONE_HOP = frozenset(
    {
        *("connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding"),
        *("upgrade", "expect"),
    }
)
"""Headers that concern one connection only (RFC 9110, 7.6.1), and `Expect`, which we have met."""


class AnswerSink(Protocol):
    """Takes the answer to a request that was passed on.

    `answer_head` once, `answer_data` as it comes, then `answer_end`; or `answer_failed` with one
    sentence, whatever came before. `length` is the body's, None when it is not known. `writable`
    tells whether the server takes more of the request's body.
    """

    def answer_head(self, status: int, headers: Pairs, length: int | None) -> None: ...

    def answer_data(self, data: bytes) -> None: ...

    def answer_end(self) -> None: ...

    def answer_failed(self, why: str) -> None: ...

    def writable(self, is_writable: bool) -> None: ...


class Upstream:
    """The server at a URL (`http://host:port` or `https://...`)."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.url = url
        self._host = parts.hostname or ""
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._idle: list[_Line] = []
        self._open: set[_Line] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    def send(self, request: Request, sink: AnswerSink) -> Passage:
        """Pass a request's head on; its body follows through what is returned."""
        passage = Passage(request, sink)
        if self._idle:
            self._idle.pop().begin(passage)
        else:
            sink.writable(False)
            task = asyncio.get_running_loop().create_task(self._connect(passage))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)
        return passage

    async def close(self) -> None:
        """Break every connection off."""
        for task in tuple(self._connecting):
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        for line in self._open:
            line.abort()
        await asyncio.gather(*(line.lost for line in self._open))

    async def _connect(self, passage: Passage) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, line = await loop.create_connection(
                    lambda: _Line(self._free, self._lost), self._host, self._port, ssl=self._tls
                )
        except OSError as error:
            passage.fail(f"{self.url} does not answer: {_words(error)}")
            return
        self._open.add(line)
        line.begin(passage)

    def _free(self, line: _Line) -> None:
        if len(self._idle) < IDLE_CONNECTIONS:
            self._idle.append(line)
            line.abort_later(IDLE_SECONDS)
        else:
            line.abort()

    def _lost(self, line: _Line) -> None:
        self._open.discard(line)
        if line in self._idle:
            self._idle.remove(line)


class Passage:
    """One request under way: its body goes in, its answer comes out at the sink."""

    def __init__(self, request: Request, sink: AnswerSink) -> None:
        self.method = request.method
        self._is_chunked = "transfer-encoding" in request.headers
        self._head: bytes | None = _render(request, is_chunked=self._is_chunked)
        self.sink: AnswerSink | None = sink
        self.is_sent = False
        self._line: _Line | None = None
        self._backlog: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send a part of the body."""
        self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    def end(self) -> None:
        """The body is complete; its trailers, if it had any, stay behind."""
        if self._is_chunked:
            self._send(b"0\r\n\r\n")
        self.is_sent = True

    def pause_reading(self) -> None:
        """Take no more of the answer from the server."""
        if self._line is not None:
            self._line.pause_reading()

    def resume_reading(self) -> None:
        """Go on with the answer."""
        if self._line is not None:
            self._line.resume_reading()

    def cancel(self) -> None:
        """Nobody wants the answer any more: break the connection off."""
        self.sink = None
        if self._line is not None:
            self._line.abort()

    def fail(self, why: str) -> None:
        sink, self.sink = self.sink, None
        if sink is not None:
            sink.answer_failed(why)

    def attach(self, line: _Line) -> None:
        """Send what waited for a connection."""
        self._line = line
        head, self._head = self._head or b"", None
        backlog, self._backlog = self._backlog, []
        line.write(head + b"".join(backlog))

    def detach(self) -> None:
        """The answer is complete: the connection is another request's from now on."""
        self._line = None

    def _send(self, data: bytes) -> None:
        if self._line is not None:
            self._line.write(data)
        elif self._head is not None:
            self._backlog.append(data)


class _Line(asyncio.Protocol):
    """One connection to the server, for one request after the other."""

    def __init__(self, on_free: Callable[[_Line], None], on_lost: Callable[[_Line], None]) -> None:
        self._on_free, self._on_lost = on_free, on_lost
        self._transport: asyncio.Transport
        self._passage: Passage | None = None
        self._parser: httptools.HttpResponseParser
        self._headers: Pairs = []
        self._ends_with_connection = False
        self._timer: asyncio.TimerHandle | None = None
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self, passage: Passage) -> None:
        """Send a request."""
        if passage.sink is None:  # it was cancelled while there was no connection
            self._on_free(self)
            return
        self._passage = passage
        self._parser = httptools.HttpResponseParser(self)
        self._headers = []
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(SILENCE_SECONDS, self._end, "it took too long to answer")
        passage.sink.writable(True)
        passage.attach(self)

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def abort(self) -> None:
        self._transport.abort()

    def abort_later(self, seconds: float) -> None:
        """Unless another request comes before."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    # --- asyncio ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._passage is None:
            self.abort()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._end(f"it answered with something that is no HTTP ({error})")

    def eof_received(self) -> bool:
        if self._passage is not None and self._ends_with_connection:
            self._complete(keeps_alive=False)
        return False

    def connection_lost(self, _error: Exception | None) -> None:
        self._end("it closed the connection")
        self._on_lost(self)
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        if self._passage is not None and self._passage.sink is not None:
            self._passage.sink.writable(False)

    def resume_writing(self) -> None:
        if self._passage is not None and self._passage.sink is not None:
            self._passage.sink.writable(True)

    # --- httptools --------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        headers, self._headers = self._headers, []
        if status < 200 or self._passage is None:
            return
        self._stop_timer()
        values = {name.lower(): value for name, value in headers}
        is_chunked = "transfer-encoding" in values
        length = None if is_chunked else values.get("content-length")
        has_body = self._passage.method != "HEAD" and status not in BODILESS
        self._ends_with_connection = has_body and length is None and not is_chunked
        kept = [(name, value) for name, value in headers if name.lower() not in _NOT_HANDED_ON]
        if self._passage.sink is not None:
            self._passage.sink.answer_head(status, kept, None if length is None else int(length))
        if self._passage.method == "HEAD":  # llhttp waits for a body that never comes
            self._complete(keeps_alive=self._parser.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        if self._passage is not None and self._passage.sink is not None:
            self._passage.sink.answer_data(data)

    def on_message_complete(self) -> None:
        if self._passage is not None and self._parser.get_status_code() >= 200:
            self._complete(keeps_alive=self._parser.should_keep_alive())

    # --- Ends -------------------------------------------------------------------------------

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _complete(self, *, keeps_alive: bool) -> None:
        passage, self._passage = self._passage, None
        self._ends_with_connection = False
        if passage is None:
            return
        passage.detach()
        sink, passage.sink = passage.sink, None
        if keeps_alive and passage.is_sent and not self._transport.is_closing():
            self._transport.resume_reading()
            self._on_free(self)
        else:
            self.abort()
        if sink is not None:
            sink.answer_end()

    def _end(self, why: str) -> None:
        """The answer will not be complete."""
        self._stop_timer()
        passage, self._passage = self._passage, None
        if passage is not None:
            passage.detach()
            passage.fail(why)
            self.abort()


def _words(error: OSError) -> str:
    """The system's own: asyncio puts others in their place."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    number = error.errno or 0
    return os.strerror(number) if number > 0 else str(error)


_NOT_HANDED_ON = ONE_HOP | {"content-length", "date"}


def _render(request: Request, *, is_chunked: bool) -> bytes:
    """The request's head as it came, but for what concerned its own connection."""
    target = f"{request.path}?{request.query}" if request.query else request.path
    lines = [f"{name}: {value}" for name, value in request.header_pairs if name not in ONE_HOP]
    if is_chunked:
        lines.append("transfer-encoding: chunked")
    start = f"{request.method} {target} HTTP/1.1"
    return "\r\n".join([start, *lines, "\r\n"]).encode("latin-1")
