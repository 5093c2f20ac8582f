"""The differential walker: one walk under RIE and under rapid-mock, compared through the rules."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.deviations import Deviations
from tests.support.live_recording import record
from tests.support.replay import replay
from tests.support.replay_account import CONFORMANCE
from tests.support.walks import Saying


class Differential:
    """All walks of a run: how many exchanges, and which rules were needed."""

    def __init__(self, rie: Path) -> None:
        self.deviations = Deviations(CONFORMANCE / "deviations.toml")
        self.walks = self.exchanges = 0
        self._rie = rie

    def compare(self, walk: Sequence[Saying]) -> list[str]:
        """Record the walk, play it again, and say what differs; with the walk as it was."""
        with tempfile.TemporaryDirectory() as directory:
            return asyncio.run(self._compare(walk, Path(directory)))

    async def _compare(self, walk: Sequence[Saying], directory: Path) -> list[str]:
        theirs, ours = directory / "theirs", directory / "ours"
        theirs.mkdir()
        ours.mkdir()
        recorded = await record(walk, self._rie, theirs)
        story = await replay(self.deviations.apply(recorded), ours)
        self.walks += 1
        self.exchanges += len(recorded.steps)
        return story.wrong

    def lines(self) -> list[str]:
        """The account, line by line."""
        used = ((name, sum(uses)) for name, uses in self.deviations.uses.items())
        return [
            f"walked: {self.walks} walks, {self.exchanges} exchanges with RIE and with rapid-mock",
            *(f"rule {name}: {uses} uses" for name, uses in used if uses),
        ]
