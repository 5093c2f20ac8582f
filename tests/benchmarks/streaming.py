"""A streamed response of 20 MB: how soon its first byte arrives, how fast the rest, what it holds.

The receiving end is the same for the runtime and for a plain `sendall` loop, which is the floor.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.client_loop import cores_in_words
from tests.benchmarks.clients import FUNCTION, core_pair, function_environment, pinned
from tests.benchmarks.cold_start import two_cores_if_any
from tests.benchmarks.compiled import HERE
from tests.benchmarks.report import (
    LeftOut,
    Options,
    Sample,
    Target,
    interleave,
    median,
    print_table,
    ratio,
)
from tests.support.peers import session_members

if TYPE_CHECKING:
    from collections.abc import Sequence

OURS, FLOOR = "lambda_runtime", "plain sendall loop"
STREAM_BYTES = 20 * 1024 * 1024
INVOKES, ROUNDS = 8, 5
FIRST_BYTE_LIMIT_MS, RATE_LIMIT = 1.0, 0.7
RECEIVE_BYTES = 256 * 1024
CHUNK_BYTES = 64 * 1024
CHUNK_SIZE_LINE, LAST_CHUNK = b"10000\r\n", b"0\r\n\r\n"
FRAME = CHUNK_SIZE_LINE + b"\r\n"
STAMP = b"\r\n0"  # the first chunk's stamp begins with zeros, behind a line end
ACCEPTED = (
    b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n"
    b'{"status":"OK"}\n'
)


def run(options: Options) -> list[Target]:
    if sys.platform != "linux":
        raise LeftOut("two processes share CLOCK_MONOTONIC on Linux")
    size = STREAM_BYTES // 10 if options.smoke else STREAM_BYTES
    cores = two_cores_if_any()
    commands = {
        OURS: (sys.executable, "-m", "lambda_runtime", "streams.handler"),
        FLOOR: (sys.executable, str(HERE / "plain_sender.py"), str(size)),
    }
    subjects = {name: partial(stream, command, size, cores) for name, command in commands.items()}
    rounds = options.round_count(ROUNDS)
    samples = interleave(subjects, rounds)
    columns = ("first_byte_ms", "total_ms", "mb_per_s", "peak_mib")
    rows = [
        [
            name,
            *(median(samples, name, column) for column in columns),
            ratio(samples, name, FLOOR, "mb_per_s"),
        ]
        for name in samples
    ]
    place = cores_in_words(cores).replace("fixture", "receiver")
    title = f"streaming: {size >> 20} MB in 64 KB chunks, {INVOKES} x {rounds} rounds, {place}"
    print_table(
        title, ["sender", "first byte ms", "total ms", "MB/s", "peak MiB", "rate/floor"], rows
    )
    first = median(samples, OURS, "first_byte_ms")
    rate = ratio(samples, OURS, FLOOR, "mb_per_s")
    return [
        Target("streaming, ms from the first yield to the first byte", first, FIRST_BYTE_LIMIT_MS),
        Target("streaming, rate against a sendall loop", rate, RATE_LIMIT, at_most=False),
    ]


def stream(command: Sequence[str], size: int, cores: str) -> Sample:
    """Let `command` stream several times; medians over the invokes but the first."""
    receiver_core, sender_core = core_pair(cores)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = "{}:{}".format(*listener.getsockname())
        with pinned(sender_core):
            sender = stack.enter_context(
                subprocess.Popen(
                    command,
                    env=function_environment() | {"AWS_LAMBDA_RUNTIME_API": address},
                    cwd=FUNCTION,
                    start_new_session=True,
                )
            )
        stack.callback(sender.kill)
        stack.enter_context(pinned(receiver_core))
        connection = stack.enter_context(listener.accept()[0])
        taken = [receive(connection, size) for _ in range(INVOKES)][1:]
        peak = peak_mib(session_members(sender.pid)[0])
    first, total = (sorted(column)[len(taken) // 2] for column in zip(*taken, strict=True))
    rate = size / total / 1e3
    return {"first_byte_ms": first, "total_ms": total, "mb_per_s": rate, "peak_mib": peak}


def receive(connection: socket.socket, size: int) -> tuple[float, float]:
    """Serve one invocation; (first yield to first byte, first yield to the last byte) in ms."""
    buffer = bytearray(RECEIVE_BYTES)
    event = json.dumps({"bytes": size}).encode()
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b"Lambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: 9999999999999\r\n"
        b"Lambda-Runtime-Invoked-Function-Arn: arn\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(event), event)
    )
    head = b""
    while (at := head.rfind(STAMP)) < 0 or len(head) < at + 22:
        head += connection.recv(65536)
    arrived = time.monotonic_ns()
    made = int(head[at + 2 : at + 22])
    left = size + at + 2 - len(head)
    if b"chunked" in head[:at]:
        left += len(LAST_CHUNK) + len(FRAME) * (size // CHUNK_BYTES) - len(CHUNK_SIZE_LINE)
    while left:
        left -= connection.recv_into(buffer)
    ended = time.monotonic_ns()
    connection.sendall(ACCEPTED)
    return (arrived - made) / 1e6, (ended - made) / 1e6


def peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
