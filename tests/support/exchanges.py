"""One HTTP exchange in raw bytes: a request as recorded goes out, what comes back is compared."""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass, field

from botocore.eventstream import EventStreamBuffer

from tests.support.placeholders import Bindings
from tests.support.puppets import Wire
from tests.support.recorded import Expected, Pairs, Request

CLOSED = "connection closed without response"
REFUSED = "connection refused"
EVENT_STREAM = "application/vnd.amazon.eventstream"
_INFORMAL = ("Date",)


@dataclass(frozen=True)
class Answer:
    """What came back, as it was on the wire but for its Date."""

    status: int
    headers: Pairs
    body: bytes
    trailers: Pairs = field(default_factory=list)

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


async def send_request(wire: Wire, request: Request, bindings: Bindings) -> None:
    """Send a request with its placeholders filled in."""
    path = bindings.fill(request.path)
    headers = [(name, bindings.fill(value)) for name, value in request.headers]
    size = len(request.body) if request.content_length is None else request.content_length
    if request.chunks is None and (request.body or request.method != "GET"):
        headers.append(("Content-Length", str(size)))
    lines = [f"{request.method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join([*lines, "", ""]).encode()
    await wire.send(head + _body(request))
    if request.half_close_after is not None:
        await wire.half_close()


async def send_rest(wire: Wire, request: Request) -> None:
    """Send the chunks that were recorded to come later, at the recorded pace, and the end."""
    for delay, chunk in request.then_send:
        await asyncio.sleep(delay)
        await wire.send(_chunks_of([chunk]))
    await wire.send(b"0\r\n\r\n")


def _chunks_of(chunks: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


def _body(request: Request) -> bytes:
    if request.chunks is None:
        return request.body
    chunks = _chunks_of(request.chunks)
    if request.then_send:
        return chunks
    trailers = "".join(f"{name}: {value}\r\n" for name, value in request.trailers)
    return chunks + b"0\r\n" + trailers.encode() + b"\r\n"


async def read_answer(reader: asyncio.StreamReader, method: str) -> Answer | None:
    """The next answer; None when the connection ended instead."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        found = re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", first)
        assert found is not None, first
        headers = [_header(line) for line in lines]
        trailers: Pairs = []
        names = {name.lower(): value for name, value in headers}
        if method == "HEAD":
            body = b""
        elif "content-length" in names:
            body = await reader.readexactly(int(names["content-length"]))
        elif names.get("transfer-encoding") == "chunked":
            body, trailers = await _chunks(reader)
        else:
            body = await reader.read()
        kept = [pair for pair in headers if pair[0] not in _INFORMAL]
        if names.get("content-type") == EVENT_STREAM:
            body = read_event_stream(body)
        return Answer(int(found[1]), kept, body, trailers)
    return None


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


async def _chunks(reader: asyncio.StreamReader) -> tuple[bytes, Pairs]:
    body, trailers = b"", list[tuple[str, str]]()
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while (line := await reader.readline()) != b"\r\n":
        trailers.append(_header(line.decode("latin-1").rstrip("\r\n")))
    return body, trailers


def read_event_stream(body: bytes) -> bytes:
    """The payload of all chunks, and on a line of its own what the last event says."""
    stream = EventStreamBuffer()
    stream.add_data(body)
    events = [(event.headers[":event-type"], event.payload) for event in stream]
    payload = b"".join(data for kind, data in events if kind == "PayloadChunk")
    return payload + b"".join(b"\n%b %b" % (k.encode(), d) for k, d in events[-1:])


# --- Comparing ----------------------------------------------------------------------------------


def differences(expected: Expected, found: Answer | str | None, bindings: Bindings) -> list[str]:
    """What differs, one sentence each; `found` is an answer, an error, or None (pending)."""
    if not isinstance(found, Answer):
        if expected.error == found and (found is not None or expected.is_pending):
            return []
        return [f"{_shown(found)}; expected {_wanted(expected)}"]
    if expected.status is None:
        return [f"{_shown(found)}; expected {_wanted(expected)}"]
    wrong = []
    if expected.status != found.status:
        wrong.append(f"status {found.status}, expected {expected.status}")
    wrong += _header_differences(expected.headers, found, bindings)
    if not _is_same_body(expected.body, found.body, bindings):
        wrong.append(f"body {found.body[:300]!r}, expected {expected.body[:300]!r}")
    if expected.trailers != found.trailers:
        wrong.append(f"trailers {found.trailers}, expected {expected.trailers}")
    return wrong


def _header_differences(expected: Pairs, found: Answer, bindings: Bindings) -> list[str]:
    names, found_names = [n for n, _ in expected], [n for n, _ in found.headers]
    wrong = [] if names == found_names else [f"headers {found.headers}, expected {names}"]
    for name, template in expected:
        value = found.header(name)
        if name == "Content-Length":
            is_headless = not found.body and value == template  # the answer to a HEAD
            is_right = value is None or int(value) == len(found.body) or is_headless
        else:
            is_right = value is None or bindings.matches(template, value)
        if not is_right:
            wrong.append(f"{name}: {value!r}, expected {template!r}")
    return wrong


def _is_same_body(expected: str | bytes, found: bytes, bindings: Bindings) -> bool:
    if isinstance(expected, bytes):
        return expected == found
    try:
        return bindings.matches(expected, found.decode())
    except UnicodeDecodeError:
        return False


def _shown(found: Answer | str | None) -> str:
    if isinstance(found, Answer):
        return f"answered {found.status} {found.headers} {found.body[:300]!r}"
    return found or "still pending"


def _wanted(expected: Expected) -> str:
    if expected.is_pending:
        return "to be pending"
    return expected.error or f"{expected.status} {expected.headers} {expected.body[:300]!r}"
