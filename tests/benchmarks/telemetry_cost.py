"""What a subscription to all telemetry costs a warm invoke of the local Lambda."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from functools import partial
from pathlib import Path

from tests.benchmarks.clients import HANDLER, core_pair, json_event, pinned
from tests.benchmarks.report import Options, Target, interleave, median, print_table, ratio
from tests.benchmarks.servers import RAPID_MOCK_START, Served, load, start_server

ROUNDS = 5
WARM, INVOKES, SMOKE_INVOKES = 200, 3000, 5
LIMIT = 0.85
TYPES = ("platform", "function", "extension")
PLAIN, SUBSCRIBED = "an extension that listens to nothing", "subscribed to everything"
SINK = Path(__file__).parent / "telemetry_sink.py"


def run(options: Options) -> list[Target]:
    count = SMOKE_INVOKES if options.smoke else INVOKES
    load_core, server_core = core_pair(options.cores)
    with contextlib.ExitStack() as stack, pinned(server_core):
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = {
            PLAIN: stack.enter_context(_start(directory / "plain")).port,
            SUBSCRIBED: stack.enter_context(_start(directory / "sink", *TYPES)).port,
        }
        stack.enter_context(pinned(load_core))
        subjects = {
            name: partial(load, port, json_event(99), warm=WARM, count=count)
            for name, port in ports.items()
        }
        samples = interleave(subjects, options.round_count(ROUNDS))
    columns = ("rps", "p50_us", "p99_us")
    rows = [
        [
            name,
            *(median(samples, name, column) for column in columns),
            ratio(samples, name, PLAIN, "rps"),
        ]
        for name in samples
    ]
    print_table("telemetry cost: 99 B, one caller", ["", "rps", "p50 us", "p99 us", "rps/"], rows)
    kept = ratio(samples, SUBSCRIBED, PLAIN, "rps")
    return [Target("warm rate with telemetry subscribed", kept, LIMIT, at_most=False)]


def _start(program: Path, *types: str) -> contextlib.AbstractContextManager[Served]:
    words = " ".join([sys.executable, "-S", str(SINK), program.name, *types])
    program.write_text(f"#!/bin/sh\nexec {words}\n")
    program.chmod(0o755)
    options = ("--port", "0", "--timeout", "60", "--extension", str(program))
    return start_server(*RAPID_MOCK_START, HANDLER, *options)
