"""Which platform records are logged at which system log level.

Source: "Log-level filtering", system log level event mapping, AWS Lambda Developer Guide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lambda_runtime import contract

DEBUG, INFO, WARN = LEVELS = ("DEBUG", "INFO", "WARN")

Record = Mapping[str, Any]


def level_of(record_type: str, record: Record) -> str:
    """`DEBUG`, `INFO` or `WARN`."""
    if record.get("status", contract.STATUS_SUCCESS) != contract.STATUS_SUCCESS:
        return WARN
    level = _WHEN_SUCCESSFUL.get(record_type, INFO)
    return level if isinstance(level, str) else level(record)


def is_logged(level: str, record_type: str, record: Record) -> bool:
    """Whether a function with this system log level logs the record."""
    return LEVELS.index(level_of(record_type, record)) >= LEVELS.index(level)


def _by_version(record: Record) -> str:
    return INFO if record.get("runtimeVersion") else DEBUG


def _by_initialization(record: Record) -> str:
    is_on_demand = record["initializationType"] == contract.INITIALIZATION_ON_DEMAND
    return DEBUG if is_on_demand else INFO


_WHEN_SUCCESSFUL: dict[str, str | Callable[[Record], str]] = {
    contract.PLATFORM_INIT_START: _by_version,
    contract.PLATFORM_INIT_RUNTIME_DONE: DEBUG,
    contract.PLATFORM_INIT_REPORT: _by_initialization,
    contract.PLATFORM_RESTORE_START: _by_version,
    contract.PLATFORM_RESTORE_RUNTIME_DONE: DEBUG,
    contract.PLATFORM_RUNTIME_DONE: DEBUG,
    contract.PLATFORM_LOGS_DROPPED: WARN,
}
