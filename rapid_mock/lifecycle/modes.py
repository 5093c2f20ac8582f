"""What differs between the kinds of execution environment, as one table.

Everything else is the same code: whoever needs to know asks a column, never for the kind. Sources:
"Understanding the Lambda execution environment lifecycle" and "Understanding the Lambda Managed
Instances execution environment", AWS Lambda Developer Guide; texts: RIE.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lambda_runtime import contract
from rapid_mock.lifecycle.machines import (
    CONCURRENT_INVOCATION,
    CONCURRENT_RUNTIME,
    INVOCATION,
    RESTORED_RUNTIME,
    RUNTIME,
    InvocationTable,
    RuntimeTable,
)


@dataclass(frozen=True, slots=True)
class Mode:
    """The rules of one kind of environment.

    `concurrency`: invocations open at once. `runtime` and `invocation`: what they may do.
    `is_serial`: the runtime does one thing at a time, so that its `next` repeats or ends the
    invocation it has, and a call out of turn is refused for its state; otherwise `next` only asks
    for work, and a call out of turn names no open invocation. `is_timeout_fatal`: an invocation
    that times out takes the environment with it, even if somebody has taken its event. `restarts`:
    a failed environment begins again. `is_restored`: its init ends at a snapshot, from which it is
    restored before it works.
    `has_invocation_ids`: each delivery has an id of its own, which answers may repeat.
    `external_events` and `internal_events`: what extensions may register for;
    `internal_refusals`: what internal ones hear about the others. `not_allowed`: why a transition
    failed. `is_billed`: each invocation has a bill, and records tell when the runtime was done with
    it. `most_polls`: how many may wait at once, None for any number. `telemetry_schemas` and
    `logs_schemas`: the versions of the Telemetry and the Logs API.
    """

    concurrency: int
    runtime: RuntimeTable
    invocation: InvocationTable
    is_serial: bool
    is_timeout_fatal: bool
    restarts: bool
    is_restored: bool
    has_invocation_ids: bool
    external_events: tuple[str, ...]
    internal_events: tuple[str, ...]
    internal_refusals: Mapping[str, str]
    not_allowed: str
    is_billed: bool
    most_polls: int | None
    telemetry_schemas: tuple[str, ...]
    logs_schemas: tuple[str, ...]


CLASSIC = Mode(
    concurrency=1,
    runtime=RUNTIME,
    invocation=INVOCATION,
    is_serial=True,
    is_timeout_fatal=True,
    restarts=True,
    is_restored=False,
    has_invocation_ids=False,
    external_events=(contract.EVENT_INVOKE, contract.EVENT_SHUTDOWN),
    internal_events=(contract.EVENT_INVOKE,),
    internal_refusals={
        contract.EVENT_SHUTDOWN: "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"
    },
    not_allowed="State transition is not allowed",
    is_billed=True,
    most_polls=None,
    telemetry_schemas=contract.TELEMETRY_SCHEMAS,
    logs_schemas=contract.LOGS_SCHEMAS,
)

SNAP_START = replace(CLASSIC, runtime=RESTORED_RUNTIME, is_restored=True)

_NO_EVENTS = "No events allowed for internal extensions"


def managed_instances(concurrency: int) -> Mode:
    """An environment whose runtime works on up to `concurrency` invocations at once."""
    return Mode(
        concurrency=concurrency,
        runtime=CONCURRENT_RUNTIME,
        invocation=CONCURRENT_INVOCATION,
        is_serial=False,
        is_timeout_fatal=False,
        restarts=False,
        is_restored=False,
        has_invocation_ids=True,
        external_events=(contract.EVENT_SHUTDOWN,),
        internal_events=(),
        internal_refusals={contract.EVENT_INVOKE: _NO_EVENTS, contract.EVENT_SHUTDOWN: _NO_EVENTS},
        not_allowed="state transition is not allowed",
        is_billed=False,
        most_polls=10_000,
        telemetry_schemas=contract.TELEMETRY_SCHEMAS[-1:],
        logs_schemas=(),
    )
