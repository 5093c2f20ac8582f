"""What a function answered through its URL as an HTTP response: a result, or the head of a stream.

Source: "Invoking Lambda function URLs", Lambda Developer Guide; results of other shapes as recorded
from AWS.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NamedTuple

from lambda_runtime import contract

PRELUDE_END = b"\0" * 8
MAX_PRELUDE_BYTES = 16 * 1024
"""The prelude and its end must be within so many bytes (API Gateway's limit)."""
_OWN = frozenset({"connection", "content-length", "date", "transfer-encoding", "keep-alive"})


class MalformedResponse(Exception):
    """Raised for a result that is no HTTP response: the caller gets 502, the developer its text."""


class HttpAnswer(NamedTuple):
    """Status, headers, body; of a stream the body's beginning."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def buffered_answer(payload: bytes) -> HttpAnswer:
    """The answer that a result means; raises MalformedResponse."""
    try:
        result = json.loads(payload)
    except ValueError as error:
        if PRELUDE_END in payload:
            raise MalformedResponse(
                "it is a stream, and the URL's InvokeMode is BUFFERED"
            ) from error
        head = "it is no JSON" if payload else "it is a stream whose head is no JSON object"
        raise MalformedResponse(head) from error
    if isinstance(result, dict) and ("statusCode" in result or result.keys() == {"body"}):
        return _head(result, _result_body(result), contract.CONTENT_TYPE_JSON)
    text = result if isinstance(result, str) else _compact(result)
    return HttpAnswer(200, [("Content-Type", contract.CONTENT_TYPE_JSON)], text.encode())


def streamed_head(prelude: bytes) -> HttpAnswer:
    """The head that a stream's JSON prelude says; raises MalformedResponse."""
    try:
        said = json.loads(prelude)
    except ValueError as error:
        raise MalformedResponse("its head is no JSON") from error
    if not isinstance(said, dict):
        raise MalformedResponse("its head is no JSON object")
    return _head(said, b"", contract.CONTENT_TYPE_BYTES)


def _head(said: dict[str, Any], body: bytes, content_type: str) -> HttpAnswer:
    headers = said.get("headers") or {}
    cookies = said.get("cookies") or []
    if not isinstance(headers, dict) or not isinstance(cookies, list):
        raise MalformedResponse("headers must be an object and cookies a list")
    pairs = [(name, _header(value)) for name, value in headers.items() if name.lower() not in _OWN]
    if not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", content_type))
    pairs += [("Set-Cookie", _header(cookie)) for cookie in cookies]
    return HttpAnswer(_status(said.get("statusCode", 200)), pairs, body)


def _status(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 200 <= value <= 599:
        raise MalformedResponse(f"statusCode is {json.dumps(value)}")
    return value


def _header(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise MalformedResponse(f"a header, or a cookie, is {json.dumps(value)}")


def _result_body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise MalformedResponse("body is no text")
    if not result.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedResponse("body is no base64") from error


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
