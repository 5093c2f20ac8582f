"""Whatever the processes of an environment say, rapid-mock answers as AWS's emulator does.

More walks than here, others each time: `python -m tests.conformance.differential`.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.support.accounts import tell_at_the_end
from tests.support.differential import Differential
from tests.support.live_recording import NAMESPACE
from tests.support.walks import Saying, walks

EXCHANGES, MOST_WALKS = 2000, 120
SHORTEST, LONGEST = 25, 100


@pytest.fixture
def differential(request: pytest.FixtureRequest) -> Differential:
    """RIE, where processes in a namespace of their own can be given to it."""
    command = [*NAMESPACE, "true"]
    if shutil.which(command[0]) is None or subprocess.run(command, check=False).returncode:
        pytest.skip("no mount namespace: RIE's extensions lie in /opt")
    rie: Path = request.getfixturevalue("rie_binary")
    differential = Differential(rie)
    tell_at_the_end(request.config, "differential walks", differential.lines)
    return differential


@pytest.mark.timeout(400)
def test_a_random_walk_is_answered_as_by_rie(differential: Differential) -> None:
    """Status, headers, body and the moment of every answer, but for the named rules."""

    @settings(
        max_examples=MOST_WALKS,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(walks(SHORTEST, LONGEST))
    def compare(walk: list[Saying]) -> None:
        if differential.exchanges < EXCHANGES:
            wrong = differential.compare(walk)
            assert not wrong, "\n".join(wrong)

    compare()
    assert differential.exchanges >= EXCHANGES
