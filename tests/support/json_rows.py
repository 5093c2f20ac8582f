"""Values and their JSON: what AWS's client sends and reads, row by row. Needs no test library."""

from __future__ import annotations

from collections import OrderedDict, deque, namedtuple
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any, NamedTuple

from lambda_runtime.errors import MarshalFailed, UnmarshalFailed
from lambda_runtime.serialization import JsonCodec

Point = namedtuple("Point", ["x", "y"])  # noqa: PYI024  both kinds of named tuple are sent


class Row(NamedTuple):
    name: str
    point: object


class Record:
    def __init__(self, members: object) -> None:
        self._members = members

    def _asdict(self) -> object:
        return self._members


class Colour(StrEnum):
    RED = "red"


class Big(StrEnum):
    TEXT = "x" * 5000


class Level(IntEnum):
    HIGH = 3


class Plain(Enum):
    A = 1


class Money(Decimal):
    pass


class Celsius(float):
    pass


class Text(str):
    __slots__ = ()


class Table(dict[str, int]):
    pass


NAN, INF = float("nan"), float("inf")
LOOP_LIST: list[object] = []
LOOP_LIST.append(LOOP_LIST)
LOOP_DICT: dict[str, object] = {}
LOOP_DICT["deeper"] = [LOOP_DICT]
SHARED = [1]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


SPELLED: list[tuple[object, bytes]] = [
    (None, b"null"),
    (True, b"true"),
    (False, b"false"),
    (0, b"0"),
    (-7, b"-7"),
    (10**100, b"1" + b"0" * 100),
    (1.0, b"1.0"),
    (1e22, b"1e+22"),
    (0.1, b"0.1"),
    (NAN, b"NaN"),
    (INF, b"Infinity"),
    ([-INF, NAN], b"[-Infinity, NaN]"),
    ("", b'""'),
    ("a/b", b'"a/b"'),
    ("\u00a31 \u20ac \U0001f600", b'"\xc2\xa31 \xe2\x82\xac \xf0\x9f\x98\x80"'),
    ("\u2028\u2029\x7f", b'"\xe2\x80\xa8\xe2\x80\xa9\x7f"'),
    ('"\\\b\f\n\r\t\0\x1f', b'"\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f"'),
    ("\ud800", b'"\\ud800"'),
    ({"\udfff": "\u00a3\ud83d"}, b'{"\\udfff": "\xc2\xa3\\ud83d"}'),
    ([], b"[]"),
    ({}, b"{}"),
    ((1, 2), b"[1, 2]"),
    ([[], {}, ()], b"[[], {}, []]"),
    ({"a": 1, "b": [2, {"c": None}]}, b'{"a": 1, "b": [2, {"c": null}]}'),
    ([SHARED, SHARED, {"a": SHARED}], b'[[1], [1], {"a": [1]}]'),
    ({1: 1, 1.5: 2, None: 3, False: 4}, b'{"1": 1, "1.5": 2, "null": 3, "false": 4}'),
    ({1: "one"} | {True: "true"}, b'{"1": "true"}'),
    ({NAN: 1, INF: 2}, b'{"NaN": 1, "Infinity": 2}'),
    (OrderedDict(b=1, a=2), b'{"b": 1, "a": 2}'),
    (Table(a=1), b'{"a": 1}'),
    (Colour.RED, b'"red"'),
    ({Colour.RED: Colour.RED}, b'{"red": "red"}'),
    (
        {"big": Big.TEXT, "b": "y" * 5000},
        b'{"big": "' + b"x" * 5000 + b'", "b": "' + b"y" * 5000 + b'"}',
    ),
    (Level.HIGH, b"3"),
    ([Level.HIGH], b"[3]"),
    (Celsius(1.5), b"1.5"),
    (Text("t"), b'"t"'),
    (Decimal("1.10"), b"1.10"),
    (Decimal("1E+30"), b"1E+30"),
    (Decimal("3.14159"), b"3.14159"),
    (Decimal("Infinity"), b"Infinity"),
    (Decimal("-Infinity"), b"-Infinity"),
    ([Decimal("NaN"), Decimal("sNaN"), Decimal("-NaN")], b"[NaN, NaN, NaN]"),
    ({"a": [Decimal("0.10"), 0.1, 1]}, b'{"a": [0.10, 0.1, 1]}'),
    (Money("2.50"), b"2.50"),
    ([b"x\xc3\xa9"], b'["x\xc3\xa9"]'),
    ({"a": b"text"}, b'{"a": "text"}'),
    ({b"k": {b"\xc3\xa9": 1}}, b'{"k": {"\xc3\xa9": 1}}'),
    (Point(1, 2), b"[1, 2]"),
    ([Row("a", Point(0, b"z"))], b'[["a", [0, "z"]]]'),
    (Record({"r": 1}), b'{"r": 1}'),
    ([Record({})], b"[{}]"),
]

NAMED: list[tuple[object, bytes]] = [
    (Point(1, 2), b'{"x": 1, "y": 2}'),
    ([Point(1, Point(2, 3))], b'[{"x": 1, "y": {"x": 2, "y": 3}}]'),
    (
        {"rows": [Row("a", Point(0, b"z"))]},
        b'{"rows": [{"name": "a", "point": {"x": 0, "y": "z"}}]}',
    ),
    (
        {"text": "x" * 5000, "p": Point(1, 2)},
        b'{"text": "' + b"x" * 5000 + b'", "p": {"x": 1, "y": 2}}',
    ),
    (Record({"r": Point(1, 2)}), b'{"r": {"x": 1, "y": 2}}'),
    ({"a": (1, 2.5, None)}, b'{"a": [1, 2.5, null]}'),
]

