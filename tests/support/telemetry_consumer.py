"""An extension made of nothing but sockets: subscribes to telemetry, writes down what arrives.

Variables: `SUBSCRIPTION` is the body of its subscription without the destination, `API` the path,
`PROTOCOL` HTTP or TCP, `OUT` the file that gets a record a line, `BEHAVIOUR` how it takes batches:
`good`, `slow` (0.3 s each), `500` (the first four attempts, and every third), `refuse` (nobody
listens until there is a file `OUT.listen`), `hang` (no answer to the first four attempts).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
BEHAVIOUR = os.environ["BEHAVIOUR"]
attempts = 0


def call(method: str, path: str, header: str, body: bytes = b"") -> tuple[str, bytes]:
    host, _, port = API.partition(":")
    with socket.create_connection((host, int(port))) as wire:
        head = f"{method} {path} HTTP/1.1\r\nHost: {API}\r\nConnection: close\r\n{header}\r\n"
        wire.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b""
        while received := wire.recv(65536):
            answer += received
    head, _, text = answer.decode().partition("\r\n\r\n")
    return head, text.encode()


def write(records: list[bytes]) -> None:
    with open(os.environ["OUT"], "ab") as out:  # noqa: PTH123  nothing but sockets and files
        out.write(b"".join(record + b"\n" for record in records))


def take_tcp(wire: socket.socket) -> None:
    for line in wire.makefile("rb"):
        write([line.rstrip(b"\n")])


def take_http(wire: socket.socket) -> None:
    global attempts  # noqa: PLW0603  one consumer, one count
    stream = wire.makefile("rb")
    while stream.readline():
        length = 0
        while (line := stream.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = stream.read(length)
        attempts += 1
        if BEHAVIOUR == "hang" and attempts <= 4:
            threading.Event().wait()
        if BEHAVIOUR == "500" and (attempts <= 4 or attempts % 3 == 0):
            wire.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno")
            continue
        if BEHAVIOUR == "slow":
            time.sleep(0.3)
        write([json.dumps(record).encode() for record in json.loads(body)])
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def read_to_the_end() -> None:
    """TCP has no answers: what was sent before the shutdown may still have to be read."""
    size = -1
    while size != (size := os.path.getsize(os.environ["OUT"])):  # noqa: PTH202  as above
        time.sleep(0.2)


def serve_once(listener: socket.socket) -> None:
    """TCP has one connection, from the subscription on."""
    take_tcp(listener.accept()[0])


def serve(listener: socket.socket, take: object) -> None:
    while True:
        wire, _ = listener.accept()
        threading.Thread(target=take, args=(wire,), daemon=True).start()  # type: ignore[arg-type]


def listen_later(port: int) -> None:
    while not os.path.exists(os.environ["OUT"] + ".listen"):  # noqa: PTH110  as above
        time.sleep(0.05)
    serve(socket.create_server(("127.0.0.1", port)), take_http)


def main() -> None:
    head, _ = call(
        "POST",
        "/2020-01-01/extension/register",
        f"Lambda-Extension-Name: {sys.argv[1]}",
        b'{"events":["SHUTDOWN"]}',
    )
    identifier = next(
        line for line in head.split("\r\n") if line.startswith("Lambda-Extension-Identifier")
    )
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    is_tcp = os.environ["PROTOCOL"] == "TCP"
    if BEHAVIOUR == "refuse":
        listener.close()
        threading.Thread(target=listen_later, args=(port,), daemon=True).start()
    else:
        target, arguments = (serve_once, (listener,)) if is_tcp else (serve, (listener, take_http))
        threading.Thread(target=target, args=arguments, daemon=True).start()
    subscription = json.loads(os.environ["SUBSCRIPTION"])
    uri = f"http://sandbox.localdomain:{port}/batches"
    subscription["destination"] = (
        {"protocol": "TCP", "port": port} if is_tcp else {"protocol": "HTTP", "URI": uri}
    )
    head, body = call("PUT", os.environ["API"], identifier, json.dumps(subscription).encode())
    assert body == b'"OK"', body
    with contextlib.suppress(ConnectionError):
        call("GET", "/2020-01-01/extension/event/next", identifier)
    if is_tcp:
        read_to_the_end()


main()
