"""The far side of a runtime as a script: each connection is a function that reads and sends bytes.

def serve(peer: Peer) -> None:
    peer.request()
    peer.send(b"HTTP/1.1 200 OK\\r\\n...")

with ScriptedRuntimeApi(serve) as api:
    RuntimeClient(api.address, "test").next()
assert api.requests == [b"GET ..."]
"""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 20.0

ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
NEXT_PATH = b"GET /2018-06-01/runtime/invocation/next "


class Peer:
    """One connection, seen from the server; `segments` is what each read brought."""

    def __init__(self, connection: socket.socket, requests: list[bytes]) -> None:
        self._socket = connection
        self._requests = requests
        self._ahead = b""
        self.segments: list[bytes] = []

    def request(self) -> bytes:
        """Read one request, head and body, chunked bodies as they come; empty at the end."""
        while not (length := _request_length(self._ahead)):
            data = self._socket.recv(262144)
            if not data:
                return b""
            self.segments.append(data)
            self._ahead += data
        request, self._ahead = self._ahead[:length], self._ahead[length:]
        self._requests.append(request)
        return request

    def read(self, count: int) -> bytes:
        """Read `count` bytes, fewer only at the end, and take them for no request."""
        received = bytearray()
        while len(received) < count and (data := self._socket.recv(count - len(received))):
            received += data
        return bytes(received)

    def has_nothing(self) -> bool:
        """Whether nothing came together with the last request."""
        return not self._ahead

    def some(self) -> bytes:
        """Read what has come, at least a byte; nothing at the end."""
        return self._socket.recv(262144)

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def drip(self, data: bytes) -> None:
        """Send byte by byte."""
        for value in data:
            self._socket.sendall(bytes([value]))

    def finish_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Close with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()


Script = Callable[[Peer], None]


class ScriptedRuntimeApi:
    """Listens on loopback; the n-th connection is served by the n-th script, then closed.

    `requests` holds the bytes of every request in the order of their arrival. A script that fails
    fails the test; so does a script whose connection nobody opened.
    """

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_SECONDS)
        self._thread = threading.Thread(target=self._serve)
        self._failure: BaseException | None = None
        self.peers: list[Peer] = []
        self.requests: list[bytes] = []
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
            self._wake()
        self._thread.join()
        self._listener.close()
        if error is None and self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        try:
            for script in self._scripts:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(DEADLINE_SECONDS)
                self.peers.append(Peer(connection, self.requests))
                with connection:
                    script(self.peers[-1])
        except BaseException as failure:  # noqa: BLE001  raised again where the test waits
            self._failure = failure
        finally:
            self._listener.close()

    def _wake(self) -> None:
        """End the wait for a connection that a failed test will never open."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


def replies(*scripted: bytes) -> Script:
    """A script that answers each request of one connection with the next of these."""

    def serve(peer: Peer) -> None:
        for reply in scripted:
            assert peer.request()
            peer.send(reply)

    return serve


def event(body: bytes, *headers: str, request_id: str = "request-1") -> bytes:
    """The answer to /next as AWS sends it, JSON unless `headers` say otherwise."""
    lines = [f"Lambda-Runtime-Aws-Request-Id: {request_id}", *headers]
    if not any(line.lower().startswith("content-type:") for line in headers):
        lines.append("Content-Type: application/json")
    head = "".join(f"{line}\r\n" for line in [*lines, f"Content-Length: {len(body)}"])
    return b"HTTP/1.1 200 OK\r\n" + head.encode() + b"\r\n" + body


def body_of(request: bytes) -> bytes:
    return request.partition(b"\r\n\r\n")[2]


def path_of(request: bytes) -> str:
    return request.split(b" ", 2)[1].decode()


def headers_of(request: bytes) -> dict[str, str]:
    """The headers of a request by lower-case name."""
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


class Finished(NamedTuple):
    """A runtime process that has come to its end, and what it had sent."""

    exit_code: int
    stdout: str
    stderr: str
    requests: list[bytes]

    @property
    def posted(self) -> list[bytes]:
        """The requests without the polls for the next event."""
        return [request for request in self.requests if not request.startswith(NEXT_PATH)]


def run_runtime(
    folder: Path,
    *events: bytes,
    arguments: tuple[str, ...] = ("app.handler",),
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run `python -m lambda_runtime` in `folder`; answer each poll with the next of `events`.

    Every post is accepted; the poll after the last event ends the connection, and so the process.
    """

    def serve(peer: Peer) -> None:
        waiting = list(events)
        while request := peer.request():
            if not request.startswith(NEXT_PATH):
                peer.send(ACCEPTED)
            elif waiting:
                peer.send(waiting.pop(0))
            else:
                return

    with ScriptedRuntimeApi(serve) as api:
        done = start_runtime(cwd or folder, api.address, *arguments, environment=environment)
    return done._replace(requests=api.requests)


def start_runtime(
    folder: Path, address: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> Finished:
    """Run `python -m lambda_runtime` to its end; without an address where it is empty."""
    done = subprocess.run(
        [sys.executable, "-m", "lambda_runtime", *arguments],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            **({"AWS_LAMBDA_RUNTIME_API": address} if address else {}),
            **(environment or {}),
        },
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode(), [])


def _request_length(data: bytes) -> int:
    """Bytes of the first request in `data`; 0 when it is not whole yet."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = data[:end].lower()
    if b"\r\ntransfer-encoding: chunked" in head:
        last = data.find(b"\r\n0\r\n", end + 2)
        trailers_end = data.find(b"\r\n\r\n", last + 3) if last >= 0 else -1
        return trailers_end + 4 if trailers_end >= 0 else 0
    start = head.find(b"\r\ncontent-length:")
    length = int(head[start + 17 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
    whole = end + 4 + length
    return whole if len(data) >= whole else 0
