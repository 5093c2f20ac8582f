"""The Runtime API's client on the event loop; see `client`, whose heads and refusals it shares."""

from __future__ import annotations

from lambda_runtime import contract
from lambda_runtime.async_transport import AsyncConnection
from lambda_runtime.client import (
    Heads,
    accept_if_delivered,
    event_of,
    failure_of,
    header_value,
    refused,
)
from lambda_runtime.transport import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lambda_runtime.async_transport import AsyncUpload
    from lambda_runtime.client import Invocation


class AsyncRuntimeClient:
    """Speaks to the Runtime API at `address` over one kept connection; for one task.

    Its methods do and raise what those of RuntimeClient do.
    """

    def __init__(self, address: str, user_agent: str) -> None:
        self.never_again: str | None = None
        self._connection = AsyncConnection(address)
        self._heads = Heads(Connection(address), user_agent)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    async def next(self) -> Invocation:
        """Wait for the next event, without limit."""
        return event_of(await self._connection.exchange(self._heads.next), self.never_again)

    async def respond(
        self,
        invocation: Invocation,
        body: bytes,
        content_type: str = contract.CONTENT_TYPE_JSON,
    ) -> None:
        """Post the result."""
        head = self._heads.response(invocation, len(body), content_type)
        reply = await self._connection.exchange(head, body)
        if reply.status != 202:
            accept_if_delivered(f"the response to {invocation.request_id}", reply)

    async def fail(
        self, invocation: Invocation, body: bytes, *, error_type: str, cause: str | None = None
    ) -> None:
        """Report that the handler failed."""
        path, headers = failure_of(invocation, error_type, cause)
        head = self._heads.head("POST", path, *headers, ("Content-Length", str(len(body))))
        reply = await self._connection.exchange(head, body)
        if reply.status != 202:
            accept_if_delivered(path, reply)

    async def stream(self, invocation: Invocation, content_type: str) -> AsyncUpload:
        """Begin a streamed response."""
        return await self._connection.upload(self._heads.stream(invocation, content_type))

    async def finish_stream(
        self, upload: AsyncUpload, trailers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """End a streamed response."""
        reply = await upload.finish([(name, header_value(value)) for name, value in trailers])
        if reply.status != 202:
            raise refused("the streamed response", reply)
