"""One listener: accepts connections for a router."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable

from rapid_mock.http.connection import Connection
from rapid_mock.http.exchange import BodySink, Endpoint, Exchange, Headers, Request
from rapid_mock.http.guard import Guard
from rapid_mock.http.router import Router

__all__ = [
    "BodySink",
    "Buffered",
    "Endpoint",
    "Exchange",
    "Headers",
    "HttpServer",
    "Request",
]


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


class HttpServer:
    """Serves a router on one address; `on_error` hears of faults in endpoints."""

    def __init__(
        self,
        router: Router,
        *,
        allowed_hosts: frozenset[str] = frozenset(),
        on_error: Callable[[BaseException], None] = traceback.print_exception,
    ) -> None:
        self._router = router
        self._guard = Guard(allowed_hosts)
        self._on_error = on_error
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self.address = ("", 0)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one. Raises OSError when the address cannot be had."""
        self._server = await asyncio.get_running_loop().create_server(self._accept, host, port)
        bound = self._server.sockets[0].getsockname()
        self.address = (bound[0], bound[1])

    async def close(self) -> None:
        """Stop listening and close every connection."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        await asyncio.sleep(0)

    def _accept(self) -> Connection:
        return Connection(self._router, self._guard, self._connections, self._on_error)
