"""Event bytes to an object, a handler's result to response bytes: JSON as AWS's client does it.

NaN is refused on the way in and passed on the way out; a Decimal keeps its digits; nested bytes are
text; bytes as the whole result are sent as they are. Text is sent as UTF-8, not escaped, as AWS
does from Python 3.12 on.
"""

from __future__ import annotations

from lambda_runtime import contract
from lambda_runtime.errors import MarshalFailed, UnmarshalFailed

try:
    from lambda_runtime.quick_json import dump, load
except (ImportError, TypeError):  # an interpreter without, or with another, private `_json`
    from lambda_runtime.plain_json import dump, load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Codec(Protocol):
        """What reads events and spells results."""

        def decode(self, body: memoryview | bytes, content_type: str | None) -> Any: ...

        def encode(self, result: object) -> tuple[bytes, str]: ...

else:
    Codec = object


class JsonCodec:
    """The default codec; `decode` and `encode` are what another one has to offer."""

    def decode(self, body: memoryview | bytes, content_type: str | None) -> Any:
        """JSON unless the invoker named another type: then the bytes as they came.

        Raises UnmarshalFailed.
        """
        if content_type is not None and not _is_json(content_type):
            return bytes(body)
        try:
            return load(str(body, "utf-8"))
        except (ValueError, RecursionError) as error:
            raise UnmarshalFailed(f"Unable to unmarshal input: {error}") from None

    def encode(self, result: object) -> tuple[bytes, str]:
        """The response body and its content type. Raises MarshalFailed."""
        if isinstance(result, (bytes, bytearray, memoryview)):
            return bytes(result), contract.CONTENT_TYPE_UNKNOWN
        try:
            return _utf8(dump(result)), contract.CONTENT_TYPE_JSON
        except (TypeError, ValueError, RecursionError):
            return _encode_plainly(result), contract.CONTENT_TYPE_JSON


def _encode_plainly(result: object) -> bytes:
    """What the quick encoder refuses: Decimal, bytes, `_asdict()`; the rest with a good reason."""
    from lambda_runtime.plain_json import dump as dump_plainly

    try:
        return _utf8(dump_plainly(result))
    except RecursionError:
        why = "maximum recursion depth exceeded while encoding a JSON object"
        raise MarshalFailed(f"Unable to marshal response: {why}") from None
    except (TypeError, ValueError) as error:
        raise MarshalFailed(f"Unable to marshal response: {error}") from None


def _utf8(text: str) -> bytes:
    """UTF-8; a lone surrogate, always inside a JSON string, becomes its JSON escape."""
    return text.encode("utf-8", "backslashreplace")


def _is_json(content_type: str) -> bool:
    if content_type == contract.CONTENT_TYPE_JSON:
        return True
    return content_type.partition(";")[0].strip().lower() in (contract.CONTENT_TYPE_JSON, "")
