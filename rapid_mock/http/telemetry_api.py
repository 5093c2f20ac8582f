"""The Telemetry API and the Logs API, answered as AWS's emulator does: not supported, with 202."""

from __future__ import annotations

from functools import partial

from lambda_runtime import contract
from rapid_mock.host.dispatch import Dispatch
from rapid_mock.http.calls import Call, refuse
from rapid_mock.http.exchange import Exchange
from rapid_mock.http.router import Router


def add_telemetry_api(router: Router, _dispatch: Dispatch) -> None:
    """Serve `PUT /2022-07-01/telemetry` and `PUT /2020-08-15/logs`; no environment is asked."""
    for operation, error_type, name in (
        (contract.TELEMETRY_SUBSCRIBE, contract.ERROR_TELEMETRY_NOT_SUPPORTED, "Telemetry"),
        (contract.LOGS_SUBSCRIBE, contract.ERROR_LOGS_NOT_SUPPORTED, "Logs"),
    ):
        answer = partial(_not_supported, error_type, f"{name} API is not supported")
        router.add(operation.method, operation.path, Call(answer))


def _not_supported(error_type: str, message: str, exchange: Exchange, _body: bytes) -> None:
    refuse(exchange, 202, error_type, message)
