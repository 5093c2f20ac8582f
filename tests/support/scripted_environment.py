"""An API on a real socket, with a script in place of the execution environment behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rapid_mock.http.router import Router
from rapid_mock.lifecycle.effects import Message
from rapid_mock.lifecycle.events import Event
from tests.support.raw_http import DEADLINE_SECONDS, RawClient, ServerThread


class ScriptedEnvironment:
    """Keeps the events it is told and answers the n-th with the n-th of `answers`.

    None, or no answer left, keeps the exchange open, for `reply`.
    """

    def __init__(self, *answers: Message | None) -> None:
        self.events: list[Event] = []
        self.gone: list[int] = []
        self._answers = list(answers)
        self._responders: dict[int, Callable[[Message], None]] = {}
        self._opened = 0
        self._changed = threading.Condition()

    def open_exchange(self, responder: Callable[[Message], None]) -> int:
        self._opened += 1
        self._responders[self._opened] = responder
        return self._opened

    def taker(self, _request_id: str) -> None:
        """Nobody takes streams here."""

    def is_open(self, exchange: int) -> bool:
        return exchange in self._responders

    def dispatch(self, event: Event) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()
        answer = self._answers.pop(0) if self._answers else None
        if answer is not None:
            self.reply(self._opened, answer)

    def vanished(self, exchange: int) -> None:
        if self._responders.pop(exchange, None) is None:
            return
        with self._changed:
            self.gone.append(exchange)
            self._changed.notify_all()

    def reply(self, exchange: int, message: Message) -> None:
        """Answer an open exchange; from a test only inside `ServerThread.do`."""
        self._responders.pop(exchange)(message)

    def wait_for(self, condition: Callable[[Self], bool]) -> None:
        """Wait until what it has been told fulfils the condition."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), DEADLINE_SECONDS), self.events


@contextmanager
def serving(add: Callable[[Router], None]) -> Iterator[ServerThread]:
    """Serve what `add` puts on a router; no endpoint may fail."""
    router = Router()
    add(router)
    with ServerThread(router) as server:
        yield server
    assert server.errors == []


def ask(server: ServerThread, request: bytes) -> bytes:
    """Send one request on a connection of its own; its answer without the Date."""
    with RawClient(server.address) as client:
        return client.answer(request)
