"""Handlers that are coroutine functions: one event loop for all of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable

CLOSING_SECONDS = 0.1
"""How long cancelled coroutines may take to clean up."""


class Coroutines:
    """Runs coroutines in an event loop in a thread of its own; imported when the first appears.

    One loop, whichever thread waits: a session that an `on_init` handler opens is good in others.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="coroutines", daemon=True)
        self._thread.start()

    def wait(self, result: Awaitable[object]) -> None:
        """Wait for its end, from another thread; raises what it raises."""
        asyncio.run_coroutine_threadsafe(_awaited(result), self._loop).result()

    def close(self) -> None:
        """Cancel what still runs, give it a moment, end the loop, unless something blocks it."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        self._thread.join(2 * CLOSING_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def _run(self) -> None:
        """Until `close`: asyncio ends its loop for a coroutine that calls `sys.exit()`."""
        while True:
            try:
                self._loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                continue  # whoever waits for that coroutine has been told
            return

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=CLOSING_SECONDS)
        await self._loop.shutdown_asyncgens()
        self._loop.stop()


async def _awaited(result: Awaitable[object]) -> None:
    await result
