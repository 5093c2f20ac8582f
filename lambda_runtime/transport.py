"""The HTTP/1.1 that a runtime and an extension need, over one kept socket.

One send per request, one persistent receive buffer, Content-Length and chunked replies, chunked
uploads with trailers. `ReplyParser` (replies.py) is sans-IO; `Connection` owns the socket.

A request is sent again only when a kept connection closed without a single byte of reply: that is
the one case in which the server has surely not begun to answer.
"""

from __future__ import annotations

try:
    import _socket as sockets
except ImportError:  # an interpreter that builds its sockets otherwise
    import socket as sockets  # type: ignore[no-redef]

from lambda_runtime.errors import ConnectionLost, InvalidAddress, InvalidReply
from lambda_runtime.replies import Reply, ReplyParser, quick_first, quick_reply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "Connection",
    "ConnectionLost",
    "InvalidAddress",
    "InvalidReply",
    "Reply",
    "Upload",
    "request_head",
]

QUICK_BYTES = 16 * 1024
"""What the first read of a reply takes; a small event comes whole in it."""
JOIN_BYTES = 64 * 1024
"""Below this a body is sent joined to its head; above, copying costs more than a second part."""


class Connection:
    """A kept connection to the API at `address`: `host:port`, `http://host:port/prefix`, IPv6 too.

    Connects when first used. Raises InvalidAddress for an address that is none.
    """

    __slots__ = (
        "_ahead",
        "_parser",
        "_socket",
        "address",
        "host",
        "host_header",
        "port",
        "prefix",
        "served",
    )

    def __init__(self, address: str) -> None:
        self.address = address
        self.host, self.port, self.prefix = parse_address(address)
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.host_header = f"{host}:{self.port}"
        self.served = 0  # replies on the present socket: above 0 it is a kept connection
        self._socket: sockets.socket | None = None
        self._ahead = b""
        self._parser = ReplyParser()

    def request(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Reply:
        """Send one request and wait for its reply, without limit of time (long polls need that).

        Raises ConnectionLost when there is no reply, InvalidReply when it is no HTTP, ValueError
        for a header that would inject another.
        """
        lines = list(headers)
        if body or method != "GET":
            lines.append(("Content-Length", str(len(body))))
        return self.exchange(self.head(method, path, lines), body)

    def head(self, method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
        """The head of a request to this address, ready to be sent."""
        return request_head(method, self.prefix + path, [("Host", self.host_header), *headers])

    def exchange(self, head: bytes, body: bytes | memoryview = b"") -> Reply:
        """Send a prepared head and its body; the hot path."""
        kept = self._socket if self.served else None
        try:
            if kept is None or len(body) >= JOIN_BYTES:
                self._send(head, body)
                return self._receive()
            try:
                kept.sendall(head + body if body else head)
            except OSError:
                return self._receive()  # an early refusal may wait to be read
            data = kept.recv(QUICK_BYTES)
            return quick_reply(data) or self._receive_rest(data)
        except OSError:
            if kept is None:
                raise
            self.close()  # a reset, before any byte of reply
        except ConnectionLost as lost:
            if kept is None or lost.received:
                raise
        self._send(head, body)
        reply = self._receive()
        reply.resent = True
        return reply

    def exchange_first(self, first: bytes, second: bytes) -> tuple[Reply, bool]:
        """Send two requests in one write and wait for the reply to the first.

        True: `second_reply` has the other one. False: the second was not taken, for the connection
        is gone; only the first was sent again, by the rule of `exchange`.
        """
        kept = self._socket
        if kept is None or not self.served:
            return self.exchange(first), False
        try:
            kept.sendall(first + second)
        except OSError:
            return self._receive(), False  # an early refusal may wait to be read
        try:
            reply = self._next_reply()
        except ConnectionLost as lost:
            if lost.received:
                raise
            reply = self.exchange(first)
            reply.resent = True
            return reply, False
        return reply, self._socket is not None

    def second_reply(self) -> Reply:
        """Wait for the reply to the second request. Raises ConnectionLost, InvalidReply."""
        return self._next_reply()

    def upload(self, head: bytes) -> Upload:
        """Begin a request whose body is sent in chunks; `head` announces them."""
        if self.is_readable():
            self.close()  # the server has closed it: an upload cannot be sent again
        self._send(head, b"")
        return Upload(self)

    def close(self) -> None:
        """Close the socket; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self.served = 0
        self._ahead = b""

    # --- Used by Upload ---------------------------------------------------------------------

    def send_parts(self, *parts: bytes | memoryview) -> Reply | None:
        """Send all of `parts`; when the server no longer listens, the reply it left behind.

        Raises ConnectionLost. A request that was cut short takes its connection with it.
        """
        if self._socket is None:
            raise ConnectionLost(f"the connection to {self.address} is closed")
        try:
            _send_parts(self._socket, parts)
        except OSError:
            return self.early_reply()
        return None

    def early_reply(self) -> Reply:
        """The reply to a request that is not complete, and never will be. Raises ConnectionLost."""
        reply = self._receive()
        self.close()
        return reply

    def finish(self) -> Reply:
        """Wait for the reply to what was sent."""
        return self._receive()

    # --- The socket -------------------------------------------------------------------------

    def _send(self, head: bytes, body: bytes | memoryview) -> None:
        connected = self._connected()
        try:
            if len(body) < JOIN_BYTES:
                connected.sendall(head + body if body else head)
            else:
                _send_parts(connected, (head, body))
        except OSError:
            return  # an early refusal (413) may wait to be read; `_receive` will tell

    def _next_reply(self) -> Reply:
        """The next of several replies, whose beginning may have come with the one before."""
        data, self._ahead = self._ahead, b""
        try:
            data = data or self._connected().recv(QUICK_BYTES)
        except OSError as error:
            raise self._lost(error) from error
        reply, ahead = quick_first(data)
        if reply is None:
            reply = self._receive_rest(data)
            ahead = self._parser.surplus()
        if self._socket is not None:
            self._ahead = ahead
        return reply

    def _receive(self) -> Reply:
        self._parser.reset()
        try:
            first = self._connected().recv(QUICK_BYTES)
        except OSError as error:
            raise self._lost(error) from error
        return self._receive_rest(first)

    def _receive_rest(self, first: bytes) -> Reply:
        """The whole reply, of which `first` has come."""
        parser, connected = self._parser, self._connected()
        parser.reset()
        try:
            count = len(first)
            reply = parser.take(first) if count else None
            while reply is None and count:
                count = connected.recv_into(parser.room())
                reply = parser.received(count) if count else parser.ended()
        except OSError as error:
            raise self._lost(error, parser.fill) from error
        except InvalidReply:
            self.close()
            raise
        if reply is None:
            raise self._lost("it closed the connection", parser.fill)
        self.served += 1
        if parser.closes or not count:
            self.close()
        return reply

    def _lost(self, why: object, received: int = 0) -> ConnectionLost:
        self.close()
        return ConnectionLost(f"no reply from {self.address}: {why}", received=received)

    def is_readable(self) -> bool:
        """Whether a reply, or the end of the connection, waits to be read."""
        connected = self._socket
        if connected is None:
            return False
        try:
            connected.recv(1, sockets.MSG_PEEK | sockets.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def _connected(self) -> sockets.socket:
        if self._socket is None:
            self._socket = self._connect()
        return self._socket

    def _connect(self) -> sockets.socket:
        host = self.host.encode()  # text would load the IDNA codec, and with it `re` and `enum`
        try:
            found = sockets.getaddrinfo(host, self.port, 0, sockets.SOCK_STREAM)
        except OSError as error:
            raise ConnectionLost(f"cannot resolve {self.host}: {error}") from error
        reason: OSError | None = None
        for family, kind, protocol, _, place in found:
            made = sockets.socket(family, kind, protocol)
            try:
                made.connect(place)
            except OSError as error:
                made.close()
                reason = error
                continue
            made.setsockopt(sockets.IPPROTO_TCP, sockets.TCP_NODELAY, 1)
            return made
        raise ConnectionLost(f"cannot connect to {self.address}: {reason}") from reason


class Upload:
    """A request body being sent in chunks."""

    __slots__ = ("_connection", "_early")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._early: Reply | None = None

    def write(self, data: bytes | memoryview) -> bool:
        """Send one chunk; blocks while the server is slow.

        Returns False, and sends no more, once the server has answered before the end: `finish`
        has its reply. Raises ConnectionLost.
        """
        connection = self._connection
        if self._early is None and connection.is_readable():
            self._early = connection.early_reply()
        if self._early is None and len(data):
            self._early = connection.send_parts(b"%x\r\n" % len(data), data, b"\r\n")
        return self._early is None

    def finish(self, trailers: Iterable[tuple[str, str]] = ()) -> Reply:
        """Send the last chunk and the trailers; wait for the reply. Raises ConnectionLost."""
        lines = "".join(f"{name}: {checked(value)}\r\n" for name, value in trailers)
        if self._early is None:
            self._early = self._connection.send_parts(b"0\r\n" + lines.encode() + b"\r\n")
        return self._early or self._connection.finish()


def _send_parts(connected: sockets.socket, parts: Sequence[bytes | memoryview]) -> None:
    """Send all of `parts` in order, in as few system calls as the kernel allows."""
    sent = connected.sendmsg(parts)
    if sent == sum(map(len, parts)):
        return
    waiting = [memoryview(part) for part in parts]
    while True:
        while waiting and sent >= len(waiting[0]):
            sent -= len(waiting.pop(0))
        if not waiting:
            return
        waiting[0] = waiting[0][sent:]
        sent = connected.sendmsg(waiting)


def request_head(method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Spell a request head; raises ValueError for a value that would inject a header."""
    lines = [f"{method} {path} HTTP/1.1"]
    lines += [f"{name}: {checked(value)}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def parse_address(address: str) -> tuple[str, int, str]:
    """Split `host:port`, a URL, a URL with a path, or IPv6 in brackets into host, port, prefix."""
    place, slash, prefix = address.removeprefix("http://").partition("/")
    host, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        host, port = place, "80"
    bracketed = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if bracketed else host
    if not name or bracketed != (":" in name) or not _is_port(port) or not _is_plain(address):
        raise InvalidAddress(f"{address!r} is not host:port or http://host:port/prefix")
    return name, int(port), (slash + prefix).rstrip("/")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) < 65536


def _is_plain(address: str) -> bool:
    """Whether it can stand in a request line and is no URL of another scheme."""
    plain = address.isascii() and address.isprintable() and " " not in address
    return plain and "://" not in address.removeprefix("http://")


def checked(value: str) -> str:
    """A header's value; raises ValueError for one that would inject another header."""
    if "\r" in value or "\n" in value or "\0" in value:
        raise ValueError("a header value must not hold a line break")
    return value
