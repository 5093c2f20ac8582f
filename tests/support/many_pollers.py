"""The far side of a runtime that polls several times at once, and that runtime's processes.

    with ManyPollers() as api, api.start("lambda_runtime", folder, count=4) as runtime:
        api.wait_for_polls(4)
        api.give("one", b"{}")
        assert api.post("one").body == b"..."

A poll waits until the test gives it an event; posts are recorded and accepted, unless `answers`
has another reply for the end of their path; an empty one hangs up. Nothing of the runtime outlives
the block.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.conformance.runtime_checklist.scenario import Post
from tests.support.peers import kill_all, session_members, wait_until
from tests.support.scripted_runtime_api import (
    ACCEPTED,
    DEADLINE_SECONDS,
    NEXT_PATH,
    ROOT,
    Peer,
    body_of,
    event,
    headers_of,
    path_of,
)

NEVER = b"never"
"""Instead of a reply: whoever asks waits until the test is over."""


class Running:
    """A runtime's main process, the leader of a session of its own; `output` is both streams."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def output(self) -> str:
        return self._output.read_text()

    def members(self) -> list[int]:
        """The living processes of the session, main process first."""
        return sorted(session_members(self.process.pid))

    def workers(self) -> list[int]:
        return [pid for pid in self.members() if pid != self.process.pid]

    def exit_code(self) -> int:
        """Wait for the main process to end."""
        return self.process.wait(DEADLINE_SECONDS)

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)


class ManyPollers:
    """Listens on loopback; each connection has a thread."""

    def __init__(self, answers: Mapping[str, bytes] | None = None) -> None:
        self._answers = dict(answers or {})
        self._changed = threading.Condition()
        self._events: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads = [threading.Thread(target=self._accept)]
        self._is_open = True
        self.address = "{}:{}".format(*self._listener.getsockname())
        self.parked = 0
        self.polls: list[float] = []
        self.posts: list[Post] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_open = False
        with self._changed:
            self._changed.notify_all()
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    @contextmanager
    def start(
        self, module: str, folder: Path, *, count: object, handler: str = "app.handler", **env: str
    ) -> Iterator[Running]:
        """`python -m module`, with AWS_LAMBDA_MAX_CONCURRENCY if `count` is not None.

        Every process is gone afterwards.
        """
        command = [sys.executable, "-m", module, handler]
        with self.start_command(command, folder, count=count, **env) as running:
            yield running

    @contextmanager
    def start_command(
        self, command: list[str], folder: Path, *, count: object, **env: str
    ) -> Iterator[Running]:
        """Any command that is a runtime."""
        with tempfile.NamedTemporaryFile() as output:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    "AWS_LAMBDA_RUNTIME_API": self.address,
                    **({} if count is None else {"AWS_LAMBDA_MAX_CONCURRENCY": str(count)}),
                    **env,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            running = Running(process, Path(output.name))
            try:
                yield running
            except BaseException:
                print(running.output)  # pytest shows it
                raise
            finally:
                process.kill()
                process.wait()
                wait_until(
                    lambda: not kill_all(running.members()), seconds=10, what="the runtime's end"
                )

    # --- What a test says and asks --------------------------------------------------------------

    def give(self, request_id: str, body: bytes = b"{}", *headers: str) -> None:
        """One event, for whoever polls."""
        self.reply_to_poll(event(body, *headers, request_id=request_id))

    def reply_to_poll(self, reply: bytes) -> None:
        with self._changed:
            self._events.append(reply)
            self._changed.notify_all()

    def wait_for_polls(self, count: int) -> None:
        """Until exactly so many polls wait for an event."""
        self._wait(lambda: self.parked == count and not self._events, f"{count} polls")

    def post(self, request_id: str) -> Post:
        """The one post about an invocation, once it has come."""
        self._wait(lambda: bool(self._about(request_id)), f"an answer to {request_id}")
        [found] = self._about(request_id)
        return found

    def result(self, request_id: str) -> Any:
        """What the handler returned."""
        found = self.post(request_id)
        assert found.path == f"invocation/{request_id}/response", found
        return found.json

    def wait_for_posts(self, count: int) -> list[Post]:
        self._wait(lambda: len(self.posts) >= count, f"{count} posts")
        return self.posts

    def _about(self, request_id: str) -> list[Post]:
        return [post for post in self.posts if f"/{request_id}/" in post.path]

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        with self._changed:
            came = self._changed.wait_for(condition, DEADLINE_SECONDS)
            assert came, f"not in time: {what}; {self.parked} parked, posts: {self.posts}"

    # --- Serving --------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if not self._is_open:
                connection.close()
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._threads.append(threading.Thread(target=self._serve, args=[connection]))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            peer = Peer(connection, [])
            try:
                while request := peer.request():
                    reply = self._reply(connection, request)
                    if not reply:
                        return
                    peer.send(reply)
            except OSError:
                return  # its process was killed

    def _reply(self, connection: socket.socket, request: bytes) -> bytes | None:
        if request.startswith(NEXT_PATH):
            return self._event(connection)
        path = path_of(request)
        found = Post(
            path.removeprefix("/2018-06-01/runtime/"), headers_of(request), body_of(request)
        )
        with self._changed:
            self.posts.append(found)
            self._changed.notify_all()
        return next((self._answers[end] for end in self._answers if path.endswith(end)), ACCEPTED)

    def _event(self, connection: socket.socket) -> bytes | None:
        """The next event for this poll; None when the poller is gone, or the test is over."""
        with self._changed:
            self.parked += 1
            self.polls.append(time.monotonic())
            self._changed.notify_all()
            try:
                while self._is_open and not _is_gone(connection):
                    if self._events:
                        return self._events.pop(0)
                    self._changed.wait(0.01)
                return None
            finally:
                self.parked -= 1
                self._changed.notify_all()


def _is_gone(connection: socket.socket) -> bool:
    """Whether the other side has hung up: an event for it would be lost."""
    try:
        return not connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def refusal(status: str) -> bytes:
    """A reply that refuses a post."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    return head.encode() + b"{}"
