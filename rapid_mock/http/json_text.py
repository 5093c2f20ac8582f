"""JSON as the Go services inside Lambda write and read it.

Writing: members in the given order, no spaces, `<`, `>` and `&` escaped. Reading: objects whose
members have a known type, names in any case, the last of several wins, null counts as absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from rapid_mock.http.json_syntax import find_syntax_fault

JsonValue = str | int | list[str] | Mapping[str, "JsonValue"]

_GO_ESCAPES = str.maketrans(
    {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
)
_REDACTED = "`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled"
_EXPECTED = (
    "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
)
_FIRST_LATIN = 0xA0
_SURROGATES = re.compile("[\ud800-\udfff]")


class InvalidJson(Exception):
    """Raised for a text that is no JSON, or has a member of the wrong type; carries Go's text."""


class Member(NamedTuple):
    """A member to read: its place and Go type in refusals; `items` is the type of a list's items.

    Without `items` the member is a string.
    """

    place: str = ""
    type: str = "string"
    items: str | None = None


class _Object(list[tuple[str, Any]]):
    """The members of a JSON object in their order, repetitions included."""


def encode(value: JsonValue) -> bytes:
    """Write JSON as Go's `json.Marshal` does."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _SURROGATES.sub("\ufffd", text.translate(_GO_ESCAPES)).encode()


def find_fault(text: bytes) -> str | None:
    """Say why a text is not one JSON value in UTF-8, and where; None when it is one."""
    try:
        _VALIDATOR.decode(text.decode())
    except UnicodeDecodeError as error:
        return _undecodable(text, error.start)
    except ValueError as error:
        return str(error)
    except RecursionError:
        fault = find_syntax_fault(text)
        return None if fault is None else str(fault)
    return None


def _undecodable(text: bytes, at: int) -> str:
    """What the Java service says of a byte that is no UTF-8, at the start of all or behind it."""
    line, before = text.count(b"\n", 0, at) + 1, at - (text.rfind(b"\n", 0, at) + 1)
    place = f"\n at [Source: REDACTED ({_REDACTED}); line: {line}, column: "
    if text[:at].strip():
        return f"Invalid UTF-8 start byte 0x{text[at]:02x}{place}{before + 2}]"
    code = text[at]
    shown = f"(CTRL-CHAR, code {code})" if code < _FIRST_LATIN else f"'{chr(code)}' (code {code})"
    return f"Unexpected character ({shown}): {_EXPECTED}{place}{before + 1}]"


def decode_members(
    text: bytes, known: Mapping[str, Member], whole: str = ""
) -> dict[str, str | list[str]]:
    """Read the known members of a JSON object; absent ones are left out, null items become "".

    `whole` is the Go type of the object. Raises InvalidJson, for the first fault only.
    """
    try:
        document = _READER.decode(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise InvalidJson(str(find_syntax_fault(text) or error)) from error
    if document is None:
        return {}
    if not isinstance(document, _Object):
        raise InvalidJson(f"json: cannot unmarshal {_kind(document)} into Go value of type {whole}")
    found: dict[str, str | list[str]] = {}
    for name, value in document:
        folded = name.casefold()
        member = next((member for member in known if member.casefold() == folded), None)
        if member is not None and value is not None:
            found[member] = _checked(value, known[member])
        elif member is not None and known[member].items is not None:
            found.pop(member, None)
    return found


def decode_object(text: bytes) -> dict[str, Any]:
    """Read a whole JSON object as Go's decoder does; null counts as an empty one.

    Raises InvalidJson, for the first fault only.
    """
    try:
        document = _VALIDATOR.decode(text.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise InvalidJson(str(find_syntax_fault(text) or error)) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        go_type = "map[string]interface {}"
        raise InvalidJson(
            f"json: cannot unmarshal {_kind(document)} into Go value of type {go_type}"
        )
    return document


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_VALIDATOR = json.JSONDecoder(parse_int=float, parse_constant=_refuse)
"""Without hooks, for speed; `float` takes the numbers that are too long for `int`."""
_READER = json.JSONDecoder(object_pairs_hook=_Object, parse_int=float, parse_constant=_refuse)


def _checked(value: Any, member: Member) -> str | list[str]:
    wanted = str if member.items is None else list
    if not isinstance(value, wanted) or isinstance(value, _Object):
        raise _mismatch(value, member.place, member.type)
    if member.items is None:
        return str(value)
    for item in value:
        if not isinstance(item, str | None):
            raise _mismatch(item, member.place, member.items)
    return [item or "" for item in value]


def _mismatch(value: Any, place: str, go_type: str) -> InvalidJson:
    return InvalidJson(
        f"json: cannot unmarshal {_kind(value)} into Go struct field {place} of type {go_type}"
    )


def _kind(value: Any) -> str:
    kinds = {str: "string", bool: "bool", float: "number", list: "array", _Object: "object"}
    return kinds[type(value)]
