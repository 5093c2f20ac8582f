"""ExtensionClient: the Extensions API, one method per operation.

    client = ExtensionClient()
    client.register("hello", ["INVOKE", "SHUTDOWN"])
    event = client.next()

Source: "Lambda Extensions API reference" (AWS Lambda Developer Guide); refusals as AWS's Runtime
Interface Emulator words them. Not for use from several threads at once.
"""

from __future__ import annotations

import os

from lambda_extensions import errors
from lambda_extensions.events import event_of
from lambda_runtime import contract, transport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Self

    from lambda_extensions.events import InvokeEvent, ShutdownEvent, UnknownEvent
    from lambda_runtime.contract import Operation
    from lambda_runtime.transport import Reply

_UNSUPPORTED = (202, 404)
"""AWS's emulator accepts and does nothing; others do not know the path."""


class Registration:
    """What `register` answers.

    `identifier`: what every other call sends; `account_id`: None unless it was asked for and the
    server tells it. The other values are empty where a server does not know them yet.
    """

    __slots__ = ("account_id", "function_name", "function_version", "handler", "identifier")

    def __init__(self, identifier: str, raw: dict[str, Any]) -> None:
        self.identifier = identifier
        self.function_name = str(raw.get("functionName") or "")
        self.function_version = str(raw.get("functionVersion") or "")
        self.handler = str(raw.get("handler") or "")
        account = raw.get("accountId")
        self.account_id = str(account) if account else None


