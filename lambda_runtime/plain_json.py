"""JSON by the standard library, and what AWS's client adds: Decimal, bytes, `_asdict()`."""

from __future__ import annotations

import json
import sys
from json.encoder import _make_iterencode, encode_basestring  # type: ignore[attr-defined]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def load(text: str) -> Any:
    """Parse one JSON value; raises ValueError with the standard library's text."""
    return json.loads(text.removeprefix("\ufeff"), parse_constant=_refuse_constant)


def dump(
    value: object,
    *,
    default: Callable[[object], object] | None = None,
    named_tuples: bool = False,
) -> str:
    """Spell a value with `", "` and `": "`. Raises TypeError, ValueError, RecursionError.

    `default` makes JSON of what is none; `named_tuples` are objects, else arrays.
    """
    return "".join(_encode(_Copy(default, named_tuples).of(value), 0))


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


class _Copy:
    """Copies a value, made of what JSON knows; the containers around it are remembered."""

    def __init__(self, default: Callable[[object], object] | None, named_tuples: bool) -> None:
        self._default = default
        self._named_tuples = named_tuples
        self._open_ids: set[int] = set()

    def of(self, value: object) -> object:
        if value is None or isinstance(value, (str, int, float)):
            return value
        if isinstance(value, bytes):
            return value.decode()
        if isinstance(value, _decimal()):
            return _Digits(value)
        if id(value) in self._open_ids:
            raise ValueError("Circular reference detected")
        self._open_ids.add(id(value))
        copy = self._of_container(value)
        self._open_ids.remove(id(value))
        return copy

    def _of_container(self, value: object) -> object:
        if isinstance(value, dict):
            return self._of_members(value)
        if isinstance(value, list) or (isinstance(value, tuple) and not self._has_names(value)):
            return self._of_items(value)
        if self._has_names(value):
            members = value._asdict()  # type: ignore[attr-defined]
            if not isinstance(members, dict):
                raise TypeError(f"_asdict() must return a dict, not {type(members).__name__}")
            return self.of(members)
        if self._default is not None:
            return self.of(self._default(value))
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    def _of_members(self, value: dict[Any, Any]) -> dict[object, object]:
        copy: dict[object, object] = {}
        for key, member in value.items():
            text = key.decode() if isinstance(key, bytes) else key  # the encoder asks nobody
            if not isinstance(text, _KEYS):
                what = "keys must be str, int, float, bool or None, not"
                raise TypeError(f"{what} {type(text).__name__}")
            try:
                copy[text] = self.of(member)
            except (TypeError, ValueError) as error:
                _add_step(error, f".{text}" if _is_name(text) else f"[{json.dumps(text)}]")
                raise
        return copy

    def _of_items(self, value: list[Any] | tuple[Any, ...]) -> list[object]:
        copy = []
        for index, member in enumerate(value):
            try:
                copy.append(self.of(member))
            except (TypeError, ValueError) as error:
                _add_step(error, f"[{index}]")
                raise
        return copy

    def _has_names(self, value: object) -> bool:
        if isinstance(value, type) or not callable(getattr(value, "_asdict", None)):
            return False
        return self._named_tuples or not isinstance(value, tuple)


def place_of(error: Exception) -> str:
    """Where in the value `dump` met what it refuses, ` (at $.items[3].created)`; if inside it."""
    steps = error.__dict__.pop(_STEPS, None)
    return f" (at ${steps})" if steps else ""


def _add_step(error: Exception, step: str) -> None:
    error.__dict__[_STEPS] = step + error.__dict__.get(_STEPS, "")


def _is_name(key: object) -> bool:
    return isinstance(key, str) and key.isidentifier()


def _decimal() -> type | tuple[()]:
    """The class Decimal, if anybody has imported it."""
    module = sys.modules.get("decimal")
    return module.Decimal if module else ()


def _refuse_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


_KEYS = (str, int, float, type(None))
_STEPS = "_lambda_runtime_steps"
_INFINITY = float("inf")
# No markers (cycles are found before), no default; the encoder in Python, the only one that lets a
# number keep its digits. Indent, key separator, item separator, sort keys, skip keys, one shot.
_encode = _make_iterencode(
    None, None, encode_basestring, None, _spell_float, ": ", ", ", False, False, False
)
