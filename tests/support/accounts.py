"""What tests have to tell at the end of a run, beyond passed and failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

Lines = Callable[[], Iterable[str]]
ACCOUNTS = pytest.StashKey[dict[str, Lines]]()
"""By title, where the lines come from once all tests have run."""


def tell_at_the_end(config: pytest.Config, title: str, lines: Lines) -> None:
    """Have these lines printed under a title, also when a worker of pytest-xdist has them."""
    config.stash.setdefault(ACCOUNTS, {})[title] = lines


def hand_over(config: pytest.Config) -> None:
    """A worker cannot print: whoever started it gets its lines."""
    output = getattr(config, "workeroutput", None)
    if output is not None:
        told = config.stash.get(ACCOUNTS, {})
        output["accounts"] = {title: list(lines()) for title, lines in told.items()}


def take_over(config: pytest.Config, output: dict[str, dict[str, list[str]]]) -> None:
    """Keep what a worker handed over."""
    for title, lines in output.get("accounts", {}).items():
        tell_at_the_end(config, title, lambda lines=lines: lines)  # type: ignore[misc]


def write_accounts(config: pytest.Config, reporter: pytest.TerminalReporter) -> None:
    for title, lines in config.stash.get(ACCOUNTS, {}).items():
        reporter.section(title)
        for line in lines():
            reporter.write_line(line)
