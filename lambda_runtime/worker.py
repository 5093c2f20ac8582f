"""One worker: it finds the handler and serves one at a time, in threads, or in tasks."""

from __future__ import annotations

import sys
from os import environ
from time import sleep

from lambda_runtime import contract, current
from lambda_runtime.errors import ConnectionLost, InvalidReply, RuntimeApiError, ShutdownRequested
from lambda_runtime.handler import find_handler, is_async, prepared
from lambda_runtime.loop import (
    do_pending,
    hand_trace_id_on,
    initialised,
    instrumented,
    report_init_error,
)
from lambda_runtime.serialization import JsonCodec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from lambda_runtime.client import Invocation, RuntimeClient
    from lambda_runtime.error_report import ErrorReport
    from lambda_runtime.handler import Handler
    from lambda_runtime.place import Place
    from lambda_runtime.serialization import Codec

LOST = (ConnectionLost, InvalidReply, RuntimeApiError)
"""What one exchange with the Runtime API may fail with, and another may not."""
POLL_DELAYS = (0.1, 0.2, 0.4, 0.8)
"""Seconds between the attempts to get an event; those of AWS's client."""


def work(place: Place, client: RuntimeClient, handler: Handler | str, form: str) -> NoReturn:
    """Serve until the environment ends."""
    redirect_output()
    found = initialised(
        lambda: find_handler(handler) if isinstance(handler, str) else handler,
        lambda report: _report(place, client, report),
    )
    if form == "auto":
        form = _usual_form(found)
    if form == "async":
        from lambda_runtime.tasks import serve
    elif form == "thread":
        from lambda_runtime.threads import serve
    else:
        serve = serve_one_at_a_time
    found = initialised(lambda: prepared(found), lambda report: _report(place, client, report))
    place.is_ready(takes_all=form in ("thread", "async"))
    serve(place, client, found, current.codec or JsonCodec())


def serve_one_at_a_time(
    place: Place, client: RuntimeClient, handler: Handler, codec: Codec, slot: int = 0
) -> NoReturn:
    """Poll and answer for ever; in a process, or in one of its threads."""
    client, handle = instrumented(client)
    if current.scopes is None:
        sys.addaudithook(hand_trace_id_on)
    while True:
        if current.pending:
            do_pending()
        invocation = next_event(client)
        place.hold(slot, invocation)
        try:
            handle(client, handler, codec, invocation)
        except LOST as lost:
            client.never_again = invocation.request_id
            go_on(lost, invocation)
        except ShutdownRequested:
            raise  # without an answer
        except SystemExit:
            place.free(slot)  # it has been reported
            raise
        place.free(slot)
        if current.scopes is not None and current.scopes.pending():
            do_pending(current.scopes.pending())


def next_event(client: RuntimeClient) -> Invocation:
    """Wait for the next event; a failed poll is repeated a few times."""
    for delay in POLL_DELAYS:
        try:
            return client.next()
        except LOST as lost:
            say_again(lost, delay)
        sleep(delay)
    return client.next()


def say_again(lost: Exception, delay: float) -> None:
    """Log that a poll has failed and is repeated."""
    from lambda_runtime.failures import log_note

    log_note(f"{lost}; the next event is asked for again in {delay:g} s")


def go_on(lost: Exception, invocation: Invocation) -> None:
    """Log that an answer was not taken: the invocation is lost, the worker is not."""
    from lambda_runtime.failures import log_note

    log_note(f"{lost}; the worker goes on", invocation.request_id)


def redirect_output() -> None:
    """Write to the sockets that Lambda gives each worker, when it does: one for each stream."""
    path = environ.get(contract.ENV_TELEMETRY_LOG_FD_PROVIDER_SOCKET)
    if not path:
        return
    import os
    import socket

    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        with socket.socket(socket.AF_UNIX) as provided:
            provided.connect(path)
            os.dup2(provided.fileno(), stream.fileno())


def _usual_form(handler: Handler) -> str:
    if is_async(handler):
        return "async"
    has_gil: Callable[[], bool] = getattr(sys, "_is_gil_enabled", lambda: True)
    return "process" if has_gil() else "thread"


def _report(place: Place, client: RuntimeClient, report: ErrorReport) -> None:
    """Post that init failed, unless another worker has; 403 says that somebody else did."""
    if not place.may_report():
        return
    try:
        report_init_error(client, report)
    except RuntimeApiError as refusal:
        if refusal.status != 403:
            raise
