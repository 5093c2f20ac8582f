"""A Runtime Interface Client for AWS Lambda in pure Python; standard library only.

    python -m lambda_runtime app.handler

A handler may be a function, a coroutine function, or a generator of either kind, which streams.
`Runtime` and `run` start it from code; `on_shutdown`, `after_response`, `middleware`, `on_error`
hook into its life. Start reading at `loop.py`; the wire vocabulary is `contract.py`.
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lambda_runtime.client import Invocation, RuntimeClient
    from lambda_runtime.context import ClientContext, CognitoIdentity, LambdaContext
    from lambda_runtime.current import (
        cancel_before_deadline,
        current_context,
        use_codec,
        use_pipelining,
    )
    from lambda_runtime.errors import (
        ConnectionLost,
        DeadlineReached,
        HandlerError,
        LambdaRuntimeError,
        RuntimeApiError,
    )
    from lambda_runtime.handler import Handler
    from lambda_runtime.hooks import (
        after_response,
        middleware,
        on_error,
        on_init,
        on_shutdown,
        request_sigterm,
    )
    from lambda_runtime.more_codecs import OrjsonCodec, RawCodec
    from lambda_runtime.serialization import Codec, JsonCodec
    from lambda_runtime.snapstart import register_after_restore, register_before_snapshot
    from lambda_runtime.start import Runtime, run
    from lambda_runtime.streaming import HttpResponse, Response, ResponseStream

__all__ = [
    "ClientContext",
    "Codec",
    "CognitoIdentity",
    "ConnectionLost",
    "DeadlineReached",
    "Handler",
    "HandlerError",
    "HttpResponse",
    "Invocation",
    "JsonCodec",
    "LambdaContext",
    "LambdaRuntimeError",
    "OrjsonCodec",
    "RawCodec",
    "Response",
    "ResponseStream",
    "Runtime",
    "RuntimeApiError",
    "RuntimeClient",
    "after_response",
    "cancel_before_deadline",
    "current_context",
    "middleware",
    "on_error",
    "on_init",
    "on_shutdown",
    "register_after_restore",
    "register_before_snapshot",
    "request_sigterm",
    "run",
    "use_codec",
    "use_pipelining",
]

if not TYPE_CHECKING:
    _NAMES = {
        "client": "Invocation RuntimeClient",
        "context": "ClientContext CognitoIdentity LambdaContext",
        "current": "cancel_before_deadline current_context use_codec use_pipelining",
        "errors": "ConnectionLost DeadlineReached HandlerError LambdaRuntimeError RuntimeApiError",
        "handler": "Handler",
        "hooks": "after_response middleware on_error on_init on_shutdown request_sigterm",
        "more_codecs": "OrjsonCodec RawCodec",
        "serialization": "Codec JsonCodec",
        "snapstart": "register_after_restore register_before_snapshot",
        "start": "Runtime run",
        "streaming": "HttpResponse Response ResponseStream",
    }
    _HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used: a cold start pays for what it needs."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = __import__(f"{__name__}.{_HOMES[name]}", fromlist=[name])
        return getattr(module, name)
