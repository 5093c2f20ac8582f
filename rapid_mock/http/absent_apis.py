"""The Extensions API and what is for extensions only, where extensions are turned off: 404.

Source: AWS's Runtime Interface Emulator, which has the paths then, and nothing behind them.
"""

from __future__ import annotations

from lambda_runtime import contract
from rapid_mock.http.calls import Call
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.router import Router


def add_absent_apis(router: Router) -> None:
    """Answer every call of an extension with 404 and no body."""
    for operation in (
        contract.EXTENSION_REGISTER,
        contract.EXTENSION_NEXT,
        contract.EXTENSION_INIT_ERROR,
        contract.EXTENSION_EXIT_ERROR,
        contract.TELEMETRY_SUBSCRIBE,
        contract.LOGS_SUBSCRIBE,
    ):
        router.add(operation.method, operation.path, Call(_not_there))


def _not_there(exchange: Exchange, _body: bytes) -> None:
    exchange.respond(404, [])
