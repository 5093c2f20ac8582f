"""What one invocation came to, as users see it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from rapid_mock.lifecycle.effects import Report


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """What one invocation came to.

    `payload`: the response's JSON value (the text where it is not JSON); `raw`: its bytes;
    `function_error`: None or `Unhandled`; `logs`: everything from START to REPORT;
    `report`: durations in ms, memory in MB, `init_ms` only on a cold start.
    """

    payload: Any
    raw: bytes
    function_error: str | None
    logs: str
    report: Report
    executed_version: str
    request_id: str

    @classmethod
    def of(
        cls,
        raw: bytes,
        *,
        function_error: str | None,
        log: bytes,
        report: Report,
        executed_version: str,
        request_id: str,
    ) -> Self:
        """The same with the payload read, and the log as text."""
        text = raw.decode("utf-8", "replace")
        try:
            payload = json.loads(text)
        except ValueError:
            payload = text
        logs = log.decode("utf-8", "replace")
        return cls(payload, raw, function_error, logs, report, executed_version, request_id)
