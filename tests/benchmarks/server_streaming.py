"""A streamed response of 20 MB through InvokeWithResponseStream, beside a bare httptools server.

The bare server passes chunks on and does nothing else: no framing, no checks. What the server's
memory gained while the streams ran tells whether it buffers.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks.clients import core_pair, pinned
from tests.benchmarks.cold_start import two_cores_if_any
from tests.benchmarks.report import (
    Options,
    Sample,
    Target,
    interleave,
    median,
    print_table,
    ratio,
)
from tests.benchmarks.servers import RAPID_MOCK, Served, start_bare, start_rapid_mock
from tests.benchmarks.streaming import CHUNK_BYTES, STREAM_BYTES, peak_mib

if TYPE_CHECKING:
    from collections.abc import Callable

BARE = "bare httptools server"
HANDLER = "streams.handler"
PATH = "/2021-11-15/functions/function/response-streaming-invocations"
INVOKES, ROUNDS = 8, 5
FIRST_BYTE_LIMIT_MS, RATE_LIMIT, GROWTH_LIMIT_MIB = 3.0, 0.7, 4.0
TIMEOUT_SECONDS = 60
STAMP_DIGITS = 20
LAST_CHUNK = b"\r\n0\r\n\r\n"
RECEIVE_BYTES = 256 * 1024


def run(options: Options) -> list[Target]:
    size = STREAM_BYTES // 10 if options.smoke else STREAM_BYTES
    starters: dict[str, Callable[[str], contextlib.AbstractContextManager[Served]]] = {
        RAPID_MOCK: start_rapid_mock,
        BARE: start_bare,
    }
    with contextlib.ExitStack() as stack:
        caller_core, server_core = core_pair(two_cores_if_any())
        with pinned(server_core):
            served = {name: stack.enter_context(start(HANDLER)) for name, start in starters.items()}
        stack.enter_context(pinned(caller_core))
        for server in served.values():
            receive(server.port, 2 * CHUNK_BYTES)
        peaks = {name: peak_mib(server.pid) for name, server in served.items()}
        subjects = {name: partial(stream, server, size) for name, server in served.items()}
        rounds = options.round_count(ROUNDS)
        samples = interleave(subjects, rounds)
        growth = {name: peak_mib(server.pid) - peaks[name] for name, server in served.items()}
    columns = ("first_byte_ms", "total_ms", "mb_per_s")
    rows = [
        [
            name,
            *(median(samples, name, column) for column in columns),
            growth[name],
            ratio(samples, name, BARE, "mb_per_s"),
        ]
        for name in samples
    ]
    header = ["server", "first byte ms", "total ms", "MB/s", "growth MiB", "rate/bare"]
    title = f"server streaming: {size >> 20} MB in 64 KB chunks, {INVOKES} x {rounds} rounds"
    print_table(f"{title}, the caller on a core of its own", header, rows)
    first = median(samples, RAPID_MOCK, "first_byte_ms")
    rate = ratio(samples, RAPID_MOCK, BARE, "mb_per_s")
    return [
        Target("server streaming, ms to the first byte", first, FIRST_BYTE_LIMIT_MS),
        Target("server streaming, rate against a bare server", rate, RATE_LIMIT, at_most=False),
        Target("server streaming, MiB gained", growth[RAPID_MOCK], GROWTH_LIMIT_MIB),
    ]


def stream(server: Served, size: int) -> Sample:
    """Medians over several streams of `size` bytes."""
    taken = [receive(server.port, size) for _ in range(INVOKES)]
    first, total = (sorted(column)[len(taken) // 2] for column in zip(*taken, strict=True))
    return {"first_byte_ms": first, "total_ms": total, "mb_per_s": size / total / 1e3}


def receive(port: int, size: int) -> tuple[float, float]:
    """Invoke once; (first yield to first byte, first yield to the last byte) in ms."""
    event = json.dumps({"bytes": size}).encode()
    buffer = memoryview(bytearray(RECEIVE_BYTES))
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as caller:
        caller.sendall(
            b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"
            % (PATH.encode(), len(event), event)
        )
        head, at = b"", -1
        while at < 0 or len(head) < at + STAMP_DIGITS:
            head += caller.recv(RECEIVE_BYTES)
            at = head.find(b"00000")
        arrived = time.monotonic_ns()
        made = int(head[at : at + STAMP_DIGITS])
        received, tail = len(head), head[-len(LAST_CHUNK) :]
        while tail != LAST_CHUNK:
            count = caller.recv_into(buffer)
            if not count:
                raise AssertionError("the stream broke off")
            received += count
            tail = (tail + bytes(buffer[max(0, count - len(LAST_CHUNK)) : count]))[
                -len(LAST_CHUNK) :
            ]
        ended = time.monotonic_ns()
    if received < size:
        raise AssertionError(f"{received} of {size} bytes")
    return (arrived - made) / 1e6, (ended - made) / 1e6
