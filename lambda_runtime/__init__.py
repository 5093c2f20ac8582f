"""A Runtime Interface Client for AWS Lambda in pure Python; standard library only.

    python -m lambda_runtime app.handler

Start reading at `loop.py`; the wire vocabulary is `contract.py`.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lambda_runtime.client import Invocation, RuntimeClient
    from lambda_runtime.context import ClientContext, CognitoIdentity, LambdaContext
    from lambda_runtime.errors import LambdaRuntimeError
    from lambda_runtime.start import start as run

__all__ = [
    "ClientContext",
    "CognitoIdentity",
    "Invocation",
    "LambdaContext",
    "LambdaRuntimeError",
    "RuntimeClient",
    "run",
]

if not TYPE_CHECKING:
    _HOMES = {
        "ClientContext": ("context", "ClientContext"),
        "CognitoIdentity": ("context", "CognitoIdentity"),
        "Invocation": ("client", "Invocation"),
        "LambdaContext": ("context", "LambdaContext"),
        "LambdaRuntimeError": ("errors", "LambdaRuntimeError"),
        "RuntimeClient": ("client", "RuntimeClient"),
        "run": ("start", "start"),
    }

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used: a cold start pays for what it needs."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home, attribute = _HOMES[name]
        module = __import__(f"{__name__}.{home}", fromlist=[attribute])
        return getattr(module, attribute)
