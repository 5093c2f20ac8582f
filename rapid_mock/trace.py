"""What happened in an execution environment, a line a step: for the report of a failing test."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from rapid_mock.lifecycle import effects as order
from rapid_mock.lifecycle.effects import Effect
from rapid_mock.lifecycle.events import Event, Now

LINES = 200
"""How many steps are kept."""


class Trace:
    """The last steps of some environments; time counts from the first."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=LINES)
        self._began: float | None = None

    @property
    def lines(self) -> list[str]:
        """Oldest first: seconds, the event, and the effects it had."""
        return list(self._lines)

    def clear(self) -> None:
        self._lines.clear()
        self._began = None

    def add(self, now: Now, event: Event | None, effects: Sequence[Effect]) -> None:
        """One step: an event, or None for a deadline that has passed."""
        if self._began is None:
            self._began = now.monotonic
        what = "deadline" if event is None else _event(event)
        answer = ", ".join(map(_effect, effects)) or "nothing"
        self._lines.append(f"{now.monotonic - self._began:8.3f} s  {what} -> {answer}")


def _event(event: Event) -> str:
    invocation = getattr(event, "invocation", None)
    names = ("name", "identifier", "request_id", "process", "reason", "error_type")
    found = [str(value) for name in names if (value := getattr(event, name, None)) is not None]
    if invocation is not None:
        found.append(invocation.request_id)
    return " ".join([type(event).__name__, *found])


def _effect(effect: Effect) -> str:
    spell = _SPELLED.get(type(effect))
    return type(effect).__name__ if spell is None else spell(effect)


def _reply(effect: order.Reply) -> str:
    message = effect.message
    if isinstance(message, order.Refused):
        return f"Reply {message.status} {message.error_type}"
    return f"Reply {type(message).__name__}"


_SPELLED: dict[type, Callable[[Any], str]] = {
    order.Emit: lambda emit: emit.type,
    order.Reply: _reply,
    order.Answer: lambda answer: f"Answer {answer.outcome.error_type or answer.outcome.status}",
    order.Signal: lambda signal: f"{signal.signal} to process {signal.process}",
    order.Spawn: lambda spawn: f"Spawn {spawn.name} as process {spawn.process}",
    order.Explain: lambda explain: f'Explain "{explain.sentence}"',
}
