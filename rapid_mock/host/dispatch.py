"""The door between the HTTP layer and one execution environment, as a type.

`host/driver.py` is the one implementation; the HTTP modules depend on this shape only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from rapid_mock.lifecycle.effects import Message
from rapid_mock.lifecycle.events import Event
from rapid_mock.service.requests import ChunkTaker


class Dispatch(Protocol):
    """Tells events to an execution environment and answers exchanges.

    An endpoint calls `open_exchange(responder)` for a number, puts the number into the event and
    dispatches it. `responder` is called with the one answer: inside `dispatch`, or whenever it
    comes. After `vanished(number)` the responder is never called; once it was, `vanished` does
    nothing.
    """

    def open_exchange(self, responder: Callable[[Message], None]) -> int: ...

    def taker(self, request_id: str) -> ChunkTaker | None:
        """Who takes a streamed response of this invocation as it comes; None: nobody does."""

    def is_open(self, exchange: int) -> bool: ...

    def dispatch(self, event: Event) -> None: ...

    def vanished(self, exchange: int) -> None: ...
