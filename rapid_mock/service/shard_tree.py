"""Which shards of a stream are polled, and from where: parents before their children.

Source: "Using the Kinesis Client Library", resharding, and the starting positions of event source
mappings; a poller of Lambda keeps to the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

LATEST, TRIM_HORIZON = "LATEST", "TRIM_HORIZON"


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as the stream describes it; `parents` are none, one (split) or two (merge)."""

    shard_id: str
    parents: tuple[str, ...] = ()
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class OpenShard:
    """Begin to poll a shard; `position` counts where it has no checkpoint yet."""

    shard_id: str
    position: str


class ShardTree:
    """The shards of one mapping's stream.

    `starting_position` is the mapping's: LATEST, TRIM_HORIZON or AT_TIMESTAMP. After a restart,
    `opened` are the shards that were known, with their positions, and `ended` those that are done.
    """

    def __init__(
        self,
        starting_position: str,
        opened: Mapping[str, str] | None = None,
        ended: Collection[str] = (),
    ) -> None:
        self._starting_position = starting_position
        self._is_first = not opened and not ended
        self._resumed = dict(opened or {})
        self._open: set[str] = set()
        self._ended = set(ended)
        self._positions: dict[str, str] = {}
        self._shards: dict[str, Shard] = {}

    def described(self, shards: Sequence[Shard]) -> list[OpenShard]:
        """The stream's shards, listed at first and from time to time; those to poll from now on.

        What was there when the mapping began starts at its position, what appears later at its
        own beginning: its records are all newer.
        """
        for shard in shards:
            if shard.shard_id not in self._shards:
                self._positions[shard.shard_id] = self._position(shard)
            self._shards[shard.shard_id] = shard
            if self._is_first and self._starting_position == LATEST and shard.is_closed:
                self._ended.add(shard.shard_id)
        self._is_first = self._is_first and not shards
        return self._openable()

    def shard_ended(self, shard_id: str) -> list[OpenShard]:
        """All records of a shard are done with: its children may follow."""
        self._open.discard(shard_id)
        self._ended.add(shard_id)
        return self._openable()

    @property
    def positions(self) -> Mapping[str, str]:
        """Where each shard is begun that was ever described."""
        return self._positions

    def _position(self, shard: Shard) -> str:
        new = self._starting_position if self._is_first else TRIM_HORIZON
        return self._resumed.get(shard.shard_id, new)

    def _openable(self) -> list[OpenShard]:
        """Shards with no parent that is still to be polled; one that is not listed has expired."""
        openable = [
            shard.shard_id
            for shard in self._shards.values()
            if shard.shard_id not in self._open | self._ended
            and all(parent not in self._shards or parent in self._ended for parent in shard.parents)
        ]
        self._open.update(openable)
        return [OpenShard(shard_id, self._positions[shard_id]) for shard_id in openable]
