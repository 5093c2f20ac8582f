"""The runtime and the extensions of an ExecutionEnvironment, each call as a method.

Refusals raise `rapid_mock.wire.ApiError`. Source of the calls: "Using the Lambda runtime API" and
"Using the Lambda Extensions API", AWS Lambda Developer Guide.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lambda_runtime import contract
from rapid_mock.wire import ApiAnswer, ApiCall

if TYPE_CHECKING:
    from rapid_mock.execution_environment import ExecutionEnvironment


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """What a runtime is told of an invocation; `deadline_ms` in epoch ms, `body` as it came."""

    request_id: str
    deadline_ms: int
    function_arn: str
    trace_id: str | None
    tenant_id: str | None
    client_context: str | None
    headers: Mapping[str, str]
    body: bytes

    @property
    def payload(self) -> Any:
        """The event's JSON value. Raises ValueError."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class RuntimePoll:
    """A runtime's `next`."""

    call: ApiCall

    @property
    def is_parked(self) -> bool:
        """Whether there is no event yet."""
        return self.call.is_parked

    @property
    def event(self) -> RuntimeEvent:
        """Wait for the event. Raises ApiError for a refusal, TimeoutError after 10 s."""
        answer = self.call.answer()
        return RuntimeEvent(
            answer.header(contract.HEADER_REQUEST_ID) or "",
            int(answer.header(contract.HEADER_DEADLINE_MS) or 0),
            answer.header(contract.HEADER_INVOKED_FUNCTION_ARN) or "",
            answer.header(contract.HEADER_TRACE_ID),
            answer.header(contract.HEADER_TENANT_ID),
            answer.header(contract.HEADER_CLIENT_CONTEXT),
            answer.headers,
            answer.body,
        )


@dataclass(frozen=True, slots=True)
class ExtensionPoll:
    """An extension's `event/next`."""

    call: ApiCall

    @property
    def is_parked(self) -> bool:
        """Whether there is no event yet."""
        return self.call.is_parked

    @property
    def event(self) -> dict[str, Any]:
        """Wait for the event, INVOKE or SHUTDOWN. Raises ApiError, TimeoutError after 10 s."""
        event: dict[str, Any] = self.call.answer().json
        return event


class PlayedProcess:
    """A process that the test plays; the runtime's name is `runtime`."""

    def __init__(self, environment: ExecutionEnvironment, name: str) -> None:
        self._environment = environment
        self.name = name

    def exit(self, code: int | None = 0, *, signal_name: str | None = None) -> None:
        """End with an exit code, or by a signal: `exit(None, signal_name="killed")`."""
        self._environment.exit(self.name, code, signal_name)

    def print(self, text: str) -> None:
        """Write to stdout; with its newline, if it is to have one."""
        self._environment.print(self.name, text)

    def ignore_sigterm(self) -> None:
        """Go on after SIGTERM; SIGKILL ends every process."""
        self._environment.ignore_sigterm(self.name)


