"""Fixtures of the host's tests."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(params=["pidfd", "waitid", "waitpid"])
def exit_facility(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way to learn of an exit, the better ones hidden."""
    if request.param == "pidfd" and not hasattr(os, "pidfd_open"):
        pytest.skip("pidfd_open is a facility of Linux")
    if request.param != "pidfd":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    if request.param == "waitpid":
        monkeypatch.delattr(os, "waitid", raising=False)
    return str(request.param)
