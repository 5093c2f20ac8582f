"""Fixtures for the conformance tests: AWS's Runtime Interface Emulator."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.peers import fetch_rie, require_network

if TYPE_CHECKING:
    from pathlib import Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "rie_binary" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.network)
            item.add_marker(pytest.mark.linux)


@pytest.fixture(scope="session")
def rie_binary() -> Path:
    """The checked RIE executable; failing to fetch it is an error, not a skip."""
    if sys.platform != "linux":
        pytest.skip("RIE is built for Linux only")
    require_network()
    return fetch_rie()
