"""A server of `rapid_mock.http` in a thread of its own, and a socket that speaks in raw bytes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from rapid_mock.http.router import Router
from rapid_mock.http.server import HttpServer

_T = TypeVar("_T")

DEADLINE_SECONDS = 10.0
PARKED_SECONDS = 0.05


class ServerThread:
    """Runs one HttpServer on a free port; `do` runs something inside its loop."""

    def __init__(self, router: Router, **options: Any) -> None:
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

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the server's loop to its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_SECONDS)

    def start_closing(self) -> Callable[[], None]:
        """Begin to close the server; returns what waits until it is closed."""
        future = asyncio.run_coroutine_threadsafe(self.server.close(), self._loop)
        return lambda: future.result(DEADLINE_SECONDS)

    def listen_again(self, port: int) -> None:
        """Start a second server on `port`."""
        start = self.do(self._make).start(port=port)
        asyncio.run_coroutine_threadsafe(start, self._loop).result(DEADLINE_SECONDS)

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

    def send_what_fits(self, data: bytes) -> int:
        """Send until nothing has been taken for 50 ms; how many bytes were."""
        sent = 0
        self.socket.settimeout(PARKED_SECONDS)
        with contextlib.suppress(TimeoutError):
            while sent < len(data):
                sent += self.socket.send(data[sent : sent + (1 << 20)])
        self.socket.settimeout(DEADLINE_SECONDS)
        return sent

    def answer(self, data: bytes = b"") -> bytes:
        """Send, then read one answer with a Content-Length; its Date line is left out."""
        if data:  # else it would wait for room to send nothing
            self.socket.sendall(data)
        head, _, start = self._receive_until(b"\r\n\r\n").partition(b"\r\n\r\n")
        body = bytearray(start)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        wanted = int(length[1]) if length else 0
        while len(body) < wanted:
            body += self._receive()
        assert len(body) == wanted, body[wanted:]
        return without_date(head + b"\r\n\r\n") + body

    def read_until(self, end: bytes) -> bytes:
        """Read what ends with `end`, and no byte more; Date lines are left out."""
        received = self._receive_until(end)
        assert received.endswith(end), received
        return without_date(received)

    def read_to_end(self) -> bytes:
        received = bytearray()
        while data := self.socket.recv(65536):
            received += data
        return without_date(bytes(received))

    def is_parked(self) -> bool:
        """Whether no byte comes for 50 ms."""
        self.socket.settimeout(PARKED_SECONDS)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) is None
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(DEADLINE_SECONDS)

    def reset_on_close(self) -> None:
        """Make `close` send a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _receive_until(self, end: bytes) -> bytes:
        received = bytearray()
        while end not in received[-len(end) - 65536 :]:
            received += self._receive()
        return bytes(received)

    def _receive(self) -> bytes:
        data = self.socket.recv(65536)
        assert data, "the connection was closed"
        return data


def without_date(answer: bytes) -> bytes:
    return re.sub(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", b"", answer)
