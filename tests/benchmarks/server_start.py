"""From exec of the local Lambda to its listening and to the first response, runtime included."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks.clients import FUNCTION, HANDLER, OURS, PEER, function_environment
from tests.benchmarks.report import (
    Options,
    Sample,
    Target,
    interleave,
    median,
    print_table,
    ratio,
)
from tests.benchmarks.servers import (
    INVOKE_PATH,
    RAPID_MOCK,
    RAPID_MOCK_START,
    RIE,
    RIE_AND_RIC,
    rie_or_left_out,
)
from tests.support.peers import free_port, kill_all, session_members

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 11
LIMIT = 1.3
START_SECONDS = 10
POLL_SECONDS = 0.0005
EVENT = b'{"name": "Ada"}'


def run(options: Options) -> list[Target]:
    emulator = (str(rie_or_left_out()), "--runtime-interface-emulator-address")
    runtime = (sys.executable, "-m")
    subjects = {
        RAPID_MOCK: partial(
            first_response, sys.executable, "-m", *RAPID_MOCK_START, HANDLER, "--port"
        ),
        RIE: partial(first_response, *emulator, after=(*runtime, OURS, HANDLER)),
        RIE_AND_RIC: partial(first_response, *emulator, after=(*runtime, PEER, HANDLER)),
    }
    for warm_up in subjects.values():
        warm_up()  # the page cache is warm and bytecode is written
    samples = interleave(subjects, options.round_count(ROUNDS))
    rows = [
        [
            name,
            *(median(samples, name, column) for column in ("listening_ms", "response_ms")),
            ratio(samples, name, RIE_AND_RIC, "response_ms"),
        ]
        for name in samples
    ]
    header = ["server", "listening ms", "first response ms", "response/RIE+ric"]
    print_table("server start: exec to the first response, not pinned", header, rows)
    found = ratio(samples, RAPID_MOCK, RIE_AND_RIC, "response_ms")
    return [Target(f"start to first response against {RIE_AND_RIC}", found, LIMIT)]


def first_response(*command: str, after: Sequence[str] = ()) -> Sample:
    """Start `command PORT after`, invoke as soon as it listens, and end all of it."""
    port = free_port()
    address = f"127.0.0.1:{port}" if after else str(port)
    began = time.perf_counter()
    process = subprocess.Popen(
        [*command, address, *after],
        env=function_environment(),
        cwd=FUNCTION,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with connected(port) as caller:
            listening = time.perf_counter()
            caller.sendall(
                b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
                % (INVOKE_PATH.encode(), len(EVENT), EVENT)
            )
            answer = caller.recv(65536)
            ended = time.perf_counter()
    finally:
        members = session_members(process.pid)
        os.kill(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(START_SECONDS)
        kill_all(members)
        process.wait()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise AssertionError(answer)
    return {"listening_ms": (listening - began) * 1e3, "response_ms": (ended - began) * 1e3}


def connected(port: int) -> socket.socket:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), START_SECONDS)
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
