"""The runtime on one screen. Start here.

    init: find the handler, or report why not and exit with 1
    then for ever: next -> handler -> respond, or fail

Source: "Building a custom runtime for AWS Lambda", AWS Lambda Developer Guide; AWS's Python client.
"""

from __future__ import annotations

import sys
from os import environ

from lambda_runtime import contract
from lambda_runtime.context import LambdaContext
from lambda_runtime.handler import find_handler
from lambda_runtime.replies import needle
from lambda_runtime.serialization import JsonCodec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lambda_runtime.client import Invocation, RuntimeClient
    from lambda_runtime.handler import Handler

EXIT_INIT_FAILED = 1
_TRACE_ID = needle(contract.HEADER_TRACE_ID)


def run(client: RuntimeClient, handler: Handler | str) -> NoReturn:
    """Initialise, then handle invocations until the environment ends."""
    if isinstance(handler, str):
        handler = _initialise(client, handler)
    codec = JsonCodec()
    while True:
        invocation = client.next()
        _set_trace_id(invocation)
        try:
            context = LambdaContext(invocation)
            event = codec.decode(invocation.reply.body, invocation.content_type)
            body, content_type = codec.encode(handler(event, context))
        except Exception as error:  # noqa: BLE001  whatever a handler raises is its answer
            _fail(client, invocation, error)
        else:
            client.respond(invocation, body, content_type)


def _initialise(client: RuntimeClient, name: str) -> Handler:
    try:
        return find_handler(name)
    except Exception as error:  # noqa: BLE001  whatever a module raises is reported
        from lambda_runtime.error_report import ErrorReport

        report = ErrorReport(error)
        _log(report.log_line())
        client.init_error(report.body(""), report.error_type)
        sys.exit(EXIT_INIT_FAILED)


def _fail(client: RuntimeClient, invocation: Invocation, error: Exception) -> None:
    from lambda_runtime.error_report import ErrorReport

    report = ErrorReport(error)
    _log(report.log_line())
    body = report.body(invocation.request_id)
    client.fail(invocation, body, error_type=report.error_type, cause=report.xray_cause())


def _set_trace_id(invocation: Invocation) -> None:
    """X-Ray and its users read the trace id from the environment at each call."""
    trace_id = invocation.reply.find(_TRACE_ID)
    if trace_id:
        environ[contract.ENV_TRACE_ID] = trace_id
    elif contract.ENV_TRACE_ID in environ:
        del environ[contract.ENV_TRACE_ID]


def _log(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()
