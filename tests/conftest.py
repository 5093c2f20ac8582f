"""What every test must leave behind: nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.accounts import hand_over, take_over, write_accounts
from tests.support.peers import require_network
from tests.support.sam_tools import SamTools, fetch_sam_tools

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a background job of a script
    signal.signal(signal.SIGINT, signal.default_int_handler)

CHILDREN = Path(f"/proc/self/task/{os.getpid()}/children")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "sam_tools" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.network)


def pytest_sessionfinish(session: pytest.Session) -> None:
    hand_over(session.config)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    take_over(node.config, getattr(node, "workeroutput", {}))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    write_accounts(config, terminalreporter)


@pytest.fixture(scope="session")
def sam_tools() -> SamTools:
    """cfn-lint and the SAM translator; failing to install them is an error, not a skip."""
    require_network()
    return fetch_sam_tools()


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No child process and no thread outlives a test; no test sees this machine's AWS keys."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "LAMBDA_", "_HANDLER", "_X_AMZN")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    children, threads = _children(), set(threading.enumerate())
    yield
    deadline = time.monotonic() + 3.0
    while time.monotonic() < deadline and (_left(children) or _strangers(threads)):
        threading.Event().wait(0.01)
    assert not _left(children), f"child processes left behind: {_left(children)}"
    assert not _strangers(threads), f"threads left behind: {_strangers(threads)}"


def _children() -> set[str]:
    with contextlib.suppress(OSError):
        return set(CHILDREN.read_text().split())
    return set()


def _left(before: set[str]) -> list[str]:
    left = []
    for pid in _children() - before:
        with contextlib.suppress(OSError):  # it has ended since it was listed
            left.append(f"{pid}: {Path(f'/proc/{pid}/cmdline').read_bytes()!r}")
    return left


def _strangers(before: set[threading.Thread]) -> list[str]:
    """Threads that were not there; a service of a wider scope may have made its pools larger."""
    has_service = any(thread.name == "rapid-mock" for thread in before)
    return [
        thread.name
        for thread in set(threading.enumerate()) - before
        if thread.is_alive() and not (has_service and thread.name.startswith("rapid-mock-"))
    ]
