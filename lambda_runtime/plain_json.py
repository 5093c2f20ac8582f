"""JSON by the standard library, with what AWS's client knows beyond it: Decimal and bytes."""

from __future__ import annotations

import json
from json.encoder import (  # type: ignore[attr-defined]
    INFINITY,
    _make_iterencode,
    encode_basestring,
    encode_basestring_ascii,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


def load(text: str) -> Any:
    """Parse one JSON value; raises ValueError with the standard library's text."""
    return json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)


def dump(value: object) -> str:
    """Spell a value with `", "` and `": "`. Raises TypeError, ValueError."""
    return PlainEncoder(ensure_ascii=False).encode(value)


class PlainEncoder(json.JSONEncoder):
    """The encoder in Python, the only one that lets a number keep its digits."""

    def default(self, value: object) -> object:
        if isinstance(value, bytes):
            return value.decode()
        if type(value).__name__ == "Decimal":
            return _Digits(value)
        return super().default(value)

    def iterencode(self, value: object, _one_shot: bool = False) -> Iterator[str]:
        quote = encode_basestring_ascii if self.ensure_ascii else encode_basestring
        encode = _make_iterencode(
            {}, self.default, quote, None, _spell_float, ": ", ", ", False, False, False
        )
        return encode(_text_keys(value), 0)  # type: ignore[no-any-return]


class _Digits(float):
    """A float that is spelled with the digits of a Decimal."""

    def __new__(cls, value: object) -> _Digits:  # noqa: PYI034  Self needs typing
        text = str(value)
        made = super().__new__(cls, 0.0)
        made.text = "NaN" if "nan" in text.lower() else text
        return made

    text: str


def _spell_float(value: float) -> str:
    if isinstance(value, _Digits):
        return value.text
    if value != value:  # noqa: PLR0124  only NaN differs from itself
        return "NaN"
    if value in (INFINITY, -INFINITY):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


def _text_keys(value: object) -> object:
    """Bytes as keys are text too; the encoder asks nobody about keys."""
    if isinstance(value, dict):
        return {
            key.decode() if isinstance(key, bytes) else key: _text_keys(member)
            for key, member in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_text_keys(member) for member in value]
    return value


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")
