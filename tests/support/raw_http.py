"""A server of `rapid_mock.http` in a thread of its own, and a socket that speaks in raw bytes."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from rapid_mock.http.router import Router
from rapid_mock.http.server import HttpServer

_T = TypeVar("_T")

DEADLINE_SECONDS = 10.0
PARKED_SECONDS = 0.05


class ServerThread:
    """Runs one HttpServer on a free port; `do` runs something inside its loop."""

    def __init__(self, router: Router, **options: frozenset[str]) -> None:
        self._router = router
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.errors: list[BaseException] = []
        self.address = ("", 0)

    def __enter__(self) -> Self:
        self._thread.start()
        self.server = self.do(self._make)
        asyncio.run_coroutine_threadsafe(self.server.start(), self._loop).result(DEADLINE_SECONDS)
        self.address = self.server.address
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self.server.close(), self._loop).result(DEADLINE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, action: Callable[[], _T]) -> _T:
        async def act() -> _T:
            return action()

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(DEADLINE_SECONDS)

    def _make(self) -> HttpServer:
        return HttpServer(self._router, on_error=self.errors.append, **self._options)


class RawClient:
    """One connection; what is sent and what comes back is spelled by the test."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, DEADLINE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> Self:
        self.socket.sendall(data)
        return self

    def answer(self, data: bytes = b"") -> bytes:
        """Send, then read one answer with a Content-Length; its Date line is left out."""
        self.socket.sendall(data)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        wanted = int(length[1]) if length else 0
        while len(body) < wanted:
            body += self._receive()
        self.rest = body[wanted:]
        assert not self.rest
        return without_date(head + b"\r\n\r\n" + body)

    def read_to_end(self) -> bytes:
        received = b""
        while data := self.socket.recv(65536):
            received += data
        return without_date(received)

    def is_parked(self) -> bool:
        """Whether no byte comes for 50 ms."""
        self.socket.settimeout(PARKED_SECONDS)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) is None
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(DEADLINE_SECONDS)

    def _receive(self) -> bytes:
        data = self.socket.recv(65536)
        assert data, "the connection was closed"
        return data


def without_date(answer: bytes) -> bytes:
    return re.sub(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", b"", answer)
