"""What a run of the replay has come to: scenarios played, rules and their uses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from tests.support.deviations import Deviations
from tests.support.recorded import Scenario
from tests.support.replay import Replay, replay

CONFORMANCE = Path(__file__).resolve().parents[1] / "conformance"


class Account:
    """One run."""

    def __init__(self) -> None:
        self.deviations = Deviations(CONFORMANCE / "deviations.toml")
        self.played: set[str] = set()
        self._stories: dict[str, Replay] = {}

    def play(self, scenario: Scenario, among: list[Scenario], directory: Path) -> Replay:
        """Play a scenario; those `among` all that wait for seconds wait together, once."""
        if scenario.name not in self._stories:
            waiting = [s for s in among if _is_slow(s)]
            chosen = waiting if scenario in waiting else [scenario]
            places = [directory / str(number) for number in range(len(chosen))]
            for place in places:
                place.mkdir()
            asyncio.run(self._play(chosen, places))
        return self._stories.pop(scenario.name)

    async def _play(self, scenarios: list[Scenario], places: list[Path]) -> None:
        stories = [
            self._replay(scenario, place) for scenario, place in zip(scenarios, places, strict=True)
        ]
        names = [scenario.name for scenario in scenarios]
        self._stories |= zip(names, await asyncio.gather(*stories), strict=True)

    async def _replay(self, scenario: Scenario, place: Path) -> Replay:
        return await replay(self.deviations.apply(scenario), place)

    def lines(self) -> Iterator[str]:
        """The account, line by line."""
        yield f"replayed: {len(self.played)} scenarios"
        for name, uses in self.deviations.uses.items():
            yield f"rule {name}: {sum(uses)} uses"


def _is_slow(scenario: Scenario) -> bool:
    return any(step.elapsed is not None for step in scenario.steps)
