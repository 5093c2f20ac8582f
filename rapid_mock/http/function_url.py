"""Serves a Function URL: every path and method is one invocation.

Source: "Function URLs", Lambda Developer Guide; error bodies as recorded from AWS.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Protocol

from lambda_runtime import contract
from rapid_mock.errors import RequestTooLarge, ServiceError, TooManyRequests
from rapid_mock.http.exchange import Endpoint, Exchange, Headers
from rapid_mock.http.invoke_request import refuse_invoke
from rapid_mock.http.router import Route, Router
from rapid_mock.http.url_event import Arrival, url_event
from rapid_mock.http.url_response import MalformedResponse, buffered_answer
from rapid_mock.http.url_stream import UrlStream, respond
from rapid_mock.service.cors import allowed, preflight
from rapid_mock.service.function_urls import AUTH_IAM, RESPONSE_STREAM, UrlConfig
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer
from rapid_mock.tracing import new_request_id, new_trace_header

_FORBIDDEN = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
LOOPBACK = "127.0.0.1"


class UrlInvoker(Protocol):
    """The Lambda service, as far as its URLs are concerned."""

    def invoke(self, request: InvokeRequest, on_answer: OnAnswer) -> None: ...


class EveryPath(Router):
    """All requests have one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__()
        self._endpoint = endpoint

    def resolve(self, _method: str, _path: str) -> Route:
        return Route(self._endpoint, {})


class FunctionUrl:
    """The endpoint; `config` says how it is configured now, `wall` gives epoch seconds.

    `explain` gets a sentence for each response that cannot be what its function meant.
    """

    max_body = contract.MAX_INVOKE_REQUEST_BYTES

    def __init__(
        self,
        url_id: str,
        config: Callable[[], UrlConfig],
        service: UrlInvoker,
        wall: Callable[[], float],
        explain: Callable[[str], None],
    ) -> None:
        self._url_id = url_id
        self._config = config
        self._service = service
        self._wall = wall
        self._explain = explain

    def head(self, exchange: Exchange) -> None:
        """Answer before the body is read what never reaches the function."""
        config, headers = self._config(), exchange.request.headers
        if exchange.request.method == "OPTIONS":
            answer = preflight(config.cors, headers)
            if answer is not None:
                exchange.respond(200, answer)
                return
        if config.auth_type == AUTH_IAM and "authorization" not in headers:
            body = json.dumps({"Message": _FORBIDDEN}).encode()
            kind = (contract.HEADER_AMZN_ERROR_TYPE, "AccessDeniedException")
            exchange.respond(403, [("Content-Type", contract.CONTENT_TYPE_JSON), kind], body)

    def complete(self, exchange: Exchange, body: bytes, _trailers: list[tuple[str, str]]) -> None:
        config, request_id = self._config(), new_request_id()
        trace = exchange.request.headers.get("x-amzn-trace-id") or new_trace_header()
        caller = "anonymous"
        if config.auth_type == AUTH_IAM:
            caller = contract.DEFAULT_ACCOUNT_ID
        arrival = Arrival(self._url_id, request_id, trace, self._wall(), LOOPBACK, caller)
        event = url_event(exchange.request, body, arrival)
        request = InvokeRequest(
            request_id, config.function_arn, json.dumps(event).encode(), trace_id=trace
        )
        added = [
            (contract.HEADER_AMZN_REQUEST_ID, request_id),
            *allowed(config.cors, exchange.request.headers.get("origin")),
        ]
        name = config.function_arn.split(":", 6)[6]
        explain = partial(_explain_response, self._explain, name)
        on_answer: OnAnswer = partial(_answer, exchange, added, explain)
        if config.invoke_mode == RESPONSE_STREAM:
            stream = UrlStream(exchange, added, explain)
            request.open_stream, on_answer = stream.open, partial(_end, stream, on_answer)
        self._service.invoke(request, on_answer)

    def too_large(self, exchange: Exchange) -> None:
        text = (
            f"Request must be smaller than {self.max_body} bytes for the InvokeFunction operation"
        )
        refuse_invoke(exchange, new_request_id(), RequestTooLarge(text))

    def truncated(self, _exchange: Exchange) -> None:
        """Nobody is left to answer."""


def _explain_response(explain: Callable[[str], None], name: str, why: str) -> None:
    explain(f"the response of {name} to its function URL: {why}")


def _answer(
    exchange: Exchange,
    added: Headers,
    explain: Callable[[str], None],
    answer: InvokeAnswer | ServiceError,
) -> None:
    if isinstance(answer, TooManyRequests):
        refuse_invoke(exchange, dict(added)[contract.HEADER_AMZN_REQUEST_ID], answer)
    elif isinstance(answer, ServiceError) or answer.function_error is not None:
        bad_gateway(exchange, added)
    else:
        try:
            respond(exchange, buffered_answer(answer.payload), added)
        except MalformedResponse as why:
            explain(f"502, for {why}")
            bad_gateway(exchange, added)


def _end(stream: UrlStream, otherwise: OnAnswer, answer: InvokeAnswer | ServiceError) -> None:
    if not stream.answered(answer):
        otherwise(answer)


def bad_gateway(exchange: Exchange, added: Headers) -> None:
    """The function failed, or answered what is no HTTP response."""
    headers = [("Content-Type", contract.CONTENT_TYPE_JSON), *added]
    exchange.respond(502, headers, b"Internal Server Error")
