"""The rules that couple the parties, phase by phase, in the order of a life.

A rule is a question and an action; each phase has its rules, in order, in one function that gives
the first action due. After every event the rules of the current phase run to a fixed point, so that
it does not matter in which order the parties arrived where they are. What AWS's emulator does with
gates and counters is a plain question here: "has everyone registered?".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lambda_runtime import contract
from rapid_mock.lifecycle import diagnosis, report
from rapid_mock.lifecycle.effects import (
    BeginTelemetry,
    Drain,
    Explain,
    InvocationDelivered,
    InvokeEvent,
    ProcessKind,
    Reply,
    Spawn,
)
from rapid_mock.lifecycle.machines import (
    ExtensionState,
    InvocationAction,
    InvocationState,
    RuntimeAction,
    RuntimeState,
)
from rapid_mock.lifecycle.restore import begin_restore, end_restore, fail_restore
from rapid_mock.lifecycle.shutdown import (
    begin_stop,
    end_stop,
    flush_telemetry,
    is_everyone_gone,
    refuse_waiting,
    release_extensions,
)
from rapid_mock.lifecycle.state import Extension, InitRun, Phase, Running, Stage, State

PENDING, RETURNED = InvocationState.PENDING, InvocationState.RETURNED
"""Read at every event; through its class an enum's member costs 0.1 us each time."""

# --- COLD -----------------------------------------------------------------------------------


def begin_init(state: State) -> None:
    """Start every extension; repeated inside an invocation, the function timeout bounds it.

    The START of that invocation comes first, and belongs to what new subscribers are told.
    """
    state.effects.append(BeginTelemetry())
    phase, state.next_init_phase = state.next_init_phase, contract.PHASE_INVOKE
    limit = state.settings.init_timeout
    if phase == contract.PHASE_INVOKE:
        limit = state.settings.timeout
        if state.waiting:
            begin_invocation(state)
    state.phase = Phase.INIT
    state.init = InitRun(phase, state.now.monotonic, state.now.monotonic + limit)
    state.max_memory_mb = state.told_memory_mb = 0  # of processes that are no more
    state.effects.append(report.init_start(state, state.init))
    if len(state.settings.extensions) > contract.MAX_EXTENSIONS:
        state.fail(diagnosis.too_many_extensions(state))
        return
    for name in state.settings.extensions:
        process = state.new_process()
        state.extensions[name] = Extension(
            name, external=True, state=ExtensionState.STARTED, process=process
        )
        state.effects.append(Spawn(process, ProcessKind.EXTENSION, name))


# --- INIT -----------------------------------------------------------------------------------


def may_spawn_runtime(state: State) -> bool:
    """The runtime starts when all external extensions have registered."""
    return (
        state.runtime is RuntimeState.ABSENT
        and state.runtime_process is None
        and all(extension.identifier for extension in state.externals)
    )


def spawn_runtime(state: State) -> None:
    state.runtime_process = state.new_process()
    state.step_runtime(RuntimeAction.SPAWN)
    state.effects.append(Spawn(state.runtime_process, ProcessKind.RUNTIME, "runtime"))


def is_init_done(state: State) -> bool:
    """The runtime and every registered extension, whatever its events, wait for an event.

    A runtime may wait for the restore instead.
    """
    return state.runtime in (RuntimeState.READY, RuntimeState.RESTORE_READY) and all(
        extension.state is ExtensionState.READY for extension in state.extensions.values()
    )


def end_init(state: State) -> None:
    init = _found(state.init)
    state.effects.extend(report.init_done(state, init, None))
    if init.phase == contract.PHASE_INIT:
        state.init_ms = report.milliseconds(state.now.monotonic - init.started)
    state.init = None
    if state.settings.mode.is_restored:
        state.phase = Phase.SNAPSHOT
    else:
        state.phase = Phase.INVOKE if state.running else Phase.IDLE


def fail_init(state: State) -> None:
    """A failed init is repeated inside the first invocation; there it fails the invocation.

    Where nothing is repeated, it fails every invocation that waits for it.
    """
    fault = _found(state.fault)
    while state.waiting and not state.settings.mode.restarts:
        begin_invocation(state)
    state.effects.extend(report.init_done(state, _found(state.init), fault))
    state.init = None
    if state.running or not state.waiting:
        state.effects.append(Explain(fault.sentence, fault.process))
    timed_out = bool(state.running) and fault.status == contract.STATUS_TIMEOUT
    begin_stop(
        state,
        contract.SHUTDOWN_TIMEOUT if timed_out else contract.SHUTDOWN_SPINDOWN,
        Phase.COLD,
    )


# --- IDLE -----------------------------------------------------------------------------------


def leave(state: State) -> None:
    """The last invocation is over: the shutdown that waited for it begins."""
    begin_stop(state, state.leaving or contract.SHUTDOWN_SPINDOWN, Phase.GONE)


def retire(state: State) -> None:
    """AWS freezes an idle environment; one that dies here is replaced and fails nobody."""
    fault = _found(state.fault)
    state.effects.append(Explain(fault.sentence, fault.process))
    begin_stop(state, contract.SHUTDOWN_FAILURE, Phase.GONE)


