"""What can go wrong between an extension and Lambda; each error is one sentence."""

from __future__ import annotations


class LambdaExtensionsError(Exception):
    """Base of everything this package raises."""


class NotInLambda(LambdaExtensionsError):
    """Raised when `AWS_LAMBDA_RUNTIME_API` says nowhere, or nothing usable."""


class NotRegistered(LambdaExtensionsError):
    """Raised when a call needs the identifier that only `register` gives."""


class ConnectionLost(LambdaExtensionsError):
    """Raised when the Extensions API cannot be reached or does not speak HTTP."""


class AnswerNotUnderstood(LambdaExtensionsError):
    """Raised when the Extensions API answers with success and a body that is no JSON object."""


class ExtensionsApiError(LambdaExtensionsError):
    """Raised when the Extensions API refuses a call.

    `status` is HTTP's; `error_type` and `message` are AWS's (`Extension.InvalidExtensionState`,
    ...), empty and the bare body where the answer is not AWS's JSON.
    """

    def __init__(self, call: str, status: int, error_type: str, message: str) -> None:
        reason = f"{message} ({error_type})" if error_type else message
        super().__init__(f"{call} was refused with status {status}: {reason or 'no reason given'}")
        self.status = status
        self.error_type = error_type
        self.message = message


class RegistrationRefused(ExtensionsApiError):
    """Raised when `register` is refused; the text names AWS's reason."""


class TelemetryUnsupported(LambdaExtensionsError):
    """Raised when the server has no Telemetry API, as AWS's emulator has not."""
