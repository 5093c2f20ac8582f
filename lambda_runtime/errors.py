"""Our exceptions; error types and texts are those of AWS's Python runtime interface client."""

from __future__ import annotations


class LambdaRuntimeError(Exception):
    """Base class of everything this package raises on purpose."""


class InvalidAddress(LambdaRuntimeError):
    """Raised when AWS_LAMBDA_RUNTIME_API is missing or is no address."""


class ConnectionLost(LambdaRuntimeError):
    """Raised when there is no reply; `received` bytes of one had come."""

    def __init__(self, message: str, *, received: int = 0) -> None:
        super().__init__(message)
        self.received = received


class InvalidReply(LambdaRuntimeError):
    """Raised when the API's reply is no HTTP/1.1."""


class RuntimeApiError(LambdaRuntimeError):
    """Raised when the Runtime API refuses a call; `status` and `body` are its reply."""

    def __init__(self, operation: str, status: int, body: str) -> None:
        super().__init__(f"the Runtime API answered {operation} with {status}: {body}")
        self.status = status
        self.body = body


class AnswerRefused(LambdaRuntimeError):
    """Raised inside a stream when the API does not take it: `refusal` is the reason."""

    def __init__(self, refusal: LambdaRuntimeError) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class EventRedelivered(LambdaRuntimeError):
    """Raised when an event comes again whose answer was refused: it must not be handled twice."""


class FaultError(LambdaRuntimeError):
    """Base class of the runtime's own faults; `error_type` is AWS's, no stack trace is shown."""

    error_type = "Runtime.Unknown"
    stack_trace: list[str]

    def __init__(self, message: str, stack_trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.stack_trace = stack_trace or []


class MalformedHandlerName(FaultError):
    """Raised when the handler is not `module.function`."""

    error_type = "Runtime.MalformedHandlerName"


class BuiltInModuleConflict(FaultError):
    """Raised when the handler's module has the name of a built-in one."""

    error_type = "Runtime.BuiltInModuleConflict"


class HandlerImportFailed(FaultError):
    """Raised when the handler's module, or one it needs, cannot be imported."""

    error_type = "Runtime.ImportModuleError"


class HandlerSyntaxError(FaultError):
    """Raised when the handler's module, or one it needs, is not Python."""

    error_type = "Runtime.UserCodeSyntaxError"


class HandlerNotFound(FaultError):
    """Raised when the handler's module has no such attribute."""

    error_type = "Runtime.HandlerNotFound"


class UnmarshalFailed(FaultError):
    """Raised when the event is not JSON."""

    error_type = "Runtime.UnmarshalError"


class MarshalFailed(FaultError):
    """Raised when the response cannot be spelled in JSON."""

    error_type = "Runtime.MarshalError"


class ContextUnmarshalFailed(FaultError):
    """Raised when the client context or the Cognito identity is not JSON."""

    error_type = "Runtime.LambdaContextUnmarshalError"


class DeadlineReached(LambdaRuntimeError):
    """Raised when a coroutine handler was cancelled shortly before its deadline."""


class HandlerError(Exception):
    """Raised by a handler to choose the reported `error_type` itself: any text, `Order.Unknown`."""

    def __init__(self, error_type: str, message: str = "") -> None:
        super().__init__(message)
        self.error_type = error_type


class ShutdownRequested(SystemExit):
    """Raised wherever the process is when SIGTERM or SIGINT asks for the shutdown hooks.

    A SystemExit, for event loops let only that one and KeyboardInterrupt out of a callback.
    """
