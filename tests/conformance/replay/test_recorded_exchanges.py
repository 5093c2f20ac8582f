"""What AWS's emulator was recorded to answer is what rapid-mock answers, but for named rules."""

from __future__ import annotations

import re
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
    missing = account.find_not_yet(scenario.name)
    if missing in account.refused or scenario.source != "recorded":
        assert missing is not None, "what was not recorded cannot be played"
        account.waiting[missing] += 1
        return
    story = account.play(scenario, SCENARIOS, tmp_path)
    if missing is None:
        account.played.add(scenario.name)
        assert not story.wrong, story.report()
    else:
        account.waiting[missing] += 1
        if story.served.address is None:
            account.refused.add(missing)
        assert story.wrong, f"{scenario.name} passes: not_yet.toml must no longer name it"
        assert not missing.unexpected(story.wrong), story.report()


def test_every_rule_and_every_exception_is_needed(account: Account) -> None:
    """A rule of which a part was never used, and an exception without a scenario, must go."""
    names = [scenario.name for scenario in SCENARIOS]
    for entry in account.not_yet:
        assert any(re.fullmatch(entry.scenarios, name) for name in names), entry.scenarios
    if len(account.played) + account.waiting.total() < len(SCENARIOS):
        pytest.skip("only with the whole replay: some scenarios were left out of this run")
    assert account.deviations.unused() == []
