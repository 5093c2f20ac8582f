"""The one event loop of coroutine handlers; it lives as long as the process.

The only module that imports asyncio: it is loaded at init when the handler is a coroutine function
or an async generator, else when a handler first returns something to be awaited.
"""

from __future__ import annotations

import asyncio

from lambda_runtime import current
from lambda_runtime.errors import DeadlineReached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")

_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_loop)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on the loop.

    Raises what it raises, and DeadlineReached when it was cancelled because of its deadline; its
    `finally` blocks have been awaited then. An interruption leaves it pending; see `close`.
    """
    if current.cancel_margin is None or current.context is None:
        return _loop.run_until_complete(coroutine)
    seconds = current.context.get_remaining_time_in_millis() / 1000 - current.cancel_margin
    return _loop.run_until_complete(_within(coroutine, max(0.0, seconds)))


async def _within(coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
    try:
        async with asyncio.timeout(seconds) as limit:
            return await coroutine
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineReached(f"the handler was cancelled after {seconds:.3f} s") from None


def close() -> None:
    """Cancel what is left, wait for its cleanup, and close the loop."""
    left = asyncio.all_tasks(_loop)
    for task in left:
        task.cancel()
    if left:
        _loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    _loop.run_until_complete(_loop.shutdown_asyncgens())
    asyncio.set_event_loop(None)
    _loop.close()
