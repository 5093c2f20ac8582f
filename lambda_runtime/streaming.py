"""Results that are not one value: streams, HTTP responses, coroutines. Loaded when one is seen.

A stream's first chunk leaves before the second is asked for; an error before the first is an
ordinary function error, after it goes as trailers. Source: "Response streaming for Lambda
functions" and "Using the Lambda runtime API for custom runtimes", AWS Lambda Developer Guide.
"""

from __future__ import annotations

from lambda_runtime import contract
from lambda_runtime.errors import (
    AnswerRefused,
    ConnectionLost,
    RuntimeApiError,
    ShutdownRequested,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Iterable, Mapping
    from typing import Any

    from lambda_runtime.client import Invocation, RuntimeClient
    from lambda_runtime.serialization import Codec
    from lambda_runtime.transport import Upload

    Chunk = str | bytes | bytearray | memoryview | object
    Chunks = Iterable[Chunk] | AsyncIterable[Chunk]


class HttpResponse:
    """The status line and headers of a streamed HTTP response, for a Function URL.

    Yield one before any other chunk, or return one: then `body` is what follows, bytes or text or
    an iterable of chunks, and may be missing. `cookies` are whole `Set-Cookie` values.
    """

    __slots__ = ("body", "cookies", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        cookies: Iterable[str] = (),
        body: str | bytes | Chunks = b"",
    ) -> None:
        self.status = status
        self.headers = dict(headers or {})
        self.cookies = list(cookies)
        self.body = body

    def prelude(self) -> bytes:
        """The JSON that stands before the body, and the eight NUL bytes behind it."""
        import json

        members: dict[str, object] = {"statusCode": self.status, "headers": self.headers}
        if self.cookies:
            members["cookies"] = self.cookies
        return json.dumps(members).encode() + contract.STREAM_PRELUDE_DELIMITER


class ResponseStream:
    """Chunks to be streamed, from any iterable or async iterable, with a content type."""

    __slots__ = ("chunks", "content_type")

    def __init__(
        self, chunks: str | bytes | Chunks, content_type: str = contract.CONTENT_TYPE_BYTES
    ) -> None:
        self.chunks = chunks
        self.content_type = content_type


def _generator() -> Iterable[bytes]:
    yield b""


async def _async_generator() -> AsyncIterable[bytes]:
    yield b""


async def _coroutine() -> None: ...


_never_run = _coroutine()
_COROUTINE = type(_never_run)  # `types`, which names them, may not be loaded
_never_run.close()
STREAMED = (type(_generator()), type(_async_generator()), HttpResponse, ResponseStream)


class StreamedResponse:
    """One response being streamed: opened by its first chunk, or by its end when there is none."""

    __slots__ = ("_client", "_codec", "_content_type", "_invocation", "_upload")

    def __init__(self, client: RuntimeClient, invocation: Invocation, codec: Codec) -> None:
        self._client = client
        self._invocation = invocation
        self._codec = codec
        self._content_type = contract.CONTENT_TYPE_BYTES
        self._upload: Upload | None = None

    def send_all(self, result: object) -> None:
        """Send a whole stream and its end.

        Raises what the handler raises before the first chunk; what it raises later is reported in
        the trailers. Raises AnswerRefused, with the generator closed.
        """
        try:
            self._pump(self._chunks(result))
        except (AnswerRefused, ShutdownRequested, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self._upload is None:
                raise
            self._break_off(error)
            if not isinstance(error, Exception):
                raise
        else:
            self._end()

    def _chunks(self, result: object) -> Any:
        """Open what names a head or a content type; the chunks of the body."""
        if isinstance(result, HttpResponse):
            self.send(result)
            result = result.body
        elif isinstance(result, ResponseStream):
            self._content_type = result.content_type
            result = result.chunks
        whole = isinstance(result, (str, bytes, bytearray, memoryview))
        return ([result] if result else []) if whole else result

    def _pump(self, chunks: Any) -> None:
        if hasattr(chunks, "__aiter__"):
            from lambda_runtime.event_loop import run

            run(_pump_async(chunks, self))
            return
        try:
            for chunk in chunks:
                self.send(chunk)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    def send(self, chunk: Chunk) -> None:
        """Send one chunk: text as UTF-8, bytes as they are, anything else as a line of JSON."""
        if isinstance(chunk, HttpResponse):
            if self._upload is not None:
                raise TypeError("an HttpResponse must be the first chunk of a stream")
            self._content_type = contract.CONTENT_TYPE_HTTP_INTEGRATION
            data: bytes | memoryview = chunk.prelude()
        elif isinstance(chunk, str):
            data = chunk.encode("utf-8", "replace")
        elif isinstance(chunk, (bytes, bytearray, memoryview)):
            data = memoryview(chunk).cast("B")
        else:
            data = self._codec.encode(chunk)[0] + b"\n"
        try:
            is_wanted = self._open().write(data)
        except ConnectionLost as lost:
            raise AnswerRefused(lost) from lost
        if not is_wanted:
            self._check()

    def _open(self) -> Upload:
        if self._upload is None:
            self._upload = self._client.stream(self._invocation, self._content_type)
        return self._upload

    def _end(self) -> None:
        self._open()
        self._check()

    def _check(self, trailers: Iterable[tuple[str, str]] = ()) -> None:
        try:
            self._client.finish_stream(self._open(), trailers)
        except (ConnectionLost, RuntimeApiError) as refusal:
            raise AnswerRefused(refusal) from refusal

    def _break_off(self, error: BaseException) -> None:
        from base64 import b64encode

        from lambda_runtime.failures import log_error

        report = log_error(error)
        body = b64encode(report.body(self._invocation.request_id)).decode()
        self._check(
            [
                (contract.HEADER_ERROR_TYPE, report.error_type),
                (contract.HEADER_ERROR_BODY, body),
            ]
        )


async def _pump_async(chunks: AsyncIterable[Chunk], response: StreamedResponse) -> None:
    """One task for the whole stream: its context and its time limits hold across chunks."""
    try:
        async for chunk in chunks:
            response.send(chunk)
    finally:
        close = getattr(chunks, "aclose", None)
        if close is not None:
            await close()


def settled(result: object) -> object:
    """What a coroutine comes to, which may be a stream; other results as they are."""
    if not isinstance(result, _COROUTINE):
        return result
    from lambda_runtime.event_loop import run

    return run(result)
