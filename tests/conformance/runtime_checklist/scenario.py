"""A program, the events it is given, and the record of what its client did with them.

One process serves many items: a scenario is played once for each client, and the tests look at the
record. The API answers each poll with the next event; the poll after the last one is never
answered, but the process ended by SIGTERM: `SURVIVED` is the exit code of what lived so long.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.conformance.runtime_checklist.rics import Ric
from tests.support.scripted_runtime_api import (
    ACCEPTED,
    DEADLINE_SECONDS,
    NEXT_PATH,
    ROOT,
    Peer,
    body_of,
    headers_of,
    path_of,
)

SURVIVED = -signal.SIGTERM
FRAMES = "frames"
FAULT = """
def fault(error_type, message, trace):
    import __main__
    if __main__.__spec__.name == "awslambdaric.__main__":
        from awslambdaric.lambda_runtime_exception import FaultException
        return FaultException(error_type, message, trace)
    from lambda_runtime.errors import FaultError
    error = FaultError(message, trace)
    error.error_type = error_type
    return error
"""
"""What a client raises for its own faults, of any type: the beginning of a program."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenario:
    """`program` is app.py; `files` lie beside it; `env` is all there is of the environment.

    `answers` are the replies to posts by the end of their path, `1/response`: 202 where none is
    named. `framed` opens a telemetry descriptor; `path` is put on PYTHONPATH.
    """

    program: str = ""
    events: tuple[bytes, ...] = ()
    arguments: tuple[str, ...] = ("app.handler",)
    files: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, bytes] = field(default_factory=dict)
    address: str | None = None
    framed: bool = False
    path: tuple[str, ...] = ()


class Post(NamedTuple):
    """What was sent to the API: the path from `/2018-06-01/runtime/` on."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def xray(self) -> Any:
        return json.loads(self.headers["lambda-runtime-function-xray-error-cause"])


class Frame(NamedTuple):
    type_word: str
    microseconds: int
    text: bytes


class Record(NamedTuple):
    """A finished process: what it wrote, what it sent, in order."""

    exit_code: int
    stdout: str
    stderr: str
    requests: list[Post]
    folder: Path

    @property
    def posts(self) -> list[Post]:
        """The requests without the polls."""
        return [post for post in self.requests if post.path != "invocation/next"]

    def of(self, request_id: str) -> Post:
        """The one post about an invocation."""
        [post] = [post for post in self.posts if f"/{request_id}/" in post.path]
        return post

    def result(self, request_id: str) -> Any:
        """What the handler returned."""
        post = self.of(request_id)
        assert post.path == f"invocation/{request_id}/response", post
        return post.json

    def error(self, request_id: str) -> Post:
        """The report that the handler failed."""
        post = self.of(request_id)
        assert post.path == f"invocation/{request_id}/error", post
        return post

    @property
    def init_error(self) -> Post:
        """The only request: the report that init failed."""
        [post] = self.requests
        assert post.path == "init/error", post
        return post

    @property
    def frames(self) -> list[Frame]:
        """The frames on the telemetry descriptor, and nothing else on it."""
        data = (self.folder / FRAMES).read_bytes()
        frames = []
        while data:
            end = 16 + int.from_bytes(data[4:8], "big")
            assert len(data) >= end
            stamp = int.from_bytes(data[8:16], "big")
            frames.append(Frame(data[:4].hex(), stamp, data[16:end]))
            data = data[end:]
        return frames


Played = Callable[[Scenario, Ric], Record]
"""The fixture: the record of a scenario with a client."""


def play(scenario: Scenario, ric: Ric, folder: Path) -> Record:
    """Run a client in `folder` until it ends, or asks for more events than there are."""
    for name, text in {"app.py": scenario.program, **scenario.files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    with open(folder / FRAMES, "wb") as frames, _Api(scenario) as api:  # noqa: PTH123  a descriptor
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": scenario.address or api.address,
            **({"_LAMBDA_TELEMETRY_LOG_FD": str(frames.fileno())} if scenario.framed else {}),
            **scenario.env,
        }
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), *scenario.path])
        child = subprocess.Popen(
            ric.command(*scenario.arguments),
            cwd=folder,
            env={name: value for name, value in environment.items() if value},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[frames.fileno()],
        )
        with child:
            out, err = _output(api, child)
    requests = [
        Post(path_of(raw).removeprefix("/2018-06-01/runtime/"), headers_of(raw), body_of(raw))
        for raw in api.requests
    ]
    return Record(child.returncode, out.decode(), err.decode(), requests, folder)


def _output(api: _Api, child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    api.attend(child)
    try:
        return child.communicate(timeout=DEADLINE_SECONDS)
    finally:
        child.kill()


class _Api:
    """The far side: as many connections as the client opens, each in a thread."""

    def __init__(self, scenario: Scenario) -> None:
        self._events = list(scenario.events)
        self._answers = scenario.answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._is_open = True
        self._has_child = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._failures: list[BaseException] = []
        self.address = "{}:{}".format(*self._listener.getsockname())
        self.requests: list[bytes] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        if self._failures:
            raise self._failures[0]

    def attend(self, child: subprocess.Popen[bytes]) -> None:
        """The process that is ended when there is no event left."""
        self._child = child
        self._has_child.set()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if not self._is_open:
                connection.close()
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(DEADLINE_SECONDS)
            self._threads.append(threading.Thread(target=self._serve, args=[connection]))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            peer = Peer(connection, self.requests)
            try:
                while request := _request(peer):
                    self._answer(peer, request)
            except BaseException as failure:  # noqa: BLE001  raised again where the test waits
                self._failures.append(failure)

    def _answer(self, peer: Peer, request: bytes) -> None:
        if request.startswith(NEXT_PATH):
            if self._events:
                peer.send(self._events.pop(0))
            else:
                self._end()
            return
        path = path_of(request)
        answers = (self._answers[end] for end in self._answers if path.endswith(end))
        peer.send(next(answers, ACCEPTED))

    def _end(self) -> None:
        assert self._has_child.wait(DEADLINE_SECONDS)
        assert self._child is not None
        self._child.terminate()


def _request(peer: Peer) -> bytes:
    """The next request; a process that ended with an answer unread has none."""
    try:
        return peer.request()
    except ConnectionResetError:
        return b""


__all__ = ["FAULT", "FRAMES", "SURVIVED", "Frame", "Played", "Post", "Record", "Scenario", "play"]
