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
from collections.abc import Awaitable, Iterator, Sequence

import httptools

from lambda_runtime import contract
from rapid_mock.host.clock import Clock
from rapid_mock.host.dial import Connection, Undelivered, dial
from rapid_mock.lifecycle.subscriptions import Destination

SEND_SECONDS = 5.0
"""How long one attempt, from connecting to the end of the answer, may take."""
READ_BYTES = PIECE_BYTES = 64 * 1024
REASON_BYTES = 1024
"""How much of a refusing answer's body is told."""


class Push:
    """Deliveries to one destination on this machine, one at a time; `connection` is used first."""

    def __init__(
        self, destination: Destination, clock: Clock, connection: Connection | None = None
    ) -> None:
        self._destination = destination
        self._clock = clock
        self._connection = connection

    async def send(self, lines: Sequence[bytes]) -> None:
        """Deliver records. Raises Undelivered.

        An HTTP request and its answer have SEND_SECONDS; so has, over TCP, every 64 KiB: a
        consumer that reads slowly is not one that hangs.
        """
        try:
            if self._destination.protocol == contract.DESTINATION_HTTP:
                await self._within_limit(self._post(lines))
                return
            await self._within_limit(self._connect())
            for piece in _pieces(lines):
                await self._within_limit(self._write(piece))
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
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    async def _within_limit(self, work: Awaitable[None]) -> None:
        """By the environment's clock: a consumer that is frozen is not late."""
        due = self._clock.now().monotonic + SEND_SECONDS
        async with asyncio.timeout(None) as limit:
            timer = self._clock.call_at(due, lambda: limit.reschedule(0.0))
            try:
                await work
            finally:
                timer.cancel()

    async def _connect(self) -> None:
        if self._connection is None:
            self._connection = await dial(self._destination.port)

    async def _write(self, *parts: bytes) -> None:
        assert self._connection is not None  # noqa: S101  the caller has connected
        writer = self._connection.writer
        for part in parts:
            writer.write(part)
        await writer.drain()

    async def _post(self, lines: Sequence[bytes]) -> None:
        request = self._request(b",".join(lines))
        if self._connection is not None:
            # the consumer may have closed a connection that was idle: that is no failure
            with contextlib.suppress(ConnectionError, EOFError):
                await self._exchange(request)
                return
            self.close()
        await self._connect()
        await self._exchange(request)

    def _request(self, records: bytes) -> tuple[bytes, bytes, bytes]:
        """In three parts: to copy a large batch once more costs more than to hash it."""
        destination, digest = self._destination, hashlib.sha256(b"[")
        digest.update(records)
        digest.update(b"]")
        head = (
            f"{destination.method} {destination.path} HTTP/1.1\r\n"
            f"Host: {destination.host}:{destination.port}\r\n"
            "User-Agent: rapid-mock\r\n"
            f"Content-Length: {len(records) + 2}\r\n"
            "Content-Type: application/json\r\n"
            f"Sequence-Id: {base64.b64encode(digest.digest()).decode()}\r\n\r\n["
        )
        return head.encode("utf-8", "replace"), records, b"]"

    async def _exchange(self, request: tuple[bytes, bytes, bytes]) -> None:
        await self._write(*request)
        assert self._connection is not None  # noqa: S101  `_write` needs it
        reader, answer = self._connection.reader, _Answer()
        while not answer.is_complete:
            received = await reader.read(READ_BYTES)
            if received:
                answer.feed(received)
            elif answer.has_head:
                break  # the close is the end of a body without a length
            else:
                raise EOFError("the connection was closed without an answer")
        if not (answer.is_complete and answer.keeps_connection):
            self.close()
        if answer.status >= 400:
            text = f"http request failed with status {answer.status} {answer.reason}"
            raise Undelivered(f"{text}: {answer.body.decode('utf-8', 'replace')}")


def _pieces(lines: Sequence[bytes]) -> Iterator[bytes]:
    """Whole lines with their newlines, 64 KiB and what is left of a line at a time."""
    piece, size = [], 0
    for line in lines:
        piece.append(line)
        size += len(line) + 1
        if size >= PIECE_BYTES:
            yield b"\n".join([*piece, b""])
            piece, size = [], 0
    if piece:
        yield b"\n".join([*piece, b""])


class _Answer:
    """What a consumer answers, as httptools reads it.

    An answer that says nothing of its body's length is complete with its head, when it is good:
    its body ends with the connection, and that may be kept open by who forgot to say so.
    """

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._has_length = False
        self.has_head = False
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

    def on_message_begin(self) -> None:
        self._has_length, self.reason = False, ""

    def on_status(self, reason: bytes) -> None:
        self.reason += reason.decode("latin-1")

    def on_header(self, name: bytes, _value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._has_length = True

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.has_head = self.status >= 200
        if self.has_head and not self._has_length and self.status < 400:
            self.is_complete = True

    def on_body(self, body: bytes) -> None:
        self.body = (self.body + body)[:REASON_BYTES]

    def on_message_complete(self) -> None:
        self.keeps_connection = self._parser.should_keep_alive()
        self.is_complete = self.has_head
