"""The invocations of a worker that has died: they fail at once, as with a dead runtime."""

from __future__ import annotations

import json
import socket

from lambda_runtime import contract
from lambda_runtime.client import Invocation, RuntimeClient
from lambda_runtime.errors import LambdaRuntimeError
from lambda_runtime.failures import log_note
from lambda_runtime.replies import Reply

REPORT_SECONDS = 5.0


def report_lost(client: RuntimeClient, held: list[tuple[str, str]], how: str) -> None:
    """Report the invocations of a dead worker as Lambda reports those of a dead runtime."""
    socket.setdefaulttimeout(REPORT_SECONDS)
    reporter = RuntimeClient(client.address, client.user_agent)
    for request_id, invocation_id in held:
        text = f"RequestId: {request_id} Error: Runtime exited with error: {how}"
        members = {"errorType": contract.ERROR_RUNTIME_EXIT, "errorMessage": text}
        head = f"\r\n{contract.HEADER_INVOCATION_ID}: {invocation_id}\r\n"
        invocation = Invocation(request_id, Reply(200, head.encode(), b""))
        try:
            reporter.fail(
                invocation, json.dumps(members).encode(), error_type=contract.ERROR_RUNTIME_EXIT
            )
        except (LambdaRuntimeError, OSError) as error:
            log_note(f"it is lost with its worker ({how}): {error}", request_id)
