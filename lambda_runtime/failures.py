"""What happens when something fails: it is logged, reported, and the process mostly lives on."""

from __future__ import annotations

import sys

from lambda_runtime import contract, current, hooks, sink
from lambda_runtime.driven import arrived, driven
from lambda_runtime.error_report import ErrorReport
from lambda_runtime.errors import AnswerRefused, RuntimeApiError, ShutdownRequested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from lambda_runtime.async_client import AsyncRuntimeClient
    from lambda_runtime.client import Invocation, RuntimeClient

    Client: TypeAlias = RuntimeClient | AsyncRuntimeClient


def fail(client: RuntimeClient, invocation: Invocation, error: BaseException) -> None:
    """Report what a handler raised as the invocation's answer; raises what ends the process."""
    driven(report_failure(client, invocation, error))


def refused(client: RuntimeClient, invocation: Invocation, refusal: Exception) -> None:
    """Live on after an answer that the Runtime API did not take; its event must not run again.

    Raises the refusal when it is a 5xx: "non-recoverable state, the runtime should exit promptly".
    """
    driven(pass_over(client, invocation, refusal))


async def report_failure(client: Client, invocation: Invocation, error: BaseException) -> None:
    """`fail`, over either kind of client."""
    if isinstance(error, (KeyboardInterrupt, ShutdownRequested)):
        raise error
    if isinstance(error, AnswerRefused):
        await pass_over(client, invocation, error.refusal)
        return
    report = log_error(error, invocation.request_id)
    body = report.body(invocation.request_id)
    try:
        posted = client.fail(
            invocation, body, error_type=report.error_type, cause=report.xray_cause()
        )
        await arrived(posted)
    except RuntimeApiError as refusal:
        await pass_over(client, invocation, refusal)
    if isinstance(error, SystemExit) and current.scopes is None:
        raise error


async def pass_over(client: Client, invocation: Invocation, refusal: Exception) -> None:
    """`refused`, over either kind of client."""
    client.never_again = invocation.request_id
    status = refusal.status if isinstance(refusal, RuntimeApiError) else 0
    if status >= 500:
        raise refusal
    log_note(str(refusal), invocation.request_id)
    if status == 413:
        await _report_size(client, invocation, str(refusal))


async def _report_size(client: Client, invocation: Invocation, text: str) -> None:
    """For an API that does not itself tell the invoker; one that does refuses this, with 403."""
    from lambda_runtime.errors import HandlerError

    report = ErrorReport(HandlerError(contract.ERROR_FUNCTION_RESPONSE_TOO_LARGE, text))
    try:
        body = report.body(invocation.request_id)
        await arrived(client.fail(invocation, body, error_type=report.error_type))
    except RuntimeApiError as refusal:
        if refusal.status >= 500:
            raise


def log_note(sentence: str, request_id: str = "") -> None:
    """Log what the runtime itself has to say, as an error."""
    if sink.is_json():
        from lambda_runtime.json_record import note_record

        sink.write_error(note_record(sentence, request_id))
    else:
        sink.write_error(f"[ERROR] lambda_runtime: {sentence}\n")


def log_error(error: BaseException, request_id: str | None = None) -> ErrorReport:
    """Log an exception, after `on_error` has had its say; returns the report.

    `request_id`: of the invocation that failed; None: the present one, if there is one.
    """
    context = current.present()
    report = ErrorReport(hooks.mapped(error, context))
    if request_id is None:
        request_id = "" if context is None else context.aws_request_id
    if sink.is_json():
        from lambda_runtime.json_record import error_record

        text = error_record(report, request_id)
    else:
        separator = "\n" if sink.is_framed() or sys.stdout.isatty() else "\r"
        text = report.log_line(separator)
    sink.write_error(text)
    return report
