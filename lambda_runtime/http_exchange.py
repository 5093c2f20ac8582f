"""One HTTP request on its way through an ASGI application, and the response that comes back.

Source: "HTTP & WebSocket ASGI Message Format", ASGI specification 2.4.
"""

from __future__ import annotations

import asyncio

from lambda_runtime.http_events import header_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, MutableMapping
    from typing import Any

    from lambda_runtime.http_events import Headers
    from lambda_runtime.lifespan import Application, Message, Receive, Send

_BODILESS = frozenset({204, 304})
START, BODY = "http.response.start", "http.response.body"
GONE = "nobody takes the response any more"


class ResponseIncomplete(RuntimeError):
    """Raised when an application returns before its response is complete."""


class _Chunk:
    """Part of a response's body, until it is `taken`; `is_last` ends the response."""

    __slots__ = ("data", "is_last", "taken")

    def __init__(self, data: bytes, *, is_last: bool) -> None:
        self.data = data
        self.is_last = is_last
        self.taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self) -> None:
        if not self.taken.done():
            self.taken.set_result(None)

    def refuse(self) -> None:
        if not self.taken.done():
            self.taken.set_exception(OSError(GONE))


class Exchange:
    """The application at work on one request, in a task of its own.

    `begin` waits for the response's head, `chunks` are its body, `finish` lets the application end.
    `send` returns to the application when its chunk has been taken, so that a slow reader holds it
    back, and nothing waits behind an application that never pauses.
    """

    def __init__(self, app: Application, scope: MutableMapping[str, Any], body: bytes) -> None:
        self.status = 0
        self.headers: Headers = []
        self._body: bytes | None = body
        self._has_no_body = scope["method"] == "HEAD"
        self._chunk: _Chunk | None = None
        self._offered: asyncio.Queue[_Chunk | None] = asyncio.Queue()
        self._over = asyncio.Event()
        self._is_complete = False
        self._task = asyncio.create_task(_run(app, scope, self._receive, self._send))
        self._task.add_done_callback(lambda _: self._offered.put_nowait(None))

    @property
    def is_finished(self) -> bool:
        """Whether the application has ended without a failure."""
        ended = self._task.done() and not self._task.cancelled()
        return ended and self._task.exception() is None

    async def begin(self) -> None:
        """Wait until the head and the first part of the body are there.

        Raises what the application raises before, and ResponseIncomplete.
        """
        try:
            self._chunk = await self._next()
        except asyncio.CancelledError:
            await self._cancel()
            raise

    async def chunks(self) -> AsyncIterator[bytes]:
        """The parts of the body, after `begin`.

        Raises what the application raises before its response is complete, and
        ResponseIncomplete.
        """
        try:
            while self._chunk is not None:
                if self._chunk.data:
                    yield self._chunk.data
                self._chunk.take()
                self._chunk = None if self._chunk.is_last else await self._next()
        except asyncio.CancelledError:
            await self._cancel()
            raise
        finally:
            self._over.set()
        await asyncio.sleep(0)  # most applications end with their response

    async def finish(self) -> None:
        """Wait for the end of what the application does after its response, or instead of it.

        Raises what the application raises after its response is complete.
        """
        self._over.set()
        if self._chunk is not None:
            self._chunk.refuse()
        await asyncio.wait([self._task])
        if self._is_complete:
            self._task.result()

    async def _next(self) -> _Chunk:
        chunk = await self._offered.get()
        if chunk is None:
            self._task.result()
            raise ResponseIncomplete("the application returned before its response was complete")
        return chunk

    async def _cancel(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    # --- What the application calls -----------------------------------------------------------

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind != (BODY if self.status else START) or self._is_complete:
            raise RuntimeError(f"the application sent {kind} out of turn")
        if kind == START:
            self.status = message["status"]
            self.headers = header_texts(message.get("headers", ()))
            self._has_no_body |= self.status in _BODILESS
            return
        if self._over.is_set():
            raise OSError(GONE)
        self._is_complete = not message.get("more_body", False)
        data = b"" if self._has_no_body else message.get("body", b"")
        chunk = _Chunk(data, is_last=self._is_complete)
        self._offered.put_nowait(chunk)
        await chunk.taken


async def _run(
    app: Application, scope: MutableMapping[str, Any], receive: Receive, send: Send
) -> None:
    """An application is awaitable; a task wants a coroutine."""
    await app(scope, receive, send)
