"""What a run of the replay has come to: rules and their uses, scenarios played and not played."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.deviations import Deviations

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
