"""Errors of the Lambda service, with AWS's type names and HTTP statuses, and of the local host."""

from __future__ import annotations


class RapidMockError(Exception):
    """Base class of everything this package raises on purpose."""


class SetupError(RapidMockError):
    """Raised when the local Lambda cannot start: a port in use, a missing directory or extra."""


class CallFailed(RapidMockError):
    """Raised when a call of another service was refused, or did not reach it.

    `code` is the service's (`ResourceNotFoundException`), or the name of what went wrong on the way
    (`EndpointConnectionError`); `str()` is the message.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class ServiceError(RapidMockError):
    """A refusal of the Lambda API; subclasses carry AWS's shape name, status and member names.

    Source: Lambda API reference, errors of `Invoke`; bodies as recorded from AWS.
    """

    status = 500
    type_name = "ServiceException"
    fault = "Service"
    message_member = "Message"

    def members(self) -> dict[str, str | None]:
        """The JSON members of the error body, in AWS's order."""
        return {"Type": self.fault, self.message_member: str(self)}


class RequestError(ServiceError):
    """Base class of the refusals that are the caller's fault."""

    status = 400
    fault = "User"
    message_member = "message"


class InvalidParameterValue(RequestError):
    """Raised when a parameter is outside what the API allows (400)."""

    type_name = "InvalidParameterValueException"


class InvalidRequestContent(RequestError):
    """Raised when the payload is not JSON (400)."""

    type_name = "InvalidRequestContentException"


class ValidationFailed(RequestError):
    """Raised when parameters break constraints of the API's model (400); its body has no Type.

    A violation reads `Value 'x' at 'member' failed to satisfy constraint: ...`.
    """

    type_name = "ValidationException"

    def __init__(self, *violations: str) -> None:
        count = f"{len(violations)} validation error{'s' * (len(violations) > 1)} detected"
        super().__init__(f"{count}: {'; '.join(violations)}")

    def members(self) -> dict[str, str | None]:
        return {"message": str(self)}


class InvalidEventPattern(RequestError):
    """Raised when an event pattern breaks the language's rules (400)."""

    type_name = "InvalidEventPatternException"


class InvalidSchedule(RequestError):
    """Raised when a rule's schedule is no valid expression (400); `reason` says what is wrong."""

    type_name = "ValidationException"

    def __init__(self, reason: str) -> None:
        super().__init__("Parameter ScheduleExpression is not valid.")
        self.reason = reason

    def members(self) -> dict[str, str | None]:
        return {"message": str(self)}


class RequestTooLarge(RequestError):
    """Raised when a payload exceeds the limit of its invocation type (413)."""

    status = 413
    type_name = "RequestTooLargeException"


class ResourceNotFound(RequestError):
    """Raised when no such function or qualifier exists (404)."""

    status = 404
    type_name = "ResourceNotFoundException"
    message_member = "Message"


class SnapStartFailed(RequestError):
    """Raised when an environment could not be restored from its snapshot (400)."""

    type_name = "SnapStartException"
    message_member = "Message"

    def __init__(self) -> None:
        super().__init__(
            "The afterRestore() runtime hook encountered an error. For more information, check the "
            "Amazon CloudWatch logs."
        )


class SnapStartTimeout(RequestError):
    """Raised when the hooks after a restore took too long (408)."""

    status = 408
    type_name = "SnapStartTimeoutException"
    message_member = "Message"

    def __init__(self) -> None:
        super().__init__("Lambda couldn't restore the snapshot within the timeout limit.")


class TooManyRequests(RequestError):
    """Raised when no execution environment may take the invocation (429)."""

    status = 429
    type_name = "TooManyRequestsException"

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason

    def members(self) -> dict[str, str | None]:
        return {"Reason": self.reason, "Type": self.fault, "message": str(self)}


class ResourceConflict(RequestError):
    """Raised when the resource exists already, or its state allows no such call (409)."""

    status = 409
    type_name = "ResourceConflictException"


class ResourceInUse(RequestError):
    """Raised when a mapping is to be changed while an earlier change is under way (400)."""

    type_name = "ResourceInUseException"
    message_member = "Message"


class PreconditionFailed(RequestError):
    """Raised when a RevisionId is not the latest (412)."""

    status = 412
    type_name = "PreconditionFailedException"


class AccessDenied(RequestError):
    """Raised for what belongs to somebody else, or for a call without authorization (403).

    Without a text its body has the `Message` null, as AWS's has.
    """

    status = 403
    type_name = "AccessDeniedException"

    def members(self) -> dict[str, str | None]:
        return {"Message": str(self) or None}


class MissingAuthentication(AccessDenied):
    """Raised when a call that changes something has no Authorization header (403)."""

    type_name = "MissingAuthenticationTokenException"


class EntityTooLarge(RequestError):
    """Raised when a request, or the code in it, is too large to be uploaded (413).

    Its body has no Type.
    """

    status = 413
    type_name = "RequestEntityTooLargeException"

    def members(self) -> dict[str, str | None]:
        return {"Message": str(self)}


class ProvisionedConcurrencyConfigNotFound(RequestError):
    """Raised when a version or an alias has no provisioned concurrency (404)."""

    status = 404
    type_name = "ProvisionedConcurrencyConfigNotFoundException"


class SerializationFailed(RequestError):
    """Raised when a request's JSON, or the type of a member in it, cannot be read (400)."""

    type_name = "SerializationException"
    message_member = "Message"

    def members(self) -> dict[str, str | None]:
        return {"Message": str(self)}


class Untyped(InvalidParameterValue):
    """Raised for a refusal whose body AWS sends without a Type (400)."""

    def members(self) -> dict[str, str | None]:
        return {"message": str(self)}
