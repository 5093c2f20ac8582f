"""The floor of a local Lambda on asyncio and httptools: no lifecycle, no checks.

`python -m tests.benchmarks.bare_server COMMAND...` starts the command as the runtime, prints its
port and hands one invocation at a time through, its response chunk by chunk as it comes.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from typing import cast

import httptools

EVENT_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 1\r\n"
    b"Lambda-Runtime-Deadline-Ms: 9999999999999\r\nLambda-Runtime-Invoked-Function-Arn: arn\r\n"
)
ACCEPTED = b'HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{"status":"OK"}\n'
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Exchange:
    """What the runtime and the invoker wait for; each side slows the other down."""

    def __init__(self) -> None:
        self.parked: Connection | None = None
        self.invoker: Connection | None = None
        self.runtime: Connection | None = None
        self.events: deque[bytes] = deque()

    def match(self) -> None:
        if self.parked is not None and self.events:
            event = self.events.popleft()
            self.parked.send(EVENT_HEAD + b"Content-Length: %d\r\n\r\n" % len(event) + event)
            self.parked = None


class Connection(asyncio.Protocol):
    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.parser = httptools.HttpRequestParser(self)
        self.body: list[bytes] = []
        self.streams = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.send = self.transport.write

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def pause_writing(self) -> None:
        if self.exchange.runtime is not None:
            self.exchange.runtime.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.exchange.runtime is not None:
            self.exchange.runtime.transport.resume_reading()

    def on_url(self, url: bytes) -> None:
        self.url = url

    def on_headers_complete(self) -> None:
        self.body = []
        self.streams = self.url.endswith(b"/response")
        if self.streams and self.exchange.invoker is not None:
            self.exchange.runtime = self
            self.exchange.invoker.send(STREAM_HEAD)

    def on_body(self, data: bytes) -> None:
        if self.streams and self.exchange.invoker is not None:
            self.exchange.invoker.send(b"%x\r\n%b\r\n" % (len(data), data))
        else:
            self.body.append(data)

    def on_message_complete(self) -> None:
        if self.url.endswith(b"/next"):
            self.exchange.parked = self
        elif self.streams:
            self.send(ACCEPTED)
            if self.exchange.invoker is not None:
                self.exchange.invoker.send(b"0\r\n\r\n")
            self.exchange.invoker = self.exchange.runtime = None
        else:
            self.exchange.invoker = self
            self.exchange.events.append(b"".join(self.body))
        self.exchange.match()


async def serve(command: list[str]) -> None:
    exchange = Exchange()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(exchange), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    env = os.environ | {"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"}
    await asyncio.create_subprocess_exec(*command, env=env)
    print(f"bare: listening on http://127.0.0.1:{port}", file=sys.stderr, flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