DEEP = "maximum recursion depth exceeded while encoding a JSON object"
KEYS = "keys must be str, int, float, bool or None, not "
UTF_8 = "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
NO_JSON = "Object of type {} is not JSON serializable"

REFUSED: list[tuple[object, str]] = [
    ({1}, NO_JSON.format("set")),
    ({"a": [{1}]}, NO_JSON.format("set") + " (at $.a[0])"),
    (iter([]), NO_JSON.format("list_iterator")),
    ((value for value in [1]), NO_JSON.format("generator")),
    (deque(), NO_JSON.format("deque")),
    ({}.keys(), NO_JSON.format("dict_keys")),
    (datetime(2020, 1, 1, tzinfo=UTC), NO_JSON.format("datetime")),
    (Plain.A, NO_JSON.format("Plain")),
    (object(), NO_JSON.format("object")),
    (1j, NO_JSON.format("complex")),
    (int, NO_JSON.format("type")),
    (Point, NO_JSON.format("type")),
    ([Record], NO_JSON.format("type") + " (at $[0])"),
    ([bytearray(b"x")], NO_JSON.format("bytearray") + " (at $[0])"),
    ({"a": memoryview(b"x")}, NO_JSON.format("memoryview") + " (at $.a)"),
    ({"a b": [0, (1, {2: 1j})]}, NO_JSON.format("complex") + ' (at $["a b"][1][1][2])'),
    ([Record({"x": {1}})], NO_JSON.format("set") + " (at $[0].x)"),
    (Record([1]), "_asdict() must return a dict, not list"),
    ({(1,): 2}, KEYS + "tuple"),
    ({Decimal(1): 2}, KEYS + "Decimal"),
    ({"a": {frozenset(): 2}}, KEYS + "frozenset (at $.a)"),
    ([b"\xff"], UTF_8 + " (at $[0])"),
    ({b"\xff": 1}, UTF_8),
    (LOOP_LIST, "Circular reference detected (at $[0])"),
    (LOOP_DICT, "Circular reference detected (at $.deeper[0])"),
    (nested(100_000), DEEP),
    ([Decimal(1), nested(5_000)], DEEP),
]

DECODED: list[tuple[bytes, object]] = [
    (b"null", None),
    (b"-0", 0),
    (b"1e400", INF),
    (b"1.10", 1.1),
    (b"1" + b"0" * 100, 10**100),
    (b'"Gr\xc3\xbc\xc3\x9fe \\u00a3 \\ud83d\\ude00"', "Gr\u00fc\u00dfe \u00a3 \U0001f600"),
    (b'"\\ud800"', "\ud800"),
    (b'{"a": 1, "a": 2}', {"a": 2}),
    (b'{"b": 1, "a": [true, false, {}]}', {"b": 1, "a": [True, False, {}]}),
    (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    (b"\xef\xbb\xbf 1 ", 1),
    (b' \t\r\n{"a": 1}\r\n', {"a": 1}),
    (b"1 ", 1),
    (b"[" * 300 + b"]" * 300, nested(299)),
]

EXTRA = "Extra data: line 1 column 3 (char 2)"
NO_VALUE = "Expecting value: line 1 column 1 (char 0)"
NO_NAME = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"

MALFORMED: list[tuple[bytes, str]] = [
    (b"", NO_VALUE),
    (b"no", NO_VALUE),
    (b"nul", NO_VALUE),
    (b"-", NO_VALUE),
    (b"\n", "Expecting value: line 2 column 1 (char 1)"),
    (b"\xef\xbb\xbf", NO_VALUE),
    (b"{no", NO_NAME),
    (b"  {no", "Expecting property name enclosed in double quotes: line 1 column 4 (char 3)"),
    (b'{"a"}', "Expecting ':' delimiter: line 1 column 5 (char 4)"),
    (b"[1 2]", "Expecting ',' delimiter: line 1 column 4 (char 3)"),
    (b'"abc', "Unterminated string starting at: line 1 column 1 (char 0)"),
    (b'"a\nb"', "Invalid control character"),
    (b"1 2", EXTRA),
    (b"{}\0", EXTRA),
    (b"1\xc2\xa0", "Extra data: line 1 column 2 (char 1)"),
    (b"NaN", "NaN is not JSON"),
    (b"[Infinity]", "Infinity is not JSON"),
    (b'{"a": -Infinity}', "-Infinity is not JSON"),
    (b"\xff\xfe1\0", UTF_8),
    (
        b'"\xed\xa0\x80"',
        "'utf-8' codec can't decode byte 0xed in position 1: invalid continuation byte",
    ),
    (b"9" * 5000, "Exceeds the limit (4300 digits)"),
    (b"[" * 100_000, "maximum recursion depth exceeded"),
    (b'{"a":' * 100_000, "maximum recursion depth exceeded"),
]


def encoded(value: object) -> bytes:
    body, content_type = JsonCodec().encode(value)
    assert content_type == "application/json"
    return body


def why_refused(value: object) -> str:
    try:
        JsonCodec().encode(value)
    except MarshalFailed as refusal:
        return str(refusal).removeprefix("Unable to marshal response: ")
    return "not refused"


def why_malformed(body: bytes) -> str:
    try:
        JsonCodec().decode(memoryview(body), "application/json")
    except UnmarshalFailed as refusal:
        return str(refusal).removeprefix("Unable to unmarshal input: ")
    return "not refused"


def check_rows() -> int:
    """Every row of the four tables; how many there were."""
    for value, body in SPELLED:
        assert encoded(value) == body, body
    for value, message in REFUSED:
        assert why_refused(value) == message, message
    for body, event in DECODED:
        assert JsonCodec().decode(body, None) == event, body
    for body, message in MALFORMED:
        assert why_malformed(body).startswith(message), why_malformed(body)
    return len(SPELLED) + len(REFUSED) + len(DECODED) + len(MALFORMED)
