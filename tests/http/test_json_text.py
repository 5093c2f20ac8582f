"""The expected texts are the answers of AWS's Runtime Interface Emulator to the same bodies."""

from __future__ import annotations

import pytest

from rapid_mock.http.json_syntax import MAX_DEPTH, find_syntax_fault
from rapid_mock.http.json_text import InvalidJson, Member, decode_members, encode, find_fault

EVENTS = {"events": Member(".RegisterRequest.events", "[]core.Event", "core.Event")}

FAULTS = [
    (b"", "unexpected end of JSON input"),
    (b" ", "unexpected end of JSON input"),
    (b'{"a"', "unexpected end of JSON input"),
    (b'{"a":', "unexpected end of JSON input"),
    (b'{"a":["b"', "unexpected end of JSON input"),
    (b'{"a":"abc', "unexpected end of JSON input"),
    (b"bad", "invalid character 'b' looking for beginning of value"),
    (b"NaN", "invalid character 'N' looking for beginning of value"),
    (b'{"a":}', "invalid character '}' looking for beginning of value"),
    (b'["a",]', "invalid character ']' looking for beginning of value"),
    (b"\xc3\xa9", "invalid character '\u00c3' looking for beginning of value"),
    (b'{"a":\x00}', "invalid character '\\x00' looking for beginning of value"),
    (b"\x80", "invalid character '\\u0080' looking for beginning of value"),
    (b'{"a":\'}', "invalid character '\\'' looking for beginning of value"),
    (b"\\", "invalid character '\\\\' looking for beginning of value"),
    (b"{bad", "invalid character 'b' looking for beginning of object key string"),
    (b'{"a":1,}', "invalid character '}' looking for beginning of object key string"),
    (b'{"a" "b"}', "invalid character '\"' after object key"),
    (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair"),
    (b'{"a":01}', "invalid character '1' after object key:value pair"),
    (b'["a" "b"]', "invalid character '\"' after array element"),
    (b"{} x", "invalid character 'x' after top-level value"),
    (b"tru}", "invalid character '}' in literal true (expecting 'e')"),
    (b"nuL", "invalid character 'L' in literal null (expecting 'l')"),
    (b"fals", "invalid character ' ' in literal false (expecting 'e')"),
    (b"-x", "invalid character 'x' in numeric literal"),
    (b"-Infinity", "invalid character 'I' in numeric literal"),
    (b"1.x", "invalid character 'x' after decimal point in numeric literal"),
    (b"1ex", "invalid character 'x' in exponent of numeric literal"),
    (b"1e+", "invalid character ' ' in exponent of numeric literal"),
    (b'"\\x"', "invalid character 'x' in string escape code"),
    (b'"\\', "invalid character ' ' in string escape code"),
    (b'"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"),
    (b'"\x01"', "invalid character '\\x01' in string literal"),
    (b'"\n"', "invalid character '\\n' in string literal"),
    (b"[" * (MAX_DEPTH + 1), "invalid character '[' exceeded max depth"),
]


@pytest.mark.parametrize(("text", "said"), FAULTS, ids=[repr(text[:12]) for text, _ in FAULTS])
def test_a_syntax_fault_is_worded_as_go_words_it(text: bytes, said: str) -> None:
    """The first byte that cannot be JSON is named with what was being read."""
    assert str(find_syntax_fault(text)) == said
    with pytest.raises(InvalidJson) as refusal:
        decode_members(text, EVENTS)
    assert str(refusal.value) == said


@pytest.mark.parametrize(
    "text",
    [
        b"null",
        b" {} ",
        b'{"a":[1,-2.5e+3,0,{"b":[]}],"c":"\\u00e9\\n\\/\xc3\xa9"}',
        b"[" * MAX_DEPTH + b"]" * MAX_DEPTH,
        b"9" * 5000,
        b"1e5000",
        b'"\xed\x9f\xbf\x7f"',
    ],
)
def test_json_has_no_fault(text: bytes) -> None:
    """Deep nesting and long numbers are JSON too."""
    assert find_syntax_fault(text) is None
    assert find_fault(text) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b'{\n "a": bad}', "Expecting value: line 2 column 7 (char 8)"),
        (b'{"a":-Infinity}', "-Infinity is not JSON"),
        (
            b'"\xc3\xa9\xff"',
            "Invalid UTF-8 start byte 0xff\n at [Source: REDACTED (`StreamReadFeature."
            "INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 5]",
        ),
    ],
    ids=["syntax", "constant", "utf-8"],
)
def test_a_fault_is_told_with_its_place(text: bytes, fault: str) -> None:
    """Whoever wrote the text is told what is wrong, and where to look."""
    assert find_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (b"[" * 5000, ("unexpected end of JSON input", "Expecting value: line 1 column 5001")),
        (
            b"[" * 5000 + b"x",
            (
                "invalid character 'x' looking for beginning of value",
                "Expecting value: line 1 column 5001",
            ),
        ),
    ],
    ids=["end", "syntax"],
)
def test_a_deep_fault_is_told(text: bytes, faults: tuple[str, str]) -> None:
    """Where `json` does not go that deep (it depends on Python's version) Go's words are used."""
    assert str(find_fault(text)).startswith(faults)


