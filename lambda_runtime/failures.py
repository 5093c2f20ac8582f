"""What happens when something fails: it is logged, reported, and the process mostly lives on."""

from __future__ import annotations

import sys

from lambda_runtime import contract, current, hooks, sink
from lambda_runtime.error_report import ErrorReport
from lambda_runtime.errors import AnswerRefused, RuntimeApiError, ShutdownRequested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lambda_runtime.client import Invocation, RuntimeClient


def fail(client: RuntimeClient, invocation: Invocation, error: BaseException) -> None:
    """Report what a handler raised as the invocation's answer; raises what ends the process."""
    if isinstance(error, (KeyboardInterrupt, ShutdownRequested)):
        raise error
    if isinstance(error, AnswerRefused):
        refused(client, invocation, error.refusal)
        return
    report = log_error(error)
    body = report.body(invocation.request_id)
    try:
        client.fail(invocation, body, error_type=report.error_type, cause=report.xray_cause())
    except RuntimeApiError as refusal:
        refused(client, invocation, refusal)
    if isinstance(error, SystemExit):
        raise error


def refused(client: RuntimeClient, invocation: Invocation, refusal: Exception) -> None:
    """Live on after an answer that the Runtime API did not take; its event must not run again.

    Raises the refusal when it is a 5xx: "non-recoverable state, the runtime should exit promptly".
    """
    client.never_again = invocation.request_id
    status = refusal.status if isinstance(refusal, RuntimeApiError) else 0
    if status >= 500:
        raise refusal
    if sink.is_json():
        from lambda_runtime.json_record import refusal_record

        sink.write_error(refusal_record(refusal, invocation.request_id))
    else:
        sink.write_error(f"[ERROR] lambda_runtime: {refusal}\n")
    if status == 413:
        _report_size(client, invocation, str(refusal))


def _report_size(client: RuntimeClient, invocation: Invocation, text: str) -> None:
    """For an API that does not itself tell the invoker; one that does refuses this, with 403."""
    from lambda_runtime.errors import HandlerError

    report = ErrorReport(HandlerError(contract.ERROR_FUNCTION_RESPONSE_TOO_LARGE, text))
    try:
        client.fail(invocation, report.body(invocation.request_id), error_type=report.error_type)
    except RuntimeApiError as refusal:
        if refusal.status >= 500:
            raise


def log_error(error: BaseException) -> ErrorReport:
    """Log an exception, after `on_error` has had its say; returns the report."""
    context = current.context
    report = ErrorReport(hooks.mapped(error, context))
    if sink.is_json():
        from lambda_runtime.json_record import error_record

        text = error_record(report, "" if context is None else context.aws_request_id)
    else:
        separator = "\n" if sink.is_framed() or sys.stdout.isatty() else "\r"
        text = report.log_line(separator)
    sink.write_error(text)
    return report
