"""The two local Lambdas under measurement, each started as a user starts it, and their load."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks.clients import FUNCTION, HANDLER, OURS, function_environment
from tests.benchmarks.compiled import compiled, has_compiler
from tests.benchmarks.report import LeftOut, Sample
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

RAPID_MOCK, RIE, RIE_AND_RIC = "rapid-mock start", "RIE", "RIE and awslambdaric"
INVOKE_PATH = "/2015-03-31/functions/function/invocations"
LOAD_SECONDS = 120
RAPID_MOCK_START = ("rapid_mock", "start")
LISTENING = re.compile(r": listening on http://[^:\s]+:(\d+)")


class Served(NamedTuple):
    """A server that listens: its Invoke API's port and its process."""

    port: int
    pid: int


def rie_or_left_out() -> Path:
    if sys.platform != "linux":
        raise LeftOut("RIE is built for Linux only")
    try:
        return fetch_rie()
    except PeerUnavailable as reason:
        raise LeftOut(str(reason)) from reason


@contextlib.contextmanager
def start_rie(binary: Path, runtime: str = OURS) -> Iterator[int]:
    """RIE with `python -m RUNTIME` on a free port."""
    command = (sys.executable, "-m", runtime, HANDLER)
    env = function_environment()
    with RuntimeInterfaceEmulator(binary, command, env=env, cwd=FUNCTION) as rie:
        yield rie.port


def start_rapid_mock(handler: str = HANDLER) -> contextlib.AbstractContextManager[Served]:
    """`rapid-mock start` on a free port."""
    return start_server(*RAPID_MOCK_START, handler, "--port", "0", "--timeout", "60")


def start_bare(handler: str) -> contextlib.AbstractContextManager[Served]:
    """The floor: `bare_server`, with our runtime."""
    return start_server("tests.benchmarks.bare_server", sys.executable, "-m", OURS, handler)


@contextlib.contextmanager
def start_server(*module_and_arguments: str) -> Iterator[Served]:
    """`python -m ...` in the function's directory, in a session of its own; ended by Ctrl-C."""
    with tempfile.TemporaryFile() as output, tempfile.NamedTemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", *module_and_arguments],
            env=function_environment(),
            cwd=FUNCTION,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        try:
            yield Served(await_port(process, Path(errors.name)), process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            kill_all(session_members(process.pid))
            process.wait()


def await_port(process: subprocess.Popen[bytes], log: Path) -> int:
    wait_until(
        lambda: LISTENING.search(log.read_text()) or process.poll() is not None,
        seconds=START_SECONDS,
        what="the server listening",
    )
    found = LISTENING.search(log.read_text())
    if found is None:
        raise PeerUnavailable(f"the server did not start: {log.read_text()[-500:]}")
    return int(found[1])


def load(port: int, event: bytes, *, warm: int, count: int) -> Sample:
    """One caller with one kept connection: invokes per second, p50 and p99 in us."""
    one_caller = load_in_c if has_compiler() else load_in_python
    return one_caller(port, event, warm, count)


def load_in_c(port: int, event: bytes, warm: int, count: int) -> Sample:
    with tempfile.NamedTemporaryFile() as file:
        file.write(event)
        file.flush()
        numbers = map(str, (warm, count, LOAD_SECONDS))
        command = [str(compiled("load")), str(port), file.name, *numbers]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    sample: Sample = json.loads(done.stdout)
    return sample


def load_in_python(port: int, event: bytes, warm: int, count: int) -> Sample:
    """The same load where there is no C compiler; slower itself, so the ratio is smaller."""
    taken = []
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, LOAD_SECONDS)) as caller:
        for _ in range(warm + count):
            sent = time.perf_counter()
            caller.request("POST", INVOKE_PATH, event, {"Content-Type": "application/json"})
            answer = caller.getresponse()
            body = answer.read()
            taken.append((time.perf_counter() - sent) * 1e6)
            if answer.status != HTTPStatus.OK:
                raise AssertionError(body)
    measured = taken[warm:]
    hundredths = statistics.quantiles(measured, n=100)
    rate = 1e6 * count / sum(measured)
    return {"rps": rate, "p50_us": hundredths[49], "p99_us": hundredths[98]}
