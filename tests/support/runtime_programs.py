"""Handlers as source text, run by `python -m lambda_runtime`; streamed requests taken apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.scripted_runtime_api import (
    ACCEPTED,
    DEADLINE_SECONDS,
    NEXT_PATH,
    ROOT,
    Finished,
    Peer,
    Script,
    ScriptedRuntimeApi,
    body_of,
    event,
    headers_of,
    path_of,
    run_runtime,
)

EVENT = event(b"{}")


def served(folder: Path, program: str, *events: bytes, **environment: str) -> Finished:
    """Run `program` as app.py with the handler `app.handler` until the events are used up."""
    (folder / "app.py").write_text(program, encoding="utf-8")
    return run_runtime(folder, *(events or (EVENT,)), environment=environment)


def run_against(
    folder: Path, program: str, *scripts: Script, descriptors: tuple[int, ...] = (), **env: str
) -> Finished:
    """Run `program` against one script per connection."""
    (folder / "app.py").write_text(program, encoding="utf-8")
    with ScriptedRuntimeApi(*scripts) as api:
        done = subprocess.run(
            [sys.executable, "-m", "lambda_runtime", "app.handler"],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "AWS_LAMBDA_RUNTIME_API": api.address, **env},
            capture_output=True,
            pass_fds=descriptors,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    return Finished(done.returncode, done.stdout.decode(), done.stderr.decode(), api.requests)


def answering(*answers: bytes) -> Script:
    """A connection that answers the n-th request with the n-th of `answers`, then ends."""

    def serve(peer: Peer) -> None:
        for answer in answers:
            if not peer.request():
                return
            peer.send(answer)
        peer.request()

    return serve


def refusal(status: str, error_type: str = "InvalidStateTransition") -> bytes:
    body = f'{{"errorMessage":"no","errorType":"{error_type}"}}\n'
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def paths(finished: Finished) -> list[str]:
    """The last part of each path, polls included."""
    return [path_of(request).rpartition("/")[2] for request in finished.requests]


class Streamed(NamedTuple):
    headers: dict[str, str]
    chunks: list[bytes]
    trailers: dict[str, str]


def streamed(request: bytes) -> Streamed:
    """A chunked request: its headers, its chunks, its trailers by lower-case name."""
    rest = body_of(request)
    chunks = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        chunks.append(rest[:length])
        assert rest[length : length + 2] == b"\r\n"
        rest = rest[length + 2 :]
    lines = [line.split(": ", 1) for line in rest.decode().split("\r\n") if line]
    return Streamed(headers_of(request), chunks, {name.lower(): text for name, text in lines})


__all__ = [
    "ACCEPTED",
    "EVENT",
    "NEXT_PATH",
    "Finished",
    "Peer",
    "Streamed",
    "answering",
    "body_of",
    "event",
    "headers_of",
    "path_of",
    "paths",
    "refusal",
    "run_against",
    "served",
    "streamed",
]
