"""Has moto's DynamoDB Streams tell each change once, as AWS does.

By itself moto has a record of a write that changes nothing, and two of an update that creates an
item. Runs inside the embedded AWS; changes moto's classes, whose tests are ours.
Source: "Change data capture for DynamoDB Streams", Amazon DynamoDB Developer Guide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import StreamShard

Add = Callable[[StreamShard, Item | None, Item | None], None]
Update = Callable[..., Item]


def tell_changes_once() -> None:
    """Replace what writes records."""
    replaced: dict[tuple[Any, str], Any] = {
        (StreamShard, "add"): _of_changes(StreamShard.add),
        (DynamoDBBackend, "update_item"): _of_one_change(DynamoDBBackend.update_item),
    }
    for (owner, name), function in replaced.items():
        setattr(owner, name, function)


def _of_changes(add: Add) -> Add:
    """No record of an item that is as it was."""

    def add_change(shard: StreamShard, old: Item | None, new: Item | None) -> None:
        if old is None or new is None or old.to_json() != new.to_json():
            add(shard, old, new)

    return add_change


def _of_one_change(update: Update) -> Update:
    """One record of an item that is created, not one of its key and one of the rest."""

    def update_item(backend: DynamoDBBackend, table_name: str, *given: Any, **named: Any) -> Item:
        shard = backend.get_table(table_name).stream_shard
        known = 0 if shard is None else len(shard.items)
        item = update(backend, table_name, *given, **named)
        if shard is not None and len(shard.items) > known + 1:
            del shard.items[known:]
            shard.add(None, item)
        return item

    return update_item
