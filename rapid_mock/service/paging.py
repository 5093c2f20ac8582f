"""Lists in pages: `Marker` and `MaxItems` in, `NextMarker` out.

Source: Lambda API reference, "ListFunctions"; pages of 50 as recorded from AWS.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from rapid_mock.errors import InvalidParameterValue, ValidationFailed
from rapid_mock.service.constraints import HEAD

PAGE = 50
Item = TypeVar("Item")


def page_of(
    items: Sequence[Item],
    query: Mapping[str, str],
    most: int = 10000,
    key: Callable[[Item], str] | None = None,
) -> tuple[Sequence[Item], str | None]:
    """One page and the marker of the next, None at the end; `MaxItems` may be up to `most`.

    With `key`, by which the items are in order, a marker is the last item's key: who deletes what a
    page shows before asking for the next misses nothing. Without it, it is a position. Raises
    InvalidParameterValue for a marker that is none.
    """
    start = 0
    if "Marker" in query:
        after = _read(query["Marker"])
        start = bisect_right(items, after, key=key) if key else _position(after)
    end = start + min(PAGE, max_items(query, most))
    if end >= len(items):
        return items[start:end], None
    return items[start:end], _marker(key(items[end - 1]) if key else str(end))


def max_items(query: Mapping[str, str], most: int) -> int:
    """`MaxItems`, or a page; raises ValidationFailed outside 1 to `most`."""
    text = query.get("MaxItems", str(PAGE))
    head = f"Value '{text}' at 'maxItems' {HEAD}"
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ValidationFailed(f"{head}Member must have value greater than or equal to 1")
    if int(text) > most:
        raise ValidationFailed(f"{head}Member must have value less than or equal to {most}")
    return int(text)


def number_key(number: int) -> str:
    """A number as a key: in the order of the numbers."""
    return f"{number:020}"


def _marker(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _read(marker: str) -> str:
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise InvalidParameterValue(f"The marker {marker} is not valid.") from error


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InvalidParameterValue(f"The marker {text} is not valid.")
    return int(text)
