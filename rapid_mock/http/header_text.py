"""Text in headers: the server hands over bytes as Latin-1, Lambda's APIs mean UTF-8."""

from __future__ import annotations

import re
from operator import itemgetter

_value = itemgetter(1)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def decode_header(value: str) -> str:
    """The text that a header's bytes spell in UTF-8."""
    if value.isascii():
        return value
    return value.encode("latin-1", "replace").decode("utf-8", "replace")


def encode_header(text: str) -> str:
    """A text as a header may carry it: line ends and other controls become spaces (RIE)."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub(" ", text).encode("utf-8", "replace").decode("latin-1")


def encode_headers(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """All values as headers may carry them."""
    values = "".join(map(_value, headers))
    if values.isascii() and values.isprintable():
        return headers
    return [(name, encode_header(value)) for name, value in headers]
