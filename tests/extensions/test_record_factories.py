"""The records that authors test with are those that Lambda sends."""

from __future__ import annotations

from lambda_extensions import testing
from lambda_extensions.records import (
    ExtensionLog,
    FunctionLog,
    PlatformLogsDropped,
    PlatformReport,
    PlatformRuntimeDone,
    PlatformStart,
    UnknownRecord,
    read_batch,
)


def test_invocation_has_its_records_in_order() -> None:
    """An invocation is start, its lines, runtimeDone and report, all of one request id."""
    start, line, done, report = testing.invocation("r-1", "hello", status="error")
    assert isinstance(start, PlatformStart)
    assert isinstance(line, FunctionLog)
    assert isinstance(done, PlatformRuntimeDone)
    assert isinstance(report, PlatformReport)
    assert (start.request_id, start.version, line.message) == ("r-1", "$LATEST", "hello")
    assert (done.request_id, done.status) == ("r-1", "error")
    assert (report.request_id, report.status) == ("r-1", "error")


def test_report_of_a_cold_start_bills_its_init() -> None:
    """Billed Duration is the duration, with a cold start's init, rounded up to whole ms."""
    warm = testing.platform_report("r-1", duration_ms=10.2)
    cold = testing.platform_report("r-1", duration_ms=10.2, init_duration_ms=100.5)
    assert isinstance(warm, PlatformReport)
    assert isinstance(cold, PlatformReport)
    assert (warm.metrics.billed_duration_ms, warm.metrics.init_duration_ms) == (11, None)
    assert (cold.metrics.billed_duration_ms, cold.metrics.init_duration_ms) == (111, 100.5)


def test_batch_is_what_a_listener_reads() -> None:
    """A batch's bytes give the same records again."""
    records = [
        testing.function_log({"level": "INFO", "message": "x"}),
        testing.extension_log("y"),
        testing.platform_logs_dropped(3, 120, "slow"),
        testing.record("platform.tomorrow", {}),
    ]
    found = read_batch(testing.batch(records))
    assert [one.raw for one in found] == [one.raw for one in records]
    kinds = [FunctionLog, ExtensionLog, PlatformLogsDropped, UnknownRecord]
    assert [type(one) for one in found] == kinds
