"""How far each shard of each mapping has been processed, in SQLite.

Kept across restarts of the service when there is a directory for it, else as long as it runs. What
is noted survives `kill -9`: records may come again after it, none is passed over.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
_FORGET_UNLISTED = """
delete from shards where source = ? and function = ?
and shard not in (select value from json_each(?))
"""
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

    `explain` is told when something cannot be kept: records come again then, after a restart.
    """

    def __init__(self, explain: Callable[[str], None], directory: Path | None = None) -> None:
        self._explain = explain
        self._path = None if directory is None else directory / FILE_NAME
        self._is_failing = False
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Take the file, for this process alone.

        Raises SetupError, in one sentence, when it is damaged, in use or cannot be written.
        """
        try:
            self._database = self._connection()
        except (sqlite3.Error, OSError) as error:
            raise SetupError(self._sentence(error)) from error

    def close(self) -> None:
        """Give the file free; what is written after that is not kept."""
        if self._database is not None:
            self._database.close()
            self._database = None

    def of(self, source_arn: str, function_arn: str) -> Checkpoints:
        """Those of a mapping, which its source and its function identify."""
        return Checkpoints(self, source_arn, function_arn)

    def rows(self, query: str, arguments: Sequence[Any]) -> list[Any]:
        """What a query finds; raises sqlite3.Error."""
        return [] if self._database is None else self._database.execute(query, arguments).fetchall()

    def write(self, *changes: tuple[str, Sequence[Any]]) -> None:
        """Make changes in one transaction; one that fails is said, once until one succeeds."""
        if self._database is None:
            return
        try:
            self._database.execute("begin")
            with self._database:
                for statement, arguments in changes:
                    self._database.execute(statement, arguments)
        except sqlite3.Error as error:
            if not self._is_failing:
                self._explain(f"checkpoints cannot be kept: {error}")
            self._is_failing = True
        else:
            self._is_failing = False

    def _connection(self) -> sqlite3.Connection:
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
    """Those of one mapping; `incarnation` tells a stream from an earlier one of the same name."""

    def __init__(self, store: CheckpointStore, source_arn: str, function_arn: str) -> None:
        self._store = store
        self._mapping = (source_arn, function_arn)

    def resume(self, incarnation: str) -> dict[str, ShardProgress]:
        """The shards that are known, by id; what an earlier stream left is forgotten.

        Raises sqlite3.Error.
        """
        self._store.write((_FORGET_OTHERS, (*self._mapping, incarnation)))
        return self.known()

    def known(self) -> dict[str, ShardProgress]:
        """The shards that are known, by id; raises sqlite3.Error."""
        return {
            shard: ShardProgress(position, listed_at, passed, bool(has_ended))
            for shard, position, listed_at, passed, has_ended in self._store.rows(
                _KNOWN, self._mapping
            )
        }

    def listed(self, incarnation: str, positions: Mapping[str, str], now: float) -> None:
        """Note where shards are begun, as far as they were not known, and forget all others."""
        self._store.write(
            (_FORGET_UNLISTED, (*self._mapping, json.dumps([*positions]))),
            *(
                (_LISTED, (*self._mapping, incarnation, shard, position, now))
                for shard, position in positions.items()
            ),
        )

    def passed(self, shard: str, sequence_number: str) -> None:
        """All records of a shard up to this one are done with."""
        self._store.write((_PASSED, (sequence_number, *self._mapping, shard)))

    def ended(self, shard: str) -> None:
        """A shard is closed, and all of its records are done with."""
        self._store.write((_ENDED, (*self._mapping, shard)))

    def move(self, function_arn: str) -> None:
        """The mapping is for another function now, and goes on where it was."""
        source_arn, former = self._mapping
        if function_arn != former:
            self._store.write(
                (_FORGET, (source_arn, function_arn)),
                (_MOVE, (function_arn, *self._mapping)),
            )
            self._mapping = (source_arn, function_arn)

    def forget(self) -> None:
        """The mapping is deleted."""
        self._store.write((_FORGET, self._mapping))
