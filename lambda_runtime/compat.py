"""What instrumentation libraries look for in AWS's Python client, as the `bootstrap` of `__main__`.

sentry-sdk replaces `handle_event_request` and methods of `LambdaRuntimeClient` here while the
handler's module is imported. Loaded when a library asks for it; only when something has been
replaced by then does the loop go through here.
"""

from __future__ import annotations

from lambda_runtime.client import RuntimeClient
from lambda_runtime.loop import answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lambda_runtime.client import Invocation
    from lambda_runtime.handler import Handler
    from lambda_runtime.serialization import Codec


class LambdaRuntimeClient(RuntimeClient):
    """A client whose posts go by the names of AWS's client, looked up at each call."""

    def post_init_error(self, body: bytes, error_type: str) -> None:
        super().init_error(body, error_type)

    def post_invocation_result(
        self, invocation: Invocation, body: bytes, content_type: str
    ) -> None:
        super().respond(invocation, body, content_type)

    def post_invocation_error(
        self, invocation: Invocation, body: bytes, error_type: str, cause: str | None
    ) -> None:
        super().fail(invocation, body, error_type=error_type, cause=cause)

    def init_error(self, body: bytes, error_type: str) -> None:
        self.post_init_error(body, error_type)

    def respond(
        self, invocation: Invocation, body: bytes, content_type: str = "application/json"
    ) -> None:
        self.post_invocation_result(invocation, body, content_type)

    def fail(
        self, invocation: Invocation, body: bytes, *, error_type: str, cause: str | None = None
    ) -> None:
        self.post_invocation_error(invocation, body, error_type, cause)


def handle_event_request(
    lambda_runtime_client: RuntimeClient,
    request_handler: Handler,
    codec: Codec,
    invocation: Invocation,
) -> None:
    """Handle one event; what replaces this calls it with another `request_handler`."""
    answer(lambda_runtime_client, request_handler, codec, invocation)


def handle(client: RuntimeClient, handler: Handler, codec: Codec, invocation: Invocation) -> None:
    """Handle one event by whatever `handle_event_request` is by now."""
    handle_event_request(client, handler, codec, invocation)


def is_patched() -> bool:
    """Whether a library has replaced anything."""
    return _replaceable() != _ORIGINALS


def _replaceable() -> list[object]:
    client = LambdaRuntimeClient
    posts = [client.post_init_error, client.post_invocation_result, client.post_invocation_error]
    return [handle_event_request, *posts]


_ORIGINALS = _replaceable()
