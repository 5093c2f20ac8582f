"""The account of the replay, told at the end of the run."""

from __future__ import annotations

import pytest

from tests.support.accounts import tell_at_the_end
from tests.support.replay_account import Account


@pytest.fixture(scope="session")
def account(request: pytest.FixtureRequest) -> Account:
    """One account for the whole run: how often each rule was used."""
    account = Account()
    tell_at_the_end(request.config, "recorded exchanges", account.lines)
    return account
