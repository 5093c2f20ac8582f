"""What the APIs inside an environment have in common: one call is one event and one answer.

Source of the texts: AWS's Runtime Interface Emulator.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lambda_runtime import contract
from rapid_mock.host.dispatch import Dispatch
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.json_text import encode
from rapid_mock.lifecycle.effects import Accepted, Message, Refused

JSON_TYPE = ("Content-Type", contract.CONTENT_TYPE_JSON)
_ACCEPTED = encode({"status": "OK"}) + b"\n"
_TOO_LARGE = f"Exceeded maximum allowed payload size ({contract.MAX_PAYLOAD_BYTES} bytes)."

Render = Callable[[Exchange, Message], None]


def refuse(exchange: Exchange, status: int, error_type: str, message: str) -> None:
    """Answer with an error; `errorMessage` comes first on the wire."""
    body = encode({"errorMessage": message, "errorType": error_type}) + b"\n"
    exchange.respond(status, [JSON_TYPE], body)


def render(exchange: Exchange, message: Message) -> None:
    """Answer with what every call can get: 202 `{"status":"OK"}`, or a refusal."""
    if isinstance(message, Refused):
        refuse(exchange, message.status, message.error_type, message.message)
    elif isinstance(message, Accepted):
        exchange.respond(202, [JSON_TYPE], _ACCEPTED)
    else:
        raise TypeError(f"{type(message).__name__} does not answer {exchange.request.path}")


def open_call(dispatch: Dispatch, exchange: Exchange, rendering: Render = render) -> int:
    """A number for the call, to be put into its event."""
    return dispatch.open_exchange(partial(rendering, exchange))


def open_poll(dispatch: Dispatch, exchange: Exchange, rendering: Render) -> int:
    """A number for a call that may wait for minutes: whose client's leaving must be told."""
    number = open_call(dispatch, exchange, rendering)
    exchange.survives_half_close = False
    exchange.on_disconnect = partial(dispatch.vanished, number)
    return number


class Call:
    """An endpoint that collects its body and gives the whole to one function.

    `truncated` is the answer (status, errorType, errorMessage) to a body that ends too early.
    """

    max_body = contract.MAX_PAYLOAD_BYTES

    def __init__(
        self,
        function: Callable[[Exchange, bytes], None],
        *,
        truncated: tuple[int, str, str] = (
            400,
            contract.ERROR_TRUNCATED_REQUEST,
            "HTTP request detected as truncated",
        ),
    ) -> None:
        self._function = function
        self._truncated = truncated

    def head(self, _exchange: Exchange) -> None:
        return None

    def complete(self, exchange: Exchange, body: bytes, _trailers: list[tuple[str, str]]) -> None:
        self._function(exchange, body)

    def too_large(self, exchange: Exchange) -> None:
        refuse(exchange, 413, contract.ERROR_REQUEST_TOO_LARGE, _TOO_LARGE)

    def truncated(self, exchange: Exchange) -> None:
        refuse(exchange, *self._truncated)
