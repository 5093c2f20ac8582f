"""Durations, outcomes and the platform records made of them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from lambda_runtime import contract
from rapid_mock.lifecycle.effects import Emit, Finish, Outcome, Report, Span
from rapid_mock.lifecycle.machines import InvocationState

if TYPE_CHECKING:
    from rapid_mock.lifecycle.events import Invocation
    from rapid_mock.lifecycle.state import Extension, Fault, InitRun, Running, State

RETURNED = InvocationState.RETURNED


def milliseconds(seconds: float) -> float:
    """Seconds as milliseconds, floored to whole microseconds as AWS reports them."""
    return int(seconds * 1_000_000) / 1000


def init_start(state: State, init: InitRun) -> Emit:
    """`platform.initStart`: members and order as RIE's; a local runtime has no version."""
    settings = state.settings
    return Emit(
        contract.PLATFORM_INIT_START,
        {
            "initializationType": settings.initialization_type,
            "runtimeVersion": "",
            "runtimeVersionArn": "",
            "functionName": settings.function_name,
            "functionVersion": settings.version,
            "instanceId": settings.log_stream,
            "instanceMaxMemory": settings.memory_mb * 1024 * 1024,
            "phase": init.phase,
        },
    )


def init_done(state: State, init: InitRun, fault: Fault | None) -> list[Emit]:
    """initRuntimeDone, one record per extension, initReport: in AWS's order."""
    kind: dict[str, object] = {"initializationType": state.settings.initialization_type}
    status: dict[str, object] = {"status": fault.status if fault else contract.STATUS_SUCCESS}
    phase: dict[str, object] = {"phase": init.phase}
    error: dict[str, object] = {"errorType": fault.error_type} if fault else {}
    duration = milliseconds(state.now.monotonic - init.started)
    metrics: dict[str, object] = {"metrics": {"durationMs": duration}}
    return [
        Emit(contract.PLATFORM_INIT_RUNTIME_DONE, kind | status | phase | error),
        *(extension_record(extension) for extension in state.extensions.values()),
        Emit(contract.PLATFORM_INIT_REPORT, kind | metrics | phase | status | error),
    ]


def restore_start(state: State) -> Emit:
    """`platform.restoreStart` (Telemetry API schema), with what `platform.initStart` says too."""
    settings = state.settings
    return Emit(
        contract.PLATFORM_RESTORE_START,
        {
            "runtimeVersion": "",
            "runtimeVersionArn": "",
            "functionName": settings.function_name,
            "functionVersion": settings.version,
            "instanceId": settings.log_stream,
            "instanceMaxMemory": settings.memory_mb * 1024 * 1024,
        },
    )


def restore_done(state: State, restore: InitRun, fault: Fault | None) -> list[Emit]:
    """The records restoreRuntimeDone and restoreReport (Telemetry API schema)."""
    verdict: dict[str, object] = {"status": fault.status if fault else contract.STATUS_SUCCESS}
    if fault:
        verdict["errorType"] = fault.error_type
    duration = milliseconds(state.now.monotonic - restore.started)
    return [
        Emit(contract.PLATFORM_RESTORE_RUNTIME_DONE, verdict),
        Emit(contract.PLATFORM_RESTORE_REPORT, verdict | {"metrics": {"durationMs": duration}}),
    ]


def extension_record(extension: Extension) -> Emit:
    record: dict[str, object] = {
        "name": extension.name,
        "state": extension.state.value,
        "events": sorted(extension.events),
    }
    if extension.error_type:
        record["errorType"] = extension.error_type
    return Emit(contract.PLATFORM_EXTENSION, record)


def start(state: State, running: Running) -> Emit:
    invocation = running.invocation
    record: dict[str, object] = {
        "requestId": invocation.request_id,
        "version": state.settings.version,
    }
    if not state.settings.mode.is_billed:
        record["functionArn"] = invocation.function_arn
    _add_origin(record, invocation)
    return Emit(contract.PLATFORM_START, record)


def runtime_done(state: State, running: Running, fault: Fault | None) -> list[Emit]:
    """`platform.runtimeDone`: the runtime asks for its next event, or will not any more."""
    if not state.settings.mode.is_billed:
        return []
    metrics: dict[str, object] = {"durationMs": milliseconds(state.now.monotonic - running.started)}
    if running.last_byte is not None:
        metrics["producedBytes"] = running.produced
    record: dict[str, object] = {
        "requestId": running.invocation.request_id,
        "status": fault.status if fault else contract.STATUS_SUCCESS,
        "metrics": metrics,
    }
    if fault and fault.status != contract.STATUS_TIMEOUT:
        record["errorType"] = fault.error_type
    spans = _spans(state, running)
    if running.state is RETURNED and running.last_byte is not None:
        overhead = milliseconds(state.now.monotonic - running.last_byte)
        spans.append(Span("runtimeOverhead", _wall(state, running.last_byte), overhead))
    if spans:
        record["spans"] = spans
    _add_origin(record, running.invocation)
    return [Emit(contract.PLATFORM_RUNTIME_DONE, record)]


