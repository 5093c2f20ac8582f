"""A driver with real processes, a clock moved by hand, and API calls told by hand."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from rapid_mock.console import Console
from rapid_mock.host.clock import ManualClock
from rapid_mock.host.driver import EnvironmentDriver
from rapid_mock.host.launch import Launch
from rapid_mock.host.watchdog import Watchdog
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle.effects import Message, Outcome, Report
from rapid_mock.lifecycle.state import Phase, Settings, Standing

SLEEPER = ("sh", "-c", "echo up; exec sleep 60")


class World:
    """One driver, what it told its observer, and what its exchanges were answered."""

    def __init__(
        self,
        directory: Path,
        *,
        argv: tuple[str, ...],
        kind: Callable[..., EnvironmentDriver] = EnvironmentDriver,
        **settings: Any,
    ) -> None:
        self.clock = ManualClock()
        self.log = io.BytesIO()
        self.watchdog = Watchdog()
        self.outcomes: dict[str, Outcome] = {}
        self.finishes: dict[str, tuple[Report, bytes]] = {}
        self.replies: dict[int, Message] = {}
        self.phases: list[Phase] = []
        self.driver = kind(
            Settings("hello", "app.handler", **settings),
            launch=lambda _spawn: Launch(argv, str(directory), {"PATH": "/usr/bin:/bin"}),
            clock=self.clock,
            console=Console(self.log),
            observer=self,
            watchdog=self.watchdog,
        )

    def taker(self, _request_id: str) -> None:
        """Nobody takes streams here."""

    def answered(self, request_id: str, outcome: Outcome) -> None:
        self.outcomes[request_id] = outcome

    def finished(self, request_id: str, report: Report, log: bytes) -> None:
        self.finishes[request_id] = (report, log)

    def moved(self, driver: EnvironmentDriver, _standing: Standing) -> None:
        self.phases.append(driver.phase)

    def call(self, make: Callable[[int], happened.Event]) -> int:
        exchange = self.driver.open_exchange(lambda reply: self.replies.update({exchange: reply}))
        self.driver.dispatch(make(exchange))
        return exchange

    def invoke(self, request_id: str) -> None:
        invocation = happened.Invocation(request_id, "arn", b"{}")
        self.driver.dispatch(happened.InvokeArrived(invocation))

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110  pipes and exits set no event of ours
                await asyncio.sleep(0)


def run(
    directory: Path,
    scenario: Callable[[World], Coroutine[Any, Any, None]],
    argv: tuple[str, ...] = SLEEPER,
    **settings: Any,
) -> World:
    async def main() -> World:
        world = World(directory, argv=argv, **settings)
        try:
            await scenario(world)
        finally:
            await world.driver.close()
            world.watchdog.close()
        return world

    return asyncio.run(main())


async def respond(world: World, request_id: str) -> None:
    exchange = world.call(lambda e: happened.RuntimeResponseBegun(e, request_id))
    world.driver.dispatch(happened.RuntimeResponseEnded(exchange, request_id, b"ok"))
