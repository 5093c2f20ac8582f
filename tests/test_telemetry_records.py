"""Telemetry records as subscribers get them: bytes, and what each schema has.

Source: "Lambda Telemetry API Event schema reference" and "Lambda Logs API", AWS Lambda Developer
Guide.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid_mock.lifecycle.effects import Span
from rapid_mock.lifecycle.subscriptions import Destination, Record, Subscription
from rapid_mock.telemetry_records import RecordRenderer

WALL = 1767323045.678  # 2026-01-02T03:04:05.678Z
METRICS = {"durationMs": 1.5, "billedDurationMs": 40, "memorySizeMB": 128, "maxMemoryUsedMB": 35}


def rendered(
    kind: str,
    content: dict[str, object] | bytes,
    *,
    schema: str = "2022-12-13",
    is_logs_api: bool = False,
    has_json_lines: bool = True,
) -> bytes:
    category = "platform" if kind.startswith("platform.") else kind
    subscription = Subscription(is_logs_api, schema, (category,), Destination("TCP", 1))
    render = RecordRenderer(has_json_lines=has_json_lines)
    return render(Record(WALL, kind, category, content), subscription)


def test_a_platform_record() -> None:
    """Compact JSON; times in UTC with three digits, durations as numbers."""
    content: dict[str, object] = {
        "requestId": "1-2",
        "metrics": {"durationMs": 1.5, "producedBytes": 2},
        "spans": [Span("responseLatency", WALL, 0.25)],
        "types": ["platform", "function"],
    }
    assert rendered("platform.runtimeDone", content) == (
        b'{"time":"2026-01-02T03:04:05.678Z","type":"platform.runtimeDone","record":{'
        b'"requestId":"1-2","metrics":{"durationMs":1.5,"producedBytes":2},"spans":[{'
        b'"name":"responseLatency","start":"2026-01-02T03:04:05.678Z","durationMs":0.25}],'
        b'"types":["platform","function"]}}'
    )


def test_a_line_is_a_string() -> None:
    """Escaped as JSON has it; bytes that are no UTF-8 are marked, none is lost silently."""
    assert rendered("function", b'a "b"\t\xc3\xa9\xff') == (
        b'{"time":"2026-01-02T03:04:05.678Z","type":"function",'
        b'"record":"a \\"b\\"\\t\xc3\xa9\xef\xbf\xbd"}'
    )


@given(line=st.binary(max_size=60), has_json_lines=st.booleans())
def test_whatever_is_printed_is_valid_json_on_one_line(line: bytes, has_json_lines: bool) -> None:
    """No output of a function can break the batch that it is in."""
    data = rendered("function", line, has_json_lines=has_json_lines)
    assert b"\n" not in data
    assert json.loads(data)["type"] == "function"


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b'  {"a": {"b": []}}  ', {"a": {"b": []}}),
        (b'{\r\n  "a": 1\n}', {"a": 1}),
        (b"[1]", "[1]"),
        (b'"text"', '"text"'),
        (b'{"a": NaN}', '{"a": NaN}'),
        (b'{"a": -Infinity}', '{"a": -Infinity}'),
        (b'{"a": 1', '{"a": 1'),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
        (b'{"a": ' * 100_000, '{"a": ' * 100_000),
        ('{"a": 1}'.encode("utf-16-le"), "".join(f"{c}\0" for c in '{"a": 1}')),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_line_that_is_an_object_arrives_as_one(line: bytes, record: object) -> None:
    """With JSON as log format; what only Python calls JSON, or is broken, is a string."""
    data = rendered("function", line)
    assert b"\n" not in data

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(data, parse_constant=refuse)["record"] == record


REPORT: dict[str, object] = {
    "requestId": "1-2",
    "status": "error",
    "metrics": METRICS,
    "errorType": "Runtime.ExitError",
}
INIT_REPORT: dict[str, object] = {
    "initializationType": "on-demand",
    "metrics": {"durationMs": 1.5},
    "phase": "init",
    "status": "success",
}


@pytest.mark.parametrize(
    ("kind", "content", "schema", "is_logs_api", "record"),
    [
        ("platform.report", REPORT, "2022-07-01", False, REPORT),
        ("platform.report", REPORT, "2020-08-15", True, {"requestId": "1-2", "metrics": METRICS}),
        (
            "platform.initReport",
            INIT_REPORT,
            "2022-07-01",
            False,
            {key: INIT_REPORT[key] for key in ("initializationType", "metrics", "phase")},
        ),
        ("platform.initReport", INIT_REPORT, "2025-01-29", False, INIT_REPORT),
        (
            "platform.runtimeDone",
            {"requestId": "1-2", "status": "success", "metrics": {}},
            "2021-03-18",
            True,
            {"requestId": "1-2", "status": "success"},
        ),
        (
            "platform.start",
            {"requestId": "1-2", "version": "1", "tenantId": "blue"},
            "2021-03-18",
            True,
            {"requestId": "1-2", "version": "1"},
        ),
        (
            "platform.extension",
            {"name": "x", "state": "Ready", "events": [], "errorType": "Extension.Crash"},
            "2021-03-18",
            True,
            {"name": "x", "state": "Ready", "events": []},
        ),
        (
            "platform.fault",
            {"message": "RequestId: 1-2 Error: exit", "status": "error"},
            "2020-08-15",
            True,
            "RequestId: 1-2 Error: exit",
        ),
    ],
)
def test_each_schema_has_its_members(
    kind: str, content: dict[str, object], schema: str, is_logs_api: bool, record: Any
) -> None:
    """The Logs API tells less, the first schema of the Telemetry API no status of the init."""
    data = rendered(kind, content, schema=schema, is_logs_api=is_logs_api)
    assert json.loads(data)["record"] == record


@pytest.mark.parametrize(
    ("kind", "schemas"),
    [
        ("platform.runtimeDone", {"2021-03-18", "2022-07-01", "2022-12-13", "2025-01-29"}),
        ("platform.end", {"2020-08-15", "2021-03-18"}),
        ("platform.fault", {"2020-08-15", "2021-03-18"}),
        ("platform.initStart", {"2022-07-01", "2022-12-13", "2025-01-29"}),
        ("platform.restoreReport", {"2022-07-01", "2022-12-13", "2025-01-29"}),
        *(
            (kind, {"2020-08-15", "2021-03-18", "2022-07-01", "2022-12-13", "2025-01-29"})
            for kind in (
                "platform.start",
                "platform.report",
                "platform.extension",
                "platform.logsSubscription",
                "platform.logsDropped",
                "function",
                "extension",
            )
        ),
    ],
)
def test_each_schema_has_its_records(kind: str, schemas: set[str]) -> None:
    """END and faults are the Logs API's, init and restore the Telemetry API's."""
    found = {
        schema
        for schema in ("2020-08-15", "2021-03-18", "2022-07-01", "2022-12-13", "2025-01-29")
        if Subscription(schema < "2022", schema, (), Destination("TCP", 1)).has(kind)
    }
    assert found == schemas
