"""The three state machines of an execution environment, as tables.

Start here. Each table says what one party may do: state -> action -> new state. A missing entry
is a refusal, 403 `InvalidStateTransition` on the wire. RUNTIME and EXTENSION hold facts about a
process; INVOCATION holds the life of one piece of work. Keeping the two apart makes several
invocations in one environment a number; a runtime that works on several of them at once has tables
of its own, since its answer ends an invocation and its `next` says nothing about any. How the
parties wait for each other is not here: those are the rules in `phases.py`.

The names in quotation marks of the refusals ("Started", "RuntimeResponseSentState" ...) are the
literals of AWS's Runtime Interface Emulator; `wire_state` spells them from both machines.
"""

from __future__ import annotations

from enum import Enum


class Word(Enum):
    """A word of the tables; hashed by identity, since Enum's own hash is a Python function."""

    __hash__ = object.__hash__


class RuntimeState(Word):
    """The runtime process."""

    ABSENT = "Absent"
    STARTED = "Started"
    READY = "Ready"
    INIT_ERROR = "InitError"
    RESTORE_READY = "RestoreReady"
    RESTORING = "Restoring"
    RESTORE_ERROR = "RuntimeRestoreErrorState"


class RuntimeAction(Word):
    """What happens to the runtime process."""

    SPAWN = "Started"
    NEXT = "Ready"
    INIT_ERROR = "InitError"
    EXIT = "Absent"
    RESTORE_NEXT = "RestoreReady"
    RESTORE = "Restoring"
    RESTORE_ERROR = "RuntimeRestoreErrorState"


RuntimeTable = dict[RuntimeState, dict[RuntimeAction, RuntimeState]]

RUNTIME: RuntimeTable = {
    RuntimeState.ABSENT: {RuntimeAction.SPAWN: RuntimeState.STARTED},
    RuntimeState.STARTED: {
        RuntimeAction.NEXT: RuntimeState.READY,
        RuntimeAction.INIT_ERROR: RuntimeState.INIT_ERROR,
        RuntimeAction.EXIT: RuntimeState.ABSENT,
    },
    RuntimeState.READY: {
        RuntimeAction.NEXT: RuntimeState.READY,
        RuntimeAction.EXIT: RuntimeState.ABSENT,
    },
    RuntimeState.INIT_ERROR: {RuntimeAction.EXIT: RuntimeState.ABSENT},
}

RESTORED_RUNTIME: RuntimeTable = {
    **RUNTIME,
    RuntimeState.STARTED: {
        **RUNTIME[RuntimeState.STARTED],
        RuntimeAction.RESTORE_NEXT: RuntimeState.RESTORE_READY,
    },
    RuntimeState.RESTORE_READY: {
        RuntimeAction.RESTORE: RuntimeState.RESTORING,
        RuntimeAction.EXIT: RuntimeState.ABSENT,
    },
    RuntimeState.RESTORING: {
        RuntimeAction.NEXT: RuntimeState.READY,
        RuntimeAction.INIT_ERROR: RuntimeState.RESTORE_ERROR,
        RuntimeAction.RESTORE_ERROR: RuntimeState.RESTORE_ERROR,
        RuntimeAction.EXIT: RuntimeState.ABSENT,
    },
    RuntimeState.RESTORE_ERROR: {RuntimeAction.EXIT: RuntimeState.ABSENT},
}
"""With SnapStart a runtime may ask to be told of the restore, before its first `next`."""

CONCURRENT_RUNTIME: RuntimeTable = {
    **RUNTIME,
    RuntimeState.READY: {
        **RUNTIME[RuntimeState.READY],
        RuntimeAction.INIT_ERROR: RuntimeState.INIT_ERROR,
    },
    RuntimeState.INIT_ERROR: {
        **RUNTIME[RuntimeState.INIT_ERROR],
        RuntimeAction.NEXT: RuntimeState.INIT_ERROR,
    },
}
"""One worker may report an init error when others wait for events already, and go on (RIE)."""


class InvocationState(Word):
    """One invocation, from START to REPORT."""

    PENDING = "Pending"
    DELIVERED = "Delivered"
    RESPONDING = "Responding"
    RESPONDED = "Responded"
    RETURNED = "Returned"
    FAILED = "Failed"


class InvocationAction(Word):
    """What happens to an invocation."""

    DELIVER = "deliver"
    NEXT = "next"
    RESPONSE = "InvocationResponse"
    RESPONSE_END = "response end"
    ERROR = "InvocationErrorResponse"
    FAIL = "fail"


InvocationTable = dict[InvocationState, dict[InvocationAction, InvocationState]]

