"""Sixteen invocations at once: each form of ours, and the sixteen workers of awslambdaric.

A handler that answers at once shows what the runtime costs, one that waits 10 ms how many it keeps
at work. Memory is what all processes of the runtime take together: shared pages count once (PSS).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.clients import FUNCTION, PEER, function_environment, json_event
from tests.benchmarks.compiled import compiled
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
from tests.support.peers import kill_all, session_members, wait_until

AT_ONCE = 16
WARM, COUNT, WAITING_COUNT, ROUNDS = 1_000, 20_000, 3_000, 3
SECONDS = 120
FORMS = {
    "process": ("echo", "wait"),
    "preload": ("echo", "wait"),
    "thread": ("echo", "wait"),
    "async": ("echo_async", "wait_async"),
    PEER: ("echo", "wait"),
}
LIMITS = {
    "process": {"rps": 1.5, "pss_mib": 0.9},
    "preload": {"rps": 1.5, "pss_mib": 0.4},
    "async": {"pss_mib": 0.2},
    "thread": {"pss_mib": 0.2},
}
"""At least so much of awslambdaric's rate, at most so much of its memory."""


def run(options: Options) -> list[Target]:
    if sys.platform != "linux":
        raise LeftOut("memory is read from /proc")
    if find_spec(PEER) is None:
        raise LeftOut(f"{PEER} is not installed")
    subjects = {form: partial(measure, form, smoke=options.smoke) for form in FORMS}
    samples = interleave(subjects, options.round_count(ROUNDS))
    columns = ("rps", "waiting_rps", "pss_mib", "rss_mib")
    rows = [
        [form, *(median(samples, form, column) for column in columns)]
        + [ratio(samples, form, PEER, column) for column in columns[:3]]
        for form in FORMS
    ]
    header = ["form", "events/s", "waiting 10 ms", "PSS MiB", "RSS MiB", "events/s ratio"]
    title = f"several at once: {AT_ONCE} at once, 99 B, not pinned"
    print_table(title, [*header, "waiting ratio", "PSS ratio"], rows)
    return [
        Target(
            f"several at once, {form}, {column}",
            ratio(samples, form, PEER, column),
            limit,
            at_most=column != "rps",
        )
        for form, limits in LIMITS.items()
        for column, limit in limits.items()
    ]


def measure(form: str, *, smoke: bool) -> Sample:
    """One run with either handler; memory after the first."""
    warm, count, waiting = (16, 64, 32) if smoke else (WARM, COUNT, WAITING_COUNT)
    quick, waits = FORMS[form]
    sample = play(form, quick, warm, count)
    return sample | {"waiting_rps": play(form, waits, AT_ONCE, waiting)["rps"]}


def play(form: str, handler: str, warm: int, count: int) -> Sample:
    """Run a client under the C fixture; its processes are looked at before they end."""
    module = PEER if form == PEER else "lambda_runtime"
    client = [sys.executable, "-m", module, f"several.{handler}"]
    numbers = map(str, (warm, count, AT_ONCE, SECONDS))
    with tempfile.NamedTemporaryFile() as event:
        event.write(json_event(99))
        event.flush()
        process = subprocess.Popen(
            [str(compiled("many")), event.name, *numbers, *client],
            env=function_environment()
            | {"AWS_LAMBDA_MAX_CONCURRENCY": str(AT_ONCE), "LAMBDA_RUNTIME_CONCURRENCY": form},
            cwd=FUNCTION,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with process:
            try:
                return _look_at(process)
            finally:
                process.kill()


def _look_at(process: subprocess.Popen[bytes]) -> Sample:
    if process.stdout is None:
        raise AssertionError("the fixture has no output")
    found: Sample = json.loads(process.stdout.readline())
    session = int(found.pop("pid"))
    members = session_members(session)
    try:
        found["pss_mib"] = sum(_mib(pid, "Pss") for pid in members)
        found["rss_mib"] = sum(_mib(pid, "Rss") for pid in members)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(session, signal.SIGKILL)
        wait_until(lambda: not kill_all(session_members(session)), seconds=10, what="the end")
    return found


def _mib(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))
