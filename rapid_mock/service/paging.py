"""Lists in pages: `Marker` and `MaxItems` in, `NextMarker` out.

Source: Lambda API reference, "ListFunctions"; pages of 50 as recorded from AWS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from rapid_mock.errors import InvalidParameterValue, ValidationFailed
from rapid_mock.service.constraints import HEAD

PAGE = 50
Item = TypeVar("Item")


def page_of(
    items: Sequence[Item], query: Mapping[str, str], most: int = 10000
) -> tuple[Sequence[Item], str | None]:
    """One page and the marker of the next, None at the end; `MaxItems` may be up to `most`.

    A marker is a position; raises InvalidParameterValue for one that is none.
    """
    marker = query.get("Marker", "0")
    if not (marker.isascii() and marker.isdigit()):
        raise InvalidParameterValue(f"The marker {marker} is not valid.")
    start = int(marker)
    end = start + min(PAGE, max_items(query, most))
    return items[start:end], str(end) if end < len(items) else None


def max_items(query: Mapping[str, str], most: int) -> int:
    """`MaxItems`, or a page; raises ValidationFailed outside 1 to `most`."""
    text = query.get("MaxItems", str(PAGE))
    head = f"Value '{text}' at 'maxItems' {HEAD}"
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ValidationFailed(f"{head}Member must have value greater than or equal to 1")
    if int(text) > most:
        raise ValidationFailed(f"{head}Member must have value less than or equal to {most}")
    return int(text)