def test_text_is_written_as_go_writes_it() -> None:
    """Only `<`, `>`, `&`, two line separators and controls are escaped; there are no spaces."""
    text = '<a> & \u2028\u2029 \u00e9 \x7f \x01 \b\f\n\r\t " \\ / \ud800'
    assert encode({"b": text, "a": ["x"], "c": 1}) == (
        b'{"b":"\\u003ca\\u003e \\u0026 \\u2028\\u2029 \xc3\xa9 \x7f \\u0001 '
        b'\\b\\f\\n\\r\\t \\" \\\\ / \xef\xbf\xbd","a":["x"],"c":1}'
    )


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (b"null", {}),
        (b"{}", {}),
        (b'{"events":null}', {}),
        (b'{"other":[1],"events":["A"]}', {"events": ["A"]}),
        (b'{"EVENTS":["A"]}', {"events": ["A"]}),
        (b'{"event\xc5\xbf":["A"]}', {"events": ["A"]}),
        (b'{"events":["A"],"events":["B","C"]}', {"events": ["B", "C"]}),
        (b'{"events":["A"],"events":null}', {}),
        (b'{"events":[null]}', {"events": [""]}),
        (b'{"events":["\xff"]}', {"events": ["\ufffd"]}),
    ],
)
def test_known_members_are_read_as_go_reads_them(text: bytes, events: dict[str, list[str]]) -> None:
    """Names fit in any case, the last of several wins, null is nothing."""
    assert decode_members(text, EVENTS) == events


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[]", "json: cannot unmarshal array into Go value of type T"),
        (b'"s"', "json: cannot unmarshal string into Go value of type T"),
        (b"1", "json: cannot unmarshal number into Go value of type T"),
        (b"true", "json: cannot unmarshal bool into Go value of type T"),
        (
            b'{"events":"A"}',
            "json: cannot unmarshal string into Go struct field .RegisterRequest.events"
            " of type []core.Event",
        ),
        (
            b'{"events":{}}',
            "json: cannot unmarshal object into Go struct field .RegisterRequest.events"
            " of type []core.Event",
        ),
        (
            b'{"events":["A",1,true]}',
            "json: cannot unmarshal number into Go struct field .RegisterRequest.events"
            " of type core.Event",
        ),
        (
            b'{"events":[["A"]]}',
            "json: cannot unmarshal array into Go struct field .RegisterRequest.events"
            " of type core.Event",
        ),
    ],
)
def test_a_wrong_type_is_worded_as_go_words_it(text: bytes, said: str) -> None:
    """The first member of a wrong type is named with its place and Go type."""
    with pytest.raises(InvalidJson) as refusal:
        decode_members(text, EVENTS, "T")
    assert str(refusal.value) == said
