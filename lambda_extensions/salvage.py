"""What can be read of a telemetry delivery that is not JSON as a whole."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_BETWEEN = re.compile(r"[,\]\s]*")
_STRING_OR_MARK = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)


def salvage(text: str) -> list[Any]:
    """The members of a JSON array, one by one; a member that cannot be decoded is its text."""
    raw_decode = json.JSONDecoder().raw_decode
    text = text.strip().removeprefix("[")
    found: list[Any] = []
    at = _after_comma(text, 0)
    while at < len(text):
        try:
            value, end = raw_decode(text, at)
        except (ValueError, RecursionError):
            end = _member_end(text, at)
            value = text[at:end].rstrip()
        found.append(value)
        at = _after_comma(text, end)
    return found


def _after_comma(text: str, at: int) -> int:
    match = _BETWEEN.match(text, at)
    return at if match is None else match.end()


def _member_end(text: str, at: int) -> int:
    """Where a member ends that cannot be decoded, to judge by brackets and commas."""
    depth = 0
    for found in _STRING_OR_MARK.finditer(text, at):
        if found[0] in "[{":
            depth += 1
        elif depth and found[0] in "]}":
            depth -= 1
        elif not depth and found[0] in ",]":
            return found.start()
    return len(text)
