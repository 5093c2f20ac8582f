"""Thaw: says when an environment has rested so long that it may have been frozen.

Nobody tells an extension that it was frozen. It shows in the clock: nothing was handled for a
while, and whatever was connected before may be gone without a word.
"""

from __future__ import annotations

import time
from _thread import allocate_lock

from lambda_extensions.failures import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Call = Callable[[Callable[[Any], Any], Any], Any]

REST_SECONDS = 5.0
"""After such a rest connections are not trusted any more."""


class Thaw:
    """Calls the `on_thaw` handlers once after each rest, in the thread that comes first."""

    def __init__(self, handlers: Sequence[Callable[[float], Any]]) -> None:
        self._handlers = handlers
        self._lock = allocate_lock()
        self._last = time.time()  # of the wall: the other clock may stand still in a freeze

    def call(
        self, call: Callable[[Callable[[Any], Any], Any], Any], handler: Any, what: Any
    ) -> None:
        """`call(handler, what)`; after a rest the `on_thaw` handlers come before it."""
        if not self._handlers:
            call(handler, what)
            return
        self._end_rest(call)
        try:
            call(handler, what)
        finally:
            self._last = time.time()

    def _end_rest(self, call: Call) -> None:
        with self._lock:
            rest, self._last = time.time() - self._last, time.time()
            if rest <= REST_SECONDS:
                return
            for handler in self._handlers:
                try:
                    call(handler, rest)
                except Exception as error:  # noqa: BLE001  the one below may do without
                    complain("an on_thaw handler failed", error)
