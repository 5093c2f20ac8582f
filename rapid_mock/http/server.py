"""One listener: accepts connections for a router."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import traceback
from collections.abc import Callable

from rapid_mock.http.connection import Connection
from rapid_mock.http.exchange import BodySink, Endpoint, Exchange, Headers, Request, ResponseWriter
from rapid_mock.http.guard import Guard
from rapid_mock.http.incoming import Site
from rapid_mock.http.router import Router

__all__ = [
    "BodySink",
    "Buffered",
    "Endpoint",
    "Exchange",
    "Headers",
    "HttpServer",
    "Request",
    "ResponseWriter",
]

BACKLOG = 1024
RECEIVE_BYTES = 256 * 1024
FLUSH_SECONDS = 1.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where processes of this machine find us when we listen on every address."""


class Buffered:
    """An endpoint from a function that takes the exchange and its whole body."""

    def __init__(
        self,
        function: Callable[[Exchange, bytes], None],
        *,
        max_body: int = 1024 * 1024,
        too_large: tuple[Headers, bytes] = ((), b""),
    ) -> None:
        self._function = function
        self._too_large = too_large
        self.max_body = max_body

    def head(self, _exchange: Exchange) -> None:
        return None

    def complete(self, exchange: Exchange, body: bytes, _trailers: list[tuple[str, str]]) -> None:
        self._function(exchange, body)

    def too_large(self, exchange: Exchange) -> None:
        exchange.respond(413, *self._too_large)

    def truncated(self, exchange: Exchange) -> None:
        """Nobody is left to answer."""


class Connections:
    """The open connections of a listener.

    What a connection receives passes through one `buffer`: a fresh one for each read, which is what
    asyncio's Protocol takes, would cost two page faults, 18 us a read.
    """

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(RECEIVE_BYTES))
        self._open: set[Connection] = set()
        self._emptied = asyncio.Event()
        self._is_closed = False

    def add(self, connection: Connection) -> None:
        self._open.add(connection)
        if self._is_closed:  # it was accepted just before
            connection.abort()

    def remove(self, connection: Connection) -> None:
        self._open.discard(connection)
        if not self._open:
            self._emptied.set()

    async def close(self) -> None:
        """Close them all, at last those whose client does not read."""
        self._is_closed = True
        for connection in tuple(self._open):
            connection.close()
        await self._wait(FLUSH_SECONDS)
        for connection in tuple(self._open):
            connection.abort()
        await self._wait(FLUSH_SECONDS)

    async def _wait(self, seconds: float) -> None:
        self._emptied.clear()
        if self._open:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), seconds)


class HttpServer:
    """Serves a router on one address; `on_error` hears of faults in endpoints.

    `guard` is asked in place of one that lets loopback names and `allowed_hosts` in.
    """

    def __init__(
        self,
        router: Router,
        *,
        allowed_hosts: frozenset[str] = frozenset(),
        guard: Guard | None = None,
        on_error: Callable[[BaseException], None] = traceback.print_exception,
    ) -> None:
        self._site = Site(router, guard or Guard(allowed_hosts), on_error)
        self._connections = Connections()
        self._server: asyncio.Server | None = None
        self.address = ("", 0)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises OSError when the address cannot be had."""
        await self.bind(host, port)
        await self.listen()

    async def bind(self, host: str, port: int) -> None:
        """Take an address, on which nobody is answered before `listen`; raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._accept, host, port, backlog=BACKLOG, start_serving=False
        )
        bound = self._server.sockets[0].getsockname()
        self.address = (bound[0], bound[1])

    async def listen(self) -> None:
        """Answer from now on; raises OSError when somebody else does."""
        if self._server is not None:
            await self._server.start_serving()

    async def serve(self, listener: socket.socket) -> None:
        """Serve on a socket that listens already, and owns it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, sock=listener, backlog=BACKLOG)
        self.address = listener.getsockname()[:2]

    @property
    def url(self) -> str:
        """Where it listens, `http://host:port`."""
        return _url(*self.address)

    @property
    def own_url(self) -> str:
        """Where a process of this machine reaches it."""
        host, port = self.address
        return _url(_LOOPBACK.get(host, host), port)

    async def close(self) -> None:
        """Stop listening, then close every connection: what is written gets one second to leave."""
        self.stop_listening()
        await self._connections.close()

    def stop_listening(self) -> None:
        """From now on who connects is refused."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def _accept(self) -> Connection:
        return Connection(self._site, self._connections)


def _url(host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"
