"""How far each shard of each mapping has been processed, in SQLite.

Kept across restarts of the service when there is a directory for it, else as long as it runs. What
is noted survives `kill -9`: records may come again after it, none is passed over.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rapid_mock.errors import SetupError

FILE_NAME = "checkpoints.sqlite"
_VERSION = 1
_PREPARE = f"""
begin immediate;
create table if not exists shards (
  source text, function text, incarnation text, shard text,
  position text not null, listed_at real not null, passed text, has_ended int not null default 0,
  primary key (source, function, shard)
) without rowid;
pragma user_version = {_VERSION};
commit;
"""
_KNOWN = """
select shard, position, listed_at, passed, has_ended from shards where source = ? and function = ?
"""
_LISTED = """
insert or ignore into shards (source, function, incarnation, shard, position, listed_at)
values (?, ?, ?, ?, ?, ?)
"""
_PASSED = "update shards set passed = ? where source = ? and function = ? and shard = ?"
_ENDED = "update shards set has_ended = 1 where source = ? and function = ? and shard = ?"
_FORGET = "delete from shards where source = ? and function = ?"
_FORGET_OTHERS = f"{_FORGET} and incarnation <> ?"
_FORGET_SHARD = f"{_FORGET} and shard = ?"
_MOVE = "update shards set function = ? where source = ? and function = ?"


@dataclass(frozen=True, slots=True)
class ShardProgress:
    """A shard that a mapping knows of.

    It is begun at `position` (LATEST, TRIM_HORIZON or AT_TIMESTAMP) as of `listed_at`, epoch
    seconds; `passed` is the sequence number of the last record that is done with.
    """

    position: str
    listed_at: float
    passed: str | None = None
    has_ended: bool = False


class CheckpointStore:
    """The checkpoints of all mappings; without a `directory` they are in memory.

    Raises SetupError, in one sentence, for a file that is damaged, in use or cannot be written.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._path = None if directory is None else directory / FILE_NAME
        try:
            self._database = self._open()
        except (sqlite3.Error, OSError) as error:
            raise SetupError(self._sentence(error)) from error

    def of(self, source_arn: str, function_arn: str) -> Checkpoints:
        """Those of a mapping, which its source and its function identify."""
        return Checkpoints(self._database, source_arn, function_arn)

    def close(self) -> None:
        """Give the file free."""
        self._database.close()

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._path or ":memory:", timeout=0, isolation_level=None)
        try:
            _prepare(database)
        except BaseException:
            database.close()
            raise
        return database

    def _sentence(self, error: Exception) -> str:
        if isinstance(error, OSError) or "unable to open" in str(error):
            return f"cannot keep checkpoints in {self._path}: {error}"
        if "locked" in str(error):
            return f"the checkpoints in {self._path} are in use by another local Lambda"
        return f"the checkpoints in {self._path} cannot be read, remove the file: {error}"


def _prepare(database: sqlite3.Connection) -> None:
    """One process at a time; a commit is in the operating system's hands when it returns."""
    database.execute("pragma locking_mode = exclusive")
    database.execute("pragma journal_mode = wal")
    database.execute("pragma synchronous = normal")
    (found,) = database.execute("pragma quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(found)
    (version,) = database.execute("pragma user_version").fetchone()
    if version not in (0, _VERSION):
        raise sqlite3.DatabaseError(f"they are of version {version}, not {_VERSION}")
    database.executescript(_PREPARE)


class Checkpoints:
    """Those of one mapping; each method is one transaction, and may raise sqlite3.Error.

    `incarnation` tells a stream from an earlier one of the same name.
    """

    def __init__(self, database: sqlite3.Connection, source_arn: str, function_arn: str) -> None:
        self._database = database
        self._mapping = (source_arn, function_arn)

    def resume(self, incarnation: str) -> dict[str, ShardProgress]:
        """The shards that are known, by id; what an earlier stream left is forgotten."""
        self._database.execute(_FORGET_OTHERS, (*self._mapping, incarnation))
        return self.known()

    def known(self) -> dict[str, ShardProgress]:
        """The shards that are known, by id."""
        return {
            shard: ShardProgress(position, listed_at, passed, bool(has_ended))
            for shard, position, listed_at, passed, has_ended in self._database.execute(
                _KNOWN, self._mapping
            )
        }

    def listed(self, incarnation: str, positions: Mapping[str, str], now: float) -> None:
        """Note where shards are begun, as far as they were not known, and forget all others."""
        new = [
            (*self._mapping, incarnation, shard, position, now)
            for shard, position in positions.items()
        ]
        gone = [(*self._mapping, shard) for shard in self.known().keys() - positions.keys()]
        self._database.execute("begin")
        with self._database:
            self._database.executemany(_LISTED, new)
            self._database.executemany(_FORGET_SHARD, gone)

    def passed(self, shard: str, sequence_number: str) -> None:
        """All records of a shard up to this one are done with."""
        self._database.execute(_PASSED, (sequence_number, *self._mapping, shard))

    def ended(self, shard: str) -> None:
        """A shard is closed, and all of its records are done with."""
        self._database.execute(_ENDED, (*self._mapping, shard))

    def move(self, function_arn: str) -> None:
        """The mapping is for another function now, and goes on where it was."""
        source_arn, _ = self._mapping
        self._database.execute("begin")
        with self._database:
            self._database.execute(_FORGET, (source_arn, function_arn))
            self._database.execute(_MOVE, (function_arn, *self._mapping))
        self._mapping = (source_arn, function_arn)

    def forget(self) -> None:
        """The mapping is deleted."""
        self._database.execute(_FORGET, self._mapping)
