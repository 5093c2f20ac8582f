"""Kinesis streams and streams of DynamoDB tables as event sources: shards found and polled.

Source: "How Lambda processes records from stream and queue-based event sources", AWS Lambda
Developer Guide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from rapid_mock.errors import CallFailed, InvalidParameterValue
from rapid_mock.service.event_source import SourceKind
from rapid_mock.service.filter_criteria import FilterCriteria
from rapid_mock.service.mapping_settings import AT_TIMESTAMP, LATEST, TRIM_HORIZON, stream_settings
from rapid_mock.service.mappings import EventSourceMapping
from rapid_mock.service.shard_poller import ShardPoller
from rapid_mock.service.shard_tree import OpenShard, ShardTree
from rapid_mock.service.stream_orders import Checkpoint, Discard
from rapid_mock.triggers.checkpoints import ShardProgress
from rapid_mock.triggers.kinesis import KinesisStream
from rapid_mock.triggers.losses import Losses
from rapid_mock.triggers.poller import Surroundings
from rapid_mock.triggers.shard_driver import Note, ShardDriver
from rapid_mock.triggers.shard_reader import ShardReader
from rapid_mock.triggers.stream_api import Beginning, StreamApi, StreamGone, spoken
from rapid_mock.triggers.table_stream import TableStream, is_change

LISTING_SECONDS = 5.0
"""How often a stream is looked at for shards that were split, merged or added."""


class StreamSource:
    """The event source of both services; see `poller.Source`."""

    async def check(self, mapping: EventSourceMapping, surroundings: Surroundings) -> None:
        """Raises InvalidParameterValue when there is no such stream, or for its consumers."""
        arn = mapping.source_arn
        if mapping.kind is SourceKind.KINESIS and "/consumer/" in arn:
            raise InvalidParameterValue(
                "Enhanced fan-out is not supported by the local Lambda: name the stream, not its "
                "consumer."
            )
        try:
            await stream_api(mapping, surroundings).incarnation()
        except StreamGone as error:
            raise InvalidParameterValue(f"Stream not found: {arn}") from error
        except CallFailed as error:
            raise InvalidParameterValue(f"{arn} cannot be described: {spoken(error)}") from error

    def open(self, mapping: EventSourceMapping, surroundings: Surroundings) -> StreamPoller:
        """A poller of its shards, which it looks for when it is started."""
        return StreamPoller(mapping, stream_api(mapping, surroundings), surroundings)


def stream_api(mapping: EventSourceMapping, surroundings: Surroundings) -> StreamApi:
    """The stream of a mapping."""
    arn, calls, explain = mapping.source_arn, surroundings.calls, surroundings.explain
    if mapping.kind is SourceKind.KINESIS:
        return KinesisStream(arn, calls, explain, surroundings.role_arn)
    return TableStream(arn, calls, explain)


class StreamPoller:
    """Polls every shard of one mapping's stream, parents before their children."""

    def __init__(
        self, mapping: EventSourceMapping, api: StreamApi, surroundings: Surroundings
    ) -> None:
        self._mapping = mapping
        self._api = api
        self._surroundings = surroundings
        self._clock = surroundings.clock
        self._checkpoints = surroundings.checkpoints
        self._settings = stream_settings(mapping.members, mapping.kind)
        self._accepts = _accepting(mapping)
        self._losses = Losses(mapping, surroundings)
        self._incarnation: str | None = None
        self._progress: dict[str, ShardProgress] = {}
        self._tree = ShardTree(TRIM_HORIZON)
        self._drivers: dict[str, ShardDriver] = {}
        self._ended: list[str] = []
        self._look = asyncio.Event()
        self._has_looked = asyncio.Event()
        self._following: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._said = ""

    async def start(self) -> None:
        """Begin to poll; returns when the stream's shards were read once, or could not be."""
        self._following = asyncio.get_running_loop().create_task(self._follow())
        await self._has_looked.wait()

    async def stop(self) -> None:
        """Poll no more; what is at the function is finished and checkpointed."""
        self._is_stopping = True
        self._look.set()
        if self._following is not None:
            await self._following
        await self._stop_shards()

    # --- Shards ---------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Look at the stream's shards, again after a while or when one has ended."""
        while not self._is_stopping:
            self._look.clear()
            try:
                await self._open_shards()
                self._said = ""
            except StreamGone as gone:
                await self._stop_shards()
                self._incarnation = ""
                self._say(f"{gone}: the mapping waits for it")
            except Exception as error:  # noqa: BLE001  an answer may be anything
                self._say(f"the shards of {self._api.arn} cannot be listed: {spoken(error)}")
            self._has_looked.set()
            due = self._clock.now().monotonic + LISTING_SECONDS
            timer = self._clock.call_at(due, self._look.set)
            await self._look.wait()
            timer.cancel()

    async def _open_shards(self) -> None:
        """Poll the shards that there are, and those whose parents have ended."""
        incarnation = await self._api.incarnation()
        if incarnation != self._incarnation:
            await self._begin(incarnation)
        shards = await self._api.shards()
        ended, self._ended = self._ended, []
        opened = [each for shard_id in ended for each in self._tree.shard_ended(shard_id)]
        opened += self._tree.described(shards)
        positions = {one.shard_id: self._tree.positions[one.shard_id] for one in shards}
        self._checkpoints.listed(incarnation, positions, self._clock.now().wall)
        await asyncio.gather(*(self._open(each) for each in opened))

    async def _begin(self, incarnation: str) -> None:
        """Go on with a stream where it was left; one that was created anew is read whole."""
        await self._stop_shards()
        self._progress = self._checkpoints.resume(incarnation)
        is_anew = self._incarnation is not None and not self._progress
        start = TRIM_HORIZON if is_anew else self._mapping.members["StartingPosition"]
        known = self._progress.items()
        self._tree = ShardTree(
            start,
            opened={name: shard.position for name, shard in known if not shard.has_ended},
            ended=[name for name, shard in known if shard.has_ended],
        )
        self._incarnation = incarnation

    async def _open(self, shard: OpenShard) -> None:
        shard_id = shard.shard_id
        known = self._progress.get(shard_id)
        passed = None if known is None else known.passed
        driver = ShardDriver(
            ShardPoller(self._settings, self._accepts, passed),
            ShardReader(self._api, shard_id, self._beginning(shard, known)),
            self._surroundings,
            partial(self._keep, shard_id),
        )
        self._drivers[shard_id] = driver
        await driver.start()

    def _beginning(self, shard: OpenShard, known: ShardProgress | None) -> Beginning:
        if shard.position == AT_TIMESTAMP:
            return Beginning(AT_TIMESTAMP, self._mapping.members["StartingPositionTimestamp"])
        if shard.position == LATEST and known is not None:
            return Beginning(AT_TIMESTAMP, known.listed_at)
        return Beginning(shard.position, self._clock.now().wall)

    async def _stop_shards(self) -> None:
        drivers, self._drivers = self._drivers, {}
        await asyncio.gather(*(driver.stop() for driver in drivers.values()))

    # --- Notes ----------------------------------------------------------------------------------

    async def _keep(self, shard_id: str, note: Note) -> None:
        match note:
            case Checkpoint(sequence_number=number):
                self._checkpoints.passed(shard_id, number)
            case Discard():
                await self._losses.tell(shard_id, note)
            case _:
                self._checkpoints.ended(shard_id)
                self._drivers.pop(shard_id, None)
                self._ended.append(shard_id)
                self._look.set()

    def _say(self, sentence: str) -> None:
        """Once, until something else is the matter or all is well again."""
        if sentence != self._said:
            self._said = sentence
            self._surroundings.explain(sentence)


def _accepting(mapping: EventSourceMapping) -> Callable[[Any], bool]:
    """Whether a record is handed over."""
    criteria = FilterCriteria(mapping.members.get("FilterCriteria"), mapping.kind)
    if mapping.kind is SourceKind.KINESIS:
        return criteria.accepts
    return lambda record: is_change(record) and criteria.accepts(record)
