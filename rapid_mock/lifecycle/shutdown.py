"""Shutdown and reset: SIGTERM to the runtime, SHUTDOWN to the extensions, SIGKILL to the rest.

Budgets and order: "Shutdown phase", AWS Lambda Developer Guide; the runtime's share of the budget
and who is killed at once: RIE.
"""

from __future__ import annotations

from lambda_runtime import contract
from rapid_mock.lifecycle import diagnosis, report
from rapid_mock.lifecycle.effects import (
    Answer,
    Drain,
    EndTelemetry,
    Explain,
    FlushTelemetry,
    ShutdownEvent,
    Signal,
)
from rapid_mock.lifecycle.machines import (
    ExtensionAction,
    ExtensionState,
    InvocationAction,
    InvocationState,
    RuntimeState,
)
from rapid_mock.lifecycle.state import Extension, Fault, Phase, Running, Stage, State, Stop

REAP_SECONDS = 2.0
"""How long to wait for the exits of killed processes (RIE waits as long)."""
FLUSH_SECONDS = 1.0
"""How long the delivery of telemetry may hold up the shutdown of the extensions (RIE)."""

SHUT_DOWN = Fault(
    contract.ERROR_SANDBOX_FAILURE,
    "execution environment was shut down",
    sentence="",
    status=contract.STATUS_FAILURE,
)
"""What happened to an invocation that a shutdown found waiting or at work."""


def begin_stop(state: State, reason: str, then: Phase) -> None:
    """Fail what is running, then end all processes within the budget; `then` is COLD or GONE."""
    fault, state.fault = state.fault or SHUT_DOWN, None
    then = then if state.settings.mode.restarts and not state.leaving else Phase.GONE
    now = state.now
    budget = _budget_seconds(state)
    has_externals = any(extension.identifier for extension in state.externals)
    share = contract.SHUTDOWN_RUNTIME_SHARE if has_externals else 1.0
    stop = Stop(
        reason,
        then,
        Stage.RUNTIME,
        stage_until=now.monotonic + budget * share,
        until=now.monotonic + budget,
        deadline_ms=int((now.wall + budget) * 1000),
    )
    state.phase, state.stop, state.init = Phase.STOPPING, stop, None
    for running in state.running.values():
        _fail(state, running, fault)
    if budget == 0:
        kill_everyone(state, stop)
    elif state.runtime_process is not None:
        state.effects.append(Signal(state.runtime_process, "SIGTERM"))


def flush_telemetry(state: State) -> None:
    """The runtime is gone: its last records go out before the extensions hear of the shutdown."""
    stop = _stop(state)
    stop.stage = Stage.TELEMETRY
    stop.stage_until = min(state.now.monotonic + FLUSH_SECONDS, stop.until)
    state.effects.append(FlushTelemetry())


def release_extensions(state: State) -> None:
    """No more comes from the runtime: tell the extensions that asked for it, kill the others."""
    stop = _stop(state)
    stop.stage = Stage.EXTENSIONS
    event = ShutdownEvent(stop.deadline_ms, stop.reason)
    for extension in state.externals:
        if _is_told_of_shutdown(extension):
            state.deliver(extension, event)
        elif extension.process is not None:
            state.effects.append(Signal(extension.process, "SIGKILL"))


def overrun(state: State) -> None:
    """A deadline of the shutdown passed: kill whoever is being waited for."""
    stop = _stop(state)
    if stop.stage is Stage.KILLED:
        state.effects.append(Explain(diagnosis.unkillable(state)))
        end_stop(state)
    elif stop.stage is Stage.TELEMETRY and stop.stage_until < stop.until:
        release_extensions(state)
    elif stop.stage is Stage.RUNTIME and stop.stage_until < stop.until:
        stop.stage_until = stop.until
        if state.runtime_process is not None:
            state.effects.append(Signal(state.runtime_process, "SIGKILL"))
    else:
        kill_everyone(state, stop)


def kill_everyone(state: State, stop: Stop) -> None:
    stop.stage = Stage.KILLED
    stop.until = state.now.monotonic + REAP_SECONDS
    for process in processes(state):
        state.effects.append(Signal(process, "SIGKILL"))


def is_everyone_gone(state: State) -> bool:
    return not processes(state)


def end_stop(state: State) -> None:
    """All processes are gone: finish what failed, forget the registry, be cold or gone."""
    state.effects.append(Drain())
    if any(extension.subscription for extension in state.extensions.values()):
        state.effects.append(EndTelemetry())
    for running in state.running.values():
        _finish(state, running)
    state.running.clear()
    state.extensions.clear()
    state.polls.clear()
    state.overdue.clear()
    state.runtime, state.runtime_process = RuntimeState.ABSENT, None
    state.phase = _stop(state).then
    state.stop = state.init_error = state.init_ms = state.outgrown = None
    state.restore_ms = state.restore_poll = None


def expire(state: State) -> None:
    """Fail the invocations whose time is over, and nothing else; late answers will be told so."""
    due = [r for r in state.running.values() if r.deadline <= state.now.monotonic]
    for running in due:
        fault = diagnosis.timed_out(state, state.settings.timeout)
        state.effects.append(Explain(fault.sentence, fault.process))
        _fail(state, running, fault)
        state.effects.append(Drain())
        _finish(state, running)
        request_id = running.invocation.request_id
        del state.running[request_id]
        state.overdue.append(request_id)
    if not state.running:
        state.phase = Phase.IDLE


def refuse_waiting(state: State) -> None:
    """Nobody is left to do the work: from START to REPORT it is a failure."""
    while state.waiting:
        running = state.admit()
        state.effects.append(report.start(state, running))
        _fail(state, running, SHUT_DOWN)
        _finish(state, running)
    state.running.clear()


def _fail(state: State, running: Running, fault: Fault) -> None:
    if running.state is not InvocationState.RETURNED:
        state.effects += report.runtime_done(state, running, fault)
    state.effects.append(report.failure_line(state, running, fault))
    running.runtime_done = state.now.monotonic
    running.fault = fault
    running.step(InvocationAction.FAIL)


def _finish(state: State, running: Running) -> None:
    fault, ended = running.fault, running.runtime_done
    assert fault is not None  # noqa: S101  _fail came before
    assert ended is not None  # noqa: S101  as fault
    if running.outcome is None:
        outcome = report.failure_outcome(running, fault)
        state.effects.append(Answer(running.invocation.request_id, outcome))
    state.effects.extend(report.finish(state, running, fault, ended))


def _budget_seconds(state: State) -> float:
    registered = [extension for extension in state.extensions.values() if extension.identifier]
    if any(extension.external for extension in registered):
        return contract.SHUTDOWN_BUDGET_MS_EXTERNAL / 1000
    if registered and state.runtime_process is not None:
        return contract.SHUTDOWN_BUDGET_MS_INTERNAL / 1000
    return contract.SHUTDOWN_BUDGET_MS_NO_EXTENSION / 1000


def _is_told_of_shutdown(extension: Extension) -> bool:
    return (
        extension.process is not None
        and contract.EVENT_SHUTDOWN in extension.events
        and (
            extension.state is ExtensionState.REGISTERED
            or extension.may(ExtensionAction.NEXT)
            or extension.may(ExtensionAction.RELEASE)
        )
    )


def processes(state: State) -> list[int]:
    """Every process that has not ended."""
    processes = [state.runtime_process] if state.runtime_process is not None else []
    processes += [e.process for e in state.extensions.values() if e.process is not None]
    return processes


def _stop(state: State) -> Stop:
    assert state.stop is not None  # noqa: S101  the phase STOPPING is this stop
    return state.stop
