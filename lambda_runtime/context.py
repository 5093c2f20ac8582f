"""The context object of a handler, as AWS documents it ("Lambda context object in Python")."""

from __future__ import annotations

from os import environ

from lambda_runtime import contract
from lambda_runtime.errors import ContextUnmarshalFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lambda_runtime.client import Invocation
    from lambda_runtime.replies import Reply

W3C_MEMBERS = ("traceparent", "tracestate", "baggage")


class CognitoIdentity:
    """Who called through Amazon Cognito; both are None for everyone else."""

    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")

    def __init__(self, identity: str | None = None, pool: str | None = None) -> None:
        self.cognito_identity_id = identity
        self.cognito_identity_pool_id = pool


class Client:
    """The calling application, as an AWS Mobile SDK describes itself."""

    __slots__ = (
        "app_package_name",
        "app_title",
        "app_version_code",
        "app_version_name",
        "installation_id",
    )

    def __init__(self, members: dict[str, Any]) -> None:
        self.installation_id: str | None = members.get("installation_id")
        self.app_title: str | None = members.get("app_title")
        self.app_version_name: str | None = members.get("app_version_name")
        self.app_version_code: str | None = members.get("app_version_code")
        self.app_package_name: str | None = members.get("app_package_name")


class ClientContext:
    """What the invoker sent as its client context: `custom`, `env`, `client`, each maybe None."""

    __slots__ = ("client", "custom", "env")

    def __init__(self, members: dict[str, Any]) -> None:
        client = members.get("client")
        if client is not None and not isinstance(client, dict):
            raise ContextUnmarshalFailed("Unable to parse Client Context JSON: client is no object")
        self.custom: dict[str, Any] | None = members.get("custom")
        self.env: dict[str, Any] | None = members.get("env")
        self.client = None if client is None else Client(client)


class LambdaContext:
    """What a handler may know of its invocation; everything but the id is read when asked for.

    `memory_limit_in_mb` is text, as in AWS's runtimes; `identity` is always an object;
    `client_context` is None when the invoker sent none. `trace_id` is X-Ray's, for where several
    invocations at once cannot share `_X_AMZN_TRACE_ID`.
    """

    aws_request_id: str
    invoked_function_arn: str
    tenant_id: str | None
    trace_id: str | None
    function_name: str | None
    function_version: str | None
    memory_limit_in_mb: str | None
    log_group_name: str | None
    log_stream_name: str | None
    client_context: ClientContext | None
    identity: CognitoIdentity
    _epoch_deadline_time_in_ms: int

    def __init__(self, invocation: Invocation) -> None:
        self.aws_request_id = invocation.request_id
        self._reply = invocation.reply
        head = invocation.reply.lower
        if b"client-context:" in head or b"cognito-identity:" in head:
            _ = self.client_context, self.identity  # what is no JSON fails before the handler runs

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the deadline by the wall clock, never below 0."""
        from time import time

        return max(0, self._epoch_deadline_time_in_ms - int(time() * 1000))

    def log(self, message: object) -> None:
        """Write `message` to the log as it is, without a line break."""
        from lambda_runtime.sink import write

        write(str(message))

    def w3c(self) -> dict[str, str]:
        """The W3C trace context that the invoker sent inside its client context."""
        members = _json_header(self._reply, contract.HEADER_CLIENT_CONTEXT, "Client Context")
        found = members.get("w3c") if members else None
        if not isinstance(found, dict):
            return {}
        return {name: found[name] for name in W3C_MEMBERS if isinstance(found.get(name), str)}

    def __repr__(self) -> str:
        return f"LambdaContext(aws_request_id={self.aws_request_id!r})"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Read an attribute when it is first asked for, and keep it."""
            read = _LAZY.get(name)
            if read is None:
                raise AttributeError(f"LambdaContext has no attribute {name!r}")
            value = self.__dict__[name] = read(self._reply)
            return value


def _client_context(reply: Reply) -> ClientContext | None:
    members = _json_header(reply, contract.HEADER_CLIENT_CONTEXT, "Client Context")
    return None if members is None else ClientContext(members)


def _identity(reply: Reply) -> CognitoIdentity:
    members = _json_header(reply, contract.HEADER_COGNITO_IDENTITY, "Cognito Identity") or {}
    return CognitoIdentity(members.get("cognitoIdentityId"), members.get("cognitoIdentityPoolId"))


def _json_header(reply: Reply, name: str, title: str) -> dict[str, Any] | None:
    text = reply.header(name)
    if not text:
        return None
    import json

    try:
        members = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ContextUnmarshalFailed(f"Unable to parse {title} JSON: {error}") from None
    if members is not None and not isinstance(members, dict):
        raise ContextUnmarshalFailed(f"Unable to parse {title} JSON: it is no object")
    return members


def _variable(name: str) -> Callable[[Reply], str | None]:
    return lambda _reply: environ.get(name)


_LAZY: dict[str, Callable[[Reply], object]] = {
    "invoked_function_arn": lambda r: r.header(contract.HEADER_INVOKED_FUNCTION_ARN) or "",
    "tenant_id": lambda r: r.header(contract.HEADER_TENANT_ID) or None,
    "trace_id": lambda r: r.header(contract.HEADER_TRACE_ID) or None,
    "_epoch_deadline_time_in_ms": lambda r: int(r.header(contract.HEADER_DEADLINE_MS) or 0),
    "client_context": _client_context,
    "identity": _identity,
    "log_group_name": _variable(contract.ENV_LOG_GROUP_NAME),
    "log_stream_name": _variable(contract.ENV_LOG_STREAM_NAME),
    "function_name": _variable(contract.ENV_FUNCTION_NAME),
    "function_version": _variable(contract.ENV_FUNCTION_VERSION),
    "memory_limit_in_mb": _variable(contract.ENV_FUNCTION_MEMORY_SIZE),
}
