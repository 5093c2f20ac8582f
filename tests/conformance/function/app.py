"""The handlers that every runtime under test runs."""

from __future__ import annotations

import os
from typing import Any


def echo(event: Any, context: Any) -> Any:  # noqa: ARG001  the handler's signature
    return {"event": event}


def describe(event: Any, context: Any) -> Any:  # noqa: ARG001  the handler's signature
    return {
        "pid": os.getpid(),
        "request_id": context.aws_request_id,
        "function_name": context.function_name,
        "function_version": context.function_version,
        "memory": context.memory_limit_in_mb,
        "arn": context.invoked_function_arn,
        "identity": [
            context.identity.cognito_identity_id,
            context.identity.cognito_identity_pool_id,
        ],
        "tenant": context.tenant_id,
        "custom": context.client_context and context.client_context.custom,
        "has_time_left": 0 < context.get_remaining_time_in_millis() <= 300_000,
    }


def fail(event: Any, context: Any) -> Any:  # noqa: ARG001  the handler's signature
    raise ValueError("no " + event["what"])


def leave(event: Any, context: Any) -> Any:  # noqa: ARG001  the handler's signature
    os._exit(3)


def hang(event: Any, context: Any) -> Any:  # noqa: ARG001  the handler's signature
    os.read(os.pipe()[0], 1)


RAISING_LINE = fail.__code__.co_firstlineno + 1
