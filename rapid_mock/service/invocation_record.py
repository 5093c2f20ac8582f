"""What the destination of an asynchronous invocation is told; members and order as recorded."""

from __future__ import annotations

import json
from typing import Any

from rapid_mock.service.async_invoke import QueuedEvent
from rapid_mock.service.civil_dates import utc_stamp
from rapid_mock.service.requests import InvokeAnswer


def invocation_record(
    event: QueuedEvent, condition: str, answer: InvokeAnswer | None, function_arn: str, wall: float
) -> dict[str, Any]:
    """The record, version 1.0; `wall` is now in epoch seconds.

    Without an answer (nothing was tried) there is no response in it.
    """
    record: dict[str, Any] = {
        "version": "1.0",
        "timestamp": utc_stamp(wall),
        "requestContext": {
            "requestId": event.request.request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": event.attempts,
        },
        "requestPayload": json.loads(event.request.payload),
    }
    if answer is not None:
        error = {} if answer.function_error is None else {"functionError": answer.function_error}
        version = {"statusCode": 200, "executedVersion": answer.executed_version}
        record["responseContext"] = version | error
        record["responsePayload"] = _value(answer.payload)
    return record


def _value(payload: bytes) -> Any:
    """The function's result; what is no JSON is its text."""
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode("utf-8", "replace")
