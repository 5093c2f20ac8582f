"""What must be done: orders from `Environment.handle` to the driver, in the order given."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from lambda_runtime import contract

if TYPE_CHECKING:
    from rapid_mock.lifecycle.events import Invocation
    from rapid_mock.lifecycle.subscriptions import Subscription


class ProcessKind(Enum):
    """Who a process is in the environment."""

    RUNTIME = "runtime"
    EXTENSION = "extension"


# --- Messages: the content of a `Reply`; the HTTP layer spells them -------------------------


@dataclass(slots=True)
class Accepted:
    """202 `{"status":"OK"}`."""


@dataclass(slots=True)
class Refused:
    """An error answer with AWS's status, type and text."""

    status: int
    error_type: str
    message: str


@dataclass(slots=True)
class Restored:
    """The answer to `restore/next`: the environment is being restored."""


@dataclass(slots=True)
class InvocationDelivered:
    """The answer to `next`; `deadline_ms` is epoch milliseconds, `invocation_id` its own id."""

    invocation: Invocation
    deadline_ms: int
    invocation_id: str | None = None


@dataclass(slots=True)
class RegistrationAccepted:
    """The answer to `register`; `account_id` only when asked for."""

    identifier: str
    function_name: str
    function_version: str
    handler: str
    account_id: str | None = None


@dataclass(slots=True)
class InvokeEvent:
    """INVOKE, for an extension; `deadline_ms` is epoch milliseconds."""

    deadline_ms: int
    request_id: str
    function_arn: str
    trace_id: str | None


@dataclass(slots=True)
class ShutdownEvent:
    """SHUTDOWN, for an extension; `deadline_ms` is epoch milliseconds."""

    deadline_ms: int
    reason: str


@dataclass(slots=True)
class Subscribed:
    """200 `"OK"`: the answer to a subscription to telemetry."""


@dataclass(slots=True)
class SubscriptionRefused:
    """400 with the fault of a subscription's body, in AWS's words."""

    message: str
    error_type: str = contract.ERROR_VALIDATION


Message = (
    Accepted
    | Refused
    | Restored
    | InvocationDelivered
    | RegistrationAccepted
    | InvokeEvent
    | ShutdownEvent
    | Subscribed
    | SubscriptionRefused
)


# --- Outcomes and records -------------------------------------------------------------------


class Refusal(Enum):
    """Why the Lambda API itself answers with an error, in place of the function's."""

    RESTORE_FAILED = "restore failed"
    RESTORE_TIMED_OUT = "restore timed out"


@dataclass(slots=True)
class Outcome:
    """What the invoker gets: the runtime's `payload`, or `error` (JSON members in wire order).

    `status` is `success`, `error`, `failure` or `timeout`; all but the first are function errors,
    unless there is a `refusal`.
    """

    status: str
    payload: object = None
    content_type: str | None = None
    error_type: str | None = None
    error: dict[str, str] | None = None
    refusal: Refusal | None = None


@dataclass(slots=True)
class Span:
    """A part of an invocation's time; `start` in epoch seconds."""

    name: str
    start: float
    duration_ms: float


@dataclass(slots=True)
class Report:
    """The REPORT of one invocation: ms and MB.

    `init_ms` only on a cold start, `restore_ms` on the first invocation after a restore.
    """

    request_id: str
    status: str
    duration_ms: float
    billed_ms: int
    memory_size_mb: int
    max_memory_mb: int
    init_ms: float | None = None
    error_type: str | None = None
    restore_ms: float | None = None


# --- Effects --------------------------------------------------------------------------------


@dataclass(slots=True)
class Spawn:
    """Start a process; its end comes back as `ProcessExited` or `SpawnFailed` with this number."""

    process: int
    kind: ProcessKind
    name: str


@dataclass(slots=True)
class Signal:
    """Send a signal (`SIGTERM`, `SIGKILL`) to a process and all of its group."""

    process: int
    signal: str


@dataclass(slots=True)
class Reply:
    """Answer an exchange; each exchange is answered at most once."""

    exchange: int
    message: Message


@dataclass(slots=True)
class Answer:
    """The invoker may have its answer now."""

    request_id: str
    outcome: Outcome


@dataclass(slots=True)
class Drain:
    """Read every output pipe until it would block: no line may come after the END that follows."""


@dataclass(slots=True)
class Emit:
    """A platform record (`platform.start` ...) for the console and for telemetry."""

    type: str
    record: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Subscribe:
    """From now on telemetry goes to this extension; first the history of this life.

    `connection` is one to its destination that is open already, opaque to the core.
    """

    name: str
    subscription: Subscription
    connection: object = None


@dataclass(slots=True)
class BeginTelemetry:
    """What comes from now on is the history of a new life, until its `platform.initReport`."""


@dataclass(slots=True)
class FlushTelemetry:
    """Send what waits to be sent; `TelemetryFlushed` comes when it has arrived or is lost."""


@dataclass(slots=True)
class EndTelemetry:
    """Nobody is left who could take telemetry."""


@dataclass(slots=True)
class Finish:
    """An invocation is over; its REPORT is complete."""

    request_id: str
    report: Report


@dataclass(slots=True)
class Explain:
    """One sentence for the developer: who did what; with the last output of `process`, if given."""

    sentence: str
    process: int | None = None


Effect = (
    Spawn
    | Signal
    | Reply
    | Answer
    | Drain
    | Emit
    | Subscribe
    | BeginTelemetry
    | FlushTelemetry
    | EndTelemetry
    | Finish
    | Explain
)
