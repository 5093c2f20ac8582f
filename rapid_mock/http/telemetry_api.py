"""The Telemetry API and the Logs API: an extension asks for the records of its environment.

Sources: "Lambda Telemetry API reference" and "Lambda Logs API", AWS Lambda Developer Guide; bytes:
RIE.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import partial

from lambda_runtime import contract
from rapid_mock.host.dial import HOST, Connection, Undelivered, dial
from rapid_mock.host.dispatch import Dispatch
from rapid_mock.http.calls import Call, open_call, refuse, render
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.extensions_api import read_identifier
from rapid_mock.http.router import Router
from rapid_mock.http.telemetry_subscription import InvalidSubscription, read_subscription
from rapid_mock.lifecycle.effects import Message, Subscribed, SubscriptionRefused
from rapid_mock.lifecycle.events import TelemetrySubscribed
from rapid_mock.lifecycle.modes import Mode
from rapid_mock.lifecycle.subscriptions import Subscription

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
        """A TCP destination must listen already; the connection is the one for its records."""
        port = wanted.destination.port
        address = f"{HOST}:{port}"
        try:
            async with asyncio.timeout(DIAL_SECONDS):
                connection = await dial(port)
        except (Undelivered, TimeoutError) as error:
            why = str(error) or f"dial tcp {address}: i/o timeout"
            text = f"Invalid destination: could not TCP dial provided address {address}: {why}"
            self._tell(exchange, identifier, self._refused(text))
        else:
            self._tell(exchange, identifier, wanted, connection)

    def _refused(self, text: str) -> SubscriptionRefused:
        is_logs_api = self._is_logs_api
        error_type = contract.ERROR_LOGS_VALIDATION if is_logs_api else contract.ERROR_VALIDATION
        return SubscriptionRefused(text, error_type)

    def _tell(
        self,
        exchange: Exchange,
        identifier: str,
        wanted: Subscription | SubscriptionRefused,
        connection: Connection | None = None,
    ) -> None:
        rendering = partial(_render_dialled, connection) if connection else _render
        number = open_call(self._dispatch, exchange, rendering)
        event = TelemetrySubscribed(number, identifier, wanted, self._is_logs_api, connection)
        self._dispatch.dispatch(event)


def _render_dialled(connection: Connection, exchange: Exchange, message: Message) -> None:
    """The answer comes after the subscription has begun: nobody else wants the connection."""
    connection.close_unless_taken()
    _render(exchange, message)


def _render(exchange: Exchange, message: Message) -> None:
    if isinstance(message, Subscribed):
        exchange.respond(200, [_TEXT], b'"OK"')
    elif isinstance(message, SubscriptionRefused):
        body = {"errorType": message.error_type, "errorMessage": message.message}
        exchange.respond(400, [_TEXT], json.dumps(body, ensure_ascii=False).encode())
    else:
        render(exchange, message)
