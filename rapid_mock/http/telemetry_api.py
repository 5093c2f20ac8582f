"""The Telemetry API and the Logs API: an extension asks for the records of its environment.

Sources: "Lambda Telemetry API reference" and "Lambda Logs API", AWS Lambda Developer Guide; bytes:
RIE.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from lambda_runtime import contract
from rapid_mock.host.dispatch import Dispatch
from rapid_mock.http.calls import Call, open_call, refuse, render
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.extensions_api import read_identifier
from rapid_mock.http.router import Router
from rapid_mock.http.telemetry_subscription import InvalidSubscription, read_subscription
from rapid_mock.lifecycle.effects import Message, Subscribed, SubscriptionRefused
from rapid_mock.lifecycle.events import TelemetrySubscribed
from rapid_mock.lifecycle.modes import Mode
from rapid_mock.lifecycle.subscriptions import Destination, Subscription

DIAL_SECONDS = 1.0
_TEXT = ("Content-Type", "text/plain; charset=utf-8")


def add_telemetry_api(router: Router, dispatch: Dispatch, mode: Mode) -> None:
    """Serve `PUT /2022-07-01/telemetry`, and `PUT /2020-08-15/logs` where the mode has it."""
    for operation, schemas, is_logs_api in (
        (contract.TELEMETRY_SUBSCRIBE, mode.telemetry_schemas, False),
        (contract.LOGS_SUBSCRIBE, mode.logs_schemas, True),
    ):
        if schemas:
            api = _Subscriptions(dispatch, schemas, is_logs_api=is_logs_api)
            router.add(operation.method, operation.path, _SubscriptionCall(api.subscribe))


class _SubscriptionCall(Call):
    max_body = contract.MAX_TELEMETRY_REQUEST_BYTES

    def too_large(self, exchange: Exchange) -> None:
        refuse(exchange, 500, contract.ERROR_INTERNAL, "Internal Server Error")


class _Subscriptions:
    def __init__(self, dispatch: Dispatch, schemas: Sequence[str], *, is_logs_api: bool) -> None:
        self._dispatch = dispatch
        self._schemas = schemas
        self._is_logs_api = is_logs_api
        self._dials: set[asyncio.Task[None]] = set()

    def subscribe(self, exchange: Exchange, body: bytes) -> None:
        identifier = read_identifier(exchange)
        if identifier is None:
            return
        try:
            wanted = read_subscription(body, self._schemas, is_logs_api=self._is_logs_api)
        except InvalidSubscription as error:
            self._tell(exchange, identifier, self._refused(str(error)))
            return
        if wanted.destination.protocol == contract.DESTINATION_TCP:
            dial = asyncio.get_running_loop().create_task(self._dial(exchange, identifier, wanted))
            self._dials.add(dial)
            dial.add_done_callback(self._dials.discard)
        else:
            self._tell(exchange, identifier, wanted)

    async def _dial(self, exchange: Exchange, identifier: str, wanted: Subscription) -> None:
        """A TCP destination must listen already."""
        fault = await _dial_fault(wanted.destination)
        self._tell(exchange, identifier, self._refused(fault) if fault else wanted)

    def _refused(self, text: str) -> SubscriptionRefused:
        is_logs_api = self._is_logs_api
        error_type = contract.ERROR_LOGS_VALIDATION if is_logs_api else contract.ERROR_VALIDATION
        return SubscriptionRefused(text, error_type)

    def _tell(
        self, exchange: Exchange, identifier: str, wanted: Subscription | SubscriptionRefused
    ) -> None:
        number = open_call(self._dispatch, exchange, _render)
        self._dispatch.dispatch(TelemetrySubscribed(number, identifier, wanted, self._is_logs_api))


async def _dial_fault(destination: Destination) -> str | None:
    address = f"127.0.0.1:{destination.port}"
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            _, writer = await asyncio.open_connection("127.0.0.1", destination.port)
    except ConnectionRefusedError:
        reason = "connect: connection refused"
    except TimeoutError:
        reason = "i/o timeout"
    except OSError as error:
        reason = f"connect: {error.strerror}"
    else:
        writer.close()
        return None
    text = f"could not TCP dial provided address {address}: dial tcp {address}: {reason}"
    return f"Invalid destination: {text}"


def _render(exchange: Exchange, message: Message) -> None:
    if isinstance(message, Subscribed):
        exchange.respond(200, [_TEXT], b'"OK"')
    elif isinstance(message, SubscriptionRefused):
        body = {"errorType": message.error_type, "errorMessage": message.message}
        exchange.respond(400, [_TEXT], json.dumps(body, ensure_ascii=False).encode())
    else:
        render(exchange, message)
