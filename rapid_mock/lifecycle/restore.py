"""SnapStart: from the snapshot, at which the init phase ended, to an environment that can work.

Order, limit and error types: "Use runtime hooks with Lambda SnapStart" and "Lambda SnapStart",
AWS Lambda Developer Guide; answers: RIE.
"""

from __future__ import annotations

from lambda_runtime import contract
from rapid_mock.lifecycle import diagnosis, report
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle.effects import Drain, Explain, Refusal, Reply, Restored
from rapid_mock.lifecycle.machines import RuntimeAction, RuntimeState
from rapid_mock.lifecycle.runtime_calls import ACCEPTED, refuse_transition
from rapid_mock.lifecycle.shutdown import begin_stop
from rapid_mock.lifecycle.state import Fault, InitRun, Phase, State

# --- Rules ----------------------------------------------------------------------------------


def begin_restore(state: State) -> None:
    """Let a runtime that asked for it run its hooks; the bill of the init is not the invoker's."""
    now = state.now.monotonic
    limits = [running.deadline for running in state.running.values()]
    state.phase = Phase.RESTORE
    state.init = InitRun("restore", now, min([now + state.settings.restore_timeout, *limits]))
    state.init_ms = None
    state.effects.append(report.restore_start(state))
    if state.runtime is RuntimeState.RESTORE_READY:
        state.step_runtime(RuntimeAction.RESTORE)
        if state.restore_poll is not None:
            state.effects.append(Reply(state.restore_poll, Restored()))
            state.restore_poll = None


def end_restore(state: State) -> None:
    """The runtime waits for its next event, as it did before if it has no hooks."""
    restore = _current(state)
    state.effects.append(Drain())
    state.effects += report.restore_done(state, restore, None)
    state.restore_ms = report.milliseconds(state.now.monotonic - restore.started)
    state.init = None
    state.phase = Phase.INVOKE if state.running else Phase.IDLE


def fail_restore(state: State) -> None:
    """Nothing is repeated: whoever waits for the restore fails with it, and hears so of the API.

    That an invocation's own time was over, it is told as ever.
    """
    fault = state.fault
    assert fault is not None  # noqa: S101  the rule says so
    if fault.refusal is None and fault.status != contract.STATUS_TIMEOUT:
        fault.refusal = Refusal.RESTORE_FAILED
    state.effects.append(Drain())
    state.effects += report.restore_done(state, _current(state), fault)
    while state.waiting:
        state.effects.append(report.start(state, state.admit()))
    state.effects.append(Explain(fault.sentence, fault.process))
    begin_stop(state, contract.SHUTDOWN_FAILURE, Phase.COLD)


def overrun(state: State) -> None:
    """The hooks' time is over, or that of the invocation that waits for them."""
    running = state.current
    if running is not None and running.deadline <= state.now.monotonic:
        state.fail(diagnosis.timed_out(state, state.settings.timeout))
    else:
        state.fail(diagnosis.restore_timed_out(state))


# --- Calls ----------------------------------------------------------------------------------


def runtime_restore_next(state: State, event: happened.RuntimeRestoreNext) -> None:
    """Refusals name the state that a runtime has in its first `next`, as in RIE."""
    if not _attempt(state, RuntimeAction.RESTORE_NEXT):
        refuse_transition(state, event.exchange, state.current, RuntimeAction.NEXT.value)
        return
    state.restore_poll = event.exchange


def runtime_restore_failed(state: State, event: happened.RuntimeRestoreFailed) -> None:
    """Nothing ends yet: the restore fails when the process exits, or at its deadline."""
    action = RuntimeAction.RESTORE_ERROR
    if not _attempt(state, action):
        refuse_transition(state, event.exchange, state.current, action.value)
        return
    state.init_error = Fault(event.error_type, "", "", payload=event.payload)
    state.effects.append(Reply(event.exchange, ACCEPTED))


def _attempt(state: State, action: RuntimeAction) -> bool:
    after = state.settings.mode.runtime[state.runtime].get(action)
    if after is not None:
        state.runtime = after
    return after is not None


def _current(state: State) -> InitRun:
    assert state.init is not None  # noqa: S101  the phase RESTORE is this run
    return state.init
