"""`Invoke` of the Lambda API, buffered, streamed and asynchronous: a request in, its answer back.

Source: Lambda API reference, "Invoke", "InvokeWithResponseStream" and "InvokeAsync".
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import partial
from typing import Protocol

from lambda_runtime import contract
from rapid_mock.errors import RequestTooLarge, ServiceError
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.header_text import encode_header
from rapid_mock.http.invoke_request import (
    INVOCATION_TYPES,
    STREAM_INVOCATION_TYPES,
    answer_without_payload,
    read_invoke_request,
    refuse_invoke,
    request_id_of,
)
from rapid_mock.http.invoke_stream import StreamedAnswer
from rapid_mock.http.router import Router
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer


class Invoker(Protocol):
    """The Lambda service, as far as invocations are concerned."""

    def invoke(self, request: InvokeRequest, on_answer: OnAnswer) -> None: ...


def add_invoke_api(router: Router, service: Invoker) -> None:
    """Serve `Invoke`, `InvokeWithResponseStream`, and `InvokeAsync` of old clients."""
    streamed = _Invoke(
        service, "InvokeWithResponseStream", _streamed, types=STREAM_INVOCATION_TYPES
    )
    asynchronous, old = _Invoke(service, "InvokeAsync", _asynchronous), contract.INVOKE_ASYNC
    router.add(old.method, f"{old.path}/", asynchronous)  # as the API reference prints it
    for operation, endpoint in (
        (contract.INVOKE, _Invoke(service, "InvokeFunction", _buffered)),
        (contract.INVOKE_WITH_RESPONSE_STREAM, streamed),
        (old, asynchronous),
    ):
        router.add(operation.method, operation.path, endpoint)


class _Invoke:
    """The endpoint; an invoker that has gone away costs nothing but its answer."""

    max_body = contract.MAX_INVOKE_REQUEST_BYTES

    def __init__(
        self,
        service: Invoker,
        operation: str,
        answering: Callable[[Exchange, InvokeRequest], OnAnswer],
        types: tuple[str, ...] = INVOCATION_TYPES,
    ) -> None:
        self._types = types
        self._service = service
        self._operation = operation
        self._answering = answering

    def head(self, _exchange: Exchange) -> None:
        return None

    def complete(self, exchange: Exchange, body: bytes, _trailers: list[tuple[str, str]]) -> None:
        request_id = request_id_of(exchange.request)
        try:
            request = read_invoke_request(exchange.request, request_id, body, self._types)
        except ServiceError as refusal:
            refuse_invoke(exchange, request_id, refusal)
        else:
            self._service.invoke(request, self._answering(exchange, request))

    def too_large(self, exchange: Exchange) -> None:
        text = (
            f"Request must be smaller than {self.max_body} bytes for the "
            f"{self._operation} operation"
        )
        refuse_invoke(exchange, request_id_of(exchange.request), RequestTooLarge(text))

    def truncated(self, _exchange: Exchange) -> None:
        """Nobody is left to answer."""


def _buffered(exchange: Exchange, request: InvokeRequest) -> OnAnswer:
    return partial(_answer, exchange, request)


def _streamed(exchange: Exchange, request: InvokeRequest) -> OnAnswer:
    answer = StreamedAnswer(exchange, request)
    request.open_stream = answer.open
    return answer.answered


def _asynchronous(exchange: Exchange, request: InvokeRequest) -> OnAnswer:
    request.invocation_type = contract.INVOCATION_EVENT
    return partial(_answer_async, exchange, request)


def _answer_async(
    exchange: Exchange, request: InvokeRequest, answer: InvokeAnswer | ServiceError
) -> None:
    if not isinstance(answer, ServiceError):
        answer.payload = b'{"Status":%d}' % answer.status
    _answer(exchange, request, answer)


def _answer(
    exchange: Exchange, request: InvokeRequest, answer: InvokeAnswer | ServiceError
) -> None:
    if isinstance(answer, ServiceError):
        refuse_invoke(exchange, request.request_id, answer)
        return
    if answer.status != 200:
        answer_without_payload(exchange, answer)
        return
    headers = [
        ("Content-Type", encode_header(answer.content_type or contract.CONTENT_TYPE_JSON)),
        (contract.HEADER_AMZN_REQUEST_ID, request.request_id),
        (contract.HEADER_EXECUTED_VERSION, answer.executed_version),
    ]
    if answer.function_error:
        headers.append((contract.HEADER_FUNCTION_ERROR, answer.function_error))
    if request.wait_for_report:
        tail = base64.b64encode(answer.log[-contract.MAX_LOG_TAIL_BYTES :]).decode()
        headers.append((contract.HEADER_LOG_RESULT, tail))
    if request.trace_id:
        headers.append((contract.HEADER_AMZN_TRACE_ID, encode_header(request.trace_id)))
    exchange.respond(200, headers, answer.payload)