class PlayedRuntime(PlayedProcess):
    """The runtime's calls."""

    def __init__(self, environment: ExecutionEnvironment) -> None:
        super().__init__(environment, "runtime")

    def next(self) -> RuntimePoll:
        """Ask for an invocation."""
        method, path, _ = contract.RUNTIME_NEXT
        return RuntimePoll(self._environment.send(method, path))

    def respond(
        self,
        request_id: str,
        payload: object = None,
        *,
        content_type: str = contract.CONTENT_TYPE_JSON,
        headers: Mapping[str, str] | None = None,
    ) -> ApiAnswer:
        """Answer an invocation; `payload` is any JSON value, or bytes sent as they are."""
        method, path, _ = contract.RUNTIME_RESPONSE
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        sent = {"Content-Type": content_type, **(headers or {})}
        return self._call(method, path.format(request_id=request_id), sent, body)

    def fail(
        self, request_id: str, error_type: str = "Function.Error", message: str = ""
    ) -> ApiAnswer:
        """Report that the handler failed."""
        method, path, _ = contract.RUNTIME_ERROR
        return self._report(method, path.format(request_id=request_id), error_type, message)

    def init_error(self, error_type: str = "Runtime.InitError", message: str = "") -> ApiAnswer:
        """Report that there is no handler."""
        method, path, _ = contract.RUNTIME_INIT_ERROR
        return self._report(method, path, error_type, message)

    def restore_next(self) -> ApiCall:
        """Ask to be told of the restore (SnapStart); it is parked until then."""
        method, path, _ = contract.RUNTIME_RESTORE_NEXT
        return self._environment.send(method, path)

    def restore_error(
        self, error_type: str = contract.ERROR_RUNTIME_AFTER_RESTORE, message: str = ""
    ) -> ApiAnswer:
        """Report that a hook after the restore failed."""
        method, path, _ = contract.RUNTIME_RESTORE_ERROR
        return self._report(method, path, error_type, message)

    def _report(self, method: str, path: str, error_type: str, message: str) -> ApiAnswer:
        error = {"errorMessage": message, "errorType": error_type, "stackTrace": []}
        sent = {
            "Content-Type": contract.CONTENT_TYPE_JSON,
            contract.HEADER_ERROR_TYPE: error_type,
        }
        return self._call(method, path, sent, json.dumps(error).encode())

    def _call(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> ApiAnswer:
        return self._environment.ask(method, path, headers, body)


class PlayedExtension(PlayedProcess):
    """An extension's calls; `identifier` is known once it has registered."""

    def __init__(self, environment: ExecutionEnvironment, name: str) -> None:
        super().__init__(environment, name)
        self.identifier = ""

    def register(self, *events: str, features: str | None = None) -> Self:
        """Register for INVOKE, SHUTDOWN, both or nothing."""
        method, path, _ = contract.EXTENSION_REGISTER
        headers = {contract.HEADER_EXTENSION_NAME: self.name}
        if features is not None:
            headers[contract.HEADER_EXTENSION_ACCEPT_FEATURE] = features
        body = json.dumps({"events": events}).encode()
        answer = self._environment.ask(method, path, headers, body)
        self.identifier = answer.header(contract.HEADER_EXTENSION_IDENTIFIER) or ""
        return self

    def next(self) -> ExtensionPoll:
        """Ask for an event."""
        method, path, _ = contract.EXTENSION_NEXT
        return ExtensionPoll(self._environment.send(method, path, self._identified()))

    def subscribe(
        self, uri: str, *types: str, buffering: Mapping[str, int] | None = None
    ) -> ApiAnswer:
        """Subscribe to telemetry of these types, or of all; `uri` is `http://sandbox:PORT...`."""
        method, path, _ = contract.TELEMETRY_SUBSCRIBE
        subscription: dict[str, object] = {
            "schemaVersion": contract.TELEMETRY_SCHEMAS[-1],
            "types": types or contract.TELEMETRY_TYPES,
            "destination": {"protocol": contract.DESTINATION_HTTP, "URI": uri},
        }
        if buffering is not None:
            subscription["buffering"] = buffering
        body = json.dumps(subscription).encode()
        return self._environment.ask(method, path, self._identified(), body)

    def init_error(self, error_type: str = "Extension.InitError") -> ApiAnswer:
        """Report that it cannot begin; it should exit then."""
        return self._report(contract.EXTENSION_INIT_ERROR, error_type)

    def exit_error(self, error_type: str = "Extension.ExitError") -> ApiAnswer:
        """Report that it cannot go on; it should exit then."""
        return self._report(contract.EXTENSION_EXIT_ERROR, error_type)

    def _report(self, operation: contract.Operation, error_type: str) -> ApiAnswer:
        method, path, _ = operation
        headers = self._identified() | {contract.HEADER_EXTENSION_ERROR_TYPE: error_type}
        return self._environment.ask(method, path, headers)

    def _identified(self) -> dict[str, str]:
        return {contract.HEADER_EXTENSION_IDENTIFIER: self.identifier}
