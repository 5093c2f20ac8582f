"""Bytes to whole request heads, bodies and trailers, by llhttp, within limits."""

from __future__ import annotations

import re
from typing import Protocol

import httptools

from rapid_mock.http.exchange import Request

MAX_HEAD_BYTES = 1024 * 1024
MAX_HEAD_LINES = 10_000
LONG_LINE_BYTES = 16 * 1024
REMEMBERED_NAMES = 200
REMEMBERED_NAME_BYTES = 64
REMEMBERED_HEADS = 8
REMEMBERED_HEAD_BYTES = 4096

Pairs = list[tuple[str, str]]


class _Names(dict[bytes, str]):
    """Header names in lower case, remembered as far as it pays."""

    def __missing__(self, name: bytes) -> str:
        text = name.decode("latin-1").lower()
        if len(self) < REMEMBERED_NAMES and len(name) < REMEMBERED_NAME_BYTES:
            self[name] = text
        return text


_names = _Names()
_NOT_REMEMBERED = frozenset(
    {"connection", "proxy-connection", "expect", "transfer-encoding", "upgrade"}
)
"""What makes a head more than a list of facts: these go through llhttp each time."""


_PLAIN_REQUEST_LINE = re.compile(rb"(GET|POST) (/[A-Za-z0-9/._~!$&'()*+,;=:@%?-]*) HTTP/1\.1")
"""The request lines about whose parts nobody could be of another opinion than llhttp."""


class _Head:
    """Header lines that have been parsed and may come again; shared, so nobody may change them."""

    __slots__ = ("_headers", "_line", "_pairs", "_request", "body_length")

    def __init__(self, request: Request) -> None:
        self._pairs, self._headers = request.header_pairs, request.headers
        self._line, self._request = b"", request
        self.body_length = int(request.headers.get("content-length", "0"))

    def under(self, line: bytes) -> Request | None:
        """The request of these lines under a request line, the same one for the same line.

        None for a line that is not plain.
        """
        if line != self._line:
            plain = _PLAIN_REQUEST_LINE.fullmatch(line)
            if plain is None:
                return None
            method, target = plain.groups()
            self._line = line
            self._request = Request(
                method.decode(), target.decode(), "1.1", self._pairs, self._headers
            )
        return self._request


