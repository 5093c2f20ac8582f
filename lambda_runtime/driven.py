"""What is written once, for blocking sockets and for the event loop.

It is a coroutine that waits only by `arrived`. Over a blocking client nothing in it ever waits, so
that it runs to its end without an event loop, by hand.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from typing import Any, TypeVar

    T = TypeVar("T")


def driven(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits; raises what it raises."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    coroutine.close()
    raise RuntimeError("a coroutine over blocking sockets waited for an event loop")


async def arrived(value: T | Awaitable[T]) -> T:
    """A value of a blocking client as it is, one of the event loop's when it has come."""
    if hasattr(value, "__await__"):
        return await value
    return value
