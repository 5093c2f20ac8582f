"""Codecs beside JSON by the standard library: orjson, raw bytes; and content types."""

from __future__ import annotations

import dataclasses
import json
import sys
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from lambda_runtime import JsonCodec, OrjsonCodec, RawCodec, Response
from lambda_runtime.errors import MarshalFailed, UnmarshalFailed
from lambda_runtime.streaming import encoded
from tests.support.json_rows import DECODED, MALFORMED, REFUSED, SPELLED
from tests.support.scripted_runtime_api import body_of, event, headers_of, run_runtime

MORE = ("datetime", "Plain")
"""What orjson knows and JSON does not."""


@dataclasses.dataclass
class Point:
    x: int


# --- orjson -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "body"), SPELLED, ids=lambda value: type(value).__name__)
def test_orjson_says_the_same(value: object, body: bytes) -> None:
    """What the default codec spells has the same meaning, but that NaN is null."""
    found, content_type = OrjsonCodec().encode(value)
    assert content_type == "application/json"
    assert json.loads(found) == json.loads(body, parse_constant=lambda _: None)


@pytest.mark.parametrize(("value", "message"), REFUSED, ids=lambda value: type(value).__name__)
def test_orjson_refuses_the_same(value: object, message: str) -> None:
    """With the same words and the same place; it knows datetimes and enums besides."""
    if type(value).__name__ in MORE:
        assert OrjsonCodec().encode(value)[0]
        return
    with pytest.raises(MarshalFailed) as refusal:
        OrjsonCodec().encode(value)
    assert str(refusal.value) == f"Unable to marshal response: {message}"


@pytest.mark.parametrize(("body", "value"), DECODED, ids=lambda value: repr(value)[:20])
def test_orjson_reads_the_same(body: bytes, value: object) -> None:
    """Integers beyond 64 bits are floats."""
    found = OrjsonCodec().decode(memoryview(body), "application/json")
    assert found == (float(value) if isinstance(value, int) and value >= 2**64 else value)


@pytest.mark.parametrize(
    ("body", "message"),
    [row for row in MALFORMED if not row[1].startswith("Exceeds the limit")],
    ids=lambda value: repr(value)[:20],
)
def test_orjson_complains_of_the_same(body: bytes, message: str) -> None:
    """With the same words; it has no limit of digits."""
    with pytest.raises(UnmarshalFailed) as refusal:
        OrjsonCodec().decode(memoryview(body), "application/json")
    assert str(refusal.value).startswith(f"Unable to unmarshal input: {message}")


def test_orjson_spells_more_and_keeps_digits() -> None:
    """Dataclasses, UUIDs and datetimes as they are; a Decimal by its digits; no blanks."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    value = {"p": Point(1), "u": uuid.UUID(int=1), "t": moment, "d": Decimal("1.10"), "b": b"x"}
    assert OrjsonCodec().encode(value)[0] == (
        b'{"p":{"x":1},"u":"00000000-0000-0000-0000-000000000001",'
        b'"t":"2026-01-02T00:00:00+00:00","d":1.10,"b":"x"}'
    )


def test_orjson_asks_a_default() -> None:
    """As the default codec does; a default that refuses, too, names the place."""
    codec = OrjsonCodec(default=lambda value: sorted(value) if isinstance(value, set) else 1 / 0)
    assert codec.encode([{2, 1}]) == (b"[[1,2]]", "application/json")
    with pytest.raises(ZeroDivisionError):
        codec.encode([1j])


def test_orjson_hands_bytes_on() -> None:
    """Bytes as a result are the body; an event of another type is bytes."""
    assert OrjsonCodec().encode(b"\0\xff") == (b"\0\xff", "application/unknown")
    assert OrjsonCodec().decode(memoryview(b"\xff"), "image/png") == b"\xff"


def test_without_orjson_there_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra's name is in the message."""
    monkeypatch.setitem(sys.modules, "orjson", None)
    with pytest.raises(ImportError, match=r"pip install 'lambda-runtime-sdk\[orjson\]'"):
        OrjsonCodec()


