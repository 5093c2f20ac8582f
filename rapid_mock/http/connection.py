"""One client connection: bytes in, exchanges out, answers back in the order of the requests."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING, cast

from rapid_mock.http.exchange import (
    OVER,
    STREAMING,
    Exchange,
    Headers,
    Request,
    ResponseWriter,
)
from rapid_mock.http.incoming import PLAIN_TEXT, Incoming, Site
from rapid_mock.http.request_parser import Pairs, RequestParser, Unserved
from rapid_mock.http.response import BODILESS, Framing, framing_of, render_head

if TYPE_CHECKING:
    from rapid_mock.http.server import Connections

MAX_DISCARDED_BYTES = 16 * 1024 * 1024
MAX_DISCARD_SECONDS = 2.0
MAX_HEAD_SECONDS = 60.0
"""How long a head may take from its first packet to its last."""
JOINED_BYTES = 64 * 1024


class Hold(Enum):
    """Why nothing is read from the client now."""

    TURN = "a request waits for its turn"
    BODY = "the endpoint asked for it"


class Connection(asyncio.BufferedProtocol):
    """An HTTP/1.1 server connection; the oldest request is dispatched, the others wait for it.

    A request also waits while its client does not read its answers.
    """

    def __init__(self, site: Site, connections: Connections) -> None:
        self._site = site
        self._connections = connections
        self._parser = RequestParser(self)
        self._queue: deque[Incoming] = deque()
        self._receiving: Incoming | None = None
        self._takes_requests = True
        self._ignored_bytes = 0
        self._holds: set[Hold] = set()
        self.is_writing_paused = False
        self._farewell = b""
        self._timer: asyncio.TimerHandle | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    # --- asyncio ----------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def get_buffer(self, _sizehint: int) -> memoryview:
        return self._connections.buffer

    def buffer_updated(self, nbytes: int) -> None:
        if not self._takes_requests:
            self._ignore(nbytes)
            return
        try:
            self._parser.feed(bytes(self._connections.buffer[:nbytes]))
            if self._parser.unframed_bytes and self._receiving is None:
                self._await_head()
        except Unserved as refusal:
            if self._takes_requests:
                self._end_input(_farewell(refusal))
        except Exception as error:  # noqa: BLE001  a fault of ours costs one connection only
            self._site.on_error(error)
            self.abort()

    def eof_received(self) -> bool:
        """A half-closed client still gets its answers; one that waits for an event is gone."""
        self._end_input()
        return not self._transport.is_closing()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._end_input()
        self._part()
        self._end_head()
        self._connections.remove(self)

    def pause_writing(self) -> None:
        self.is_writing_paused = True
        writer = self._writer()
        if writer is not None and writer.on_pause is not None:
            writer.on_pause()

    def resume_writing(self) -> None:
        self.is_writing_paused = False
        self._begin_next()
        writer = self._writer()
        if writer is not None and writer.on_resume is not None:
            writer.on_resume()

    # --- Requests ---------------------------------------------------------------------------

    def _await_head(self) -> None:
        if self._head_timer is None:
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(MAX_HEAD_SECONDS, self._head_is_late)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._takes_requests:
            self._end_input(_farewell(Unserved(408, "Request Timeout")))

    def head_received(self, request: Request, *, keeps_alive: bool) -> None:
        if not self._takes_requests:
            raise Unserved(400, "Bad Request")
        self._end_head()
        incoming = Incoming(Exchange(request, self), self._site, keeps_alive=keeps_alive)
        self._receiving = incoming
        self._queue.append(incoming)
        if len(self._queue) > 1 or self.is_writing_paused:
            self._hold(Hold.TURN)
        else:
            incoming.begin()

    def request_received(self, request: Request, body: bytes) -> None:
        if self._queue or self.is_writing_paused or not self._takes_requests:
            self.head_received(request, keeps_alive=True)
            if body:
                self.body_received(body)
            self.message_received([])
            return
        incoming = Incoming(Exchange(request, self), self._site, keeps_alive=True)
        incoming.is_complete = True
        self._queue.append(incoming)
        incoming.serve(body)

    def body_received(self, data: bytes) -> None:
        incoming = self._receiving
        if incoming is not None:
            incoming.take(data)
            if incoming.discarded > MAX_DISCARDED_BYTES:
                self.close()

    def message_received(self, trailers: Pairs) -> None:
        incoming, self._receiving = self._receiving, None
        if incoming is None:
            return
        incoming.trailers = trailers
        incoming.is_complete = True
        if self._holds:
            self._release(Hold.BODY)
        if not incoming.keeps_alive:
            self._takes_requests = False
        if incoming.exchange.progress is OVER:
            self._advance()
        elif incoming.has_begun:
            incoming.complete()

    def _begin_next(self) -> None:
        """Begin the oldest request, if it still waits for that."""
        if not self._queue or self._queue[0].has_begun or self.is_writing_paused:
            return
        if len(self._queue) == 1:
            self._release(Hold.TURN)
        self._queue[0].begin()

    # --- Answers ----------------------------------------------------------------------------

    def answer(self, exchange: Exchange, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        incoming = self._turn(exchange)
        if incoming is None:
            exchange.progress = OVER
            return
        length: int | None = len(body)
        if exchange.request.method == "HEAD" or status in BODILESS:
            length, body = length or None, b""  # nothing is not told, as by Go
        option = self._connection_option(incoming)
        head = render_head(status, headers, length=length, connection=option)
        if len(body) <= JOINED_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(memoryview(body))
        exchange.progress = OVER
        self._answered(incoming)

    def start_answer(
        self, exchange: Exchange, status: int, headers: Headers, length: int | None
    ) -> ResponseWriter:
        """Send the head of an answer whose body, of this length if it is known, follows."""
        request = exchange.request
        framing = framing_of(request.method, request.http_version, status, length)
        incoming = self._turn(exchange)
        if incoming is not None:
            if framing is Framing.CHUNKED:
                headers = [*headers, ("Transfer-Encoding", "chunked")]
            elif framing is Framing.UNTIL_EOF:
                incoming.keeps_alive = False
            option = self._connection_option(incoming)
            self._transport.write(render_head(status, headers, length=length, connection=option))
        exchange.progress = STREAMING
        return ResponseWriter(self, exchange, framing)

    def send_piece(self, exchange: Exchange, data: bytes) -> None:
        """Send a part of a streaming answer."""
        if self._turn(exchange) is not None:
            self._transport.write(data)

    def end_answer(self, exchange: Exchange) -> None:
        """A streaming answer has been sent."""
        exchange.progress = OVER
        incoming = self._turn(exchange)
        if incoming is not None:
            self._answered(incoming)

    def cut_answer(self, exchange: Exchange) -> None:
        """A streaming answer stays incomplete: only a reset shows that where EOF is the end."""
        exchange.progress = OVER
        if self._turn(exchange) is None:
            return
        if exchange.request.http_version == "1.0":
            linger_no_time = struct.pack("ii", 1, 0)
            connected = self._transport.get_extra_info("socket")
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_no_time)
            self.abort()
        else:
            self.close()

    def invite_body(self, exchange: Exchange) -> None:
        """Tell a client that asked whether its body is wanted that it is."""
        if self._turn(exchange) is not None:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def pause_body(self, exchange: Exchange) -> None:
        if self._receiving is not None and self._receiving.exchange is exchange:
            self._hold(Hold.BODY)

    def resume_body(self, exchange: Exchange) -> None:
        if self._receiving is not None and self._receiving.exchange is exchange:
            self._release(Hold.BODY)

    def _turn(self, exchange: Exchange) -> Incoming | None:
        """The request of an exchange: the oldest one, or None when its client has gone."""
        if not self._queue or self._transport.is_closing():
            return None
        incoming = self._queue[0]
        return incoming if incoming.exchange is exchange else None

    def _writer(self) -> ResponseWriter | None:
        if not self._queue or self._queue[0].exchange.is_over:
            return None
        return self._queue[0].exchange.writer

    def _connection_option(self, incoming: Incoming) -> str:
        """A client that was not told to send its body may do so or not: what follows is open."""
        if incoming.awaits_continue:
            incoming.keeps_alive = False
        if not incoming.keeps_alive:
            return "close"
        return "keep-alive" if incoming.exchange.request.http_version == "1.0" else ""

    def _answered(self, incoming: Incoming) -> None:
        if incoming.is_complete:
            self._advance()
            return
        self._release(Hold.BODY)
        self._end_within(MAX_DISCARD_SECONDS)

    def _advance(self) -> None:
        """The oldest exchange is over and its request complete: turn to the next, or end."""
        done = self._queue.popleft()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not done.keeps_alive:
            self.close()
        elif not self._queue:
            if not self._takes_requests:
                self._part()
        else:
            # Not now: a long pipeline would nest as deep as it is long.
            asyncio.get_running_loop().call_soon(self._begin_next)

    # --- Ends -------------------------------------------------------------------------------

    def close(self) -> None:
        """Send what has been written, then close."""
        self._takes_requests = False
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._takes_requests = False
        self._transport.abort()

    def _end_input(self, farewell: bytes = b"") -> None:
        """No more requests come: those that have come are answered, then the connection ends."""
        self._takes_requests = False
        self._farewell = farewell
        incoming, self._receiving = self._receiving, None
        if incoming is not None:
            self._truncate(incoming)
        if not self._queue or not self._queue[0].exchange.survives_half_close:
            self._part()

    def _truncate(self, incoming: Incoming) -> None:
        """Drop a request whose body broke off; its endpoint may still answer it."""
        if incoming.has_begun:
            incoming.truncate()
        if self._queue and self._queue[-1] is incoming:
            self._queue.pop()
            incoming.vanish()
        if incoming.exchange.is_answered:
            self._farewell = b""

    def _part(self) -> None:
        """Nobody is left to answer; a farewell is left time to be read, as a reset would eat it."""
        queue, self._queue = self._queue, deque()
        for incoming in queue:
            incoming.vanish()
        if self._farewell and not queue and not self._transport.is_closing():
            self._transport.write(self._farewell)
            self._transport.write_eof()
            self._farewell = b""
            self._end_within(MAX_DISCARD_SECONDS)
        else:
            self.close()

    def _ignore(self, size: int) -> None:
        self._ignored_bytes += size
        if self._ignored_bytes > MAX_DISCARDED_BYTES:
            self.close()

    def _end_within(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self.close)

    # --- Back-pressure ----------------------------------------------------------------------

    def _hold(self, reason: Hold) -> None:
        self._holds.add(reason)
        self._transport.pause_reading()

    def _release(self, reason: Hold) -> None:
        if reason in self._holds:
            self._holds.remove(reason)
            if not self._holds:
                self._transport.resume_reading()


def _farewell(refusal: Unserved) -> bytes:
    text = f"{refusal.status} {refusal.reason}".encode()
    return render_head(refusal.status, [PLAIN_TEXT], length=len(text), connection="close") + text
