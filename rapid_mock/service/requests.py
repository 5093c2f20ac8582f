"""What the Invoke API asks of the Lambda service, and what the service answers.

The classes are slotted but not frozen, as the core's events: frozen ones cost 2 us per invocation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rapid_mock.errors import ServiceError


class Flow(Protocol):
    """Where a streamed response comes from; it can be held back."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class ChunkTaker(Protocol):
    """Takes a streamed response as it arrives: `begin` once, then `write` until the answer."""

    def begin(self, content_type: str | None, flow: Flow) -> None: ...

    def write(self, data: bytes) -> None: ...


@dataclass(slots=True)
class InvokeRequest:
    """One `Invoke` call, decoded: `function_name` may be a name, a partial or a full ARN.

    `client_context` and `cognito_identity` are JSON texts. With `wait_for_report` the answer comes
    after REPORT (`LogType=Tail` and `LocalLambda.invoke` need that), else when the response is
    complete.
    `open_stream`, for an invoker that takes streams, is called with the executed version when the
    function begins to stream; the answer then has no payload.
    """

    request_id: str
    function_name: str
    payload: bytes
    qualifier: str | None = None
    invocation_type: str = "RequestResponse"
    content_type: str = "application/json"
    trace_id: str | None = None
    client_context: str | None = None
    cognito_identity: str | None = None
    tenant_id: str | None = None
    wait_for_report: bool = False
    open_stream: Callable[[str], ChunkTaker] | None = None


@dataclass(slots=True)
class InvokeAnswer:
    """The function's answer; `function_error` is None or `Unhandled`; `log` are all log bytes.

    `log` is only complete when the request said `wait_for_report`. An event that was accepted and a
    dry run have another `status` than 200, no payload and no executed version.
    """

    request_id: str
    payload: bytes
    executed_version: str = ""
    content_type: str | None = None
    function_error: str | None = None
    error_type: str | None = None
    log: bytes = b""
    status: int = 200


OnAnswer = Callable[[InvokeAnswer | ServiceError], None]
