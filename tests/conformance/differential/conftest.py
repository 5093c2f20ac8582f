"""What was walked, told at the end of the run."""

from __future__ import annotations

import pytest

from tests.support.differential import DIFFERENTIAL


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """How many exchanges, and which rules they needed."""
    differential = config.stash.get(DIFFERENTIAL, None)
    if differential is not None:
        terminalreporter.section("differential walks")
        for line in differential.lines():
            terminalreporter.write_line(line)
