"""The connection of `transport`, on the event loop: the same bytes and the same rules."""

from __future__ import annotations

import asyncio
import os

from lambda_runtime.errors import ConnectionLost, InvalidReply
from lambda_runtime.replies import ReplyParser, quick_reply
from lambda_runtime.transport import QUICK_BYTES, checked, parse_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambda_runtime.replies import Reply


class AsyncConnection(asyncio.BufferedProtocol):
    """A kept connection to the API at `address`, for one request at a time."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._host, self._port, _ = parse_address(address)
        self._served = 0  # replies on the present connection
        self._parser = ReplyParser()
        self._transport: asyncio.Transport | None = None
        self._reply: asyncio.Future[Reply] | None = None
        self._may_write = asyncio.Event()

    async def exchange(self, head: bytes, body: bytes = b"") -> Reply:
        """Send a request and wait for its reply; sent again as `Connection.exchange` does."""
        kept = self._transport is not None and self._served > 0
        try:
            return await self._once(head, body)
        except ConnectionLost as lost:
            if not kept or lost.received:
                raise
        reply = await self._once(head, body)
        reply.resent = True
        return reply

    async def upload(self, head: bytes) -> AsyncUpload:
        """Begin a request whose body is sent in chunks; `head` announces them."""
        transport, reply = await self._begin()
        transport.write(head)
        return AsyncUpload(self, reply)

    async def send(self, data: bytes) -> None:
        """Send more of a request; returns when there is room for more."""
        if self._transport is not None:
            self._transport.write(data)
            await self._may_write.wait()

    def close(self) -> None:
        """Close the socket; the next request opens another."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    async def _once(self, head: bytes, body: bytes) -> Reply:
        transport, reply = await self._begin()
        transport.write(head + body if body else head)
        try:
            return await reply
        except asyncio.CancelledError:
            self.close()  # what comes now answers nobody
            raise

    async def _begin(self) -> tuple[asyncio.Transport, asyncio.Future[Reply]]:
        loop = asyncio.get_running_loop()
        transport = self._transport
        if transport is None:
            try:
                transport, _ = await loop.create_connection(lambda: self, self._host, self._port)
            except OSError as error:
                raise ConnectionLost(f"cannot connect to {self.address}: {error}") from error
        self._parser.reset()
        self._reply = reply = loop.create_future()
        return transport, reply

    # --- What the event loop calls --------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # that of a stream socket
        self._served = 0
        self._may_write.set()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  the parser knows better
        return self._parser.room()

    def buffer_updated(self, nbytes: int) -> None:
        waiting, parser = self._reply, self._parser
        if waiting is None or waiting.done():
            self.close()  # nobody has asked
            return
        reply = None
        if not parser.fill and nbytes <= QUICK_BYTES:
            reply = quick_reply(bytes(memoryview(parser.buffer)[:nbytes]))
        try:
            reply = reply or parser.received(nbytes)
        except InvalidReply as error:
            self.close()
            waiting.set_exception(error)
            return
        if reply is not None:
            self._served += 1
            if parser.closes:
                self.close()
            waiting.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        transport, self._transport = self._transport, None
        self._may_write.set()
        if self._reply is None or self._reply.done():
            return
        if exc is not None and transport is not None:
            self._read_what_is_left(transport.get_extra_info("socket").fileno())
            if self._reply.done():
                return
        reply = self._parser.ended() if exc is None else None
        if reply is not None:
            self._reply.set_result(reply)
            return
        why = f"no reply from {self.address}: {exc or 'it closed the connection'}"
        self._reply.set_exception(ConnectionLost(why, received=self._parser.fill))

    def _read_what_is_left(self, descriptor: int) -> None:
        """An early refusal may wait behind a write that failed."""
        try:
            while not (self._reply is None or self._reply.done()):
                room = self._parser.room()
                data = os.read(descriptor, len(room))
                if not data:
                    return
                room[: len(data)] = data
                self.buffer_updated(len(data))
        except OSError:
            return

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()


class AsyncUpload:
    """A request body being sent in chunks."""

    def __init__(self, connection: AsyncConnection, reply: asyncio.Future[Reply]) -> None:
        self._connection = connection
        self._reply = reply

    async def write(self, data: bytes | memoryview) -> bool:
        """Send one chunk, when the server has taken those before; False: it has answered."""
        if not self._reply.done() and len(data):
            await self._connection.send(b"%x\r\n%b\r\n" % (len(data), bytes(data)))
        return not self._reply.done()

    async def finish(self, trailers: Iterable[tuple[str, str]] = ()) -> Reply:
        """Send the last chunk and the trailers; wait for the reply. Raises ConnectionLost."""
        if self._reply.done():
            self._connection.close()  # the request was cut short
        else:
            lines = "".join(f"{name}: {checked(value)}\r\n" for name, value in trailers)
            await self._connection.send(b"0\r\n%b\r\n" % lines.encode())
        return await self._reply