INVOCATION: InvocationTable = {
    InvocationState.PENDING: {
        InvocationAction.DELIVER: InvocationState.DELIVERED,
        InvocationAction.NEXT: InvocationState.PENDING,
        InvocationAction.FAIL: InvocationState.FAILED,
    },
    InvocationState.DELIVERED: {
        InvocationAction.NEXT: InvocationState.DELIVERED,
        InvocationAction.RESPONSE: InvocationState.RESPONDING,
        InvocationAction.ERROR: InvocationState.RESPONDED,
        InvocationAction.FAIL: InvocationState.FAILED,
    },
    InvocationState.RESPONDING: {
        InvocationAction.RESPONSE_END: InvocationState.RESPONDED,
        InvocationAction.FAIL: InvocationState.FAILED,
    },
    InvocationState.RESPONDED: {
        InvocationAction.NEXT: InvocationState.RETURNED,
        InvocationAction.FAIL: InvocationState.FAILED,
    },
    InvocationState.RETURNED: {
        InvocationAction.NEXT: InvocationState.RETURNED,
        InvocationAction.FAIL: InvocationState.FAILED,
    },
    InvocationState.FAILED: {InvocationAction.NEXT: InvocationState.FAILED},
}

CONCURRENT_INVOCATION: InvocationTable = {
    InvocationState.PENDING: {
        InvocationAction.DELIVER: InvocationState.DELIVERED,
        InvocationAction.FAIL: InvocationState.FAILED,
    },
    InvocationState.DELIVERED: {
        InvocationAction.RESPONSE: InvocationState.RESPONDING,
        InvocationAction.ERROR: InvocationState.RETURNED,
        InvocationAction.FAIL: InvocationState.FAILED,
    },
    InvocationState.RESPONDING: {
        InvocationAction.RESPONSE_END: InvocationState.RETURNED,
        InvocationAction.ERROR: InvocationState.RETURNED,
        InvocationAction.FAIL: InvocationState.FAILED,
    },
    InvocationState.RETURNED: {},
    InvocationState.FAILED: {},
}
"""The answer is the end: the worker that gave it may ask for more, or not."""


class ExtensionState(Word):
    """One extension; internal ones begin at REGISTERED."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    EXITED = "Exited"
    LAUNCH_ERROR = "LaunchError"


class ExtensionAction(Word):
    """What happens to an extension; the value is the target named in a refusal."""

    REGISTER = "Registered"
    NEXT = "Ready"
    RELEASE = "Running"
    VANISH = "poll lost"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "Exited"
    LAUNCH_FAIL = "LaunchError"
    EXIT = "exit"


EXTENSION: dict[ExtensionState, dict[ExtensionAction, ExtensionState]] = {
    ExtensionState.STARTED: {
        ExtensionAction.REGISTER: ExtensionState.REGISTERED,
        ExtensionAction.LAUNCH_FAIL: ExtensionState.LAUNCH_ERROR,
        ExtensionAction.EXIT: ExtensionState.EXITED,
    },
    ExtensionState.REGISTERED: {
        ExtensionAction.NEXT: ExtensionState.READY,
        ExtensionAction.INIT_ERROR: ExtensionState.INIT_ERROR,
        ExtensionAction.EXIT_ERROR: ExtensionState.EXIT_ERROR,
        ExtensionAction.EXIT: ExtensionState.EXITED,
    },
    ExtensionState.READY: {
        ExtensionAction.RELEASE: ExtensionState.RUNNING,
        ExtensionAction.VANISH: ExtensionState.RUNNING,
        ExtensionAction.EXIT_ERROR: ExtensionState.EXIT_ERROR,
        ExtensionAction.EXIT: ExtensionState.EXITED,
    },
    ExtensionState.RUNNING: {
        ExtensionAction.NEXT: ExtensionState.READY,
        ExtensionAction.EXIT_ERROR: ExtensionState.EXIT_ERROR,
        ExtensionAction.EXIT: ExtensionState.EXITED,
    },
    ExtensionState.INIT_ERROR: {
        ExtensionAction.INIT_ERROR: ExtensionState.INIT_ERROR,
        ExtensionAction.EXIT: ExtensionState.EXITED,
    },
    ExtensionState.EXIT_ERROR: {
        ExtensionAction.EXIT_ERROR: ExtensionState.EXIT_ERROR,
        ExtensionAction.EXIT: ExtensionState.EXITED,
    },
    ExtensionState.EXITED: {},
    ExtensionState.LAUNCH_ERROR: {},
}

_WIRE_INVOCATION = {
    InvocationState.PENDING: "Ready",
    InvocationState.DELIVERED: "Running",
    InvocationState.RESPONDING: "InvocationResponse",
    InvocationState.RESPONDED: "RuntimeResponseSentState",
    InvocationState.RETURNED: "Ready",
}


def wire_state(runtime: RuntimeState, invocation: InvocationState | None) -> str:
    """The state's name in a refusal, which mixes process and invocation state (RIE)."""
    process = str(runtime.value)
    if invocation is None or runtime is not RuntimeState.READY:
        return process
    return _WIRE_INVOCATION.get(invocation, process)
