"""Whether two notifications of a bucket would tell of the same event, which S3 refuses.

Source: "Configuring event notifications using object key name filtering", Amazon S3 User Guide.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import NamedTuple

OVERLAP = (
    "Configurations overlap. Configurations on the same bucket cannot share a common event type."
)
AMBIGUOUS = (
    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the "
    "prefixes are overlapping for the same event type."
)


class Filtered(NamedTuple):
    """The event types of one notification, and the ends that keys must have."""

    events: tuple[str, ...]
    prefix: str
    suffix: str


def overlap(notifications: Iterable[Filtered]) -> str | None:
    """What S3 says of those of which two overlap; None when none do."""
    for one, other in combinations(notifications, 2):
        if _share_keys(one, other) and any(
            _share_type(each, another) for each in one.events for another in other.events
        ):
            has_filter = any((*one[1:], *other[1:]))
            return AMBIGUOUS if has_filter else OVERLAP
    return None


def _share_keys(one: Filtered, other: Filtered) -> bool:
    shorter, longer = sorted((one.prefix, other.prefix), key=len)
    end, ending = sorted((one.suffix, other.suffix), key=len)
    return longer.startswith(shorter) and ending.endswith(end)


def _share_type(one: str, other: str) -> bool:
    """`s3:ObjectCreated:*` has `s3:ObjectCreated:Put` in it."""
    return (
        one == other
        or (one.endswith("*") and other.startswith(one[:-1]))
        or (other.endswith("*") and one.startswith(other[:-1]))
    )
