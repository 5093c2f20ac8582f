"""The HTTP that delivers telemetry, as bytes: a request's body in, or not yet. No socket here."""

from __future__ import annotations

MAX_HEAD_BYTES = 32 * 1024
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Far above what Lambda buffers (1 MiB); a single record may exceed that limit."""

METHODS = (b"POST", b"PUT")


class BadRequest(Exception):
    """Raised for what is no delivery; the connection is of no use any more."""


class BatchReader:
    """Feed `receive`, then take bodies from `next_body` until it is None.

    Bodies come with Content-Length or chunked. Raises BadRequest for anything else.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def receive(self, data: bytes) -> None:
        self._buffer += data

    def next_body(self) -> bytes | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequest("the request's head does not end")
            return None
        length = _body_length(bytes(self._buffer[:end]))
        start = end + 4
        if length is None:
            body = self._chunked_body(start)
            if body is None and len(self._buffer) > start + MAX_BODY_BYTES:
                raise BadRequest("the request's body does not end")
            return body
        if len(self._buffer) < start + length:
            return None
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        return body

    def _chunked_body(self, start: int) -> bytes | None:
        chunks: list[bytes] = []
        while True:
            end = self._buffer.find(b"\r\n", start)
            if end < 0:
                return None
            size = _whole(bytes(self._buffer[start:end].partition(b";")[0]), 16)
            if not size:
                return self._after_trailers(end, chunks)
            start = end + 2 + size + 2
            if len(self._buffer) < start:
                return None
            chunks.append(bytes(self._buffer[end + 2 : start - 2]))

    def _after_trailers(self, last_size: int, chunks: list[bytes]) -> bytes | None:
        """The body, once the empty line after the last chunk is there; trailers are ignored."""
        end = self._buffer.find(b"\r\n\r\n", last_size)
        if end < 0:
            return None
        del self._buffer[: end + 4]
        return b"".join(chunks)


def _body_length(head: bytes) -> int | None:
    """The announced length, 0 without one, None for chunked."""
    line, *lines = head.split(b"\r\n")
    method, _, rest = line.partition(b" ")
    if method not in METHODS or b" HTTP/1." not in rest:
        raise BadRequest("no POST or PUT")
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(b":") for x in lines)}
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return None
    return _whole(headers.get(b"content-length", b"0"), 10)


def _whole(digits: bytes, base: int) -> int:
    try:
        value = int(digits.strip(), base)
    except ValueError:
        value = -1
    if not 0 <= value <= MAX_BODY_BYTES:
        raise BadRequest("no usable length")
    return value
