"""Events and responses as JSON: the same by CPython's private `_json` and by the public `json`."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambda_runtime import plain_json, quick_json, serialization
from lambda_runtime.quick_json import BIG_TEXT, quote_big_text
from lambda_runtime.serialization import JsonCodec
from tests.support.json_rows import (
    DECODED,
    MALFORMED,
    NAMED,
    REFUSED,
    SPELLED,
    encoded,
    why_malformed,
    why_refused,
)
from tests.support.scripted_runtime_api import ROOT

JSON_TEXT = st.text(st.characters(exclude_categories=[]))
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | JSON_TEXT,
    lambda values: st.lists(values) | st.dictionaries(JSON_TEXT, values),
)


@pytest.fixture(params=[quick_json, plain_json], ids=["quick", "plain"])
def _each_json(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serialization, "dump", request.param.dump)
    monkeypatch.setattr(serialization, "load", request.param.load)


each_json = pytest.mark.usefixtures("_each_json")


def label(value: object) -> str:
    return type(value).__name__


@each_json
@pytest.mark.parametrize(("value", "body"), SPELLED, ids=label)
def test_results_are_spelled_as_awss_client_does(value: object, body: bytes) -> None:
    """Separators `, ` and `: `, UTF-8, digits of a Decimal, NaN; named tuples are arrays."""
    assert encoded(value) == body


@each_json
@pytest.mark.parametrize(("value", "body"), NAMED, ids=label)
def test_named_tuples_are_objects_when_asked(value: object, body: bytes) -> None:
    """`named_tuples=True` spells them as AWS's client does."""
    assert JsonCodec(named_tuples=True).encode(value) == (body, "application/json")


@each_json
def test_a_default_makes_json_of_what_is_none() -> None:
    """It is asked for each value that JSON does not know; what it returns is spelled in turn."""
    codec = JsonCodec(default=lambda value: sorted(value) if isinstance(value, set) else str(value))
    assert codec.encode({"s": {2, 1}, "d": Decimal(1), "c": 1j})[0] == (
        b'{"s": [1, 2], "d": 1, "c": "1j"}'
    )


@each_json
@pytest.mark.parametrize(("value", "message"), REFUSED, ids=label)
def test_what_is_no_json_is_a_marshal_error(value: object, message: str) -> None:
    """The message names the type, the key's type, the byte or the circle."""
    assert why_refused(value) == message


@each_json
@pytest.mark.parametrize(("body", "event"), DECODED, ids=lambda value: repr(value)[:20])
def test_events_are_read(body: bytes, event: object) -> None:
    """One JSON value in UTF-8, with a byte order mark and blanks around it or not."""
    found = JsonCodec().decode(memoryview(body), "application/json")
    assert found == event
    assert type(found) is type(event)


@each_json
@pytest.mark.parametrize(("body", "message"), MALFORMED, ids=lambda value: repr(value)[:20])
def test_what_is_no_event_is_an_unmarshal_error(body: bytes, message: str) -> None:
    """The message is the standard library's, with line and column."""
    assert why_malformed(body).startswith(message)


@each_json
def test_a_negative_nan_is_nan() -> None:
    """JSON has no NaN, Python's reader knows one of them."""
    assert math.isnan(json.loads(encoded(Decimal("-NaN"))))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_as_a_result_are_the_body(kind: Callable[[bytes], object]) -> None:
    """Under `application/unknown`, as AWS's client sends bytes."""
    assert JsonCodec().encode(kind(b"\0\xff")) == (b"\0\xff", "application/unknown")


@pytest.mark.parametrize(
    ("content_type", "event"),
    [
        (None, {}),
        ("application/json", {}),
        ("Application/Json ; charset=utf-8", {}),
        ("application/jsonl", b"{}"),
        ("text/json", b"{}"),
        ("application/octet-stream", b"{}"),
    ],
)
def test_only_json_is_read(content_type: str | None, event: object) -> None:
    """Any other content type hands the event over as bytes of its own."""
    assert JsonCodec().decode(memoryview(b"{}"), content_type) == event


@pytest.mark.parametrize("hidden", ["_json", ""])
def test_without_the_private_module_nothing_changes(hidden: str) -> None:
    """An interpreter without `_json` gives every answer of the tables, by `plain_json`."""
    program = (
        "import sys\n"
        "if sys.argv[1]: sys.modules[sys.argv[1]] = None\n"
        "from tests.support.json_rows import check_rows\n"
        "from lambda_runtime.serialization import dump\n"
        "print(dump.__module__, check_rows())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, hidden],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    used = "plain_json" if hidden else "quick_json"
    rows = len(SPELLED) + len(REFUSED) + len(DECODED) + len(MALFORMED)
    assert (done.stdout, done.stderr) == (f"lambda_runtime.{used} {rows}\n", "")


def test_another_private_module_is_not_used() -> None:
    """Where `_json` takes other arguments, the public module serves."""
    program = (
        "import _json\n"
        "_json.make_encoder = lambda: None\n"
        "from lambda_runtime.serialization import JsonCodec, dump\n"
        "print(dump.__module__, JsonCodec().encode({'a': 1}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout == "lambda_runtime.plain_json (b'{\"a\": 1}', 'application/json')\n"


@each_json
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON_VALUES)
def test_whatever_json_can_spell_is_spelled_like_json(value: object) -> None:
    """As `json.dumps` with raw text, surrogates escaped."""
    expected = json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")
    assert encoded(value) == expected


@each_json
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON_VALUES.filter(lambda value: "nan" not in repr(value) and "inf" not in repr(value)))
def test_what_was_sent_can_be_read(value: object) -> None:
    """Our own output is an event again."""
    assert JsonCodec().decode(encoded(value), None) == value


@given(st.text(st.characters(exclude_categories=[])), st.sampled_from(["", "x", "\u00e9", '"']))
def test_big_text_is_quoted_like_any_text(text: str, filling: str) -> None:
    """The short cut for long strings spells what `json.dumps` spells."""
    big = filling * (BIG_TEXT + 1) + text
    assert quote_big_text(big) == json.dumps(big, ensure_ascii=False)
    assert quote_big_text(text) == json.dumps(text, ensure_ascii=False)


@pytest.mark.parametrize("character", [chr(code) for code in range(128)], ids=repr)
def test_every_ascii_character_in_big_text(character: str) -> None:
    """Control characters, quotes and backslashes are escaped wherever they are."""
    for big in (character + "x" * 5000, "x" * 5000 + character):
        assert encoded({"big": big}) == json.dumps({"big": big}, ensure_ascii=False).encode()


def test_the_bare_path_loads_no_json() -> None:
    """Events with blanks around them and plain results need neither json nor re."""
    program = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from lambda_runtime.serialization import JsonCodec\n"
        'event = JsonCodec().decode(b\' {"a": [1, "\\u00e9"]}\\n\', None)\n'
        "JsonCodec().encode({'text': 'x' * 10000, 'e': event})\n"
        "print(sorted({'json', 're', 'enum', 'decimal'} & (set(sys.modules) - before)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert done.stdout == "[]\n"
