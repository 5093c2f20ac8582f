"""A streamed response through a Function URL: the prelude becomes the head, the rest flows on.

Source: "Response streaming for Lambda functions", Lambda Developer Guide.
"""

from __future__ import annotations

from collections.abc import Callable

from lambda_runtime import contract
from rapid_mock.errors import ServiceError
from rapid_mock.http.exchange import Exchange, Headers, ResponseWriter
from rapid_mock.http.url_response import (
    MAX_PRELUDE_BYTES,
    PRELUDE_END,
    HttpAnswer,
    MalformedResponse,
    streamed_head,
)
from rapid_mock.service.requests import Flow, InvokeAnswer

_LIKE_A_RESULT = b'{"statusCode"'


class UrlStream:
    """Takes one invocation's stream; a slow client holds it back, one that left does not."""

    def __init__(self, exchange: Exchange, added: Headers, explain: Callable[[str], None]) -> None:
        self._exchange = exchange
        self._added = added
        self._explain = explain
        self._flow: Flow | None = None
        self._prelude: bytes | None = None
        self._is_malformed = False
        self._writer: ResponseWriter | None = None

    def open(self, _version: str) -> UrlStream:
        """The taker of a stream that begins now."""
        return self

    def begin(self, content_type: str | None, flow: Flow) -> None:
        self._flow = flow
        if content_type == contract.CONTENT_TYPE_HTTP_INTEGRATION:
            self._prelude = b""
        else:
            kind = content_type or contract.CONTENT_TYPE_BYTES
            self._start(HttpAnswer(200, [("Content-Type", kind)], b""))

    def write(self, data: bytes) -> None:
        if self._prelude is not None:
            self._prelude += data
            data = self._take_prelude()
        if data and self._writer is not None and not self._exchange.is_over:
            self._writer.write(data)

    def answered(self, answer: InvokeAnswer | ServiceError) -> bool:
        """The end of the stream; False when nothing has been answered and somebody must."""
        if self._flow is None:
            return self._answer_whole(answer)
        if self._writer is None:
            return False  # it ended within its prelude, or that was none
        if not self._exchange.is_over:
            if isinstance(answer, ServiceError) or answer.function_error is not None:
                self._writer.abort()  # a client must not take it for complete
            else:
                self._writer.close()
        return True

    def _answer_whole(self, answer: InvokeAnswer | ServiceError) -> bool:
        """A function that did not stream; its payload is the body as it stands."""
        if isinstance(answer, ServiceError) or answer.function_error is not None:
            return False
        body, kind = answer.payload, answer.content_type or contract.CONTENT_TYPE_BYTES
        if kind == contract.CONTENT_TYPE_HTTP_INTEGRATION:
            prelude, _, body = body.partition(PRELUDE_END)
            try:
                head = streamed_head(prelude)
            except MalformedResponse:
                return False
        else:
            head = HttpAnswer(200, [("Content-Type", kind)], b"")
            if body.lstrip().startswith(_LIKE_A_RESULT):
                self._explain(
                    "it is one JSON object, sent as it is: the URL's InvokeMode is "
                    "RESPONSE_STREAM, and the function does not stream"
                )
        respond(self._exchange, head._replace(body=body), self._added)
        return True

    def _take_prelude(self) -> bytes:
        """Look for the prelude's end; what follows it is the body's beginning."""
        assert self._prelude is not None  # noqa: S101  the caller has looked
        prelude, found, rest = self._prelude.partition(PRELUDE_END)
        if self._is_malformed or (not found and len(prelude) < MAX_PRELUDE_BYTES):
            return b""
        try:
            head = streamed_head(prelude)
        except MalformedResponse:
            self._is_malformed, self._prelude = True, b""
            return b""
        self._prelude = None
        self._start(head)
        return rest

    def _start(self, head: HttpAnswer) -> None:
        headers = [*_own_headers(head.headers, self._added), *self._added]
        self._writer = writer = self._exchange.start_response(head.status, headers)
        flow = self._flow
        assert flow is not None  # noqa: S101  `begin` has set it
        writer.on_pause = flow.pause_reading
        writer.on_resume = self._exchange.on_disconnect = flow.resume_reading
        if writer.is_paused:
            flow.pause_reading()


def respond(exchange: Exchange, answer: HttpAnswer, added: Headers) -> None:
    """Send a whole answer; headers that the service adds take the place of the function's."""
    exchange.respond(answer.status, [*_own_headers(answer.headers, added), *added], answer.body)


def _own_headers(headers: Headers, added: Headers) -> list[tuple[str, str]]:
    taken = {name.lower() for name, _ in added}
    return [(name, value) for name, value in headers if name.lower() not in taken]
