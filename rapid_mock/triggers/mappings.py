"""Event source mappings at work: the API's operations, and a poller for each that is enabled.

Source: Lambda API reference; states as recorded from AWS.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from rapid_mock.errors import InvalidParameterValue, ResourceNotFound
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.event_source import SourceKind
from rapid_mock.service.mappings import DELETING, SETTLED, EventSourceMapping, EventSourceMappings
from rapid_mock.service.paging import page_of
from rapid_mock.triggers.checkpoints import Checkpoints, CheckpointStore
from rapid_mock.triggers.poller import Poller, Source, Surroundings

MOST_LISTED = 100
Surround = Callable[[EventSourceMapping, Checkpoints], Surroundings]


class MappingOperations:
    """Each public method is an operation, or an end: the call in, the answer's members out.

    `sources` by kind: an unlisted kind is refused. `surround` gives the surroundings of a mapping's
    poller, with the checkpoints of its shards.
    """

    def __init__(
        self,
        mappings: EventSourceMappings,
        sources: Mapping[SourceKind, Source],
        surround: Surround,
        store: CheckpointStore,
        wall: Callable[[], float],
    ) -> None:
        self._mappings = mappings
        self._sources = sources
        self._surround = surround
        self._store = store
        self._wall = wall
        self._pollers: dict[str, Poller] = {}
        self._checkpoints: dict[str, Checkpoints] = {}
        self._tags: dict[str, dict[str, str]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    # --- Operations -------------------------------------------------------------------------

    async def create(self, call: Call) -> Body:
        mapping = self._mappings.prepare(call.body, str(uuid.uuid4()), self._wall())
        checkpoints = self._store.of(mapping.source_arn, mapping.function_arn)
        await self._source(mapping).check(mapping, self._surround(mapping, checkpoints))
        again = self._mappings.prepare(call.body, mapping.mapping_id, mapping.modified)
        self._mappings.add(again)
        self._tags[again.mapping_id] = dict(call.body.get("Tags") or {})
        self._checkpoints[again.mapping_id] = checkpoints
        self._follow(again)
        return self._described(again)

    def get(self, call: Call) -> Body:
        return self._described(self._mappings.get(call.params["uuid"]))

    def list(self, call: Call) -> Body:
        found = self._mappings.listed(
            call.query.get("EventSourceArn"), call.query.get("FunctionName")
        )
        page, marker = page_of(
            [self._described(mapping) for mapping in found], call.query, most=MOST_LISTED
        )
        following = {} if marker is None else {"NextMarker": marker}
        return {"EventSourceMappings": [*page], **following}

    def update(self, call: Call) -> Body:
        mapping = self._mappings.update(call.params["uuid"], call.body, self._wall())
        self._follow(mapping)
        return self._described(mapping)

    def delete(self, call: Call) -> Body:
        mapping = self._mappings.delete(call.params["uuid"], self._wall())
        self._follow(mapping)
        return self._described(mapping)

    def tags(self, arn: str) -> dict[str, str]:
        """Those of a mapping, to be changed; raises ResourceNotFound."""
        mapping_id = arn.rpartition(":")[2]
        if self._mappings.arn(mapping_id) != arn or mapping_id not in self._tags:
            raise ResourceNotFound(f"Event source mapping not found: {arn}")
        self._mappings.get(mapping_id)
        return self._tags[mapping_id]

    # --- Ends -------------------------------------------------------------------------------

    def processed(self, mapping_id: str, result: str) -> None:
        """A poller tells what became of its last batch."""
        self._mappings.processed(mapping_id, result)

    def function_deleted(self, name: str) -> None:
        """Disable the mappings to a function that is no longer there."""
        for mapping in self._mappings.listed(function_name=name):
            if mapping.state in SETTLED:
                self._disable(mapping)

    async def settled(self) -> None:
        """Wait until every poller has followed the changes of its mapping."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Stop every poller: batches at the function are finished."""
        self._is_closed = True
        await self.settled()
        await asyncio.gather(*(poller.stop() for poller in self._pollers.values()))

    def abandon(self) -> None:
        """Leave everything as it is."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()

    # --- Inside -----------------------------------------------------------------------------

    def _source(self, mapping: EventSourceMapping) -> Source:
        source = self._sources.get(mapping.kind)
        if source is None:
            raise InvalidParameterValue(
                "There is no AWS here whose queues and streams could be polled; start with "
                "--aws embedded or --aws URL."
            )
        return source

    def _described(self, mapping: EventSourceMapping) -> dict[str, Any]:
        return mapping.described(self._mappings.arn(mapping.mapping_id))

    def _follow(self, mapping: EventSourceMapping) -> None:
        self._start(self._replace_poller(mapping.mapping_id))

    async def _replace_poller(self, mapping_id: str) -> None:
        """End a mapping's poller, poll as it says now, and settle it when that has begun."""
        poller = self._pollers.pop(mapping_id, None)
        if poller is not None:
            await poller.stop()
        mapping, checkpoints = self._mappings.get(mapping_id), self._checkpoints[mapping_id]
        if mapping.state == DELETING:
            del self._checkpoints[mapping_id]
            checkpoints.forget()
        else:
            checkpoints.move(mapping.function_arn)
            if mapping.is_enabled and not self._is_closed:
                await self._poll(mapping, checkpoints)
        settled = self._mappings.settle(mapping_id)
        if settled is not None and not self._mappings.has_function(settled):
            self._disable(settled)

    def _disable(self, mapping: EventSourceMapping) -> None:
        if mapping.is_enabled:
            request = {"Enabled": False}
            self._follow(self._mappings.update(mapping.mapping_id, request, self._wall()))

    async def _poll(self, mapping: EventSourceMapping, checkpoints: Checkpoints) -> None:
        opened = self._source(mapping).open(mapping, self._surround(mapping, checkpoints))
        self._pollers[mapping.mapping_id] = opened
        await opened.start()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
