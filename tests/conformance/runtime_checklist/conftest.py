"""Scenarios are played once for each client, whoever asks first."""

from __future__ import annotations

import pytest

from tests.conformance.runtime_checklist.rics import Ric
from tests.conformance.runtime_checklist.scenario import Played, Record, Scenario, play


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The record of a scenario with a client."""
    records: dict[tuple[Scenario, Ric], Record] = {}

    def record(scenario: Scenario, ric: Ric) -> Record:
        key = scenario, ric
        if key not in records:
            records[key] = play(scenario, ric, tmp_path_factory.mktemp(ric.module))
        return records[key]

    return record
