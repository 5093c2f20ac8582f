"""The far side of a client as bytes: each request, as it came, gets the next reply of a script."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

DEADLINE_SECONDS = 10.0
HANG_UP = b""
"""Instead of a reply: the connection is closed, and nobody listens any more."""


class ScriptedApi:
    """Listens on loopback and answers the n-th request with the n-th reply.

    Serves one connection at a time and accepts the next when one ends; without a reply left it
    stops listening. `requests` holds the bytes of every request, head and body.
    """

    def __init__(self, *replies: bytes) -> None:
        self._replies = list(replies)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_SECONDS)
        self._thread = threading.Thread(target=self._serve)
        self.requests: list[bytes] = []
        self.connections = 0
        self.address = "{}:{}".format(*self._listener.getsockname())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with self._listener:
            while self._replies:
                try:
                    connection, _ = self._listener.accept()
                except OSError:
                    return
                with connection:
                    self.connections += 1
                    connection.settimeout(DEADLINE_SECONDS)
                    self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        while self._replies:
            request = _read_request(connection)
            if not request:
                return
            self.requests.append(request)
            reply = self._replies.pop(0)
            if reply == HANG_UP:
                self._replies.clear()
                self._listener.close()
                return
            connection.sendall(reply)


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
