"""The Runtime API: bytes to events, messages to bytes.

Source: "Using the Lambda runtime API for custom runtimes"; bytes as AWS's Runtime Interface
Emulator sends them. `restore/*` exists with SnapStart only, elsewhere it is 404.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from lambda_runtime import contract
from rapid_mock.host.dispatch import Dispatch
from rapid_mock.http.calls import JSON_TYPE, Call, open_call, open_poll, render
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.header_text import decode_header, encode_headers
from rapid_mock.http.reported_errors import filter_error_type, read_reported_error
from rapid_mock.http.router import Router
from rapid_mock.http.runtime_response import RuntimeResponse
from rapid_mock.lifecycle.effects import InvocationDelivered, Message, Restored
from rapid_mock.lifecycle.events import (
    RuntimeErrorReported,
    RuntimeInitFailed,
    RuntimeNext,
    RuntimeRestoreFailed,
    RuntimeRestoreNext,
)

_ERROR_TYPE = contract.HEADER_ERROR_TYPE.lower()
_INVOCATION_ID = contract.HEADER_INVOCATION_ID.lower()


def add_runtime_api(
    router: Router,
    dispatch: Dispatch,
    new_invocation_id: Callable[[], str] | None = None,
    *,
    is_restored: bool = False,
) -> None:
    """Serve `next`, `response`, `error`, `init/error` and `ping` of one environment.

    `new_invocation_id` makes the id of a delivery; None where deliveries have no id of their own.
    With `is_restored` there are `restore/next` and `restore/error` too.
    """
    api = _RuntimeApi(dispatch, new_invocation_id)
    if is_restored:
        for operation, function in (
            (contract.RUNTIME_RESTORE_NEXT, api.restore_next),
            (contract.RUNTIME_RESTORE_ERROR, api.restore_error),
        ):
            router.add(operation.method, operation.path, Call(function))
    for operation, endpoint in (
        (contract.RUNTIME_NEXT, Call(api.next)),
        (contract.RUNTIME_RESPONSE, RuntimeResponse(dispatch)),
        (contract.RUNTIME_ERROR, Call(api.error)),
        (contract.RUNTIME_INIT_ERROR, Call(api.init_error)),
        (contract.RUNTIME_PING, Call(_pong)),
    ):
        router.add(operation.method, operation.path, endpoint)


class _RuntimeApi:
    def __init__(self, dispatch: Dispatch, new_invocation_id: Callable[[], str] | None) -> None:
        self._dispatch = dispatch
        self._new_invocation_id = new_invocation_id

    def next(self, exchange: Exchange, _body: bytes) -> None:
        number = open_poll(self._dispatch, exchange, _deliver)
        new_id = self._new_invocation_id
        event = RuntimeNext(number) if new_id is None else RuntimeNext(number, new_id())
        self._dispatch.dispatch(event)

    def error(self, exchange: Exchange, body: bytes) -> None:
        headers = exchange.request.headers
        payload, content_type = read_reported_error(headers.get("content-type"), body)
        self._dispatch.dispatch(
            RuntimeErrorReported(
                open_call(self._dispatch, exchange),
                exchange.request.params["request_id"],
                _error_type(headers),
                payload,
                content_type,
                headers.get(_INVOCATION_ID),
                len(body),
            )
        )

    def init_error(self, exchange: Exchange, body: bytes) -> None:
        number = open_call(self._dispatch, exchange)
        error_type = _error_type(exchange.request.headers)
        self._dispatch.dispatch(RuntimeInitFailed(number, error_type, body))

    def restore_next(self, exchange: Exchange, _body: bytes) -> None:
        number = open_poll(self._dispatch, exchange, _release)
        self._dispatch.dispatch(RuntimeRestoreNext(number))

    def restore_error(self, exchange: Exchange, body: bytes) -> None:
        number = open_call(self._dispatch, exchange)
        error_type = _error_type(exchange.request.headers)
        self._dispatch.dispatch(RuntimeRestoreFailed(number, error_type, body))


def _error_type(headers: dict[str, str]) -> str:
    return filter_error_type(decode_header(headers.get(_ERROR_TYPE, "")))


def _pong(exchange: Exchange, _body: bytes) -> None:
    exchange.respond(200, [("Content-Type", "text/plain; charset=utf-8")], b"pong")


def _release(exchange: Exchange, message: Message) -> None:
    """Answer `restore/next`: an empty body, whose type native clients ask for all the same."""
    if isinstance(message, Restored):
        exchange.respond(contract.RUNTIME_RESTORE_NEXT.success, [JSON_TYPE], b"")
    else:
        render(exchange, message)


def _deliver(exchange: Exchange, message: Message) -> None:
    """Answer `next`; headers are sorted by name, those without a value are left out (RIE)."""
    if not isinstance(message, InvocationDelivered):
        render(exchange, message)
        return
    invocation = message.invocation
    headers = [
        ("Content-Type", invocation.content_type or contract.CONTENT_TYPE_JSON),
        (contract.HEADER_REQUEST_ID, invocation.request_id),
    ]
    if invocation.tenant_id:
        headers.append((contract.HEADER_TENANT_ID, invocation.tenant_id))
    if invocation.client_context:
        headers.append((contract.HEADER_CLIENT_CONTEXT, invocation.client_context))
    if invocation.cognito_identity:
        headers.append((contract.HEADER_COGNITO_IDENTITY, invocation.cognito_identity))
    headers.append((contract.HEADER_DEADLINE_MS, str(message.deadline_ms)))
    if message.invocation_id:
        headers.append((contract.HEADER_INVOCATION_ID, message.invocation_id))
    headers.append((contract.HEADER_INVOKED_FUNCTION_ARN, invocation.function_arn))
    if invocation.trace_id:
        headers.append((contract.HEADER_TRACE_ID, invocation.trace_id))
    exchange.respond(200, encode_headers(headers), cast(bytes, invocation.payload))
