"""Faults and their one sentence: who did what, and who was being waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lambda_runtime import contract
from rapid_mock.lifecycle.effects import Refusal
from rapid_mock.lifecycle.machines import ExtensionState, InvocationState, RuntimeState
from rapid_mock.lifecycle.report import timeout_message
from rapid_mock.lifecycle.state import Extension, Fault, Phase

if TYPE_CHECKING:
    from rapid_mock.lifecycle.events import ProcessExited
    from rapid_mock.lifecycle.state import State

_DURING = {
    Phase.INIT: "during init",
    Phase.SNAPSHOT: "after the snapshot",
    Phase.RESTORE: "during the restore",
    Phase.IDLE: "while idle",
    Phase.INVOKE: "during an invocation",
}

_REPORTED = {
    ExtensionState.INIT_ERROR: contract.ERROR_EXTENSION_INIT,
    ExtensionState.EXIT_ERROR: contract.ERROR_EXTENSION_EXIT,
}


def runtime_exited(state: State, event: ProcessExited) -> Fault:
    """The runtime's end; an init error it reported before is what the invoker gets."""
    ending = _ending(event)
    message = (
        "Runtime exited without providing a reason"
        if event.code == 0
        else f"Runtime exited with error: {ending}"
    )
    if event.process == state.outgrown:
        return Fault(
            contract.ERROR_RUNTIME_OUT_OF_MEMORY,
            message,
            f"runtime {_outgrew(state)}",
            process=event.process,
        )
    if state.init_error is not None:
        reported = state.init_error
        return Fault(
            reported.error_type,
            message,
            f"runtime reported {reported.error_type} and exited ({ending})",
            payload=reported.payload,
            process=event.process,
        )
    error_type = _reported_type(state) or contract.ERROR_RUNTIME_EXIT
    sentence = f"runtime exited {_DURING.get(state.phase, '')} ({ending})"
    return Fault(error_type, message, sentence, process=event.process)


def extension_exited(state: State, extension: Extension, event: ProcessExited) -> Fault:
    """An extension's end before SHUTDOWN."""
    error_type = _reported_type(state) or contract.ERROR_EXTENSION_CRASH
    message = "exit code 0" if event.code == 0 else _ending(event)
    if event.process == state.outgrown:
        sentence = f'extension "{extension.name}" {_outgrew(state)}'
        return Fault(error_type, message, sentence, process=event.process)
    reported = f" after reporting {extension.error_type}" if extension.error_type else ""
    before = " before registering" if extension.state is ExtensionState.STARTED else ""
    sentence = (
        f'extension "{extension.name}" exited{before or " " + _DURING.get(state.phase, "")}'
        f"{reported} ({_ending(event)})"
    )
    return Fault(error_type, message, sentence, process=event.process)


def runtime_launch_failed(message: str) -> Fault:
    return Fault(
        contract.ERROR_RUNTIME_INVALID_ENTRYPOINT, message, f"runtime did not start: {message}"
    )


def extension_launch_failed(extension: Extension, message: str) -> Fault:
    return Fault(
        contract.ERROR_EXTENSION_LAUNCH,
        message,
        f'extension "{extension.name}" did not start: {message}',
    )


def too_many_extensions(state: State) -> Fault:
    count = len(state.settings.extensions)
    return Fault(
        contract.ERROR_EXTENSION_TOO_MANY,
        f"Extension limit ({contract.MAX_EXTENSIONS}) reached",
        f"{count} extensions given, Lambda allows {contract.MAX_EXTENSIONS}",
    )


def timed_out(state: State, limit: float) -> Fault:
    """A deadline passed: the sentence names whoever was being waited for."""
    who, process = _awaited(state)
    return Fault(
        contract.ERROR_SANDBOX_TIMEDOUT,
        timeout_message(state),
        f"{who} within {limit:.1f} s",
        status=contract.STATUS_TIMEOUT,
        process=process,
    )


def restore_timed_out(state: State) -> Fault:
    """The hooks after the restore took too long; an error they reported before is the reason."""
    limit = state.settings.restore_timeout
    sentence = f"runtime did not call next within {limit:.1f} s of the restore"
    reported = state.init_error
    if reported is not None:
        sentence = f"runtime reported {reported.error_type} and did not exit within {limit:.1f} s"
    return Fault(
        reported.error_type if reported else contract.ERROR_RUNTIME_RESTORE_TIMEOUT,
        f"Restore timed out after {limit:.2f} seconds",
        sentence,
        payload=reported.payload if reported else None,
        process=state.runtime_process,
        refusal=None if reported else Refusal.RESTORE_TIMED_OUT,
    )


def unkillable(state: State) -> str:
    names = [extension.name for extension in state.extensions.values() if extension.process]
    if state.runtime_process is not None:
        names.insert(0, "runtime")
    return f"{', '.join(names)} did not exit after SIGKILL"


def _awaited(state: State) -> tuple[str, int | None]:
    for extension in state.externals:
        if extension.state is ExtensionState.STARTED:
            return f'extension "{extension.name}" did not register', extension.process
    runtime = _awaited_runtime(state)
    if runtime:
        return runtime, state.runtime_process
    late = next(
        extension
        for extension in state.extensions.values()
        if extension.state is not ExtensionState.READY
        and (state.phase is Phase.INIT or contract.EVENT_INVOKE in extension.events)
    )
    return f'extension "{late.name}" did not call next', late.process


def _awaited_runtime(state: State) -> str | None:
    running = state.current
    if state.runtime is not RuntimeState.READY:
        return "runtime did not call next"
    if running is None or running.state is InvocationState.RETURNED or state.phase is Phase.INIT:
        return None
    if running.state is InvocationState.RESPONDED:
        return "runtime responded but did not call next"
    if running.state is InvocationState.RESPONDING:
        return "runtime did not finish its response"
    if running.state is InvocationState.PENDING:
        return "runtime did not ask for the event"
    return "handler did not respond"


def _reported_type(state: State) -> str | None:
    """An error that an extension reported names the type of whatever ends next (RIE)."""
    for extension in state.extensions.values():
        if extension.state in _REPORTED:
            return _REPORTED[extension.state]
    return None


def peaked(state: State) -> str:
    """Peaks of processes that share memory are together more than Lambda would count."""
    used, size = state.max_memory_mb, state.settings.memory_mb
    return (
        f"the peaks of all processes together, {used} MB, were above the memory size of {size} MB: "
        "Lambda may have killed the function"
    )


def _outgrew(state: State) -> str:
    used, size = state.max_memory_mb, state.settings.memory_mb
    return (
        "outgrew the environment and was killed: "
        f"all processes used {used} MB, the memory size is {size} MB"
    )


def _ending(event: ProcessExited) -> str:
    return f"exit status {event.code}" if event.signal is None else f"signal: {event.signal}"
