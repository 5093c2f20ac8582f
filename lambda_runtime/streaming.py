"""Results that are not one value: streams, HTTP responses, coroutines. Loaded when one is seen.

A stream's first chunk leaves before the second is asked for; an error before the first is an
ordinary function error, after it goes as trailers. Source: "Response streaming for Lambda
functions" and "Using the Lambda runtime API for custom runtimes", AWS Lambda Developer Guide.
"""

from __future__ import annotations

import sys

from lambda_runtime import contract
from lambda_runtime.driven import arrived, driven
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

    from lambda_runtime.async_client import AsyncRuntimeClient
    from lambda_runtime.async_transport import AsyncUpload
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


class Response:
    """A whole response with a content type: bytes and text as they are, else what the codec makes.

    The codec's own content type when none is given.
    """

    __slots__ = ("body", "content_type")

    def __init__(self, body: object, content_type: str | None = None) -> None:
        self.body = body
        self.content_type = content_type


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

    def __init__(
        self, client: RuntimeClient | AsyncRuntimeClient, invocation: Invocation, codec: Codec
    ) -> None:
        self._client = client
        self._invocation = invocation
        self._codec = codec
        self._content_type = contract.CONTENT_TYPE_BYTES
        self._upload: Upload | AsyncUpload | None = None

    def send_all(self, result: object) -> None:
        """Send a whole stream and its end; loads asyncio for chunks that have to be awaited.

        Raises what the handler raises before the first chunk; what it raises later is reported in
        the trailers. Raises AnswerRefused, with the generator closed.
        """
        sending = self.sent(result)
        if hasattr(_chunks_of(result), "__aiter__"):
            from lambda_runtime.event_loop import complete

            complete(sending)
        else:
            driven(sending)

    async def sent(self, result: object) -> None:
        """`send_all`, over either kind of client; one task for the whole stream."""
        try:
            await self._pump(await self._opened(result))
        except (AnswerRefused, ShutdownRequested, KeyboardInterrupt):
            raise
        except BaseException as error:
            if self._upload is None or _is_ending():
                raise
            await self._break_off(error)
            if not isinstance(error, Exception):
                raise
        else:
            await self._end()

    async def _opened(self, result: object) -> Any:
        """Open what names a head or a content type; the chunks of the body."""
        if isinstance(result, HttpResponse):
            await self._send(result)
        elif isinstance(result, ResponseStream):
            self._content_type = result.content_type
        chunks = _chunks_of(result)
        whole = isinstance(chunks, (str, bytes, bytearray, memoryview))
        return ([chunks] if chunks else []) if whole else chunks

    async def _pump(self, chunks: Any) -> None:
        try:
            if hasattr(chunks, "__aiter__"):
                from lambda_runtime.event_loop import limited

                await limited(self._pump_async(chunks))
            else:
                for chunk in chunks:
                    await self._send(chunk)
        finally:
            close = getattr(chunks, "aclose", None) or getattr(chunks, "close", None)
            if close is not None:
                await arrived(close())

    async def _pump_async(self, chunks: AsyncIterable[Chunk]) -> None:
        async for chunk in chunks:
            await self._send(chunk)

    async def _send(self, chunk: Chunk) -> None:
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
            is_wanted = await arrived((await self._open()).write(data))
        except ConnectionLost as lost:
            raise AnswerRefused(lost) from lost
        if not is_wanted:
            await self._check()

    async def _open(self) -> Any:
        if self._upload is None:
            self._upload = await arrived(self._client.stream(self._invocation, self._content_type))
        return self._upload

    async def _end(self) -> None:
        await self._open()
        await self._check()

    async def _check(self, trailers: Iterable[tuple[str, str]] = ()) -> None:
        try:
            await arrived(self._client.finish_stream(await self._open(), trailers))
        except (ConnectionLost, RuntimeApiError) as refusal:
            raise AnswerRefused(refusal) from refusal

    async def _break_off(self, error: BaseException) -> None:
        from base64 import b64encode

        from lambda_runtime.failures import log_error

        report = log_error(error, self._invocation.request_id)
        body = b64encode(report.body(self._invocation.request_id)).decode()
        await self._check(
            [
                (contract.HEADER_ERROR_TYPE, report.error_type),
                (contract.HEADER_ERROR_BODY, body),
            ]
        )


def _is_ending() -> bool:
    event_loop = sys.modules.get("lambda_runtime.event_loop")
    return event_loop is not None and event_loop.is_ending()


def _chunks_of(result: object) -> object:
    """What is streamed: the body of an HTTP response, the chunks of a stream, or all of it."""
    if isinstance(result, HttpResponse):
        return result.body
    return result.chunks if isinstance(result, ResponseStream) else result


def encoded(result: object, codec: Codec) -> tuple[bytes, str]:
    """The response body and its content type. Raises MarshalFailed."""
    if not isinstance(result, Response):
        return codec.encode(result)
    body, content_type = result.body, result.content_type
    if isinstance(body, str) and content_type is not None:
        return body.encode("utf-8", "replace"), content_type
    data, usual = codec.encode(body)
    return data, content_type or usual


def is_coroutine(result: object) -> bool:
    """Whether a result has to be awaited before it is one."""
    return isinstance(result, _COROUTINE)


def settled(result: object) -> object:
    """What a coroutine comes to, which may be a stream; other results as they are."""
    if not isinstance(result, _COROUTINE):
        return result
    from lambda_runtime.event_loop import run

    return run(result)