class ExtensionClient:
    """The calls of one extension over one kept connection.

    `address`: as `AWS_LAMBDA_RUNTIME_API` holds it (the default); raises NotInLambda when there
    is none.
    """

    def __init__(self, address: str | None = None) -> None:
        given = os.environ.get(contract.ENV_RUNTIME_API, "") if address is None else address
        if not given:
            raise errors.NotInLambda(
                f"{contract.ENV_RUNTIME_API} is not set: an extension is started by Lambda, "
                "or on your machine by rapid-mock with --extension"
            )
        self.address = given
        try:
            self._connection = transport.Connection(given)
        except transport.InvalidAddress as error:
            raise errors.NotInLambda(f"{contract.ENV_RUNTIME_API}: {error}") from error
        self._identifier = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def another(self) -> ExtensionClient:
        """A client of the same registered extension, for another thread."""
        other = ExtensionClient(self.address)
        other._identifier = self._identifier
        return other

    def close(self) -> None:
        self._connection.close()

    def register(
        self, name: str, events: Iterable[str], *, accept_account_id: bool = False
    ) -> Registration:
        """Register as `name`, which for an external extension is its executable's file name.

        Raises RegistrationRefused, ConnectionLost, AnswerNotUnderstood.
        """
        headers = [(contract.HEADER_EXTENSION_NAME, name)]
        if accept_account_id:
            headers.append((contract.HEADER_EXTENSION_ACCEPT_FEATURE, contract.FEATURE_ACCOUNT_ID))
        # By hand: json is not imported before this has left.
        body = '{"events":[' + ",".join(f'"{event}"' for event in events) + "]}"
        reply = self._request(contract.EXTENSION_REGISTER, headers, body.encode())
        if reply.status != contract.EXTENSION_REGISTER.success:
            raise _refusal(f'registration of "{name}"', reply, errors.RegistrationRefused)
        self._identifier = reply.header(contract.HEADER_EXTENSION_IDENTIFIER) or ""
        return Registration(self._identifier, _object(reply, "registration"))

    def next(self) -> InvokeEvent | ShutdownEvent | UnknownEvent:
        """Wait for the next event, without a limit: Lambda freezes whoever waits.

        The first call ends this extension's part of the init phase, each further one its part of
        the invocation before. Raises NotRegistered, ExtensionsApiError, ConnectionLost,
        AnswerNotUnderstood.
        """
        reply = self._request(contract.EXTENSION_NEXT, self._identity())
        if reply.status != contract.EXTENSION_NEXT.success:
            raise _refusal("the call for the next event", reply)
        raw = _object(reply, "event")
        if not isinstance(raw.get("eventType"), str):
            raise errors.AnswerNotUnderstood(f"an event without a type arrived: {raw!r}")
        return event_of(raw, reply.header(contract.HEADER_EXTENSION_EVENT_IDENTIFIER))

    def subscribe(self, subscription: bytes) -> None:
        """Subscribe to telemetry, before the first `next`; the body is `telemetry.subscription`'s.

        Raises TelemetryUnsupported where there is none (202 or 404), ExtensionsApiError,
        NotRegistered, ConnectionLost.
        """
        headers = [*self._identity(), ("Content-Type", contract.CONTENT_TYPE_JSON)]
        reply = self._request(contract.TELEMETRY_SUBSCRIBE, headers, subscription)
        if reply.status in _UNSUPPORTED:
            reason = _refusal("the subscription", reply)
            raise errors.TelemetryUnsupported(f"there is no Telemetry API: {reason}")
        if reply.status != contract.TELEMETRY_SUBSCRIBE.success:
            raise _refusal("the subscription", reply)

    def init_error(self, error: BaseException | str, error_type: str | None = None) -> None:
        """Report that this extension cannot start; its process must exit after that.

        `error_type` is sent as `Extension.Name`; None takes the name of the exception's class.
        Raises NotRegistered, ExtensionsApiError (after the first `next`), ConnectionLost.
        """
        self._report(
            contract.EXTENSION_INIT_ERROR, error, error_type, contract.ERROR_EXTENSION_INIT
        )

    def exit_error(self, error: BaseException | str, error_type: str | None = None) -> None:
        """Report why this extension gives up; its process must exit after that.

        As `init_error`, and allowed from registration to the end.
        """
        self._report(
            contract.EXTENSION_EXIT_ERROR, error, error_type, contract.ERROR_EXTENSION_EXIT
        )

    def _report(
        self, call: Operation, error: BaseException | str, error_type: str | None, default: str
    ) -> None:
        from lambda_extensions.failures import error_body, extension_error_type, type_name

        name = extension_error_type(error_type or type_name(error) or default)
        headers = [
            *self._identity(),
            (contract.HEADER_EXTENSION_ERROR_TYPE, name),
            ("Content-Type", contract.CONTENT_TYPE_JSON),
        ]
        reply = self._request(call, headers, error_body(error, name))
        if reply.status != call.success:
            raise _refusal("the error report", reply)

    def _identity(self) -> list[tuple[str, str]]:
        if not self._identifier:
            raise errors.NotRegistered("this needs the identifier that register() gives")
        return [(contract.HEADER_EXTENSION_IDENTIFIER, self._identifier)]

    def _request(self, call: Operation, headers: list[tuple[str, str]], body: bytes = b"") -> Reply:
        try:
            return self._connection.request(call.method, call.path, headers, body)
        except (transport.ConnectionLost, transport.InvalidReply) as error:
            raise errors.ConnectionLost(f"the Extensions API at {self.address}: {error}") from error


def _object(reply: Reply, what: str) -> dict[str, Any]:
    """The JSON object of a reply, whatever its content type says."""
    import json

    try:
        value = json.loads(bytes(reply.body))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise errors.AnswerNotUnderstood(f"the {what} is no JSON object: {_excerpt(reply)!r}")
    return value


def _refusal(
    call: str, reply: Reply, kind: type[errors.ExtensionsApiError] = errors.ExtensionsApiError
) -> errors.ExtensionsApiError:
    try:
        raw = _object(reply, "refusal")
    except errors.AnswerNotUnderstood:
        return kind(call, reply.status, "", _excerpt(reply).strip())
    return kind(
        call, reply.status, str(raw.get("errorType") or ""), str(raw.get("errorMessage") or "")
    )


def _excerpt(reply: Reply) -> str:
    return bytes(reply.body[:200]).decode("utf-8", "replace")
