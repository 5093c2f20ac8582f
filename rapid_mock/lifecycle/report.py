"""Durations, outcomes and the platform records made of them."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from lambda_runtime import contract
from rapid_mock.lifecycle.effects import Emit, Finish, Outcome, Report

if TYPE_CHECKING:
    from rapid_mock.lifecycle.state import Extension, Fault, InitRun, Running, State


def milliseconds(seconds: float) -> float:
    """Seconds as milliseconds, floored to whole microseconds as AWS reports them."""
    return int(seconds * 1_000_000) / 1000


def init_start(state: State, init: InitRun) -> Emit:
    settings = state.settings
    return Emit(
        contract.PLATFORM_INIT_START,
        {
            "initializationType": settings.initialization_type,
            "phase": init.phase,
            "functionName": settings.function_name,
            "functionVersion": settings.version,
            "instanceMaxMemory": settings.memory_mb * 1024 * 1024,
        },
    )


def init_done(state: State, init: InitRun, fault: Fault | None) -> list[Emit]:
    """initRuntimeDone, one record per extension, initReport: in AWS's order."""
    common: dict[str, object] = {
        "initializationType": state.settings.initialization_type,
        "phase": init.phase,
    }
    verdict: dict[str, object] = {"status": fault.status if fault else contract.STATUS_SUCCESS}
    if fault:
        verdict["errorType"] = fault.error_type
    duration = milliseconds(state.now.monotonic - init.started)
    return [
        Emit(contract.PLATFORM_INIT_RUNTIME_DONE, common | verdict),
        *(extension_record(extension) for extension in state.extensions.values()),
        Emit(
            contract.PLATFORM_INIT_REPORT,
            common | verdict | {"metrics": {"durationMs": duration}},
        ),
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
    if invocation.tenant_id:
        record["tenantId"] = invocation.tenant_id
    return Emit(contract.PLATFORM_START, record)


def runtime_done(running: Running, fault: Fault | None, ended: float) -> Emit:
    record: dict[str, object] = {
        "requestId": running.invocation.request_id,
        "status": fault.status if fault else contract.STATUS_SUCCESS,
        "metrics": {"durationMs": milliseconds(ended - running.started)},
    }
    if fault and fault.status == contract.STATUS_ERROR:
        record["errorType"] = fault.error_type
    return Emit(contract.PLATFORM_RUNTIME_DONE, record)


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
        return Outcome(fault.status, fault.payload, error_type=fault.error_type)
    message = f"RequestId: {running.invocation.request_id} Error: {fault.message}"
    error = {"errorType": fault.error_type, "errorMessage": message}
    return Outcome(fault.status, error_type=fault.error_type, error=error)


def finish(
    state: State, running: Running, fault: Fault | None, ended: float
) -> list[Emit | Finish]:
    """END and REPORT; the billed duration includes Init Duration on a cold start (AWS, 2025-08)."""
    duration = min(milliseconds(ended - running.started), state.settings.timeout * 1000)
    init_ms, state.init_ms = state.init_ms, None
    report = Report(
        running.invocation.request_id,
        fault.status if fault else contract.STATUS_SUCCESS,
        duration,
        ceil(duration + (init_ms or 0.0)),
        state.settings.memory_mb,
        state.max_memory_mb,
        init_ms,
        fault.error_type if fault else None,
    )
    return [
        Emit(contract.PLATFORM_END, {"requestId": report.request_id}),
        Emit(contract.PLATFORM_REPORT, report_record(report)),
        Finish(report.request_id, report),
    ]


def report_record(report: Report) -> dict[str, object]:
    """`platform.report`'s record (Telemetry API schema)."""
    metrics: dict[str, object] = {
        "durationMs": report.duration_ms,
        "billedDurationMs": report.billed_ms,
        "memorySizeMB": report.memory_size_mb,
        "maxMemoryUsedMB": report.max_memory_mb,
    }
    if report.init_ms is not None:
        metrics["initDurationMs"] = report.init_ms
    record: dict[str, object] = {
        "requestId": report.request_id,
        "status": report.status,
        "metrics": metrics,
    }
    if report.error_type and report.status == contract.STATUS_ERROR:
        record["errorType"] = report.error_type
    return record