def test_orjson_serves_a_process(tmp_path: Path) -> None:
    """`use_codec(OrjsonCodec())` in the handler's module; without it orjson is not even loaded."""
    program = (
        "import sys\n"
        "from lambda_runtime import OrjsonCodec, use_codec\n"
        "use_codec(OrjsonCodec())\n"
        "def handler(event, context):\n"
        "    return {1} if event else {'event': event}\n"
    )
    (tmp_path / "app.py").write_text(program)
    good, bad = run_runtime(tmp_path, event(b"[ ]"), event(b"[[1]]")).posted
    assert body_of(good) == b'{"event":[]}'
    assert json.loads(body_of(bad))["errorType"] == "Runtime.MarshalError"
    plain = "import sys\ndef handler(event, context):\n    return 'orjson' in sys.modules\n"
    (tmp_path / "app.py").write_text(plain)
    [post] = run_runtime(tmp_path, event(b"1")).posted
    assert body_of(post) == b"false"


# --- Raw bytes and content types --------------------------------------------------------------


def test_raw_bytes_in_and_out(tmp_path: Path) -> None:
    """With RawCodec an event is its bytes whatever its type says, and a response is bytes."""
    program = (
        "from lambda_runtime import RawCodec, use_codec\n"
        "use_codec(RawCodec('image/png'))\n"
        "def handler(event, context):\n"
        "    return {'a': event} if event == b'bad' else event[::-1]\n"
    )
    (tmp_path / "app.py").write_text(program)
    kept, refused = run_runtime(tmp_path, event(b'{"\xff'), event(b"bad")).posted
    assert body_of(kept) == b'\xff"{'
    assert headers_of(kept)["content-type"] == "image/png"
    assert json.loads(body_of(refused))["errorMessage"] == (
        "Unable to marshal response: dict is neither bytes nor text"
    )


@pytest.mark.parametrize("text", ["Gr\u00fc\u00dfe", b"x", bytearray(b"x"), memoryview(b"x")])
def test_raw_codec_takes_text_and_bytes(text: object) -> None:
    """Text as UTF-8, anything like bytes as it is; as octets unless said otherwise."""
    body, content_type = RawCodec().encode(text)
    assert body == (text.encode() if isinstance(text, str) else b"x")
    assert content_type == "application/octet-stream"
    assert RawCodec().decode(memoryview(b"x"), "application/json") == b"x"


@pytest.mark.parametrize(
    ("response", "body", "content_type"),
    [
        (Response(b"\x89PNG", "image/png"), b"\x89PNG", "image/png"),
        (Response("<p>", "text/html"), b"<p>", "text/html"),
        (Response({"a": 1}, "application/problem+json"), b'{"a": 1}', "application/problem+json"),
        (Response({"a": 1}), b'{"a": 1}', "application/json"),
        (Response("text"), b'"text"', "application/json"),
        (Response(b"x"), b"x", "application/unknown"),
    ],
)
def test_response_with_a_content_type(response: Response, body: bytes, content_type: str) -> None:
    """Bytes and text are sent as they are under it, other values as the codec spells them."""
    assert encoded(response, JsonCodec()) == (body, content_type)


@pytest.mark.parametrize("form", ["def", "async def"])
def test_content_type_of_a_response_is_sent(tmp_path: Path, form: str) -> None:
    """With the content length, not as a stream."""
    program = (
        "from lambda_runtime import Response\n"
        f"{form} handler(event, context):\n    return Response(b'<p>', 'text/html')\n"
    )
    (tmp_path / "app.py").write_text(program)
    [post] = run_runtime(tmp_path, event(b"1")).posted
    assert body_of(post) == b"<p>"
    assert headers_of(post)["content-type"] == "text/html"
    assert headers_of(post)["content-length"] == "3"
