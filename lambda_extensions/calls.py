"""Calling handlers, plain functions and coroutine functions alike."""

from __future__ import annotations

from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lambda_extensions.coroutines import Coroutines


class Calls:
    """Calls handlers; the first coroutine starts the one event loop that all of them share."""

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._coroutines: Coroutines | None = None

    def call(self, handler: Callable[[Any], Any], argument: object) -> None:
        """Call it, to its end; raises what it raises."""
        result = handler(argument)
        if not hasattr(result, "__await__"):
            return
        with self._lock:
            if self._coroutines is None:
                from lambda_extensions.coroutines import Coroutines

                self._coroutines = Coroutines()
        self._coroutines.wait(result)

    def close(self) -> None:
        if self._coroutines is not None:
            self._coroutines.close()
