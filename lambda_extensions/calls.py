"""Handlers that are coroutine functions: one event loop for all of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable


class Calls:
    """Runs coroutines in an event loop in a thread of its own; imported when the first appears.

    One loop, whichever thread waits: a session that an `on_init` handler opens is good in others.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="coroutines", daemon=True
        )
        self._thread.start()

    def wait(self, result: Awaitable[object]) -> None:
        """Wait for its end, from another thread; raises what it raises."""
        asyncio.run_coroutine_threadsafe(_awaited(result), self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _awaited(result: Awaitable[object]) -> None:
    await result
