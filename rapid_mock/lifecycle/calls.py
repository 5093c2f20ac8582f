"""What each event does to the party it concerns; the table at the end is the way in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rapid_mock.lifecycle import (
    diagnosis,
    extension_calls,
    phases,
    restore,
    runtime_calls,
    telemetry_calls,
)
from rapid_mock.lifecycle import events as happened
from rapid_mock.lifecycle.effects import Signal
from rapid_mock.lifecycle.machines import ExtensionAction, RuntimeAction
from rapid_mock.lifecycle.shutdown import begin_stop, processes
from rapid_mock.lifecycle.state import Extension, Phase, State


def init_requested(state: State, _event: happened.InitRequested) -> None:
    if state.phase is Phase.COLD:
        phases.begin_init(state)


def restore_requested(state: State, _event: happened.RestoreRequested) -> None:
    if state.phase is Phase.SNAPSHOT:
        restore.begin_restore(state)


def invoke_arrived(state: State, event: happened.InvokeArrived) -> None:
    state.waiting.append(event.invocation)


def shutdown_requested(state: State, event: happened.ShutdownRequested) -> None:
    """Work that has been answered comes back first, within its deadline; other work fails."""
    if state.stop is not None:
        state.stop.then = Phase.GONE
    elif state.phase is Phase.INVOKE and state.is_answered() and not state.waiting:
        state.leaving = event.reason
    elif state.phase is not Phase.GONE:
        begin_stop(state, event.reason, Phase.GONE)


def memory_sampled(state: State, event: happened.MemorySampled) -> None:
    state.max_memory_mb = max(state.max_memory_mb, event.megabytes)


def memory_exceeded(state: State, event: happened.MemoryExceeded) -> None:
    """As Linux does for Lambda: SIGKILL; what follows, follows from the end of the process."""
    if state.phase in (Phase.INIT, Phase.RESTORE, Phase.INVOKE) and event.process in processes(
        state
    ):
        state.outgrown = event.process
        state.effects.append(Signal(event.process, "SIGKILL"))


def spawn_failed(state: State, event: happened.SpawnFailed) -> None:
    if event.process == state.runtime_process:
        state.step_runtime(RuntimeAction.EXIT)
        state.runtime_process = None
        state.fail(diagnosis.runtime_launch_failed(event.message))
    elif (extension := _by_process(state, event.process)) is not None:
        extension.step(ExtensionAction.LAUNCH_FAIL)
        extension.process = None
        state.fail(diagnosis.extension_launch_failed(extension, event.message))


def process_exited(state: State, event: happened.ProcessExited) -> None:
    if event.process == state.runtime_process:
        fault = diagnosis.runtime_exited(state, event)
        state.step_runtime(RuntimeAction.EXIT)
        state.runtime_process = None
    elif (extension := _by_process(state, event.process)) is not None:
        fault = diagnosis.extension_exited(state, extension, event)
        extension.step(ExtensionAction.EXIT)
        extension.process = extension.poll = None
    else:
        return
    state.fail(fault)


def exchange_vanished(state: State, event: happened.ExchangeVanished) -> None:
    """A parked poll whose client is gone must not swallow the next event."""
    for poll in state.polls:
        if poll.exchange == event.exchange:
            state.polls.remove(poll)
            return
    if state.restore_poll == event.exchange:
        state.restore_poll = None
    for extension in state.extensions.values():
        if extension.poll == event.exchange:
            extension.poll = None
            extension.step(ExtensionAction.VANISH)


def _by_process(state: State, process: int) -> Extension | None:
    for extension in state.extensions.values():
        if extension.process == process:
            return extension
    return None


HANDLERS: dict[type, Callable[[State, Any], None]] = {
    happened.InitRequested: init_requested,
    happened.RestoreRequested: restore_requested,
    happened.InvokeArrived: invoke_arrived,
    happened.ShutdownRequested: shutdown_requested,
    happened.MemorySampled: memory_sampled,
    happened.MemoryExceeded: memory_exceeded,
    happened.SpawnFailed: spawn_failed,
    happened.ProcessExited: process_exited,
    happened.ExchangeVanished: exchange_vanished,
    happened.RuntimeNext: runtime_calls.runtime_next,
    happened.RuntimeResponseBegun: runtime_calls.runtime_response_begun,
    happened.RuntimeResponseEnded: runtime_calls.runtime_response_ended,
    happened.RuntimeErrorReported: runtime_calls.runtime_error_reported,
    happened.RuntimeInitFailed: runtime_calls.runtime_init_failed,
    happened.RuntimeRestoreNext: restore.runtime_restore_next,
    happened.RuntimeRestoreFailed: restore.runtime_restore_failed,
    happened.ExtensionRegistered: extension_calls.extension_registered,
    happened.ExtensionNext: extension_calls.extension_next,
    happened.ExtensionInitFailed: extension_calls.extension_init_failed,
    happened.ExtensionExitFailed: extension_calls.extension_exit_failed,
    happened.TelemetrySubscribed: telemetry_calls.telemetry_subscribed,
    happened.TelemetryFlushed: telemetry_calls.telemetry_flushed,
}
