"""Subscribing to the Telemetry API: what to say, checked before Lambda checks it.

Source: "Lambda Telemetry API reference" (AWS Lambda Developer Guide).
"""

from __future__ import annotations

from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Literal

    from lambda_extensions.flush import FlushPolicy
    from lambda_extensions.records import TelemetryRecord

    OnFailure = Literal["drop", "retry", "exit"]
    BatchHandler = Callable[[list[TelemetryRecord]], Any]

LATEST_SCHEMA = contract.TELEMETRY_SCHEMAS[-1]


class Buffering:
    """How Lambda collects records before it sends a batch: whichever limit is reached first.

    `max_items`: 1,000 to 10,000 records; `max_bytes`: 262,144 to 1,048,576; `timeout_ms`: 25 to
    30,000 milliseconds. Raises ValueError outside of these.
    """

    __slots__ = ("max_bytes", "max_items", "timeout_ms")

    def __init__(
        self,
        *,
        max_items: int = contract.BUFFERING_MAX_ITEMS[2],
        max_bytes: int = contract.BUFFERING_MAX_BYTES[2],
        timeout_ms: int = contract.BUFFERING_TIMEOUT_MS[2],
    ) -> None:
        _check("max_items", max_items, contract.BUFFERING_MAX_ITEMS)
        _check("max_bytes", max_bytes, contract.BUFFERING_MAX_BYTES)
        _check("timeout_ms", timeout_ms, contract.BUFFERING_TIMEOUT_MS)
        self.max_items = max_items
        self.max_bytes = max_bytes
        self.timeout_ms = timeout_ms

    def __repr__(self) -> str:
        return (
            f"Buffering(max_items={self.max_items}, max_bytes={self.max_bytes}, "
            f"timeout_ms={self.timeout_ms})"
        )

    def spelled(self) -> dict[str, int]:
        """As the subscription has it; every value is said, for the defaults differ by page."""
        return {
            "maxItems": self.max_items,
            "maxBytes": self.max_bytes,
            "timeoutMs": self.timeout_ms,
        }


class Counters:
    """Records: `received` (accepted), `delivered`, `retried` (given again), `dropped`.

    After the end `received` is `delivered` + `dropped`; before, the rest is on its way.
    """

    __slots__ = ("delivered", "dropped", "received", "retried")

    def __init__(self) -> None:
        self.received = self.delivered = self.retried = self.dropped = 0

    def __add__(self, other: Counters) -> Counters:
        total = Counters()
        for name in Counters.__slots__:
            setattr(total, name, getattr(self, name) + getattr(other, name))
        return total

    def __repr__(self) -> str:
        return (
            f"received {self.received}, delivered {self.delivered}, "
            f"retried {self.retried}, dropped {self.dropped}"
        )


class TelemetryHandler:
    """A handler of records and what its decorator said, as in `Extension.on_telemetry`."""

    __slots__ = ("counters", "dead_letter", "handler", "on_failure", "policy", "types")

    def __init__(
        self,
        handler: BatchHandler,
        types: Iterable[str],
        policy: FlushPolicy,
        on_failure: OnFailure = "retry",
        dead_letter: BatchHandler | None = None,
    ) -> None:
        if on_failure not in ("drop", "retry", "exit"):
            raise ValueError(f"on_failure is drop, retry or exit, not {on_failure}")
        self.handler = handler
        self.types = check_types(types)
        self.policy = policy
        self.on_failure = on_failure
        self.dead_letter = dead_letter
        self.counters = Counters()


def check_types(types: Iterable[str]) -> tuple[str, ...]:
    """Raise ValueError for a type that is none, or for none at all."""
    given = tuple(types)
    for name in given:
        if name not in contract.TELEMETRY_TYPES:
            raise ValueError(f"{name!r} is none of {', '.join(contract.TELEMETRY_TYPES)}")
    if not given:
        raise ValueError(f"name what to receive: {', '.join(contract.TELEMETRY_TYPES)}")
    return given


def subscription(
    types: Iterable[str],
    destination: Mapping[str, object],
    buffering: Buffering,
    schema: str = LATEST_SCHEMA,
) -> bytes:
    """The body of `PUT /2022-07-01/telemetry`."""
    import json

    body = {
        "schemaVersion": schema,
        "types": [name for name in contract.TELEMETRY_TYPES if name in set(types)],
        "buffering": buffering.spelled(),
        "destination": destination,
    }
    return json.dumps(body).encode()


def _check(name: str, value: int, limits: tuple[int, int, int]) -> None:
    smallest, largest, _ = limits
    if not smallest <= value <= largest:
        raise ValueError(f"{name} must be {smallest} to {largest}, not {value}")


PROMPT = Buffering(timeout_ms=contract.BUFFERING_TIMEOUT_MS[0])
"""For whoever waits for the records of an invocation: as soon as Lambda can."""
