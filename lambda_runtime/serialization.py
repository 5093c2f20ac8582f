"""Event bytes to an object, a handler's result to response bytes: JSON as AWS's client does it.

NaN is refused on the way in and passed on the way out; a Decimal keeps its digits; nested bytes are
text; bytes as the whole result are sent as they are. Two things differ: text is sent as UTF-8, not
escaped, as AWS does from Python 3.12 on; and a named tuple is an array, as with `json`, where AWS's
client makes it an object (`JsonCodec(named_tuples=True)`).
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
    from collections.abc import Callable
    from typing import Any, Protocol

    class Codec(Protocol):
        """What reads events and spells results."""

        def decode(self, body: memoryview | bytes, content_type: str | None) -> Any: ...

        def encode(self, result: object) -> tuple[bytes, str]: ...

else:
    Codec = object


class JsonCodec:
    """The default codec; `decode` and `encode` are what another one has to offer.

    `default(value)` makes JSON of a value that is none, as `json.dumps` has it. With `named_tuples`
    they are sent as objects, as AWS's client does; otherwise as arrays, as `json` does. Either
    option costs speed: JSON is then spelled in Python where it would be refused, or always.
    """

    def __init__(
        self,
        *,
        default: Callable[[object], object] | None = None,
        named_tuples: bool = False,
    ) -> None:
        self._default = default
        self._named_tuples = named_tuples

    def decode(self, body: memoryview | bytes, content_type: str | None) -> Any:
        """JSON unless the invoker named another type: then the bytes as they came.

        Raises UnmarshalFailed.
        """
        if content_type is not None and not is_json(content_type):
            return bytes(body)
        try:
            return load(str(body, "utf-8"))
        except (ValueError, RecursionError) as error:
            raise UnmarshalFailed(f"Unable to unmarshal input: {error}") from None

    def encode(self, result: object) -> tuple[bytes, str]:
        """The response body and its content type. Raises MarshalFailed."""
        if isinstance(result, (bytes, bytearray, memoryview)):
            return bytes(result), contract.CONTENT_TYPE_UNKNOWN
        if not self._named_tuples:
            try:
                return _utf8(dump(result)), contract.CONTENT_TYPE_JSON
            except (TypeError, ValueError, RecursionError):
                pass
        return self._encode_plainly(result), contract.CONTENT_TYPE_JSON

    def _encode_plainly(self, result: object) -> bytes:
        """What the quick encoder refuses: Decimal, bytes, `_asdict()`; else a good reason."""
        from lambda_runtime.plain_json import dump as dump_plainly
        from lambda_runtime.plain_json import place_of

        try:
            text = dump_plainly(result, default=self._default, named_tuples=self._named_tuples)
        except RecursionError:
            why = "maximum recursion depth exceeded while encoding a JSON object"
            raise MarshalFailed(f"Unable to marshal response: {why}") from None
        except (TypeError, ValueError) as error:
            text = f"Unable to marshal response: {error}{place_of(error)}"
            raise MarshalFailed(text) from None
        return _utf8(text)


def _utf8(text: str) -> bytes:
    """UTF-8; a lone surrogate, always inside a JSON string, becomes its JSON escape."""
    return text.encode("utf-8", "backslashreplace")


def is_json(content_type: str) -> bool:
    """Whether an event of this type is JSON; an empty one counts as such."""
    if content_type == contract.CONTENT_TYPE_JSON:
        return True
    return content_type.partition(";")[0].strip().lower() in (contract.CONTENT_TYPE_JSON, "")
