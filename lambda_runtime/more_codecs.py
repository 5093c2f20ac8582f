"""Codecs beside `JsonCodec`: JSON by orjson, and bytes as they are."""

from __future__ import annotations

import sys

from lambda_runtime import contract
from lambda_runtime.errors import MarshalFailed
from lambda_runtime.serialization import JsonCodec, is_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class OrjsonCodec:
    """JSON by orjson (`pip install 'lambda-runtime-sdk[orjson]'`), several times as fast.

    It accepts and refuses what `JsonCodec` does, with its messages; on top of that it spells
    dataclasses, datetimes, UUIDs and enums. Output differs: no blanks, and NaN is null. An integer
    of an event that does not fit 64 bits becomes a float. `default` as for `JsonCodec`.
    """

    def __init__(self, *, default: Callable[[object], object] | None = None) -> None:
        try:
            import orjson
        except ImportError as error:
            text = "OrjsonCodec needs orjson: pip install 'lambda-runtime-sdk[orjson]'"
            raise ImportError(text) from error
        self._load, self._dump = orjson.loads, orjson.dumps
        self._fragment = orjson.Fragment
        self._default = default
        self._plain = JsonCodec(default=default)

    def decode(self, body: memoryview | bytes, content_type: str | None) -> Any:
        """As `JsonCodec.decode`."""
        if content_type is None or is_json(content_type):
            try:
                return self._load(body)
            except ValueError:
                pass  # a byte order mark, or a good reason
        return self._plain.decode(body, content_type)

    def encode(self, result: object) -> tuple[bytes, str]:
        """As `JsonCodec.encode`."""
        if not isinstance(result, (bytes, bytearray, memoryview)):
            try:
                return self._dump(result, self._of_other), contract.CONTENT_TYPE_JSON
            except TypeError:
                pass  # a large integer, a key that is no text, or a good reason
        return self._plain.encode(result)

    def _of_other(self, value: Any) -> object:
        """JSON of what orjson does not know."""
        if isinstance(value, bytes):
            return value.decode()
        decimal = sys.modules.get("decimal")
        if decimal is not None and isinstance(value, decimal.Decimal):
            return self._fragment(str(value)) if value.is_finite() else None
        if isinstance(value, tuple):
            return list(value)
        if not isinstance(value, type) and callable(getattr(value, "_asdict", None)):
            members = value._asdict()
            if isinstance(members, dict):
                return members
        elif self._default is not None:
            return self._default(value)
        raise TypeError  # whereupon the default codec says why


class RawCodec:
    """No codec: events are bytes, whatever their type, and so are responses; text is UTF-8.

    `content_type` is what responses are sent with; see `Response` for one of its own.
    """

    def __init__(self, content_type: str = contract.CONTENT_TYPE_BYTES) -> None:
        self._content_type = content_type

    def decode(self, body: memoryview | bytes, content_type: str | None) -> bytes:  # noqa: ARG002  whatever it is
        """The bytes of the event, for keeps."""
        return bytes(body)

    def encode(self, result: object) -> tuple[bytes, str]:
        """The body and its content type. Raises MarshalFailed but for bytes and text."""
        if isinstance(result, str):
            return result.encode("utf-8", "replace"), self._content_type
        if isinstance(result, (bytes, bytearray, memoryview)):
            return bytes(result), self._content_type
        kind = type(result).__name__
        raise MarshalFailed(f"Unable to marshal response: {kind} is neither bytes nor text")
