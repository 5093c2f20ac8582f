"""`InvokeWithResponseStream`'s answer: event-stream messages, each chunk as it comes.

Source: Lambda API reference, "InvokeWithResponseStream"; "Event stream encoding", Amazon Transcribe
Developer Guide (the encoding is the same for all of AWS).
"""

from __future__ import annotations

import base64
import json
from functools import cache
from struct import pack
from zlib import crc32

from lambda_runtime import contract
from rapid_mock.errors import ServiceError
from rapid_mock.http.exchange import Exchange, ResponseWriter
from rapid_mock.http.header_text import encode_header
from rapid_mock.http.invoke_request import answer_without_payload, refuse_invoke
from rapid_mock.service.requests import Flow, InvokeAnswer, InvokeRequest

_STRING = 7


def event_message(event_type: str, content_type: str, payload: bytes) -> tuple[bytes, ...]:
    """One message in parts: lengths, their checksum and headers; payload; checksum of all."""
    headers = _headers(event_type, content_type)
    lengths = pack(">II", 16 + len(headers) + len(payload), len(headers))
    prelude = b"".join((lengths, pack(">I", crc32(lengths)), headers))
    return prelude, payload, pack(">I", crc32(payload, crc32(prelude)))


@cache
def _headers(event_type: str, content_type: str) -> bytes:
    return b"".join(
        pack(">B", len(name)) + name + pack(">BH", _STRING, len(value)) + value
        for name, value in (
            (b":event-type", event_type.encode()),
            (b":content-type", content_type.encode()),
            (b":message-type", b"event"),
        )
    )


class StreamedAnswer:
    """One invocation's answer; takes the chunks of a function that streams, else its payload.

    A slow invoker holds the function back; one that went away does not.
    """

    def __init__(self, exchange: Exchange, request: InvokeRequest) -> None:
        self._exchange = exchange
        self._request = request
        self._version = ""
        self._writer: ResponseWriter | None = None

    def open(self, version: str) -> StreamedAnswer:
        """The taker of a stream that begins now."""
        self._version = version
        return self

    def begin(self, _content_type: str | None, flow: Flow) -> None:
        writer = self._start()
        writer.on_pause = flow.pause_reading
        writer.on_resume = self._exchange.on_disconnect = flow.resume_reading
        if writer.is_paused:
            flow.pause_reading()

    def write(self, data: bytes) -> None:
        if self._writer is not None and not self._exchange.is_over:
            self._writer.write(*_chunk(data))

    def answered(self, answer: InvokeAnswer | ServiceError) -> None:
        """The end: the whole payload where nothing was streamed, then `InvokeComplete`."""
        if isinstance(answer, ServiceError):
            refuse_invoke(self._exchange, self._request.request_id, answer)
            return
        if answer.status != 200:
            answer_without_payload(self._exchange, answer)
            return
        if self._writer is None:
            self._version = answer.executed_version
            writer = self._start()
            if answer.function_error is None:
                writer.write(*_chunk(answer.payload))
        if self._writer is not None and not self._exchange.is_over:
            self._writer.write(*self._complete(answer))
            self._writer.close()

    def _start(self) -> ResponseWriter:
        headers = [
            ("Content-Type", contract.CONTENT_TYPE_EVENT_STREAM),
            (contract.HEADER_AMZN_REQUEST_ID, self._request.request_id),
            (contract.HEADER_EXECUTED_VERSION, self._version),
        ]
        if self._request.trace_id:
            headers.append((contract.HEADER_AMZN_TRACE_ID, encode_header(self._request.trace_id)))
        self._writer = self._exchange.start_response(200, headers)
        return self._writer

    def _complete(self, answer: InvokeAnswer) -> tuple[bytes, ...]:
        members = {}
        if answer.function_error is not None:
            members["ErrorCode"] = answer.function_error
            members["ErrorDetails"] = answer.payload.decode("utf-8", "replace")
        if self._request.wait_for_report:
            tail = answer.log[-contract.MAX_LOG_TAIL_BYTES :]
            members["LogResult"] = base64.b64encode(tail).decode()
        body = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
        return event_message("InvokeComplete", contract.CONTENT_TYPE_JSON, body)


def _chunk(data: bytes) -> tuple[bytes, ...]:
    return event_message("PayloadChunk", contract.CONTENT_TYPE_BYTES, data)