def begin_invocation(state: State) -> None:
    """START; the function timeout runs."""
    running = state.admit()
    state.phase = Phase.INVOKE
    state.effects.append(report.start(state, running))


# --- INVOKE ---------------------------------------------------------------------------------


def deliver(state: State) -> None:
    """External extensions first, then internal ones, then the runtime."""
    running = _found(_oldest(state, PENDING))
    invocation = running.invocation
    for extension in state.extensions.values():
        if contract.EVENT_INVOKE in extension.events:
            state.deliver(extension, _invoke_event(running))
    running.step(InvocationAction.DELIVER)
    poll = state.polls.popleft()
    running.invocation_id = poll.invocation_id
    message = InvocationDelivered(invocation, running.deadline_ms, poll.invocation_id)
    state.effects.append(Reply(poll.exchange, message))


def _invoke_event(running: Running) -> InvokeEvent:
    invocation = running.invocation
    return InvokeEvent(
        running.deadline_ms, invocation.request_id, invocation.function_arn, invocation.trace_id
    )


def complete(state: State) -> None:
    running = _found(_oldest(state, RETURNED))
    if running.runtime_done != state.now.monotonic:
        state.effects.append(Drain())  # what came while extensions were waited for
    state.effects.extend(report.finish(state, running, None, state.now.monotonic))
    if state.max_memory_mb > max(state.settings.memory_mb, state.told_memory_mb):
        state.told_memory_mb = state.max_memory_mb
        state.effects.append(Explain(diagnosis.peaked(state)))
    del state.running[running.invocation.request_id]
    state.phase = Phase.INVOKE if state.running else Phase.IDLE


def fail_invocations(state: State) -> None:
    fault = _found(state.fault)
    state.effects.append(Explain(fault.sentence, fault.process))
    timed_out = fault.status == contract.STATUS_TIMEOUT
    begin_stop(
        state,
        contract.SHUTDOWN_TIMEOUT if timed_out else contract.SHUTDOWN_FAILURE,
        Phase.COLD,
    )


# --- STOPPING -------------------------------------------------------------------------------


def is_runtime_gone(state: State) -> bool:
    stop = state.stop
    return stop is not None and stop.stage is Stage.RUNTIME and state.runtime_process is None


def has_subscribers(state: State) -> bool:
    """Whether an extension that lives, or may live, takes telemetry."""
    return any(e.subscription and e.process is not None for e in state.extensions.values())


# --- The rules ------------------------------------------------------------------------------

Action = Callable[[State], None]


def due_when_cold(state: State) -> Action | None:
    return begin_init if state.waiting else None


def due_in_init(state: State) -> Action | None:
    if state.fault is not None:
        return fail_init
    if may_spawn_runtime(state):
        return spawn_runtime
    return end_init if is_init_done(state) else None


def due_at_the_snapshot(state: State) -> Action | None:
    if state.fault is not None:
        return retire
    return begin_restore if state.waiting or state.running else None


def due_in_restore(state: State) -> Action | None:
    if state.fault is not None:
        return fail_restore
    return end_restore if state.runtime is RuntimeState.READY else None


def due_when_idle(state: State) -> Action | None:
    if state.fault is not None:
        return retire
    if state.leaving is not None:
        return leave
    return begin_invocation if state.waiting else None


def due_in_invoke(state: State) -> Action | None:
    """Completed: the runtime is through with it, every extension told of it asked again."""
    if state.fault is not None:
        return fail_invocations
    if state.waiting and len(state.running) < state.settings.mode.concurrency:
        return begin_invocation
    for running in state.running.values():
        if running.state is PENDING:
            if state.polls:
                return deliver
        elif running.state is RETURNED and state.are_extensions_ready():
            return complete
    return None


def due_when_stopping(state: State) -> Action | None:
    if is_runtime_gone(state):
        return flush_telemetry if has_subscribers(state) else release_extensions
    return end_stop if is_everyone_gone(state) else None


def due_when_gone(state: State) -> Action | None:
    return refuse_waiting if state.waiting else None


DUE: dict[Phase, Callable[[State], Action | None]] = {
    Phase.COLD: due_when_cold,
    Phase.INIT: due_in_init,
    Phase.SNAPSHOT: due_at_the_snapshot,
    Phase.RESTORE: due_in_restore,
    Phase.IDLE: due_when_idle,
    Phase.INVOKE: due_in_invoke,
    Phase.STOPPING: due_when_stopping,
    Phase.GONE: due_when_gone,
}


def settle(state: State) -> None:
    """Run the rules of the current phase until none applies."""
    while (action := DUE[state.phase](state)) is not None:
        action(state)


def _oldest(state: State, wanted: InvocationState) -> Running | None:
    for running in state.running.values():
        if running.state is wanted:
            return running
    return None


Found = TypeVar("Found")


def _found(what: Found | None) -> Found:
    assert what is not None  # noqa: S101  the rule, or the phase, says so
    return what
