"""Telemetry records: each type as AWS documents it, and anything else without an exception."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_extensions import records
from lambda_extensions.records import (
    ExtensionLog,
    FunctionLog,
    PlatformEnd,
    PlatformExtension,
    PlatformFault,
    PlatformInitReport,
    PlatformInitRuntimeDone,
    PlatformInitStart,
    PlatformLogsDropped,
    PlatformReport,
    PlatformRestoreReport,
    PlatformRestoreRuntimeDone,
    PlatformRestoreStart,
    PlatformRuntimeDone,
    PlatformStart,
    PlatformSubscription,
    TelemetryRecord,
    UnknownRecord,
    read_batch,
    read_line,
)

TRACE = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"

BATCH = b"""[
{"time":"2022-10-12T00:00:15.064Z","type":"platform.initStart","record":{
  "initializationType":"on-demand","phase":"init","runtimeVersion":"nodejs-14.v3",
  "runtimeVersionArn":"arn:aws:lambda:eu-west-1::runtime:abc","functionName":"f",
  "functionArn":"arn:f","functionVersion":"$LATEST","instanceId":"2022/10/12/[$LATEST]f",
  "instanceMaxMemory":134217728}},
{"time":"2022-10-12T00:01:15.000Z","type":"platform.initRuntimeDone","record":{
  "initializationType":"on-demand","phase":"init","status":"error","errorType":"Runtime.ExitError",
  "spans":[{"name":"someTimeSpan","start":"2022-06-02T12:02:33.913Z","durationMs":70.5}]}},
{"time":"2022-10-12T00:01:15.001Z","type":"platform.initReport","record":{
  "initializationType":"on-demand","phase":"init","metrics":{"durationMs":125.33},
  "status":"success"}},
{"time":"2022-10-12T00:00:15.064Z","type":"platform.restoreStart","record":{
  "runtimeVersion":"r","functionName":"f","functionVersion":"1","instanceId":"i",
  "instanceMaxMemory":256}},
{"time":"2022-10-12T00:00:16.064Z","type":"platform.restoreRuntimeDone","record":{
  "status":"success","spans":[]}},
{"time":"2022-10-12T00:00:17.064Z","type":"platform.restoreReport","record":{
  "status":"failure","errorType":"x","metrics":{"durationMs":15.19}}},
{"time":"2022-10-12T00:00:18.064Z","type":"platform.start","record":{
  "requestId":"6d68ca91","version":"$LATEST","tenantId":"blue","tracing":{
  "spanId":"54565fb41ac79632","type":"X-Amzn-Trace-Id","value":"TRACE"}}},
{"time":"2022-10-12T00:01:15.000Z","type":"platform.runtimeDone","record":{
  "requestId":"6d68ca91","status":"success","metrics":{"durationMs":140,"producedBytes":16},
  "spans":[{"name":"responseLatency","start":"2022-10-12T00:01:15.000Z","durationMs":23.02},
           {"name":"responseDuration","start":"2022-10-12T00:01:15.000Z","durationMs":20}]}},
{"time":"2022-10-12T00:01:15.000Z","type":"platform.report","record":{
  "requestId":"6d68ca91","status":"success","metrics":{"billedDurationMs":694,
  "durationMs":693.92,"initDurationMs":397.68,"maxMemoryUsedMB":84,"memorySizeMB":128,
  "restoreDurationMs":1.5,"billedRestoreDurationMs":2}}},
{"time":"2022-10-12T00:02:15.000Z","type":"platform.extension","record":{
  "name":"my-extension","state":"Ready","events":["INVOKE","SHUTDOWN"]}},
{"time":"2022-10-12T00:02:35.000Z","type":"platform.telemetrySubscription","record":{
  "name":"my-extension","state":"Subscribed","types":["platform","function"]}},
{"time":"2022-10-12T00:02:35.000Z","type":"platform.logsDropped","record":{
  "droppedBytes":12345,"droppedRecords":123,"reason":"Some logs were dropped"}},
{"time":"2022-10-12T00:03:50.000Z","type":"function","record":"[INFO] Hello\\tworld"},
{"time":"2022-10-12T00:03:50.000Z","type":"function","record":{
  "timestamp":"2022-10-12T00:03:50.000Z","level":"INFO","requestId":"79b4","message":"Hello"}},
{"time":"2022-10-12T00:03:50.000Z","type":"extension","record":"extension hello"},
{"time":"2020-08-20T12:31:32.123Z","type":"platform.end","record":{"requestId":"6f7f"}},
{"time":"2020-08-20T12:31:32.123Z","type":"platform.fault",
  "record":"RequestId: d783 Process exited before completing request"},
{"time":"2020-08-20T12:31:32.123Z","type":"platform.logsSubscription","record":{
  "name":"Foo.bar","state":"Subscribed","types":["function"]}},
{"time":"2030-01-01T00:00:00.000Z","type":"platform.tomorrow","record":{"a":1}}
]""".replace(b"TRACE", TRACE.encode())


def of(kind: type[TelemetryRecord]) -> Any:
    """The first record of this very class in the batch."""
    return next(record for record in read_batch(BATCH) if type(record) is kind)


def test_every_type_has_its_class() -> None:
    """A batch of all types comes back in order, each record as its class."""
    assert [type(record) for record in read_batch(BATCH)] == [
        PlatformInitStart,
        PlatformInitRuntimeDone,
        PlatformInitReport,
        PlatformRestoreStart,
        PlatformRestoreRuntimeDone,
        PlatformRestoreReport,
        PlatformStart,
        PlatformRuntimeDone,
        PlatformReport,
        PlatformExtension,
        PlatformSubscription,
        PlatformLogsDropped,
        FunctionLog,
        FunctionLog,
        ExtensionLog,
        PlatformEnd,
        PlatformFault,
        PlatformSubscription,
        UnknownRecord,
    ]


def test_raw_is_the_envelope_as_it_came() -> None:
    """`raw` of each record is its JSON, nothing added and nothing lost."""
    assert [record.raw for record in read_batch(BATCH)] == json.loads(BATCH)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            PlatformInitStart,
            {
                "type": "platform.initStart",
                "time": "2022-10-12T00:00:15.064Z",
                "initialization_type": "on-demand",
                "phase": "init",
                "runtime_version": "nodejs-14.v3",
                "runtime_version_arn": "arn:aws:lambda:eu-west-1::runtime:abc",
                "function_name": "f",
                "function_arn": "arn:f",
                "function_version": "$LATEST",
                "instance_id": "2022/10/12/[$LATEST]f",
                "instance_max_memory": 134217728,
                "trace_id": None,
            },
        ),
        (PlatformInitRuntimeDone, {"status": "error", "error_type": "Runtime.ExitError"}),
        (PlatformInitReport, {"phase": "init", "status": "success", "error_type": None}),
        (PlatformRestoreStart, {"runtime_version": "r", "instance_max_memory": 256}),
        (PlatformRestoreRuntimeDone, {"status": "success", "spans": []}),
        (PlatformRestoreReport, {"status": "failure", "error_type": "x"}),
        (
            PlatformStart,
            {
                "request_id": "6d68ca91",
                "version": "$LATEST",
                "tenant_id": "blue",
                "trace_id": TRACE,
                "span_id": "54565fb41ac79632",
                "function_arn": None,
            },
        ),
        (PlatformRuntimeDone, {"request_id": "6d68ca91", "status": "success"}),
        (
            PlatformExtension,
            {"name": "my-extension", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]},
        ),
        (PlatformSubscription, {"state": "Subscribed", "types": ["platform", "function"]}),
        (
            PlatformLogsDropped,
            {"dropped_bytes": 12345, "dropped_records": 123, "reason": "Some logs were dropped"},
        ),
        (FunctionLog, {"message": "[INFO] Hello\tworld", "level": None, "request_id": None}),
        (ExtensionLog, {"message": "extension hello"}),
        (PlatformEnd, {"request_id": "6f7f"}),
        (PlatformFault, {"message": "RequestId: d783 Process exited before completing request"}),
    ],
)
def test_attributes(kind: type[TelemetryRecord], expected: dict[str, object]) -> None:
    """The attributes of a record are the members of AWS's object under Python's names."""
    record = of(kind)
    assert {name: getattr(record, name) for name in expected} == expected


def test_metrics_of_a_report() -> None:
    """A report's metrics: milliseconds and MB, those of a cold start and of a restore included."""
    metrics = of(PlatformReport).metrics
    assert (metrics.duration_ms, metrics.billed_duration_ms) == (693.92, 694)
    assert (metrics.memory_size_mb, metrics.max_memory_used_mb) == (128, 84)
    assert (metrics.init_duration_ms, metrics.produced_bytes) == (397.68, None)
    assert (metrics.restore_duration_ms, metrics.billed_restore_duration_ms) == (1.5, 2)