def _spans(state: State, running: Running) -> list[Span]:
    """How long the answer let itself be waited for, and how long it took."""
    first, last = running.first_byte, running.last_byte
    if first is None or last is None:
        return []
    latency = milliseconds(first - running.started)
    return [
        Span("responseLatency", _wall(state, running.started), latency),
        Span("responseDuration", _wall(state, first), milliseconds(last - first)),
    ]


def _wall(state: State, moment: float) -> float:
    """A moment of the monotonic clock in epoch seconds."""
    return state.now.wall - state.now.monotonic + moment


def _add_origin(record: dict[str, object], invocation: Invocation) -> None:
    """Whose invocation it is, and its trace when that is sampled."""
    if invocation.tenant_id:
        record["tenantId"] = invocation.tenant_id
    trace = invocation.trace_id
    if trace and "Sampled=1" in trace and "Root=" in trace:
        record["tracing"] = {"type": contract.TRACING_TYPE, "value": trace}


def failure_line(state: State, running: Running, fault: Fault) -> Emit:
    """The line AWS prints when an invocation did not end by itself."""
    request_id = running.invocation.request_id
    if fault.status == contract.STATUS_TIMEOUT:
        text = f"{request_id} {timeout_message(state)}"
    else:
        text = f"RequestId: {request_id} Error: {fault.message}\n{fault.error_type}"
    return Emit(contract.PLATFORM_FAULT, {"message": text, "status": fault.status})


def timeout_message(state: State) -> str:
    return f"Task timed out after {state.settings.timeout:.2f} seconds"


def failure_outcome(running: Running, fault: Fault) -> Outcome:
    """What the invoker of a failed invocation gets: the posted init error, or AWS's two members."""
    if fault.payload is not None:
        return Outcome(
            fault.status, fault.payload, error_type=fault.error_type, refusal=fault.refusal
        )
    message = f"RequestId: {running.invocation.request_id} Error: {fault.message}"
    error = {"errorType": fault.error_type, "errorMessage": message}
    return Outcome(fault.status, error_type=fault.error_type, error=error, refusal=fault.refusal)


def finish(
    state: State, running: Running, fault: Fault | None, ended: float
) -> list[Emit | Finish]:
    """END and REPORT; the billed duration includes Init Duration on a cold start (AWS, 2025-08)."""
    duration = min(milliseconds(ended - running.started), state.settings.timeout * 1000)
    init_ms, state.init_ms = state.init_ms, None
    restore_ms, state.restore_ms = state.restore_ms, None
    report = Report(
        running.invocation.request_id,
        fault.status if fault else contract.STATUS_SUCCESS,
        duration,
        ceil(duration + (init_ms or 0.0)),
        state.settings.memory_mb,
        state.max_memory_mb,
        init_ms,
        fault.error_type if fault else None,
        restore_ms,
    )
    return [
        Emit(contract.PLATFORM_END, {"requestId": report.request_id}),
        Emit(contract.PLATFORM_REPORT, _report_record(state, running, report)),
        Finish(report.request_id, report),
    ]


def _report_record(state: State, running: Running, report: Report) -> dict[str, object]:
    """`platform.report`'s record (Telemetry API schema); members and order as RIE's."""
    is_billed = state.settings.mode.is_billed
    status, error_type = _verdict(running, report, is_billed=is_billed)
    record: dict[str, object] = {
        "requestId": report.request_id,
        "status": status,
        "metrics": _metrics(report) if is_billed else {"durationMs": report.duration_ms},
    }
    _add_origin(record, running.invocation)
    spans = _extension_spans(state, running) if is_billed else _spans(state, running)
    if spans:
        record["spans"] = spans
    if error_type:
        record["errorType"] = error_type
    return record


def _verdict(running: Running, report: Report, *, is_billed: bool) -> tuple[str, str | None]:
    """Status and error type; without a bill, errors of the handler count too (RIE)."""
    if is_billed:
        is_told = report.status != contract.STATUS_TIMEOUT
        return report.status, report.error_type if is_told else None
    outcome = running.outcome
    if running.fault is None and outcome is not None and outcome.error_type:
        return contract.STATUS_ERROR, outcome.error_type
    return report.status, report.error_type


def _metrics(report: Report) -> dict[str, object]:
    metrics: dict[str, object] = {
        "durationMs": report.duration_ms,
        "billedDurationMs": report.billed_ms,
        "memorySizeMB": report.memory_size_mb,
        "maxMemoryUsedMB": report.max_memory_mb,
    }
    if report.init_ms is not None:
        metrics["initDurationMs"] = report.init_ms
    if report.restore_ms is not None:
        metrics["restoreDurationMs"] = report.restore_ms
        metrics["billedRestoreDurationMs"] = ceil(report.restore_ms)
    return metrics


def _extension_spans(state: State, running: Running) -> list[Span]:
    """How long the extensions that were told of an invocation were waited for."""
    done = running.runtime_done
    if running.fault is not None or done is None or not state.has_invoke_extensions():
        return []
    overhead = milliseconds(state.now.monotonic - done)
    return [Span("extensionOverhead", _wall(state, done), overhead)]
