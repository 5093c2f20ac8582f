"""TelemetryListener: receives batches over HTTP or TCP, on one free port, in one thread.

A batch is acknowledged after it was accepted and never before. What cannot be accepted gets 503,
which makes Lambda send it again; over TCP reading stops until there is room.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time

from lambda_extensions.failures import complain
from lambda_extensions.http_batches import MAX_BODY_BYTES, BadRequest, BatchReader
from lambda_extensions.records import read_batch, read_line
from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal, Protocol

    from lambda_extensions.records import TelemetryRecord

    class Conversation(Protocol):
        """The far end of one connection."""

        @property
        def is_paused(self) -> bool:
            """Whether it waits for room and is not to be read from."""
            ...

        def feed(self, data: bytes) -> bytes | None:
            """Take bytes in; give the bytes to answer, None to hang up."""
            ...

        def rest(self) -> tuple[list[TelemetryRecord], int] | None:
            """What was received, and no refusal can be told any more."""
            ...


READ_BYTES = 256 * 1024
PAUSE_SECONDS = 0.02
"""How often a paused TCP connection looks for room."""
LAST_SECONDS = 0.3
"""How long what has been sent before `close` is still read."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class TelemetryListener:
    """Listens from `start` to `close`; `accept(records, size)` says whether it takes a batch.

    It listens where `sandbox.localdomain` points to, the only host that Lambda delivers to, and
    on 127.0.0.1 where that is no address of this machine (not in Lambda; said once on stderr).
    """

    def __init__(
        self,
        accept: Callable[[list[TelemetryRecord], int], bool],
        protocol: Literal["HTTP", "TCP"] = "HTTP",
    ) -> None:
        self._accept = accept
        self._protocol = protocol
        self._listener = _listening_socket()
        self._stopper, self._stopped = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._talks: dict[socket.socket, Conversation] = {}
        self._thread = threading.Thread(target=self._listen, name="telemetry-listener", daemon=True)
        self.port: int = self._listener.getsockname()[1]

    @property
    def destination(self) -> dict[str, object]:
        """`destination` of a subscription."""
        if self._protocol == contract.DESTINATION_TCP:
            return {"protocol": contract.DESTINATION_TCP, "port": self.port}
        return {
            "protocol": contract.DESTINATION_HTTP,
            "URI": f"http://{contract.DESTINATION_HOSTS[0]}:{self.port}/",
        }

    def start(self) -> None:
        self._thread.start()

    def close(self) -> list[tuple[list[TelemetryRecord], int]]:
        """Read what was sent before, then stop; nothing is accepted after that.

        Returns what came over TCP and found no room, as `accept` takes it: nobody sends it again.
        """
        self._stopper.close()
        if self._thread.ident is not None:
            self._thread.join()
        rests = [talk.rest() for talk in self._talks.values()]
        for connection in (*self._talks, self._listener, self._stopped):
            connection.close()
        self._selector.close()
        return [rest for rest in rests if rest is not None]

    def _listen(self) -> None:
        self._listener.setblocking(False)
        for place in (self._listener, self._stopped):
            self._selector.register(place, selectors.EVENT_READ)
        while self._stopped not in self._serve(self._patience()):
            pass
        until = time.monotonic() + LAST_SECONDS
        self._selector.unregister(self._stopped)
        while self._serve(0.0) and time.monotonic() < until:
            pass

    def _serve(self, patience: float | None) -> list[object]:
        """Serve whoever is ready, or gets it within `patience` seconds; returns all of them."""
        ready: list[object] = [key.fileobj for key, _ in self._selector.select(patience)]
        for one in ready:
            if one is self._listener:
                self._welcome()
            elif isinstance(one, socket.socket) and one is not self._stopped:
                self._read(one)
        self._resume()
        return ready

    def _patience(self) -> float | None:
        return PAUSE_SECONDS if any(talk.is_paused for talk in self._talks.values()) else None

    def _welcome(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        talk = HttpTalk if self._protocol == contract.DESTINATION_HTTP else TcpTalk
        self._talks[connection] = talk(self._accept)
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._answer(connection, self._talks[connection].feed(data) if data else None)

    def _resume(self) -> None:
        """Unread what was paused for lack of room; read on where there is some."""
        for connection, talk in list(self._talks.items()):
            if talk.is_paused:
                self._answer(connection, talk.feed(b""))

    def _answer(self, connection: socket.socket, answer: bytes | None) -> None:
        try:
            if answer:
                connection.sendall(answer)
        except OSError:
            answer = None
        is_listened_to = connection in self._selector.get_map()
        if answer is None or answer.endswith(BAD):
            self._hang_up(connection)
        elif is_listened_to and self._talks[connection].is_paused:
            self._selector.unregister(connection)
        elif not is_listened_to and not self._talks[connection].is_paused:
            self._selector.register(connection, selectors.EVENT_READ)

    def _hang_up(self, connection: socket.socket) -> None:
        if connection in self._selector.get_map():
            self._selector.unregister(connection)
        del self._talks[connection]
        connection.close()


class HttpTalk:
    """One HTTP connection, kept open: a batch in each POST or PUT."""

    is_paused = False

    def __init__(self, accept: Callable[[list[TelemetryRecord], int], bool]) -> None:
        self._accept = accept
        self._reader = BatchReader()

    def feed(self, data: bytes) -> bytes | None:
        self._reader.receive(data)
        answer = b""
        try:
            while (body := self._reader.next_body()) is not None:
                answer += OK if self._accept(read_batch(body), len(body)) else BUSY
        except BadRequest:
            return answer + BAD
        return answer

    def rest(self) -> None:
        """Nothing: what was not acknowledged is sent again, or counted by Lambda."""
        return


class TcpTalk:
    """One TCP connection: a record in each line; paused while there is no room."""

    def __init__(self, accept: Callable[[list[TelemetryRecord], int], bool]) -> None:
        self._accept = accept
        self._rest = b""
        self._refused: tuple[list[TelemetryRecord], int] | None = None

    @property
    def is_paused(self) -> bool:
        return self._refused is not None

    def feed(self, data: bytes) -> bytes | None:
        if self._refused is None:
            lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
            if len(self._rest) > MAX_BODY_BYTES:
                return None
            batch = [read_line(line) for line in lines.split(b"\n") if newline and line.strip()]
            self._refused = (batch, len(lines))
        if not self._refused[0] or self._accept(*self._refused):
            self._refused = None
        return b""

    def rest(self) -> tuple[list[TelemetryRecord], int] | None:
        records, size = self._refused or ([], 0)
        if self._rest:
            records, size = [*records, read_line(self._rest)], size + len(self._rest)
        return (records, size) if records else None


def _listening_socket() -> socket.socket:
    name = contract.DESTINATION_HOSTS[0]
    try:
        return socket.create_server((name, 0))
    except OSError:
        complain(f"{name} is no address of this machine: telemetry is received on 127.0.0.1")
        return socket.create_server(("127.0.0.1", 0))
