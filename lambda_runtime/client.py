"""The Runtime API's client: next, respond, fail, and the errors of init and restore.

Source: "Using the Lambda runtime API for custom runtimes", AWS Lambda Developer Guide.
"""

from __future__ import annotations

from lambda_runtime import contract
from lambda_runtime.errors import EventRedelivered, InvalidReply, RuntimeApiError
from lambda_runtime.replies import Reply, needle
from lambda_runtime.transport import Connection, Upload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_REQUEST_ID = needle(contract.HEADER_REQUEST_ID)
_INVOCATION_ID = needle(contract.HEADER_INVOCATION_ID)
_CONTENT_TYPE = needle("Content-Type")
_IS_JSON = b"\r\ncontent-type: application/json\r\n"
_SAFE = b"0123456789-abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Invocation:
    """One event to handle: `request_id`, the `reply` that brought it, `body` bytes.

    Other headers are read when they are asked for; `body` is valid until the next request.
    """

    __slots__ = ("reply", "request_id")

    def __init__(self, request_id: str, reply: Reply) -> None:
        self.request_id = request_id
        self.reply = reply

    @property
    def body(self) -> memoryview | bytes:
        """The event's bytes."""
        return self.reply.body

    @property
    def content_type(self) -> str | None:
        """The event's content type; nearly always found by one comparison."""
        if _IS_JSON in self.reply.lower:
            return contract.CONTENT_TYPE_JSON
        return self.reply.find(_CONTENT_TYPE)

    def header(self, name: str) -> str | None:
        """A header of the event; an empty one counts as absent, as with AWS's client."""
        return self.reply.header(name) or None


