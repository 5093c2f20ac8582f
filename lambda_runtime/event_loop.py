"""The one event loop of coroutine handlers; it lives as long as the process.

The only module that imports asyncio: it is loaded at init when the handler is a coroutine function
or an async generator, else when a handler first returns something to be awaited.
"""

from __future__ import annotations

import asyncio
import threading

from lambda_runtime import current
from lambda_runtime.errors import DeadlineReached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")

PAST_DEADLINE_SECONDS = 0.5
"""How much later than its deadline a task is cancelled: Lambda's own timeout comes first."""

_loop = asyncio.new_event_loop()
asyncio.set_event_loop(_loop)
_of_thread = threading.local()
_of_thread.loop = _loop


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on the loop, within the time of `cancel_before_deadline`.

    Raises what it raises, and DeadlineReached when it was cancelled because of its deadline; its
    `finally` blocks have been awaited then. An interruption leaves it pending; see `close`.
    """
    return complete(limited(coroutine))


def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on the loop, however long it takes."""
    return _own_loop().run_until_complete(coroutine)


def _own_loop() -> asyncio.AbstractEventLoop:
    """The one loop; where invocations are handled in threads, each of them has another."""
    found: asyncio.AbstractEventLoop | None = getattr(_of_thread, "loop", None)
    if found is None:
        found = _of_thread.loop = asyncio.new_event_loop()
    return found


async def limited(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine as long as the present invocation lets it; raises DeadlineReached.

    Where several invocations are at work none outlasts its deadline: a task would be lost for good.
    """
    seconds = _seconds_left()
    if seconds is None:
        return await coroutine
    try:
        async with asyncio.timeout(seconds) as limit:
            return await coroutine
    except TimeoutError:
        if not limit.expired():
            raise
        raise DeadlineReached(f"the handler was cancelled after {seconds:.3f} s") from None


def is_ending() -> bool:
    """Whether the task that asks is being cancelled: the loop is closing, nobody is answered."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False  # no event loop runs here
    return task is not None and task.cancelling() > 0


def _seconds_left() -> float | None:
    context, margin = current.present(), current.cancel_margin
    if margin is None:
        margin = -PAST_DEADLINE_SECONDS if current.scopes is not None else None
    if context is None or margin is None or not context._epoch_deadline_time_in_ms:
        return None
    return max(0.0, context.get_remaining_time_in_millis() / 1000 - margin)


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
