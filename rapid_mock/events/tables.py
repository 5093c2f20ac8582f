"""Events of Amazon DynamoDB Streams.

Source: "Using AWS Lambda with Amazon DynamoDB"; `eventVersion` is 1.1 on the wire, whatever the
guide's sample says. Sizes: "DynamoDB item sizes and formats".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from rapid_mock.events.received import dynamodb_record
from rapid_mock.events.values import ACCOUNT, REGION, Event, Moment, Origin

_IMAGES = {
    "NEW_AND_OLD_IMAGES": ("NewImage", "OldImage"),
    "NEW_IMAGE": ("NewImage",),
    "OLD_IMAGE": ("OldImage",),
    "KEYS_ONLY": (),
}


def dynamodb(
    new: Mapping[str, Any] | None = None,
    old: Mapping[str, Any] | None = None,
    *,
    table: str = "my-table",
    keys: Sequence[str] = ("id",),
    view_type: str = "NEW_AND_OLD_IMAGES",
    expired: bool = False,
    sequence_number: str = "4421584500000000017450439091",
    event_id: str | None = None,
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """One change of an item, from `old` to `new`: INSERT, MODIFY or, with `old` alone, REMOVE.

    Items are plain values, `{"id": 7, "tags": {"a", "b"}}`; `keys` names the key attributes.
    `expired` marks a removal by time to live. Raises ValueError for an unknown view type, a key
    that the item lacks or a value that DynamoDB cannot hold.
    """
    if new is None and old is None:
        new = {"id": "1", "message": "New item!"}
    origin = Origin(seed, at, region, account)
    shown = _shown(_marshalled(new), _marshalled(old), keys, view_type)
    record: dict[str, Any] = {
        "eventID": event_id or origin.hexadecimal(32),
        "eventName": _event_name(new, old),
        "dynamodb": {
            "ApproximateCreationDateTime": origin.moment,
            **shown,
            "SequenceNumber": sequence_number,
            "SizeBytes": sum(_item_bytes(one) for one in shown.values()),
            "StreamViewType": view_type,
        },
    }
    if expired:
        record["userIdentity"] = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
    stream = f"table/{table}/stream/{origin.stamp().removesuffix('Z')}"
    return {"Records": [dynamodb_record(record, origin.arn("dynamodb", stream))]}


def _shown(
    new: dict[str, Any] | None, old: dict[str, Any] | None, keys: Sequence[str], view_type: str
) -> dict[str, dict[str, Any]]:
    """The keys, and the images that the stream's view type lets through."""
    if view_type not in _IMAGES:
        raise ValueError(f"unknown stream view type: {view_type}")
    item = new or old or {}
    if missing := [name for name in keys if name not in item]:
        raise ValueError(f"the item has no key attribute {missing[0]}")
    images = {"NewImage": new, "OldImage": old}
    chosen = {name: image for name in _IMAGES[view_type] if (image := images[name]) is not None}
    return {"Keys": {name: item[name] for name in keys}, **chosen}


def _event_name(new: Mapping[str, Any] | None, old: Mapping[str, Any] | None) -> str:
    if new is None:
        return "REMOVE"
    return "INSERT" if old is None else "MODIFY"


def _marshalled(item: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if item is None else {name: attribute_value(item[name]) for name in item}


def attribute_value(value: object) -> dict[str, Any]:
    """A plain value as boto3 has it: `7` is `{"N": "7"}`, bytes stay bytes.

    Raises ValueError for a type that DynamoDB has not.
    """
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, Mapping):
        return {"M": {str(name): attribute_value(one) for name, one in value.items()}}
    if isinstance(value, AbstractSet):
        return _set_value(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return {"L": [attribute_value(one) for one in value]}
    kind, text = _scalar(value)
    return {kind: text}


def _set_value(values: AbstractSet[object]) -> dict[str, Any]:
    scalars = sorted(_scalar(one) for one in values)
    kinds = {kind for kind, _ in scalars}
    if len(kinds) != 1:
        raise ValueError("a set holds values of one type, and at least one")
    return {f"{kinds.pop()}S": [text for _, text in scalars]}


def _scalar(value: object) -> tuple[str, Any]:
    if isinstance(value, str):
        return "S", value
    if isinstance(value, bytes):
        return "B", value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return "N", _number_text(value)
    raise ValueError(f"DynamoDB has no type for {type(value).__name__}")


def _number_text(value: float | Decimal) -> str:
    """DynamoDB writes numbers without exponent and without trailing zeros."""
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"DynamoDB has no number {value}")
    return format(number.normalize(), "f")


def _item_bytes(item: Mapping[str, Any]) -> int:
    return sum(len(name.encode()) + _value_bytes(item[name]) for name in item)


def _value_bytes(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "M":
        return 3 + len(content) + _item_bytes(content)
    if kind == "L":
        return 3 + sum(1 + _value_bytes(one) for one in content)
    if kind in {"BOOL", "NULL"}:
        return 1
    texts = content if isinstance(content, list) else [content]
    return sum(_scalar_bytes(kind[0], one) for one in texts)


def _scalar_bytes(kind: str, value: str | bytes) -> int:
    if isinstance(value, bytes):
        return len(value)
    if kind == "N":
        return (len(Decimal(value).normalize().as_tuple().digits) + 1) // 2 + 1
    return len(value.encode())
