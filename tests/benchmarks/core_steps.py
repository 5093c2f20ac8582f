"""What the pure lifecycle takes for one warm invocation: its four events, and the deadline."""

from __future__ import annotations

import time

from rapid_mock.lifecycle.environment import Environment
from rapid_mock.lifecycle.events import (
    Invocation,
    InvokeArrived,
    Now,
    RuntimeNext,
    RuntimeResponseBegun,
    RuntimeResponseEnded,
)
from rapid_mock.lifecycle.state import Settings
from tests.benchmarks.report import Options, Sample, Target, interleave, median, print_table

INVOKES, ROUNDS = 20_000, 7
LIMIT_US = 12.0
ARN = "arn:aws:lambda:us-east-1:123456789012:function:function"


def run(options: Options) -> list[Target]:
    invokes = 200 if options.smoke else INVOKES
    rounds = options.round_count(ROUNDS)
    samples = interleave({"lifecycle": lambda: measure(invokes)}, rounds)
    taken = min(sample["us"] for sample in samples["lifecycle"])
    rows = [["lifecycle", median(samples, "lifecycle", "us"), taken]]
    title = f"core steps: {invokes} warm invocations x {rounds} rounds, no extension"
    print_table(title, ["", "median us", "least us"], rows)
    return [Target("core steps of a warm invocation, us", taken, LIMIT_US)]


def measure(invokes: int) -> Sample:
    """Microseconds for each invocation, after a first one that opened the environment."""
    environment = Environment(Settings(function_name="function", handler="app.handler"))
    now = Now(1.0, 1_700_000_000.0)
    environment.handle(InvokeArrived(Invocation("first", ARN, b"{}")), now)
    environment.handle(RuntimeNext(0), now)
    answer(environment, "first", now)
    began = time.perf_counter()
    for number in range(invokes):
        request_id = str(number)
        environment.handle(InvokeArrived(Invocation(request_id, ARN, b"{}")), now)
        answer(environment, request_id, now)
    return {"us": (time.perf_counter() - began) / invokes * 1e6}


def answer(environment: Environment, request_id: str, now: Now) -> None:
    """The runtime's part; the driver asks for the deadline after each event."""
    environment.handle(RuntimeResponseBegun(1, request_id), now)
    environment.handle(RuntimeResponseEnded(1, request_id, b"{}"), now)
    environment.handle(RuntimeNext(2), now)
    if environment.deadline is not None:
        raise AssertionError("not idle")