class Unserved(Exception):
    """What arrived is no request that could be served: `status` and `reason` say why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason


class Receiver(Protocol):
    """Hears of requests as they arrive."""

    def head_received(self, request: Request, *, keeps_alive: bool) -> None: ...

    def body_received(self, data: bytes) -> None: ...

    def message_received(self, trailers: Pairs) -> None: ...

    def request_received(self, request: Request, body: bytes) -> None:
        """All three at once: no trailers, and the connection is kept."""


class RequestParser:
    """Feeds llhttp and hands on what it finds; trailers are limited as heads are.

    `unframed_bytes` have arrived since the last body or message: of a head, if none is being read.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._llhttp = httptools.HttpRequestParser(self)
        self._target = b""
        self._pairs: Pairs = []
        self.unframed_bytes = 0
        self._held = bytearray()
        self._upgrading = b""
        self._is_between_messages = True
        self._heads: dict[bytes, _Head] = {}
        self._new_head = b""

    def feed(self, data: bytes) -> None:
        """Raises Unserved, and whatever the receiver raises; feed nothing more after that."""
        if not self._is_between_messages or self.unframed_bytes or not self._repeat(data):
            self._feed_llhttp(data)

    def _repeat(self, data: bytes) -> bool:
        """Take a whole request whose header lines this client sent before; False if it is none.

        A runtime sends the same lines with every poll and, as long as its answers have the same
        length, with every answer: llhttp, 9 us in Python's callbacks a request, is spared.
        """
        start, end = data.find(b"\r\n"), data.find(b"\r\n\r\n") + 4
        head = self._heads.get(data[start:end])
        if head is None:
            is_plain = _PLAIN_REQUEST_LINE.fullmatch(data, 0, max(start, 0)) is not None
            if is_plain and start < end <= REMEMBERED_HEAD_BYTES:
                self._new_head = data[start:end]
            return False
        request = head.under(data[:start]) if len(data) == end + head.body_length else None
        if request is None:
            return False
        self._receiver.request_received(request, data[end:])
        return True

    def _remember(self, lines: bytes, request: Request) -> None:
        """Keep a head that says nothing but how long its body is, in lines that end in CR LF."""
        headers = request.headers
        is_clean = lines.count(b"\n") == lines.count(b"\r\n")
        if is_clean and not headers.keys() & _NOT_REMEMBERED:
            if len(self._heads) >= REMEMBERED_HEADS:
                self._heads.clear()
            self._heads[lines] = _Head(request)

    def _feed_llhttp(self, data: bytes) -> None:
        is_long = self.unframed_bytes > LONG_LINE_BYTES
        self.unframed_bytes += len(data)
        if is_long and b"\n" not in data:
            # llhttp's binding copies a header's value for each part of it it gets.
            self._held += data
        else:
            if self._held:
                data = bytes(self._held) + data
                self._held.clear()
            self._parse(data)
        self._check_size()

    def _check_size(self) -> None:
        if self.unframed_bytes > MAX_HEAD_BYTES or len(self._pairs) > MAX_HEAD_LINES:
            raise Unserved(431, "Request Header Fields Too Large")

    def _parse(self, data: bytes) -> None:
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            rest = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            if isinstance(error, httptools.HttpParserCallbackError) and error.__context__:
                raise error.__context__ from None
            raise Unserved(400, "Bad Request") from None
        else:
            return
        # Not in the handler: there Python would replace the context of a callback's error.
        self._decline_upgrade(rest)

    # --- httptools --------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._target = b""
        self._is_between_messages = False

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._pairs.append((_names[name], value.decode("latin-1").rstrip(" \t")))

    def on_headers_complete(self) -> None:
        self.unframed_bytes = 0
        self._check_size()
        pairs, self._pairs = self._pairs, []
        lines, self._new_head = self._new_head, b""
        llhttp = self._llhttp
        method: str = llhttp.get_method().decode("latin-1")
        request = Request(method, self._target.decode("latin-1"), llhttp.get_http_version(), pairs)
        _check(request)
        if llhttp.should_upgrade():
            self._upgrading = _head_without_upgrade(request, self._target)
        else:
            if lines:
                self._remember(lines, request)
            self._receiver.head_received(request, keeps_alive=llhttp.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        self.unframed_bytes = 0
        self._receiver.body_received(data)

    def on_message_complete(self) -> None:
        self.unframed_bytes = 0
        self._is_between_messages = True
        trailers, self._pairs = self._pairs, []
        if not self._upgrading:
            self._receiver.message_received(trailers)

    # --- Upgrades ---------------------------------------------------------------------------

    def _decline_upgrade(self, rest: bytes) -> None:
        """Serve the request as HTTP/1.1, as Go does: Java's client offers h2c with each one.

        llhttp takes what follows such a head for another protocol, its body included.
        """
        head, self._upgrading = self._upgrading, b""
        self._llhttp = httptools.HttpRequestParser(self)
        self._parse(head + rest)


def _check(request: Request) -> None:
    """What llhttp lets pass and a server has to refuse (RFC 9112, 3.2 and 6.1; Go's words)."""
    headers = request.headers
    if request.http_version not in {"1.1", "1.0"}:
        raise Unserved(505, "HTTP Version Not Supported")
    if request.method == "CONNECT":
        raise Unserved(400, "Bad Request: CONNECT is not supported")
    if headers.get("transfer-encoding", "chunked").lower() != "chunked":
        raise Unserved(501, "Not Implemented: unsupported transfer encoding")
    if "host" not in headers and request.http_version == "1.1":
        raise Unserved(400, "Bad Request: missing required Host header")
    is_repeated = len(headers) != len(request.header_pairs)
    if is_repeated and [name for name, _ in request.header_pairs].count("host") > 1:
        raise Unserved(400, "Bad Request: too many Host headers")


def _head_without_upgrade(request: Request, target: bytes) -> bytes:
    lines = [f"{name}: {value}" for name, value in request.header_pairs if name != "upgrade"]
    start = f"{request.method} {target.decode('latin-1')} HTTP/{request.http_version}"
    return "\r\n".join([start, *lines, "\r\n"]).encode("latin-1")
