"""Warm invokes per second through the Invoke endpoint: `rapid-mock start` and AWS's emulator (RIE).

Both run the same runtime, `lambda_runtime`. One caller, one kept connection.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.clients import (
    FUNCTION,
    HANDLER,
    OURS,
    core_pair,
    function_environment,
    json_event,
    pinned,
)
from tests.benchmarks.compiled import compiled, has_compiler
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
from tests.support.peers import (
    START_SECONDS,
    STOP_SECONDS,
    PeerUnavailable,
    RuntimeInterfaceEmulator,
    fetch_rie,
    kill_all,
    session_members,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

RAPID_MOCK, RIE = "rapid-mock start", "RIE"
WARM, COUNT, ROUNDS = 200, 3000, 5
RATE_LIMIT = 1.5
LOAD_SECONDS = 120
LISTENING = re.compile(r"rapid-mock: listening on http://[^:\s]+:(\d+)")
RUNTIME = (sys.executable, "-m", OURS, HANDLER)


def run(options: Options) -> list[Target]:
    rie = rie_or_left_out()
    targets = []
    for cores in ("one", "free") if options.cores == "one" else (options.cores,):
        rate = compare(rie, options, cores)
        if cores == "one":
            targets.append(Target("throughput against RIE, one core", rate, RATE_LIMIT, False))
    print("  rapid-mock answers when the response is complete; RIE only after the runtime's next")
    print("  poll. The rate counts whole cycles and p50 does not: a caller sees both.")
    return targets


def compare(rie: Path, options: Options, cores: str) -> float:
    """Print the table of one placement; returns the ratio of the rates."""
    warm, count = (5, 50) if options.smoke else (WARM, COUNT)
    load_core, server_core = core_pair(cores)
    with (
        pinned(server_core),
        start_rapid_mock() as our_port,
        start_rie(rie) as rie_port,
        pinned(load_core),
    ):
        load = partial(load_in_c if has_compiler() else load_in_python, warm=warm, count=count)
        measurements = {RAPID_MOCK: partial(load, our_port), RIE: partial(load, rie_port)}
        rounds = options.round_count(ROUNDS)
        samples = interleave(measurements, rounds)
    columns = ("rps", "p50_us", "p99_us")
    rows = [
        [
            name,
            *(median(samples, name, column) for column in columns),
            *(ratio(samples, name, RIE, column) for column in columns),
        ]
        for name in samples
    ]
    place = {
        "one": "everything on one core",
        "two": "the caller on a core of its own",
        "free": "not pinned",
    }[cores]
    generator = "C" if has_compiler() else "Python"
    title = f"throughput: 99 B, one caller ({generator}), {count} x {rounds} rounds, {place}"
    header = ["server", "rps", "p50 us", "p99 us", "rps/RIE", "p50/RIE", "p99/RIE"]
    print_table(title, header, rows)
    return ratio(samples, RAPID_MOCK, RIE, "rps")


def rie_or_left_out() -> Path:
    if sys.platform != "linux":
        raise LeftOut("RIE is built for Linux only")
    try:
        return fetch_rie()
    except PeerUnavailable as reason:
        raise LeftOut(str(reason)) from reason


@contextlib.contextmanager
def start_rie(binary: Path) -> Iterator[int]:
    env = function_environment()
    with RuntimeInterfaceEmulator(binary, RUNTIME, env=env, cwd=FUNCTION) as rie:
        yield rie.port


@contextlib.contextmanager
def start_rapid_mock() -> Iterator[int]:
    """`rapid-mock start` on a free port, in a session of its own; ended by Ctrl-C."""
    command = [sys.executable, "-m", "rapid_mock", "start", HANDLER, "--code", str(FUNCTION)]
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile() as errors:
        process = subprocess.Popen(
            [*command, "--port", "0"],
            env=function_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            log = Path(errors.name)
            wait_until(
                lambda: LISTENING.search(log.read_text()) or process.poll() is not None,
                seconds=START_SECONDS,
                what="rapid-mock listening",
            )
            found = LISTENING.search(log.read_text())
            if found is None:
                raise PeerUnavailable(f"rapid-mock did not start: {log.read_text()[-500:]}")
            yield int(found[1])
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            kill_all(session_members(process.pid))
            process.wait()


def load_in_c(port: int, *, warm: int, count: int) -> Sample:
    with tempfile.NamedTemporaryFile() as event:
        event.write(json_event(99))
        event.flush()
        numbers = map(str, (warm, count, LOAD_SECONDS))
        command = [str(compiled("load")), str(port), event.name, *numbers]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    sample: Sample = json.loads(done.stdout)
    return sample


def load_in_python(port: int, *, warm: int, count: int) -> Sample:
    """The same load where there is no C compiler; slower itself, so the ratio is smaller."""
    event = json_event(99)
    request = (
        b"POST /2015-03-31/functions/function/invocations HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(event), event)
    )
    taken = []
    with socket.create_connection(("127.0.0.1", port), LOAD_SECONDS) as connection:
        for _ in range(warm + count):
            sent = time.perf_counter()
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            taken.append((time.perf_counter() - sent) * 1e6)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise AssertionError(answer)
    measured = taken[warm:]
    hundredths = statistics.quantiles(measured, n=100)
    rate = 1e6 * count / sum(measured)
    return {"rps": rate, "p50_us": hundredths[49], "p99_us": hundredths[98]}
