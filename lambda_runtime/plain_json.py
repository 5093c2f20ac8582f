"""JSON by the standard library, and what AWS's client adds: Decimal, bytes, `_asdict()`."""

from __future__ import annotations

import json
import sys
from json.encoder import _make_iterencode, encode_basestring  # type: ignore[attr-defined]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def load(text: str) -> Any:
    """Parse one JSON value; raises ValueError with the standard library's text."""
    return json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)


def dump(value: object) -> str:
    """Spell a value with `", "` and `": "`. Raises TypeError, ValueError, RecursionError."""
    return "".join(_encode(_prepared(value, set()), 0))


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
    if value in (_INFINITY, -_INFINITY):
        return "Infinity" if value > 0 else "-Infinity"
    return float.__repr__(value)


def _prepared(value: object, open_ids: set[int]) -> object:
    """A copy made of what JSON knows; `open_ids` are the containers around `value`."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, _decimal()):
        return _Digits(value)
    if id(value) in open_ids:
        raise ValueError("Circular reference detected")
    open_ids.add(id(value))
    copy = _prepared_container(value, open_ids)
    open_ids.remove(id(value))
    return copy


def _prepared_container(value: object, open_ids: set[int]) -> object:
    if isinstance(value, dict):
        return {  # the encoder asks nobody about keys
            key.decode() if isinstance(key, bytes) else key: _prepared(member, open_ids)
            for key, member in value.items()
        }
    if callable(getattr(value, "_asdict", None)) and not isinstance(value, type):
        members = value._asdict()  # type: ignore[attr-defined]
        if not isinstance(members, dict):
            raise TypeError(f"_asdict() must return a dict, not {type(members).__name__}")
        return _prepared(members, open_ids)
    if isinstance(value, (list, tuple)):
        return [_prepared(member, open_ids) for member in value]
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _decimal() -> type | tuple[()]:
    """The class Decimal, if anybody has imported it."""
    module = sys.modules.get("decimal")
    return module.Decimal if module else ()


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


_INFINITY = float("inf")
# No markers (cycles are found before), no default; the encoder in Python, the only one that lets a
# number keep its digits. Indent, key separator, item separator, sort keys, skip keys, one shot.
_encode = _make_iterencode(
    None, None, encode_basestring, None, _spell_float, ": ", ", ", False, False, False
)