def test_spans() -> None:
    """Spans have name, start and duration."""
    spans = of(PlatformRuntimeDone).spans
    assert [(span.name, span.duration_ms) for span in spans] == [
        ("responseLatency", 23.02),
        ("responseDuration", 20),
    ]
    assert spans[0].start == "2022-10-12T00:01:15.000Z"


def test_line_of_the_json_log_format_is_an_object() -> None:
    """With the JSON log format a function's record is an object, with level and request id."""
    found: list[object] = []
    for record in read_batch(BATCH):
        match record:
            case FunctionLog(message=str() as line):
                found.append(line)
            case FunctionLog(message=dict() as fields, level=level, request_id=request_id):
                found.append((fields["message"], level, request_id))
    assert found == ["[INFO] Hello\tworld", ("Hello", "INFO", "79b4")]


@pytest.mark.parametrize(
    ("body", "raws"),
    [
        (b'[{"type":"function","record":"a"},{"type":"func', ["a", '{"type":"func']),
        (b'[{"type":"function","record":"a"},oops,{"type":1}]', ["a", "oops", {"type": 1}]),
        (b'[{"type":"function","record":"a"}', ["a"]),
        (b"", []),
        (b"[]", []),
        (b"no json", ["no json"]),
        (b'{"type":"function","record":"alone"}', ["alone"]),
        (b'[1,null,"x",[]]', [1, None, "x", []]),
        (b'[{"type":"function","record":"\xff"}]', ["\ufffd"]),
    ],
)
def test_broken_batch_keeps_what_can_be_read(body: bytes, raws: list[object]) -> None:
    """What can be read is kept; what cannot be is an UnknownRecord with its text."""
    found = read_batch(body)
    assert [one.message if isinstance(one, FunctionLog) else one.raw for one in found] == raws


