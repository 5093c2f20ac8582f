"""The far side of a client as bytes: each request, as it came, gets the next reply of a script.

A reply may be a function of the request's bytes, called when the request is there.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

DEADLINE_SECONDS = 10.0
HANG_UP = b""
"""Instead of a reply: the connection is closed, and nobody listens any more."""


Scripted = bytes | Callable[[bytes], bytes]


class ScriptedApi:
    """Listens on loopback and answers the n-th request with the n-th reply.

    Each connection has a thread; without a reply left nobody listens any more. `requests` holds
    the bytes of every request, head and body, in the order of their arrival.
    """

    def __init__(self, *replies: Scripted) -> None:
        self._replies = list(replies)
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.01)
        self._threads = [threading.Thread(target=self._listen)]
        self.requests: list[bytes] = []
        self.address = "{}:{}".format(*self._listener.getsockname())

    @property
    def connections(self) -> int:
        return len(self._threads) - 1

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._replies.clear()
        for thread in self._threads:
            thread.join()

    def _listen(self) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self._listener:
            while self._replies and time.monotonic() < deadline:
                try:
                    connection, _ = self._listener.accept()
                except TimeoutError:
                    continue
                self._threads.append(threading.Thread(target=self._converse, args=[connection]))
                self._threads[-1].start()

    def _converse(self, connection: socket.socket) -> None:
        connection.settimeout(DEADLINE_SECONDS)
        with connection:
            while self._replies and (request := _read_request(connection)):
                with self._lock:
                    self.requests.append(request)
                    scripted = self._replies.pop(0)
                answer = scripted if isinstance(scripted, bytes) else scripted(request)
                if answer == HANG_UP:
                    self._replies.clear()
                    return
                connection.sendall(answer)


def reply(status: str, *headers: str, body: str = "") -> bytes:
    """A reply with its Content-Length: `reply("200 OK", "Content-Type: text/plain", body="OK")`."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body.encode())}", "", body]
    return "\r\n".join(lines).encode()


def head_of(request: bytes) -> tuple[str, dict[str, str]]:
    """The request line, and the headers by lower-case name."""
    first, *lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return first, {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def body_of(request: bytes) -> bytes:
    return request.partition(b"\r\n\r\n")[2]


def _read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data or len(body_of(data)) < _announced(data):
        try:
            more = connection.recv(65536)
        except OSError:
            return b""
        if not more:
            return b""
        data += more
    return data


def _announced(data: bytes) -> int:
    return int(head_of(data)[1].get("content-length", "0"))
