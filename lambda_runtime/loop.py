"""The runtime on one screen. Start here.

    init: find the handler, or report why not and exit with 1
    then for ever: next -> handler -> respond, stream, or fail

Source: "Building a custom runtime for AWS Lambda", AWS Lambda Developer Guide; AWS's Python client.
"""

from __future__ import annotations

import sys
from os import environ, unsetenv

from lambda_runtime import contract, current
from lambda_runtime.context import LambdaContext
from lambda_runtime.errors import RuntimeApiError
from lambda_runtime.handler import find_handler, prepared
from lambda_runtime.replies import needle
from lambda_runtime.serialization import JsonCodec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from lambda_runtime.client import Invocation, RuntimeClient
    from lambda_runtime.error_report import ErrorReport
    from lambda_runtime.handler import Handler
    from lambda_runtime.serialization import Codec

    Handle = Callable[[RuntimeClient, Handler, Codec, Invocation], None]

EXIT_INIT_FAILED = 1
_TRACE_ID = needle(contract.HEADER_TRACE_ID)
_CHILD_STARTS = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"})
_PLAIN = frozenset({dict, list, str, int, float, bool, type(None), bytes})
"""Results that are one value for sure; all others may be streams or coroutines."""


def run(client: RuntimeClient, handler: Handler | str) -> NoReturn:
    """Initialise, then handle invocations until the environment ends."""
    name_or_handler = handler
    handler = initialised(
        lambda: ready(name_or_handler), lambda report: report_init_error(client, report)
    )
    client, handle = instrumented(client)
    if current.pipelining and handle is answer:
        from lambda_runtime.pipelining import PipeliningClient

        client = PipeliningClient(client.address, client.user_agent)
    if environ.get(contract.ENV_INITIALIZATION_TYPE) == contract.INITIALIZATION_SNAP_START:
        from lambda_runtime.snapstart import restore

        restore(client)
    sys.addaudithook(hand_trace_id_on)
    codec = current.codec or JsonCodec()
    while True:
        if current.pending:
            do_pending()
        handle(client, handler, codec, client.next())


def answer(client: RuntimeClient, handler: Handler, codec: Codec, invocation: Invocation) -> None:
    """Handle one event: its result is posted, streamed, or the failure is."""
    try:
        context = _begin(invocation)
        event = codec.decode(invocation.reply.body, invocation.content_type)
        result = handler(event, context)
        if type(result) not in _PLAIN:
            from lambda_runtime.streaming import STREAMED, StreamedResponse, encoded, settled

            result = settled(result)
            if type(result) in STREAMED:
                return StreamedResponse(client, invocation, codec).send_all(result)
            body, content_type = encoded(result, codec)
        else:
            body, content_type = codec.encode(result)
        sys.stdout.flush()  # a line without an end belongs to this invocation too
    except BaseException as error:  # noqa: BLE001  whatever a handler raises is its answer
        from lambda_runtime.failures import fail

        return fail(client, invocation, error)
    try:
        client.respond(invocation, body, content_type)
    except RuntimeApiError as refusal:
        from lambda_runtime.failures import refused

        refused(client, invocation, refusal)


def ready(handler: Handler | str) -> Handler:
    """The handler, found by its name, in its middleware."""
    return prepared(find_handler(handler) if isinstance(handler, str) else handler)


def initialised(find: Callable[[], Handler], report: Callable[[ErrorReport], None]) -> Handler:
    """What `find` finds; its failure is logged, reported, and ends the process."""
    try:
        return find()
    except Exception as error:  # noqa: BLE001  whatever a module raises is reported
        from lambda_runtime.failures import log_error

        report(log_error(error))
        sys.exit(EXIT_INIT_FAILED)


def report_init_error(client: RuntimeClient, report: ErrorReport) -> None:
    """Post that init failed."""
    instrumented(client)[0].init_error(report.body(""), report.error_type)


def instrumented(client: RuntimeClient) -> tuple[RuntimeClient, Handle]:
    """The client and `answer`; their replaceable forms when a library has replaced something."""
    compat = sys.modules.get("lambda_runtime.compat")
    if compat is None or not compat.is_patched():
        return client, answer
    return compat.LambdaRuntimeClient(client.address, client.user_agent), compat.handle


def do_pending(calls: list[Callable[[], object]] = current.pending) -> None:
    """Do what has to be done before the next event is asked for."""
    from lambda_runtime.hooks import run_all

    run_all(calls)


def _begin(invocation: Invocation) -> LambdaContext:
    """Make the invocation the present one.

    X-Ray and its users read the trace id from `os.environ` at each call, so it is put there, but
    into Python's table only: what is given to C's setenv glibc never frees, 140 bytes each time.
    Several invocations at once have no environment of their own.
    """
    if current.scopes is not None:
        return current.scopes.enter(invocation)
    trace_id = invocation.reply.find(_TRACE_ID)
    if trace_id:
        _variables[_TRACE_VARIABLE] = environ.encodevalue(trace_id)
    else:
        _variables.pop(_TRACE_VARIABLE, None)
    current.context = context = LambdaContext(invocation)
    return context


def hand_trace_id_on(event: str, _arguments: object) -> None:
    """An audit hook: a child process that is about to start inherits the trace id."""
    if event not in _CHILD_STARTS:
        return
    trace_id = environ.get(contract.ENV_TRACE_ID)
    if trace_id is None:
        unsetenv(contract.ENV_TRACE_ID)
    else:
        environ[contract.ENV_TRACE_ID] = trace_id


_variables = environ._data  # type: ignore[attr-defined]  # the table behind it, on all Pythons
_TRACE_VARIABLE = environ.encodekey(contract.ENV_TRACE_ID)