@pytest.mark.parametrize("value", ['{"a":' * 2000 + "1" + "}" * 2000, "1" * 5000])
def test_record_that_python_cannot_decode(value: str) -> None:
    """A record nested too deep, or with a number too long, takes no other with it."""
    a, b = (f'{{"type":"function","record":"{text}"}}' for text in "ab")
    odd = '{"type":"function","quoted":"],[\\"","record":' + value + "}"
    first, second, third = read_batch(f"[{a},{odd} , {b}]".encode())
    assert [first.record, second.raw, third.record] == ["a", odd, "b"]
    assert isinstance(second, UnknownRecord)


def test_line_of_a_tcp_delivery() -> None:
    """TCP delivers one record a line."""
    record = read_line(b'{"time":"t","type":"function","record":"a"}\n')
    assert isinstance(record, FunctionLog)
    assert record.message == "a"
    assert read_line(b"junk").raw == "junk"
    assert isinstance(read_line(b"\n"), UnknownRecord)


def read_everything(record: TelemetryRecord) -> None:
    """Ask for every public attribute, of the record and of what it holds."""
    for name in dir(record):
        if not name.startswith("_"):
            value = getattr(record, name)
            for part in value if isinstance(value, list) else [value]:
                repr(part)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["requestId", "status", "metrics", "durationMs", "spans", "name", "start", "tracing", "value"]
)
ENVELOPES = st.fixed_dictionaries(
    {"type": st.sampled_from(sorted(records.KINDS)) | ANY_JSON},
    optional={
        "time": ANY_JSON,
        "record": ANY_JSON
        | st.dictionaries(MEMBERS, ANY_JSON | st.dictionaries(MEMBERS, ANY_JSON)),
    },
)


@given(st.lists(ENVELOPES | ANY_JSON, max_size=5))
def test_any_json_is_readable(batch: list[Any]) -> None:
    """Whatever JSON arrives: one record each, `raw` kept, no attribute raises."""
    found = read_batch(json.dumps(batch).encode())
    assert len(found) == len(batch)
    for record in found:
        read_everything(record)


@given(st.binary(max_size=200))
def test_any_bytes_are_readable(body: bytes) -> None:
    """Whatever bytes arrive, no exception."""
    for record in [*read_batch(body), read_line(body)]:
        read_everything(record)


@pytest.mark.parametrize("body", [b"[" * 100_000, b"[" + b"9" * 5000 + b"]"])
def test_hostile_json_is_readable(body: bytes) -> None:
    """Nesting without end and numbers without end are no exceptions either."""
    assert [type(record) for record in read_batch(body)] == [UnknownRecord]


def test_attributes_can_be_looked_at_on_the_class() -> None:
    """Documentation tools that read attributes from the class do not fail."""
    assert inspect.getmembers(PlatformReport)
