"""The response and the next poll in one write: an option that saves a wake-up per invocation.

Lambda's emulator and `rapid_mock` take it; AWS does not promise it, so it is off unless asked for.
The reply to the response is read first; an event that comes again after a refused response is not
run again; when the connection ends between the two replies only the poll is sent again.
"""

from __future__ import annotations

from lambda_runtime import contract, current
from lambda_runtime.client import RuntimeClient, accept_if_delivered, event_of
from lambda_runtime.errors import ConnectionLost
from lambda_runtime.transport import JOIN_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lambda_runtime.client import Invocation


class PipeliningClient(RuntimeClient):
    """A client that asks for the next event as it answers the present one.

    Not with work to do before the next event (`after_response`), and not with large bodies: what is
    refused for its size is followed by a report, which could not overtake a poll.
    """

    def __init__(self, address: str, user_agent: str) -> None:
        super().__init__(address, user_agent)
        self._has_asked = False

    def next(self) -> Invocation:
        """As `RuntimeClient.next`; the poll may be under way already."""
        if not self._has_asked:
            return super().next()
        self._has_asked = False
        try:
            reply = self._connection.second_reply()
        except ConnectionLost as lost:
            if lost.received:
                raise
            return super().next()
        return event_of(reply, self.never_again)

    def respond(
        self,
        invocation: Invocation,
        body: bytes,
        content_type: str = contract.CONTENT_TYPE_JSON,
    ) -> None:
        """As `RuntimeClient.respond`."""
        if current.pending or len(body) >= JOIN_BYTES:
            super().respond(invocation, body, content_type)
            return
        head = self._response_head(invocation, len(body), content_type)
        reply, self._has_asked = self._connection.exchange_first(head + body, self._next)
        if reply.status != 202:
            accept_if_delivered(f"the response to {invocation.request_id}", reply)
