"""Telemetry records as JSON: what subscribers get, and what the console prints in JSON format.

Sources: "Lambda Telemetry API Event schema reference" and "Lambda Logs API", AWS Lambda Developer
Guide; order of members: RIE.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any, NoReturn

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
    return _iso_millisecond(round(wall * 1_000_000) // 1000)


@lru_cache(maxsize=8)  # most records of an invocation are of one millisecond
def _iso_millisecond(millisecond: int) -> str:
    return f"{_iso_second(millisecond // 1000)}.{millisecond % 1000:03d}Z"


@lru_cache(maxsize=4)
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


def envelope(record_type: str, members: object, wall: float) -> str:
    """A record as JSON, without a newline; platform records have members, lines are strings."""
    return f'{{"time":"{iso_time(wall)}","type":"{record_type}","record":{_spell(members)}}}'


def _spell(value: Any) -> str:
    """JSON: records are small and alike, so that this takes half the time of `json.dumps`."""
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    if kind is float or kind is int:
        return repr(value)
    if kind is dict:
        members = [f'"{name}":{_spell(member)}' for name, member in value.items()]
        return "{" + ",".join(members) + "}"
    if kind is Span:  # spans leave the core with epoch seconds
        start = iso_time(value.start)
        return f'{{"name":"{value.name}","start":"{start}","durationMs":{value.duration_ms!r}}}'
    if kind is list:
        return "[" + ",".join(map(_spell, value)) + "]"
    raise TypeError(f"no record has a {kind.__name__}")


class RecordRenderer:
    """Spells records for subscribers.

    `has_json_lines`: the function logs in JSON format, so that a line that is a JSON object arrives
    as one (schemas since 2022-12-13).
    """

    def __init__(self, *, has_json_lines: bool) -> None:
        self._has_json_lines = has_json_lines

    def __call__(self, record: Record, subscription: Subscription) -> bytes:
        """UTF-8 JSON without a newline."""
        content = record.content
        if isinstance(content, bytes):
            return self._line(record.type, content, record.time, subscription)
        if subscription.is_logs_api:
            told = _logs_content(record.type, content)
        else:
            told = _telemetry_content(record.type, content, subscription)
        return envelope(record.type, told, record.time).encode("utf-8", "replace")

    def _line(self, kind: str, content: bytes, wall: float, subscription: Subscription) -> bytes:
        line = content.decode("utf-8", "replace")
        if not (self._has_json_lines and subscription.has_objects and _is_object(line)):
            return envelope(kind, line, wall).encode()
        flat = line.replace("\n", " ").replace("\r", " ")  # a record is one line over TCP
        return f'{{"time":"{iso_time(wall)}","type":"{kind}","record":{flat}}}'.encode()


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


def _refuse(constant: str) -> NoReturn:
    """Python's JSON has NaN and infinities, JSON has not."""
    raise ValueError(constant)


_decode = json.JSONDecoder(parse_constant=_refuse).decode


def _is_object(line: str) -> bool:
    if not line.lstrip().startswith("{"):
        return False
    try:
        return isinstance(_decode(line), dict)
    except (ValueError, RecursionError):
        return False
