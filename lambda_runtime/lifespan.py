"""The life of an ASGI application: started in the init phase, ended in the shutdown phase.

Source: "Lifespan Protocol", ASGI specification 2.0.
"""

from __future__ import annotations

import asyncio

from lambda_runtime.errors import LambdaRuntimeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import Any

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

LAST_WORDS_SECONDS = 1.0
"""How long an application may take to raise what it has reported as failed."""


class LifespanFailed(LambdaRuntimeError):
    """Raised when an application reports a failure without an exception of its own."""


class Lifespan:
    """One application's life; `state` is what it keeps for its requests.

    An application that knows nothing of lifespans is left alone, as the specification wants it.
    """

    def __init__(self, app: Application) -> None:
        self._app = app
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._answer: asyncio.Future[str | None] | None = None
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}

    @property
    def is_running(self) -> bool:
        """Whether the application has started and waits for its end."""
        return self._task is not None and not self._task.done()

    async def start(self) -> None:
        """Let the application start, unless it has. Raises what kept it from starting."""
        if self._task is None:
            scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
            self._task = asyncio.create_task(self._run({**scope, "state": self.state}))
            await self._happen("lifespan.startup", self._task)

    async def stop(self) -> None:
        """Let the application end. Raises what it reports as failed."""
        if self._task is not None and not self._task.done():
            await self._happen("lifespan.shutdown", self._task)

    async def _happen(self, event: str, task: asyncio.Task[None]) -> None:
        self._answer = answer = asyncio.get_running_loop().create_future()
        self._events.put_nowait({"type": event})
        await asyncio.wait([task, answer], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            task.exception()  # looked at: it knows nothing of lifespans
            return
        reason = answer.result()
        if reason is None:
            return
        await asyncio.wait([task], timeout=LAST_WORDS_SECONDS)
        if task.done() and task.exception() is not None:
            task.result()
        raise LifespanFailed(f"the application answered {event} with a failure: {reason}")

    async def _run(self, scope: dict[str, Any]) -> None:
        await self._app(scope, self._events.get, self._send)

    async def _send(self, message: Message) -> None:
        answer, kind = self._answer, message["type"]
        if answer is None or answer.done() or not kind.startswith("lifespan."):
            raise RuntimeError(f"the application sent {kind} out of turn")
        failed = kind.endswith(".failed")
        answer.set_result(message.get("message", "") if failed else None)
