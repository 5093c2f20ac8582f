"""A puppet: a process that does on its Runtime API what a test tells it, byte by byte.

Usage: `python puppet.py PORT NAME [ARGUMENT...]`. It connects to 127.0.0.1:PORT, says who it is,
and obeys. A frame is a kind (one letter), a number and a length (32 bits each), and bytes.
Orders: `o` open connection N, `s` send, `h` half-close, `c` close, `p` print a line, `x` exit with
status N, `k` die by SIGKILL. News: `H` hello (JSON), `d` received, `e` end of connection N, `S` got
signal N.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys

FRAME = struct.Struct(">cII")


class Puppet:
    """One process: its control connection, and the connections that it was told to open."""

    def __init__(self, port: int, name: str, arguments: list[str]) -> None:
        self._control = _connect("127.0.0.1", port)
        self._wires: dict[int, socket.socket] = {}
        self._api = os.environ["AWS_LAMBDA_RUNTIME_API"]
        signal.signal(signal.SIGTERM, lambda number, _frame: self._tell(b"S", number))
        hello = {
            "name": name,
            "pid": os.getpid(),
            "arguments": arguments,
            "cwd": os.getcwd(),  # noqa: PTH109  pathlib costs the start of each puppet 10 ms
            "env": dict(os.environ),
        }
        self._tell(b"H", 0, json.dumps(hello).encode())

    def obey(self) -> None:
        """Until the control connection ends."""
        while True:
            readable = select.select([self._control, *self._wires.values()], [], [])[0]
            if self._control in readable and not self._take_order():
                return
            for number, wire in list(self._wires.items()):
                if wire in readable:
                    self._receive(number, wire)

    def _take_order(self) -> bool:
        head = self._read(FRAME.size)
        if head is None:
            return False
        kind, number, length = FRAME.unpack(head)
        data = self._read(length) or b""
        if kind == b"o":
            host, _, port = self._api.rpartition(":")
            self._wires[number] = _connect(host, int(port))
        elif kind == b"s":
            self._send(number, data)
        elif kind == b"h":
            self._wires[number].shutdown(socket.SHUT_WR)
        elif kind == b"c":
            self._wires.pop(number).close()
        elif kind == b"p":
            os.write(1, data + b"\n")
        elif kind == b"k":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == b"x":
            os._exit(number)
        return True

    def _send(self, number: int, data: bytes) -> None:
        wire = self._wires.get(number)
        with contextlib.suppress(OSError):  # the far side has gone: its end is news by itself
            if wire is not None:
                wire.sendall(data)

    def _receive(self, number: int, wire: socket.socket) -> None:
        try:
            data = wire.recv(1 << 18)
        except OSError:
            data = b""
        if data:
            self._tell(b"d", number, data)
        else:
            self._wires.pop(number).close()
            self._tell(b"e", number)

    def _read(self, length: int) -> bytes | None:
        data = bytearray()
        while len(data) < length:
            received = self._control.recv(length - len(data))
            if not received:
                return None
            data += received
        return bytes(data)

    def _tell(self, kind: bytes, number: int, data: bytes = b"") -> None:
        self._control.sendall(FRAME.pack(kind, number, len(data)) + data)


def _connect(host: str, port: int) -> socket.socket:
    """A connection on which a small write does not wait for the acknowledgement of the last."""
    connected = socket.create_connection((host, port))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


if __name__ == "__main__":
    with contextlib.suppress(ConnectionError):
        Puppet(int(sys.argv[1]), sys.argv[2], sys.argv[3:]).obey()
