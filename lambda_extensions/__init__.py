"""Lambda extensions in Python: events, telemetry and shutdown in ten lines, standard library only.

Start at `extension.py`; `client.py` is the Extensions API beneath it. Public names are imported
when they are first used, so that an extension registers before anything it does not need is read.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lambda_extensions.client import ExtensionClient, Registration
    from lambda_extensions.errors import (
        ConnectionLost,
        ExtensionsApiError,
        LambdaExtensionsError,
        NotInLambda,
        NotRegistered,
        RegistrationRefused,
        TelemetryUnsupported,
    )
    from lambda_extensions.events import InvokeEvent, ShutdownEvent, UnknownEvent
    from lambda_extensions.extension import Extension
    from lambda_extensions.flush import FlushPolicy
    from lambda_extensions.internal import InternalExtension, on_sigterm
    from lambda_extensions.records import TelemetryRecord
    from lambda_extensions.telemetry import Buffering

__all__ = [
    "Buffering",
    "ConnectionLost",
    "Extension",
    "ExtensionClient",
    "ExtensionsApiError",
    "FlushPolicy",
    "InternalExtension",
    "InvokeEvent",
    "LambdaExtensionsError",
    "NotInLambda",
    "NotRegistered",
    "Registration",
    "RegistrationRefused",
    "ShutdownEvent",
    "TelemetryRecord",
    "TelemetryUnsupported",
    "UnknownEvent",
    "on_sigterm",
]

if not TYPE_CHECKING:
    _HOMES = {
        "Buffering": "telemetry",
        "ConnectionLost": "errors",
        "Extension": "extension",
        "ExtensionClient": "client",
        "ExtensionsApiError": "errors",
        "FlushPolicy": "flush",
        "InternalExtension": "internal",
        "InvokeEvent": "events",
        "LambdaExtensionsError": "errors",
        "NotInLambda": "errors",
        "NotRegistered": "errors",
        "Registration": "client",
        "RegistrationRefused": "errors",
        "ShutdownEvent": "events",
        "TelemetryRecord": "records",
        "TelemetryUnsupported": "errors",
        "UnknownEvent": "events",
        "on_sigterm": "internal",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import sys

        home = f"{__name__}.{_HOMES[name]}"
        __import__(home)  # importlib costs a millisecond that a registration need not wait for
        return getattr(sys.modules[home], name)
