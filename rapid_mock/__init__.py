"""A faithful local Lambda: real processes below the real APIs, no Docker.

Users start at `local.py` (LocalLambda), maintainers at `lifecycle/machines.py`: the pure core of
one execution environment; then `host/driver.py`, where its orders become processes, and `http/`,
where bytes become its events. `service/` decides which environment takes an invocation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rapid_mock.errors import ServiceError, SetupError
    from rapid_mock.execution_environment import ExecutionEnvironment
    from rapid_mock.local import Function, LocalLambda
    from rapid_mock.results import InvocationResult
    from rapid_mock.wire import ApiError

__all__ = [
    "ApiError",
    "ExecutionEnvironment",
    "Function",
    "InvocationResult",
    "LocalLambda",
    "ServiceError",
    "SetupError",
]

if not TYPE_CHECKING:
    _HOMES = {
        "ApiError": "wire",
        "ExecutionEnvironment": "execution_environment",
        "Function": "local",
        "InvocationResult": "results",
        "LocalLambda": "local",
        "ServiceError": "errors",
        "SetupError": "errors",
    }

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used: the base install lacks the extra."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
