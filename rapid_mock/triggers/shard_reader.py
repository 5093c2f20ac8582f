"""Reads one shard page by page, with iterators that are renewed when they expire."""

from __future__ import annotations

from rapid_mock.service.mapping_settings import AT_TIMESTAMP, LATEST
from rapid_mock.service.stream_orders import Read
from rapid_mock.triggers.stream_api import Beginning, IteratorExpired, Page, StreamApi


class ShardReader:
    """One shard, from `beginning` on until there is a checkpoint to read after.

    `name` is the shard's in sentences.
    """

    def __init__(self, api: StreamApi, shard_id: str, beginning: Beginning) -> None:
        self.name = f"shard {shard_id} of {api.arn}"
        self._api = api
        self._shard_id = shard_id
        self._beginning = beginning
        self._iterator: str | None = None

    async def read(self, order: Read) -> Page:
        """The records that are asked for; raises what the stream's calls raise."""
        try:
            return await self._page(order)
        except IteratorExpired:
            self._iterator = None
            return await self._page(order)

    async def _page(self, order: Read) -> Page:
        if self._iterator is None:
            self._iterator = await self._api.iterator(self._shard_id, order.after or self._begin())
        page = await self._api.page(self._shard_id, self._iterator, order.most)
        self._iterator = page.following
        return page

    def _begin(self) -> Beginning:
        """LATEST means now only once: what is put later must not be passed over."""
        beginning = self._beginning
        if beginning.position == LATEST:
            self._beginning = Beginning(AT_TIMESTAMP, beginning.moment)
        return beginning
