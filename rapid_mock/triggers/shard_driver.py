"""Carries out what the poller of one shard orders: reads, invocations, checkpoints, discards."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from rapid_mock.host.clock import Cancellable
from rapid_mock.service.event_source import Answered
from rapid_mock.service.shard_poller import ShardPoller
from rapid_mock.service.stream_orders import (
    Checkpoint,
    Discard,
    Invoke,
    Order,
    Read,
    ShardEnded,
    Stopped,
)
from rapid_mock.triggers.poller import Surroundings
from rapid_mock.triggers.shard_reader import ShardReader
from rapid_mock.triggers.stream_api import StreamGone, spoken

_OK, _PROBLEM = "OK", "PROBLEM: Function call failed"

Note = Checkpoint | Discard | ShardEnded
Keep = Callable[[Note], Awaitable[None]]


class ShardDriver:
    """One shard of one mapping, from `start` until it has ended or was stopped.

    `keep` is awaited for each note of its poller, one after the other, and raises nothing: a
    checkpoint that follows discards is kept when their destination has been told.
    """

    def __init__(
        self, poller: ShardPoller, reader: ShardReader, surroundings: Surroundings, keep: Keep
    ) -> None:
        self._poller = poller
        self._reader = reader
        self._surroundings = surroundings
        self._keep = keep
        self._clock = surroundings.clock
        self._timer: Cancellable | None = None
        self._notes: asyncio.Queue[Note | Stopped] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._has_read = asyncio.Event()
        self._is_unreadable = False

    async def start(self) -> None:
        """Begin to poll; returns when the shard was read once, or could not be."""
        self._run(self._keep_notes())
        self._carry_out(self._poller.start(self._clock.now()))
        await self._has_read.wait()

    async def stop(self) -> None:
        """Poll no more; returns when nothing is under way."""
        self._carry_out(self._poller.stop(self._clock.now()))
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _carry_out(self, orders: list[Order]) -> None:
        for order in orders:
            match order:
                case Read():
                    self._run(self._read(order))
                case Invoke():
                    self._run(self._invoke(order))
                case _:
                    self._notes.put_nowait(order)
        self._arm()

    async def _read(self, order: Read) -> None:
        try:
            page = await self._reader.read(order)
        except Exception as error:  # noqa: BLE001  an answer may be anything
            self._say_once(error)
            self._carry_out(self._poller.read_failed(self._clock.now()))
        else:
            self._is_unreadable = False
            is_end = page.following is None
            self._carry_out(self._poller.read(page.records, self._clock.now(), is_end=is_end))
        self._has_read.set()

    def _say_once(self, error: Exception) -> None:
        """Until a read succeeds; of a stream that is gone, whoever follows its shards tells."""
        if not self._is_unreadable and not isinstance(error, StreamGone):
            self._surroundings.explain(f"{self._reader.name} cannot be read: {spoken(error)}")
        self._is_unreadable = True

    async def _invoke(self, order: Invoke) -> None:
        event = {"Records": [record.record for record in order.records]}
        outcome = await self._surroundings.invoke(json.dumps(event).encode())
        succeeded = isinstance(outcome, Answered) and outcome.function_error is None
        self._surroundings.processed(_OK if succeeded else _PROBLEM)
        self._carry_out(self._poller.invoked(order.batch, outcome, self._clock.now()))

    async def _keep_notes(self) -> None:
        note: Note | Stopped | None = None
        while not isinstance(note, ShardEnded | Stopped):
            note = await self._notes.get()
            if not isinstance(note, Stopped):
                await self._keep(note)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _arm(self) -> None:
        """Every step changes the deadline, so that the timer is set anew after each."""
        if self._timer is not None:
            self._timer.cancel()
        deadline = self._poller.deadline
        self._timer = None if deadline is None else self._clock.call_at(deadline, self._due)

    def _due(self) -> None:
        self._carry_out(self._poller.handle_timeout(self._clock.now()))
