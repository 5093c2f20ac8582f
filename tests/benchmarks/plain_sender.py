"""The floor of a streamed response: one socket, one head, `sendall` in a loop, no framing."""

from __future__ import annotations

import os
import socket
import sys
import time

CHUNK = bytes(64 * 1024)


def main() -> None:
    host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].rpartition(":")
    count = int(sys.argv[1]) // len(CHUNK)
    with socket.create_connection((host, int(port))) as connection:
        while True:
            connection.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n")
            connection.recv(65536)
            connection.sendall(b"POST /response HTTP/1.1\r\n\r\n")
            connection.sendall(b"%020d" % time.monotonic_ns() + CHUNK[20:])
            for _ in range(count - 1):
                connection.sendall(CHUNK)
            if not connection.recv(65536):
                return


main()
