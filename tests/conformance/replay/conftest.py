"""The account of the replay, told at the end of the run."""

from __future__ import annotations

import pytest

from tests.support.replay_account import Account

_ACCOUNT = pytest.StashKey[Account]()


@pytest.fixture(scope="session")
def account(request: pytest.FixtureRequest) -> Account:
    """One account for the whole run."""
    return request.config.stash.setdefault(_ACCOUNT, Account())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """How often each rule was used, and what was not run."""
    account = config.stash.get(_ACCOUNT, None)
    if account is not None:
        terminalreporter.section("recorded exchanges")
        for line in account.lines():
            terminalreporter.write_line(line)
