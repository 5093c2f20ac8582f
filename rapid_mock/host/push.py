"""Sends telemetry to a subscriber: HTTP requests on one kept connection, or lines over TCP.

asyncio carries it, as everything in an environment: the delivery to a consumer that is slow, or
does not answer, costs no thread and holds up nobody. Sources: "Lambda Telemetry API", AWS Lambda
Developer Guide; headers: RIE.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
from collections.abc import Sequence

import httptools

from lambda_runtime import contract
from rapid_mock.host.clock import Clock
from rapid_mock.lifecycle.subscriptions import Destination

SEND_SECONDS = 5.0
"""How long one attempt may take, from connecting to the end of the answer."""
READ_BYTES = 64 * 1024
REASON_BYTES = 1024
"""How much of a refusing answer's body is told."""


class Undelivered(Exception):
    """Raised for a batch that did not arrive; says why."""


class Push:
    """Deliveries to one destination on this machine, one at a time."""

    def __init__(self, destination: Destination, clock: Clock) -> None:
        self._destination = destination
        self._clock = clock
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, lines: Sequence[bytes]) -> None:
        """Deliver records; raises Undelivered, after SEND_SECONDS at the latest."""
        due = self._clock.now().monotonic + SEND_SECONDS
        try:
            async with asyncio.timeout(None) as limit:
                # by the environment's clock: a consumer that is frozen is not late
                timer = self._clock.call_at(due, lambda: limit.reschedule(0.0))
                try:
                    await self._send(lines)
                finally:
                    timer.cancel()
        except TimeoutError:
            self.close()
            raise Undelivered(f"no answer within {SEND_SECONDS} s") from None
        except (OSError, EOFError) as error:
            self.close()
            raise Undelivered(str(error) or type(error).__name__) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop the connection at once."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None

    async def _send(self, lines: Sequence[bytes]) -> None:
        is_http = self._destination.protocol == contract.DESTINATION_HTTP
        data = self._request(lines) if is_http else b"".join(line + b"\n" for line in lines)
        if self._streams is not None and is_http:
            # the consumer may have closed a connection that was idle: that is no failure
            with contextlib.suppress(ConnectionError, EOFError):
                await self._exchange(data)
                return
            self.close()
        if self._streams is None:
            address = ("127.0.0.1", self._destination.port)
            self._streams = await asyncio.open_connection(*address)
            self._streams[1].transport.set_write_buffer_limits(0)
        if is_http:
            await self._exchange(data)
        else:
            self._streams[1].write(data)
            await self._streams[1].drain()

    def _request(self, lines: Sequence[bytes]) -> bytes:
        destination = self._destination
        body = b"[" + b",".join(lines) + b"]"
        sequence_id = base64.b64encode(hashlib.sha256(body).digest()).decode()
        head = (
            f"{destination.method} {destination.path} HTTP/1.1\r\n"
            f"Host: {destination.host}:{destination.port}\r\n"
            "User-Agent: rapid-mock\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Content-Type: application/json\r\n"
            f"Sequence-Id: {sequence_id}\r\n\r\n"
        )
        return head.encode("utf-8", "replace") + body

    async def _exchange(self, data: bytes) -> None:
        assert self._streams is not None  # noqa: S101  the caller has connected
        reader, writer = self._streams
        writer.write(data)
        await writer.drain()
        answer = _Answer()
        while not answer.is_complete:
            received = await reader.read(READ_BYTES)
            if not received:
                raise EOFError("the connection was closed without an answer")
            answer.feed(received)
        if not answer.keeps_connection:
            self.close()
        if answer.status >= 400:
            text = f"http request failed with status {answer.status} {answer.reason}"
            raise Undelivered(f"{text}: {answer.body.decode('utf-8', 'replace')}")


class _Answer:
    """What a consumer answers, as httptools reads it."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.is_complete = False
        self.keeps_connection = False
        self.status = 0
        self.reason = ""
        self.body = b""

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise Undelivered(f"the answer is not HTTP: {error}") from error

    def on_status(self, reason: bytes) -> None:
        self.reason += reason.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self.body = (self.body + body)[:REASON_BYTES]

    def on_message_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.keeps_connection = self._parser.should_keep_alive()
        self.is_complete = self.status >= 200
        if not self.is_complete:
            self.reason = ""
