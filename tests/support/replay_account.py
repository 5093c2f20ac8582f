"""What a run of the replay has come to: rules and their uses, scenarios played and not played."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.deviations import Deviations
from tests.support.recorded import Scenario
from tests.support.replay import Replay, replay

CONFORMANCE = Path(__file__).resolve().parents[1] / "conformance"


@dataclass(frozen=True)
class NotYet:
    """Scenarios that cannot pass yet; `only`, if given, is all that may differ in them."""

    scenarios: str
    reason: str
    only: str | None = None

    def unexpected(self, wrong: list[str]) -> list[str]:
        """The differences that this entry does not explain."""
        if self.only is None:
            return []
        return [text for text in wrong if not re.search(self.only, text)]


class Account:
    """One run."""

    def __init__(self) -> None:
        self.deviations = Deviations(CONFORMANCE / "deviations.toml")
        table = tomllib.loads((CONFORMANCE / "not_yet.toml").read_text())["not_yet"]
        self.not_yet = [NotYet(**entry) for entry in table]
        self.played: set[str] = set()
        self.waiting: Counter[NotYet] = Counter()
        self.refused: set[NotYet] = set()
        """Entries whose setting rapid-mock does not even start with: one try of each is enough."""
        self._stories: dict[str, Replay] = {}

    def play(self, scenario: Scenario, among: list[Scenario], directory: Path) -> Replay:
        """Play a scenario; those `among` all that wait for seconds wait together, once."""
        if scenario.name not in self._stories:
            waiting = [s for s in among if _is_slow(s) and self.find_not_yet(s.name) is None]
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
        is_hopeless = self.is_hopeless(scenario)
        script = self.deviations.apply(scenario, is_counted=not is_hopeless)
        return await replay(script, place, is_hopeless=is_hopeless)

    def is_hopeless(self, scenario: Scenario) -> bool:
        """Whether it needs what is not there at all."""
        entry = self.find_not_yet(scenario.name)
        return entry is not None and entry.only is None

    def find_not_yet(self, scenario: str) -> NotYet | None:
        """The entry of a scenario that cannot pass yet."""
        for entry in self.not_yet:
            if re.fullmatch(entry.scenarios, scenario):
                return entry
        return None

    def lines(self) -> Iterator[str]:
        """The account, line by line."""
        yield f"replayed: {len(self.played)} scenarios"
        for entry, count in self.waiting.items():
            what = "not run" if entry.only is None else f"run, but for {entry.only!r}"
            yield f"{what}: {count} scenarios ({entry.reason})"
        for name, uses in self.deviations.uses.items():
            yield f"rule {name}: {sum(uses)} uses"


def _is_slow(scenario: Scenario) -> bool:
    return any(step.elapsed is not None for step in scenario.steps)
