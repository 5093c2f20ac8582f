"""Exchanges under way in a replay, and what a step waits for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.support.exchanges import Answer
from tests.support.placeholders import placeholders
from tests.support.puppets import Wire
from tests.support.recorded import Expected, Step

PARKED_SECONDS = 0.05


class Call:
    """One exchange under way; `found` once it has ended, with the time of its end."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.found: Answer | str | None = None
        self.ended = asyncio.Event()
        self.wire: Wire | None = None
        self.began = asyncio.get_running_loop().time()
        self.loop_time = self.wall_time = 0.0

    @property
    def elapsed_ms(self) -> float:
        return (self.loop_time - self.began) * 1000

    def end(self, found: Answer | str) -> None:
        if not self.ended.is_set():
            self.found = found
            self.loop_time, self.wall_time = asyncio.get_running_loop().time(), time.time()
            self.ended.set()

    async def is_done(self) -> bool:
        """Whether it has ended, or does within 50 ms."""
        try:
            await asyncio.wait_for(self.ended.wait(), PARKED_SECONDS)
        except TimeoutError:
            return False
        return True


def precedes(earlier: Step, later: Step, party: Callable[[str], str]) -> bool:
    """Whether a call had ended when a step began; at the same millisecond only its own actor's."""
    end = earlier.completed
    if end is None or earlier.expected.is_pending:
        return False
    return end < later.at or (end == later.at and party(earlier.actor) == party(later.actor))


def name_of(step: Step) -> str:
    if step.request is None:
        return f"[{step.at:g}] {step.actor} {step.action}"
    return f"[{step.at:g}] {step.actor} {step.request.method} {step.request.path}"


def says(expected: Expected, text: str) -> bool:
    """Whether an answer tells what a placeholder in `text` stands for."""
    body = expected.body if isinstance(expected.body, str) else ""
    told = "".join([body, *(value for _, value in expected.headers)])
    return bool(placeholders(text) & placeholders(told))
