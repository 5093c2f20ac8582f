"""`POST .../response`: the environment hears of its head at once, and of its body at the end."""

from __future__ import annotations

import base64
import binascii
import sys

from lambda_runtime import contract
from rapid_mock.host.dispatch import Dispatch
from rapid_mock.http.calls import open_call
from rapid_mock.http.exchange import BodySink, Exchange
from rapid_mock.http.header_text import decode_header
from rapid_mock.http.reported_errors import filter_error_type
from rapid_mock.lifecycle.events import Ending, RuntimeResponseBegun, RuntimeResponseEnded

_RESPONSE_MODE = contract.HEADER_RESPONSE_MODE.lower()
_ERROR_TYPE = contract.HEADER_ERROR_TYPE.lower()
_ERROR_BODY = contract.HEADER_ERROR_BODY.lower()


class RuntimeResponse:
    """The endpoint; its bodies count themselves, as an oversized one is the environment's news."""

    max_body = sys.maxsize

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    def head(self, exchange: Exchange) -> BodySink | None:
        """Ask whether this response may come; after a refusal the body is discarded."""
        headers = exchange.request.headers
        request_id = exchange.request.params["request_id"]
        number = open_call(self._dispatch, exchange)
        mode = headers.get(_RESPONSE_MODE) or None
        self._dispatch.dispatch(RuntimeResponseBegun(number, request_id, mode))
        if not self._dispatch.is_open(number):
            return None
        body = CollectedResponse(self._dispatch, number, request_id, headers.get("content-type"))
        body.expect(int(headers.get("content-length", "0")))
        return body

    def complete(self, exchange: Exchange, body: bytes, trailers: list[tuple[str, str]]) -> None:
        """Never called: an accepted response has a sink, a refused one is answered."""

    def too_large(self, exchange: Exchange) -> None:
        """Never called: there is no limit here."""

    def truncated(self, exchange: Exchange) -> None:
        """Never called, as `complete`."""


class CollectedResponse:
    """Collects the body of an accepted response, up to the limit of a buffered one."""

    def __init__(
        self, dispatch: Dispatch, exchange: int, request_id: str, content_type: str | None
    ) -> None:
        self._dispatch = dispatch
        self._exchange = exchange
        self._request_id = request_id
        self._content_type = content_type and decode_header(content_type)
        self._chunks: list[bytes] = []
        self._size = 0

    def expect(self, size: int) -> None:
        """Refuse a body that says in advance that it is too large."""
        if size > contract.MAX_PAYLOAD_BYTES:
            self._ended(Ending.OVERSIZED)

    def data(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > contract.MAX_PAYLOAD_BYTES:
            self._chunks.clear()
            self._ended(Ending.OVERSIZED)
        else:
            self._chunks.append(data)

    def end(self, trailers: list[tuple[str, str]]) -> None:
        self._ended(Ending.COMPLETE, dict(reversed(trailers)))

    def truncated(self) -> None:
        self._ended(Ending.TRUNCATED)

    def _ended(self, ending: Ending, trailers: dict[str, str] | None = None) -> None:
        error_type, error_body = _trailing_error(trailers or {})
        self._dispatch.dispatch(
            RuntimeResponseEnded(
                self._exchange,
                self._request_id,
                b"".join(self._chunks),
                self._content_type,
                ending,
                error_type,
                error_body,
            )
        )


def _trailing_error(trailers: dict[str, str]) -> tuple[str | None, bytes | None]:
    """The error that a streaming response ended with; a body that is not base64 is no body."""
    error_type = trailers.get(_ERROR_TYPE)
    if not error_type:
        return None, None
    try:
        body = base64.b64decode(trailers.get(_ERROR_BODY, ""), validate=True) or None
    except (binascii.Error, ValueError):
        body = None
    return filter_error_type(decode_header(error_type)), body
