"""The peer itself: the emulator that is fetched is the one whose answers were recorded."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.peers import (
    PeerUnavailable,
    RuntimeInterfaceEmulator,
    check_sha256,
    fetch_rie,
    session_members,
)


def test_another_binary_is_refused() -> None:
    """A binary with another sha256 than the recorded one is not used."""
    digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    check_sha256(b"hello", digest)
    with pytest.raises(PeerUnavailable, match="sha256"):
        check_sha256(b"hello!", digest)


@pytest.mark.timeout(150)
def test_two_sessions_may_fetch_at_once(rie_binary: Path, tmp_path: Path) -> None:
    """Both get the same whole executable, and nothing else stays in the cache."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(fetch_rie, [tmp_path] * 2)
    assert first == second
    assert first.read_bytes() == rie_binary.read_bytes()
    assert list(tmp_path.iterdir()) == [first]
    assert fetch_rie(tmp_path) == first


def test_an_emulator_that_cannot_start_says_why() -> None:
    """What exits at once is reported with the end of its stderr."""
    script = "import sys; sys.exit('no such port')"
    rie = RuntimeInterfaceEmulator(
        Path(sys.executable), [], env={}, prefix=[sys.executable, "-c", script]
    )
    with pytest.raises(PeerUnavailable, match="no such port"), rie:
        pytest.fail("it started")
    assert session_members(rie.pid) == []
