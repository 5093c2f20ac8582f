"""A program that uses every public name of `lambda_extensions`; `mypy --strict` must accept it."""

from __future__ import annotations

from lambda_extensions import (
    Buffering,
    ConnectionLost,
    Extension,
    ExtensionClient,
    ExtensionsApiError,
    FlushPolicy,
    InternalExtension,
    InvokeEvent,
    LambdaExtensionsError,
    NotInLambda,
    NotRegistered,
    Registration,
    RegistrationRefused,
    ShutdownEvent,
    TelemetryRecord,
    TelemetryUnsupported,
    UnknownEvent,
    on_sigterm,
    testing,
)
from lambda_extensions.records import FunctionLog, PlatformReport, UnknownRecord

extension = Extension("typed", on_failure="exit", max_wait=0.5, protocol="TCP", strict=True)


@extension.on_init
def begin(registration: Registration) -> str:
    return registration.function_name.upper() + (registration.account_id or "")


@extension.on_invoke
async def invoked(event: InvokeEvent) -> None:
    print(event.request_id.upper(), event.remaining() / 2, event.trace_id or "", event.raw["x"])


@extension.on_shutdown
def end(event: ShutdownEvent) -> None:
    print(event.reason.upper(), extension.counters.delivered + extension.counters.dropped)


@extension.on_thaw
def drop_connections(rest: float) -> float:
    return rest / 2


@extension.on_telemetry(
    "platform",
    "function",
    buffering=Buffering(max_items=1000, max_bytes=262144, timeout_ms=25),
    flush=FlushPolicy.adaptive(0.5, first=2),
    on_failure="drop",
    dead_letter=print,
)
def ship(batch: list[TelemetryRecord]) -> int:
    for record in batch:
        match record:
            case FunctionLog(message=str() as line, level=level):
                print(line.upper(), level)
            case PlatformReport(request_id=request_id, metrics=metrics, span_id=span_id):
                print(request_id.upper(), (metrics.duration_ms or 0.0) / 2, span_id)
            case UnknownRecord(raw=raw):
                print(raw)
    return len(batch)


shipped: int = ship(testing.invocation("r-1", "line")) + int(drop_connections(2.0))
text: str = begin(Registration("x", {}))


class Shipper(Extension):
    types = ("function",)
    buffering = Buffering()
    flush = FlushPolicy.every(5, items=100, bytes=10_000)
    on_records_failure = "exit"

    def records(self, batch: list[TelemetryRecord]) -> None:
        print(len(batch), self.counters)


internal = InternalExtension("typed")


@internal.after_response
async def flush(event: InvokeEvent) -> None:
    print(event.request_id, internal.is_registered)


@internal.watch
def handler(event: dict[str, int], context: object) -> int:
    return event["n"] + (context is None)


result: int = handler({"n": 1}, None)
on_sigterm(lambda: print("closing"), name="closer")


def low_level(address: str) -> None:
    try:
        with ExtensionClient(address) as client:
            client.register("typed", ["INVOKE"], accept_account_id=True)
            event: InvokeEvent | ShutdownEvent | UnknownEvent = client.next()
            print(event.event_type.upper(), event.deadline_ms + 1)
            client.exit_error(ValueError("no"), "Extension.Whatever")
    except (RegistrationRefused, ExtensionsApiError) as refusal:
        print(refusal.status + 1, refusal.error_type.upper())
    except (NotInLambda, NotRegistered, ConnectionLost, TelemetryUnsupported) as error:
        raise LambdaExtensionsError(str(error)) from error
