"""Telemetry records as JSON: what subscribers get, and what the console prints in JSON format.

Sources: "Lambda Telemetry API Event schema reference" and "Lambda Logs API", AWS Lambda Developer
Guide; order of members: RIE.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache

from lambda_runtime import contract
from rapid_mock.lifecycle.effects import Span
from rapid_mock.lifecycle.subscriptions import Record, Subscription

_LOGS_MEMBERS = {
    contract.PLATFORM_START: ("requestId", "version"),
    contract.PLATFORM_RUNTIME_DONE: ("requestId", "status"),
    contract.PLATFORM_REPORT: ("requestId", "metrics"),
    contract.PLATFORM_EXTENSION: ("name", "state", "events"),
}
"""What the Logs API has of records that the Telemetry API tells more about."""
_SINCE_2022_12_13 = ("status", "errorType")
"""What `platform.initReport` lacks in the Telemetry API's first schema."""


def iso_time(wall: float) -> str:
    """Epoch seconds as `2026-01-02T03:04:05.678Z`."""
    microseconds = round(wall * 1_000_000)
    return f"{_iso_second(microseconds // 1_000_000)}.{microseconds // 1000 % 1000:03d}Z"


@lru_cache(maxsize=4)  # the records of one second share its text
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


def envelope(record_type: str, members: dict[str, object], wall: float) -> str:
    """A platform record as JSON, without a newline."""
    return _dump({"time": iso_time(wall), "type": record_type, "record": members})


def _span(span: Span) -> dict[str, object]:
    """Spans leave the core with epoch seconds."""
    return {"name": span.name, "start": iso_time(span.start), "durationMs": span.duration_ms}


_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_span).encode


class RecordRenderer:
    """Spells records for subscribers.

    `has_json_lines`: the function logs in JSON format, so that a line that is a JSON object arrives
    as one (schemas since 2022-12-13).
    """

    def __init__(self, *, has_json_lines: bool) -> None:
        self._has_json_lines = has_json_lines

    def __call__(self, record: Record, subscription: Subscription) -> bytes | None:
        """UTF-8 JSON without a newline; None for what the subscription's schema does not have."""
        content = record.content
        if isinstance(content, bytes):
            is_object = self._has_json_lines and subscription.has_objects and _is_object(content)
            line = content.decode() if is_object else _dump(content.decode("utf-8", "replace"))
        elif not subscription.has(record.type):
            return None
        elif subscription.is_logs_api:
            line = _dump(_logs_content(record.type, content))
        else:
            line = _dump(_telemetry_content(record.type, content, subscription))
        text = f'{{"time":"{iso_time(record.time)}","type":"{record.type}","record":{line}}}'
        return text.encode("utf-8", "replace")


def _telemetry_content(
    record_type: str, content: dict[str, object], subscription: Subscription
) -> dict[str, object]:
    if (
        record_type == contract.PLATFORM_INIT_REPORT
        and subscription.schema == contract.TELEMETRY_SCHEMAS[0]
    ):
        return {name: content[name] for name in content if name not in _SINCE_2022_12_13}
    return content


def _logs_content(record_type: str, content: dict[str, object]) -> object:
    if record_type == contract.PLATFORM_FAULT:
        return content["message"]
    kept = _LOGS_MEMBERS.get(record_type)
    return content if kept is None else {name: content[name] for name in kept}


def _is_object(line: bytes) -> bool:
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
