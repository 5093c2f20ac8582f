"""What can happen to one execution environment: facts, told to `Environment.handle`.

Events carry meaning, never headers; a body is an opaque handle that the core only passes on.
Every API call carries the number of its *exchange*; its answer is a `Reply` effect with the same
number, at once or minutes later. The classes are slotted but not frozen: frozen ones would cost
2 us per invocation, and nothing in the core writes to an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from lambda_runtime import contract

if TYPE_CHECKING:
    from rapid_mock.lifecycle.effects import SubscriptionRefused
    from rapid_mock.lifecycle.subscriptions import Subscription


class Now(NamedTuple):
    """One moment on two clocks, seconds: `monotonic` for deadlines, `wall` (epoch) for the wire."""

    monotonic: float
    wall: float


@dataclass(slots=True)
class Invocation:
    """One piece of work as the Invoke API took it; `payload` is opaque to the core."""

    request_id: str
    function_arn: str
    payload: object
    content_type: str = "application/json"
    trace_id: str | None = None
    client_context: str | None = None
    cognito_identity: str | None = None
    tenant_id: str | None = None


class Ending(Enum):
    """How the body of a response ended."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"


# --- The service above ----------------------------------------------------------------------


@dataclass(slots=True)
class InitRequested:
    """Begin the init phase ahead of any invocation."""


@dataclass(slots=True)
class RestoreRequested:
    """Restore the environment from its snapshot, ahead of any invocation."""


@dataclass(slots=True)
class InvokeArrived:
    """An invocation was placed here; allowed while the environment is cold, in init or idle."""

    invocation: Invocation


@dataclass(slots=True)
class ShutdownRequested:
    """End this environment: `spindown`, `timeout` or `failure`."""

    reason: str


@dataclass(slots=True)
class MemorySampled:
    """Peak memory of all processes so far, MB."""

    megabytes: int


@dataclass(slots=True)
class MemoryExceeded:
    """All processes together use more than the memory size; `process` is the largest."""

    process: int


# --- Processes ------------------------------------------------------------------------------


@dataclass(slots=True)
class SpawnFailed:
    """A `Spawn` could not be carried out; `message` in the words of AWS's `fork/exec ...`."""

    process: int
    message: str


@dataclass(slots=True)
class ProcessExited:
    """A process ended with `code`, or by `signal` (`killed`, `segmentation fault` ...)."""

    process: int
    code: int | None = None
    signal: str | None = None


# --- Runtime API ----------------------------------------------------------------------------


@dataclass(slots=True)
class ExchangeVanished:
    """The client of an exchange that is still waiting has gone away."""

    exchange: int


@dataclass(slots=True)
class RuntimeNext:
    """`GET /runtime/invocation/next`; `invocation_id` is a fresh UUID for what it will be given.

    None where invocations have no id but that of their request.
    """

    exchange: int
    invocation_id: str | None = None


@dataclass(slots=True)
class RuntimeResponseBegun:
    """The head of `POST .../response` was read; `mode` is the response mode header, or None.

    `invocation_id` is the id of the delivery that it answers, if it says so.
    """

    exchange: int
    request_id: str
    mode: str | None = None
    invocation_id: str | None = None


@dataclass(slots=True)
class RuntimeResponseEnded:
    """The body of an accepted response ended; `error_type` and `error_body` come from trailers.

    `limit` is the most bytes it could have, `size` how many it had.
    """

    exchange: int
    request_id: str
    payload: object
    content_type: str | None = None
    ending: Ending = Ending.COMPLETE
    error_type: str | None = None
    error_body: object = None
    limit: int = contract.MAX_PAYLOAD_BYTES
    size: int = 0


@dataclass(slots=True)
class RuntimeErrorReported:
    """`POST .../error`: the handler failed; `invocation_id` as in `RuntimeResponseBegun`.

    `size` is the length of its body.
    """

    exchange: int
    request_id: str
    error_type: str
    payload: object
    content_type: str | None = None
    invocation_id: str | None = None
    size: int = 0


@dataclass(slots=True)
class RuntimeInitFailed:
    """`POST /runtime/init/error`."""

    exchange: int
    error_type: str
    payload: object


@dataclass(slots=True)
class RuntimeRestoreNext:
    """`GET /runtime/restore/next`: what had to be done before the snapshot has been done."""

    exchange: int


@dataclass(slots=True)
class RuntimeRestoreFailed:
    """`POST /runtime/restore/error`."""

    exchange: int
    error_type: str
    payload: object


# --- Extensions API -------------------------------------------------------------------------


@dataclass(slots=True)
class ExtensionRegistered:
    """`POST /extension/register`; `identifier` is a fresh UUID, used only when this succeeds."""

    exchange: int
    name: str
    events: tuple[str, ...]
    identifier: str
    wants_account_id: bool = False


@dataclass(slots=True)
class ExtensionNext:
    """`GET /extension/event/next`."""

    exchange: int
    identifier: str


@dataclass(slots=True)
class ExtensionInitFailed:
    """`POST /extension/init/error`."""

    exchange: int
    identifier: str
    error_type: str


@dataclass(slots=True)
class ExtensionExitFailed:
    """`POST /extension/exit/error`."""

    exchange: int
    identifier: str
    error_type: str


# --- Telemetry API and Logs API -------------------------------------------------------------


@dataclass(slots=True)
class TelemetrySubscribed:
    """`PUT /telemetry` or `PUT /logs`; `wanted` is the fault of its body when it has one.

    `connection` is the one to a TCP destination, opaque to the core.
    """

    exchange: int
    identifier: str
    wanted: Subscription | SubscriptionRefused
    is_logs_api: bool = False
    connection: object = None


@dataclass(slots=True)
class TelemetryFlushed:
    """Everything that a `FlushTelemetry` found has arrived or is lost."""


Event = (
    InitRequested
    | RestoreRequested
    | InvokeArrived
    | ShutdownRequested
    | MemorySampled
    | MemoryExceeded
    | SpawnFailed
    | ProcessExited
    | ExchangeVanished
    | RuntimeNext
    | RuntimeResponseBegun
    | RuntimeResponseEnded
    | RuntimeErrorReported
    | RuntimeInitFailed
    | RuntimeRestoreNext
    | RuntimeRestoreFailed
    | ExtensionRegistered
    | ExtensionNext
    | ExtensionInitFailed
    | ExtensionExitFailed
    | TelemetrySubscribed
    | TelemetryFlushed
)
