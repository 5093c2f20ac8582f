"""Pytest plugin of `.ci/run`: a test marked `network` may be skipped only with OFFLINE=1."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    may_skip = os.environ.get("OFFLINE") == "1" or "network" not in item.keywords
    if report.skipped and not may_skip:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} needs the network and was skipped without OFFLINE=1"
    return report
