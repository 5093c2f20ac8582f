"""An external extension that takes telemetry and looks at nothing: the cheapest of consumers.

`python telemetry_sink.py NAME [TYPE ...]` registers under that name and subscribes to these types,
or to nothing.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading

API = os.environ["AWS_LAMBDA_RUNTIME_API"]


def call(method: str, path: str, header: str, body: bytes = b"") -> str:
    host, _, port = API.partition(":")
    with socket.create_connection((host, int(port))) as wire:
        head = f"{method} {path} HTTP/1.1\r\nHost: {API}\r\nConnection: close\r\n{header}\r\n"
        wire.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b""
        while received := wire.recv(65536):
            answer += received
    return answer.decode()


def take(listener: socket.socket) -> None:
    wire, _ = listener.accept()
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            data += wire.recv(1 << 20)
        head, _, rest = data.partition(b"\r\n\r\n")
        left = int(head.lower().partition(b"content-length: ")[2].split()[0]) - len(rest)
        while left > 0:
            left -= len(wire.recv(1 << 20))
        data = b""
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def main(name: str, types: list[str]) -> None:
    registered = call(
        "POST",
        "/2020-01-01/extension/register",
        f"Lambda-Extension-Name: {name}",
        b'{"events":["SHUTDOWN"]}',
    )
    identifier = next(
        line for line in registered.split("\r\n") if line.startswith("Lambda-Extension-Identifier")
    )
    if types:
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=take, args=(listener,), daemon=True).start()
        uri = f"http://sandbox.localdomain:{listener.getsockname()[1]}"
        subscription = {
            "schemaVersion": "2022-12-13",
            "types": types,
            "destination": {"protocol": "HTTP", "URI": uri},
        }
        answer = call("PUT", "/2022-07-01/telemetry", identifier, json.dumps(subscription).encode())
        assert '"OK"' in answer, answer
    call("GET", "/2020-01-01/extension/event/next", identifier)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
