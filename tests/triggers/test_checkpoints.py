"""Checkpoints: what is kept, what is forgotten, and what is said of a file that is no good."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rapid_mock.errors import SetupError
from rapid_mock.triggers.checkpoints import CheckpointStore, ShardProgress

STREAM = "arn:aws:kinesis:us-east-1:123456789012:stream/orders"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:ship"
OTHER = "arn:aws:lambda:us-east-1:123456789012:function:bill"
WRITER = """
import os, sys
from pathlib import Path
from rapid_mock.triggers.checkpoints import CheckpointStore
store = CheckpointStore(print, Path(sys.argv[1]))
store.open()
checkpoints = store.of(sys.argv[2], sys.argv[3])
checkpoints.listed("1", {"s0": "LATEST"}, 7.5)
for number in range(1, 501):
    checkpoints.passed("s0", str(number))
print("done", flush=True)
os.read(0, 1)
"""


@contextmanager
def opened(directory: Path, explain: Callable[[str], None] = print) -> Iterator[CheckpointStore]:
    with closing(CheckpointStore(explain, directory)) as store:
        store.open()
        yield store


def test_progress_of_a_shard(store: CheckpointStore) -> None:
    """A shard is known from its listing on, then with its checkpoint, then as ended."""
    checkpoints = store.of(STREAM, FUNCTION)
    assert checkpoints.resume("1") == {}
    checkpoints.listed("1", {"s0": "LATEST", "s1": "TRIM_HORIZON"}, 7.5)
    checkpoints.passed("s0", "41")
    checkpoints.passed("s0", "42")
    checkpoints.ended("s1")
    assert store.of(STREAM, FUNCTION).resume("1") == {
        "s0": ShardProgress("LATEST", 7.5, "42"),
        "s1": ShardProgress("TRIM_HORIZON", 7.5, None, has_ended=True),
    }


def test_listing_again_changes_nothing_that_is_known(store: CheckpointStore) -> None:
    """A later listing adds shards, keeps those that are there, and forgets those that expired."""
    checkpoints = store.of(STREAM, FUNCTION)
    checkpoints.listed("1", {"s0": "LATEST", "s1": "LATEST"}, 7.5)
    checkpoints.passed("s1", "42")
    checkpoints.listed("1", {"s1": "TRIM_HORIZON", "s2": "TRIM_HORIZON"}, 9.0)
    assert checkpoints.resume("1") == {
        "s1": ShardProgress("LATEST", 7.5, "42"),
        "s2": ShardProgress("TRIM_HORIZON", 9.0),
    }


def test_mappings_are_apart(store: CheckpointStore) -> None:
    """Another function of the same stream has checkpoints of its own; forgetting is a mapping's."""
    ours, theirs = store.of(STREAM, FUNCTION), store.of(STREAM, OTHER)
    for checkpoints in (ours, theirs):
        checkpoints.listed("1", {"s0": "LATEST"}, 7.5)
    ours.passed("s0", "1")
    assert theirs.resume("1") == {"s0": ShardProgress("LATEST", 7.5)}
    ours.forget()
    assert ours.resume("1") == {}
    assert theirs.resume("1").keys() == {"s0"}


def test_stream_that_was_created_anew(store: CheckpointStore) -> None:
    """Sequence numbers of an earlier stream of the same name say nothing about this one."""
    checkpoints = store.of(STREAM, FUNCTION)
    checkpoints.listed("1", {"s0": "LATEST"}, 7.5)
    checkpoints.passed("s0", "500")
    assert checkpoints.resume("2") == {}
    assert checkpoints.resume("1") == {}


def test_another_function_goes_on(store: CheckpointStore) -> None:
    """A mapping that is updated to another function goes on from its checkpoint."""
    store.of(STREAM, OTHER).listed("1", {"s9": "LATEST"}, 1.0)
    checkpoints = store.of(STREAM, FUNCTION)
    checkpoints.listed("1", {"s0": "LATEST"}, 7.5)
    checkpoints.move(OTHER)
    checkpoints.passed("s0", "42")
    assert store.of(STREAM, FUNCTION).resume("1") == {}
    assert store.of(STREAM, OTHER).resume("1") == {"s0": ShardProgress("LATEST", 7.5, "42")}


def test_checkpoints_survive_a_kill(tmp_path: Path) -> None:
    """What was noted is there after `kill -9`, the last of it too."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "state"), STREAM, FUNCTION],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"done\n"
        os.kill(writer.pid, signal.SIGKILL)
    with opened(tmp_path / "state") as store:
        assert store.of(STREAM, FUNCTION).resume("1") == {"s0": ShardProgress("LATEST", 7.5, "500")}


def test_file_in_use(tmp_path: Path) -> None:
    """A second local Lambda with the same directory is refused, and the first is not disturbed."""
    with opened(tmp_path) as store:
        with pytest.raises(SetupError) as refused:
            CheckpointStore(print, tmp_path).open()
        path = tmp_path / "checkpoints.sqlite"
        assert str(refused.value) == (
            f"the checkpoints in {path} are in use by another local Lambda"
        )
        store.of(STREAM, FUNCTION).listed("1", {"s0": "LATEST"}, 7.5)


def test_damaged_file(tmp_path: Path) -> None:
    """A file that is no database, or whose pages are damaged, is said in one sentence."""
    path = tmp_path / "checkpoints.sqlite"
    path.write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(SetupError) as refused:
        CheckpointStore(print, tmp_path).open()
    assert str(refused.value) == (
        f"the checkpoints in {path} cannot be read, remove the file: file is not a database"
    )


def test_damaged_pages(tmp_path: Path) -> None:
    """A database whose inner pages were overwritten is said in one sentence too."""
    with opened(tmp_path) as store:
        shards = {f"shard-{number:09}": "LATEST" for number in range(2000)}
        store.of(STREAM, FUNCTION).listed("1", shards, 7.5)
    path = tmp_path / "checkpoints.sqlite"
    whole = path.read_bytes()
    assert len(whole) > 20 * 4096
    path.write_bytes(whole[: 3 * 4096] + b"\xff" * 4096 + whole[4 * 4096 :])
    with pytest.raises(SetupError, match=r"checkpoints.sqlite cannot be read, remove the file: "):
        CheckpointStore(print, tmp_path).open()


def test_file_of_a_later_version(tmp_path: Path) -> None:
    """A file of another version is left alone."""
    path = tmp_path / "checkpoints.sqlite"
    with closing(sqlite3.connect(path)) as database:
        database.execute("pragma user_version = 9")
    with pytest.raises(SetupError, match="they are of version 9, not 1"):
        CheckpointStore(print, tmp_path).open()


def test_directory_that_cannot_be(tmp_path: Path) -> None:
    """A directory that cannot be made is said with its reason."""
    (tmp_path / "file").touch()
    with pytest.raises(SetupError, match=r"cannot keep checkpoints in .*: .*"):
        CheckpointStore(print, tmp_path / "file").open()


def test_writes_that_fail(tmp_path: Path) -> None:
    """A checkpoint that cannot be kept is said once, until one could be again."""
    said: list[str] = []
    with opened(tmp_path, said.append) as store:
        checkpoints = store.of(STREAM, FUNCTION)
        checkpoints.listed("1", {"s0": "LATEST"}, 7.5)
        for is_refused in (1, 1, 0, 1):
            store.rows(f"pragma query_only = {is_refused}", ())
            checkpoints.passed("s0", "1")
    assert said == ["checkpoints cannot be kept: attempt to write a readonly database"] * 2
