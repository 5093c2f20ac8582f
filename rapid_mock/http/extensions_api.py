"""The Extensions API: bytes to events, messages to bytes.

What a message must look like is checked here, in the order of AWS's Runtime Interface Emulator;
what it may do now is the environment's business. Source: "Using the Lambda Extensions API".
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from lambda_runtime import contract
from rapid_mock.host.dispatch import Dispatch
from rapid_mock.http.calls import JSON_TYPE, Call, open_call, open_poll, refuse, render
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.header_text import decode_header
from rapid_mock.http.json_text import InvalidJson, JsonValue, Member, decode_members, encode
from rapid_mock.http.router import Router
from rapid_mock.lifecycle.effects import InvokeEvent, Message, RegistrationAccepted, ShutdownEvent
from rapid_mock.lifecycle.events import (
    ExtensionExitFailed,
    ExtensionInitFailed,
    ExtensionNext,
    ExtensionRegistered,
)

_NAME = contract.HEADER_EXTENSION_NAME.lower()
_IDENTIFIER = contract.HEADER_EXTENSION_IDENTIFIER.lower()
_ACCEPT_FEATURE = contract.HEADER_EXTENSION_ACCEPT_FEATURE.lower()
_ERROR_TYPE = contract.HEADER_EXTENSION_ERROR_TYPE.lower()

_REGISTER_TYPE = (
    'struct { handler.RegisterRequest; ConfigurationKeys []string "json:\\"configurationKeys\\"" }'
)
_REGISTER_MEMBERS = {
    "events": Member(".RegisterRequest.events", "[]core.Event", "core.Event"),
    "configurationKeys": Member(".configurationKeys", "[]string", "string"),
}
_UUID = re.compile(
    r"(?i:urn:uuid:|(?P<bracket>.))?"
    r"(?P<digits>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?(bracket).)"
    r"|(?P<bare>[0-9a-f]{32})",
    re.IGNORECASE | re.DOTALL,
)

_Failure = type[ExtensionInitFailed] | type[ExtensionExitFailed]


def add_extensions_api(router: Router, dispatch: Dispatch) -> None:
    """Serve `register`, `event/next`, `init/error` and `exit/error` of one environment."""
    api = _ExtensionsApi(dispatch)
    cut_short = (403, contract.ERROR_INVALID_REQUEST_FORMAT, "unexpected EOF")
    for operation, endpoint in (
        (contract.EXTENSION_REGISTER, Call(api.register, truncated=cut_short)),
        (contract.EXTENSION_NEXT, Call(api.next)),
        (contract.EXTENSION_INIT_ERROR, Call(api.failed(ExtensionInitFailed))),
        (contract.EXTENSION_EXIT_ERROR, Call(api.failed(ExtensionExitFailed))),
    ):
        router.add(operation.method, operation.path, endpoint)


class _ExtensionsApi:
    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    def register(self, exchange: Exchange, body: bytes) -> None:
        headers = exchange.request.headers
        name = decode_header(headers.get(_NAME, ""))
        if not name:
            error_type = contract.ERROR_EXTENSION_INVALID_NAME
            refuse(exchange, 403, error_type, "Empty extension name")
            return
        try:
            events = _read_events(body)
        except InvalidJson as error:
            refuse(exchange, 403, contract.ERROR_INVALID_REQUEST_FORMAT, str(error))
            return
        number = open_call(self._dispatch, exchange, _render_registration)
        features = headers.get(_ACCEPT_FEATURE, "").split(",")
        wants_account_id = contract.FEATURE_ACCOUNT_ID in map(str.strip, features)
        self._dispatch.dispatch(
            ExtensionRegistered(number, name, events, str(uuid.uuid4()), wants_account_id)
        )

    def next(self, exchange: Exchange, _body: bytes) -> None:
        identifier = read_identifier(exchange)
        if identifier is not None:
            number = open_poll(self._dispatch, exchange, _render_event)
            self._dispatch.dispatch(ExtensionNext(number, identifier))

    def failed(self, event: _Failure) -> Callable[[Exchange, bytes], None]:
        """The function of `init/error` and `exit/error`; their bodies are not looked at."""

        def report(exchange: Exchange, _body: bytes) -> None:
            identifier = read_identifier(exchange)
            if identifier is None:
                return
            error_type = decode_header(exchange.request.headers.get(_ERROR_TYPE, ""))
            if not error_type:
                text = f"{contract.HEADER_EXTENSION_ERROR_TYPE} not found"
                refuse(exchange, 403, contract.ERROR_EXTENSION_MISSING_HEADER, text)
                return
            number = open_call(self._dispatch, exchange)
            self._dispatch.dispatch(event(number, identifier, error_type))

        return report


def _read_events(body: bytes) -> tuple[str, ...]:
    members = decode_members(body, _REGISTER_MEMBERS, _REGISTER_TYPE)
    if members.get("configurationKeys"):
        raise InvalidJson("configurationKeys are deprecated; use environment variables instead")
    return tuple(members.get("events", ()))


def read_identifier(exchange: Exchange) -> str | None:
    """The identifier in canonical form; None when the call was refused for it."""
    text = exchange.request.headers.get(_IDENTIFIER, "")
    if not text:
        message = f"Missing {contract.HEADER_EXTENSION_IDENTIFIER} header"
        refuse(exchange, 403, contract.ERROR_EXTENSION_MISSING_IDENTIFIER, message)
        return None
    match = _UUID.fullmatch(text)
    if match is None:
        message = f"Invalid {contract.HEADER_EXTENSION_IDENTIFIER}"
        refuse(exchange, 403, contract.ERROR_EXTENSION_INVALID_IDENTIFIER, message)
        return None
    return str(uuid.UUID(match["digits"] or match["bare"]))


def _render_registration(exchange: Exchange, message: Message) -> None:
    if not isinstance(message, RegistrationAccepted):
        render(exchange, message)
        return
    account = {"accountId": message.account_id} if message.account_id else {}
    body = account | {
        "functionName": message.function_name,
        "functionVersion": message.function_version,
        "handler": message.handler,
    }
    headers = [JSON_TYPE, (contract.HEADER_EXTENSION_IDENTIFIER, message.identifier)]
    exchange.respond(200, headers, encode(body) + b"\n")


def _render_event(exchange: Exchange, message: Message) -> None:
    """Answer `event/next`: AWS gives both events an identifier and a JSON content type."""
    event: dict[str, JsonValue]
    if isinstance(message, InvokeEvent):
        event = {
            "eventType": contract.EVENT_INVOKE,
            "deadlineMs": message.deadline_ms,
            "requestId": message.request_id,
            "invokedFunctionArn": message.function_arn,
        }
        if message.trace_id:
            event["tracing"] = {"type": contract.TRACING_TYPE, "value": message.trace_id}
    elif isinstance(message, ShutdownEvent):
        event = {
            "eventType": contract.EVENT_SHUTDOWN,
            "deadlineMs": message.deadline_ms,
            "shutdownReason": message.reason,
        }
    else:
        render(exchange, message)
        return
    headers = [JSON_TYPE, (contract.HEADER_EXTENSION_EVENT_IDENTIFIER, str(uuid.uuid4()))]
    exchange.respond(200, headers, encode(event))
