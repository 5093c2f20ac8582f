"""`POST .../response`: the environment hears of its head at once, and of its body at the end.

A streamed response goes to an invoker who takes streams as it arrives; the environment hears only
how it ended.
"""

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
from rapid_mock.service.requests import ChunkTaker

SMALL_BYTES = 4096
_RESPONSE_MODE = contract.HEADER_RESPONSE_MODE.lower()
_ERROR_TYPE = contract.HEADER_ERROR_TYPE.lower()
_ERROR_BODY = contract.HEADER_ERROR_BODY.lower()
_INVOCATION_ID = contract.HEADER_INVOCATION_ID.lower()


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
        invocation_id = headers.get(_INVOCATION_ID)
        self._dispatch.dispatch(RuntimeResponseBegun(number, request_id, mode, invocation_id))
        if not self._dispatch.is_open(number):
            return None
        content_type = headers.get("content-type")
        report = _Report(self._dispatch, number, request_id, content_type)
        taker = self._dispatch.taker(request_id) if mode is not None else None
        if taker is not None:
            taker.begin(report.content_type, exchange)
            return StreamedResponse(report, taker)
        body = CollectedResponse(report)
        body.expect(int(headers.get("content-length", "0")))
        return body

    def complete(self, exchange: Exchange, body: bytes, trailers: list[tuple[str, str]]) -> None:
        """Never called: an accepted response has a sink, a refused one is answered."""

    def too_large(self, exchange: Exchange) -> None:
        """Never called: there is no limit here."""

    def truncated(self, exchange: Exchange) -> None:
        """Never called, as `complete`."""


class _Report:
    """Tells the environment how the body of one accepted response ended."""

    __slots__ = ("_dispatch", "_exchange", "_request_id", "content_type")

    def __init__(
        self, dispatch: Dispatch, exchange: int, request_id: str, content_type: str | None
    ) -> None:
        self._dispatch = dispatch
        self._exchange = exchange
        self._request_id = request_id
        self.content_type = content_type and decode_header(content_type)

    def complete(self, payload: bytes, size: int, trailers: list[tuple[str, str]]) -> None:
        error_type, error_body = _trailing_error(dict(reversed(trailers)))
        self._ended(payload, Ending.COMPLETE, error_type, error_body, size=size)

    def truncated(self, payload: bytes) -> None:
        self._ended(payload, Ending.TRUNCATED)

    def oversized(self, limit: int) -> None:
        self._ended(b"", Ending.OVERSIZED, limit=limit)

    def _ended(
        self,
        payload: bytes,
        ending: Ending,
        error_type: str | None = None,
        error_body: bytes | None = None,
        limit: int = contract.MAX_PAYLOAD_BYTES,
        size: int = 0,
    ) -> None:
        self._dispatch.dispatch(
            RuntimeResponseEnded(
                self._exchange,
                self._request_id,
                payload,
                self.content_type,
                ending,
                error_type,
                error_body,
                limit,
                size,
            )
        )


class CollectedResponse:
    """Collects the body of an accepted response, up to the limit of a buffered one."""

    def __init__(self, report: _Report) -> None:
        self._report = report
        self._chunks: list[bytes | bytearray] = []
        self._size = 0

    def expect(self, size: int) -> None:
        """Refuse a body that says in advance that it is too large."""
        if size > contract.MAX_PAYLOAD_BYTES:
            self._report.oversized(contract.MAX_PAYLOAD_BYTES)

    def data(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > contract.MAX_PAYLOAD_BYTES:
            self._chunks.clear()
            self._report.oversized(contract.MAX_PAYLOAD_BYTES)
        elif not self._chunks or len(data) >= SMALL_BYTES:
            self._chunks.append(data)
        else:
            self._append_small(data)

    def _append_small(self, data: bytes) -> None:
        """Millions of chunks of a byte each would take a hundred times their size."""
        last = self._chunks[-1]
        if isinstance(last, bytearray):
            last += data
        else:
            self._chunks.append(bytearray(data))

    def end(self, trailers: list[tuple[str, str]]) -> None:
        self._report.complete(b"".join(self._chunks), self._size, trailers)

    def truncated(self) -> None:
        self._report.truncated(b"".join(self._chunks))


class StreamedResponse:
    """Hands the body of an accepted response on, up to the limit of a streamed one."""

    def __init__(self, report: _Report, taker: ChunkTaker) -> None:
        self._report = report
        self._taker = taker
        self._size = 0

    def data(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > contract.MAX_STREAM_BYTES:
            self._report.oversized(contract.MAX_STREAM_BYTES)
        else:
            self._taker.write(data)

    def end(self, trailers: list[tuple[str, str]]) -> None:
        self._report.complete(b"", self._size, trailers)

    def truncated(self) -> None:
        self._report.truncated(b"")


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
