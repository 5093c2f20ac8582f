"""What AWS's emulator was recorded to answer is what rapid-mock answers, but for named rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.recorded import Scenario, load_scenarios
from tests.support.replay_account import CONFORMANCE, Account

SCENARIOS = list(load_scenarios(CONFORMANCE / "vectors"))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_recorded_scenario_is_answered_as_recorded(
    scenario: Scenario, account: Account, tmp_path: Path
) -> None:
    """Played in the recorded order and overlap, every answer equals the recording, or a rule."""
    story = account.play(scenario, SCENARIOS, tmp_path)
    account.played.add(scenario.name)
    assert not story.wrong, story.report()


def test_every_rule_is_needed(account: Account) -> None:
    """A rule of which a part was never used must go."""
    if len(account.played) < len(SCENARIOS):
        pytest.skip("only with the whole replay: some scenarios were left out of this run")
    assert account.deviations.unused() == []
