"""Telemetry records and subscriptions to them, as data.

Source: "Lambda Telemetry API reference", "Lambda Logs API", AWS Lambda Developer Guide.
"""

from __future__ import annotations

from dataclasses import dataclass

from lambda_runtime import contract

_LOGS_PLATFORM = frozenset(
    {
        contract.PLATFORM_START,
        contract.PLATFORM_END,
        contract.PLATFORM_REPORT,
        contract.PLATFORM_FAULT,
        contract.PLATFORM_EXTENSION,
        contract.PLATFORM_LOGS_SUBSCRIPTION,
        contract.PLATFORM_LOGS_DROPPED,
    }
)
_LOGS_ONLY = frozenset({contract.PLATFORM_END, contract.PLATFORM_FAULT})


@dataclass(slots=True)
class Record:
    """One record; `time` in epoch seconds, `category` is platform, function or extension.

    `content` has the members of a platform record, or a line of output without its end.
    """

    time: float
    type: str
    category: str
    content: dict[str, object] | bytes


@dataclass(frozen=True, slots=True)
class Destination:
    """Where records go: `HTTP` to a port and path of this machine, or `TCP` to a port."""

    protocol: str
    port: int
    host: str = contract.DESTINATION_HOSTS[0]
    path: str = "/"
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Buffering:
    """A batch ends with `max_items` records, `max_bytes` bytes, or `timeout` seconds."""

    max_items: int = contract.BUFFERING_MAX_ITEMS[2]
    max_bytes: int = contract.BUFFERING_MAX_BYTES[2]
    timeout: float = contract.BUFFERING_TIMEOUT_MS[2] / 1000


@dataclass(frozen=True, slots=True)
class Subscription:
    """What an extension asked for, through the Telemetry API or the Logs API."""

    is_logs_api: bool
    schema: str
    types: tuple[str, ...]
    destination: Destination
    buffering: Buffering = Buffering()

    @property
    def has_objects(self) -> bool:
        """Whether a line of output that is a JSON object arrives as one."""
        return self.schema >= contract.TELEMETRY_SCHEMAS[1]

    def has(self, record_type: str) -> bool:
        """Whether the schema has records of this type."""
        if not self.is_logs_api:
            return record_type not in _LOGS_ONLY
        if record_type == contract.PLATFORM_RUNTIME_DONE:
            return self.schema != contract.LOGS_SCHEMAS[0]
        is_platform = record_type.startswith("platform.")
        return not is_platform or record_type in _LOGS_PLATFORM