class RuntimeClient:
    """Speaks to the Runtime API at `address` (AWS_LAMBDA_RUNTIME_API) over one kept connection."""

    def __init__(self, address: str, user_agent: str) -> None:
        self.never_again: str | None = None  # the id of an event whose answer was refused
        self.address = address
        self.user_agent = user_agent
        self._connection = Connection(address)
        self._heads = heads = Heads(self._connection, user_agent)
        self._next, self._response_head = heads.next, heads.response

    def next(self) -> Invocation:
        """Wait for the next event, without limit.

        Raises ConnectionLost, RuntimeApiError, and EventRedelivered for an event that has been
        handled but whose answer was refused.
        """
        return event_of(self._connection.exchange(self._next), self.never_again)

    def respond(
        self,
        invocation: Invocation,
        body: bytes,
        content_type: str = contract.CONTENT_TYPE_JSON,
    ) -> None:
        """Post the result. Raises ConnectionLost, and RuntimeApiError when it is refused."""
        head = self._response_head(invocation, len(body), content_type)
        reply = self._connection.exchange(head, body)
        if reply.status != 202:
            accept_if_delivered(f"the response to {invocation.request_id}", reply)

    def fail(
        self, invocation: Invocation, body: bytes, *, error_type: str, cause: str | None = None
    ) -> None:
        """Report that the handler failed; `cause` is X-Ray's JSON, left out from 1 MiB on."""
        path, headers = failure_of(invocation, error_type, cause)
        self._post(path, headers, body)

    def stream(self, invocation: Invocation, content_type: str) -> Upload:
        """Begin a streamed response; write chunks, then `finish`, with trailers on an error."""
        return self._connection.upload(self._heads.stream(invocation, content_type))

    def finish_stream(self, upload: Upload, trailers: Iterable[tuple[str, str]] = ()) -> None:
        """End a streamed response. Raises ConnectionLost, RuntimeApiError when it is refused."""
        reply = upload.finish([(name, header_value(value)) for name, value in trailers])
        if reply.status != 202:
            raise refused("the streamed response", reply)

    def init_error(self, body: bytes, error_type: str) -> None:
        """Report that init failed; the process is expected to exit."""
        headers = [(contract.HEADER_ERROR_TYPE, header_value(error_type))]
        self._post(contract.RUNTIME_INIT_ERROR.path, headers, body)

    def restore_next(self) -> None:
        """Wait until the environment is restored from its snapshot."""
        operation = contract.RUNTIME_RESTORE_NEXT
        reply = self._connection.exchange(self._heads.head(operation.method, operation.path))
        if reply.status != operation.success:
            raise refused(operation.path, reply)

    def restore_error(self, body: bytes, error_type: str) -> None:
        """Report that a hook after the restore failed."""
        headers = [(contract.HEADER_ERROR_TYPE, header_value(error_type))]
        self._post(contract.RUNTIME_RESTORE_ERROR.path, headers, body)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _post(self, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        head = self._heads.head("POST", path, *headers, ("Content-Length", str(len(body))))
        reply = self._connection.exchange(head, body)
        if reply.status != 202:
            accept_if_delivered(path, reply)


class Heads:
    """The heads of our requests to one address; `next` is always the same."""

    def __init__(self, connection: Connection, user_agent: str) -> None:
        self._connection = connection
        self._agent = ("User-Agent", user_agent)
        self.next = self.head(contract.RUNTIME_NEXT.method, contract.RUNTIME_NEXT.path)
        post = self.head("POST", contract.RUNTIME_RESPONSE.path, ("Content-Type", "\1"))
        start, rest = post.split(b"{request_id}", 1)
        middle, rest = rest.split(b"\1", 1)
        self._response = (start, middle, rest[:-2] + b"Content-Length: ")

    def head(self, method: str, path: str, *headers: tuple[str, str]) -> bytes:
        """Any head."""
        return self._connection.head(method, path, [self._agent, *headers])

    def response(self, invocation: Invocation, size: int, content_type: str) -> bytes:
        """The head of a response of `size` bytes."""
        start, middle, rest = self._response
        return b"%b%b%b%b%b%d%b\r\n\r\n" % (
            start,
            _quoted(invocation.request_id),
            middle,
            content_type.encode(),
            rest,
            size,
            _echo(invocation) if _INVOCATION_ID in invocation.reply.lower else b"",
        )

    def stream(self, invocation: Invocation, content_type: str) -> bytes:
        """The head of a streamed response."""
        return self.head(
            "POST",
            _path(contract.RUNTIME_RESPONSE.path, invocation),
            ("Content-Type", content_type),
            (contract.HEADER_RESPONSE_MODE, contract.RESPONSE_MODE_STREAMING),
            ("Transfer-Encoding", "chunked"),
            ("Trailer", f"{contract.HEADER_ERROR_TYPE}, {contract.HEADER_ERROR_BODY}"),
            *_echoed(invocation),
        )


def failure_of(
    invocation: Invocation, error_type: str, cause: str | None
) -> tuple[str, list[tuple[str, str]]]:
    """Path and headers of the report that a handler failed."""
    headers = [
        ("Content-Type", contract.CONTENT_TYPE_JSON),
        (contract.HEADER_ERROR_TYPE, header_value(error_type)),
    ]
    if cause is not None and len(cause.encode()) < contract.MAX_XRAY_HEADER_BYTES:
        headers.append((contract.HEADER_XRAY_ERROR_CAUSE, cause))
    return _path(contract.RUNTIME_ERROR.path, invocation), headers + _echoed(invocation)


def event_of(reply: Reply, never_again: str | None) -> Invocation:
    """The event that a reply to `next` is. Raises RuntimeApiError, EventRedelivered."""
    if reply.status != 200 and not _is_empty_event(reply):
        raise refused(contract.RUNTIME_NEXT.path, reply)
    request_id = _request_id(reply)
    if request_id == never_again:
        raise EventRedelivered(f"the Runtime API delivered {request_id} a second time")
    return Invocation(request_id, reply)


def _path(template: str, invocation: Invocation) -> str:
    return template.replace("{request_id}", _quoted(invocation.request_id).decode())


def _is_empty_event(reply: Reply) -> bool:
    """An event without a body may come as 204; its invoker is told what is wrong with it."""
    return reply.status == 204 and reply.find(_REQUEST_ID) is not None


def _request_id(reply: Reply) -> str:
    value = reply.find(_REQUEST_ID)
    if not value:
        raise InvalidReply(f"the event has no {contract.HEADER_REQUEST_ID} header")
    return value


def _echoed(invocation: Invocation) -> list[tuple[str, str]]:
    """The invocation id goes back as it came (managed instances have one)."""
    identifier = invocation.header(contract.HEADER_INVOCATION_ID)
    return [] if identifier is None else [(contract.HEADER_INVOCATION_ID, identifier)]


def _echo(invocation: Invocation) -> bytes:
    lines = "".join(f"\r\n{name}: {value}" for name, value in _echoed(invocation))
    return lines.encode("utf-8", "surrogateescape")


def _quoted(request_id: str) -> bytes:
    raw = request_id.encode("utf-8", "surrogateescape")
    if not raw.translate(None, _SAFE):
        return raw
    from urllib.parse import quote

    return quote(raw, safe="").encode()


def header_value(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode().replace("\r", " ").replace("\n", " ")


def accept_if_delivered(operation: str, reply: Reply) -> None:
    """A post that was sent twice is refused the second time when the first had arrived."""
    if reply.status != 403 or not reply.resent:
        raise refused(operation, reply)


def refused(operation: str, reply: Reply) -> RuntimeApiError:
    """The exception for a reply that refuses a call."""
    text = bytes(reply.body[:1000]).decode("utf-8", "replace").strip()
    return RuntimeApiError(operation, reply.status, text)
