"""The service with many environments: eight callers against one, and idle environments around."""

from __future__ import annotations

import contextlib
import http.client
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.benchmarks.clients import json_event
from tests.benchmarks.report import Options, Sample, Target, interleave, median, print_table, ratio
from tests.benchmarks.servers import INVOKE_PATH, RAPID_MOCK_START, Served, load, start_server

ROUNDS = 3
CALLERS, IDLE = 8, 199
WARM, INVOKES, SMOKE_INVOKES, SMOKE_IDLE = 200, 2000, 5, 3
HOLD_SECONDS = 20
CALLERS_LIMIT, COST_LIMIT = 1.5, 0.9
HANDLER = """
import time
def handler(event, context):
    time.sleep(event.get("seconds", 0))
    return event
"""


def run(options: Options) -> list[Target]:
    count = SMOKE_INVOKES if options.smoke else INVOKES
    rounds = options.round_count(ROUNDS)
    return [*_callers(count, rounds), *_idle(count, rounds, smoke=options.smoke)]


def _callers(count: int, rounds: int) -> list[Target]:
    with _serving() as server:
        one = partial(load, server.port, json_event(99), warm=WARM, count=count)

        def all_at_once() -> Sample:
            with ThreadPoolExecutor(CALLERS) as pool:
                samples = [each.result() for each in [pool.submit(one) for _ in range(CALLERS)]]
            worst = {key: max(sample[key] for sample in samples) for key in samples[0]}
            return worst | {"rps": sum(sample["rps"] for sample in samples)}

        subjects: dict[str, Callable[[], Sample]] = {"1 caller": one, "8 callers": all_at_once}
        samples = interleave(subjects, rounds)
    rows = [[name, *(median(samples, name, key) for key in ("rps", "p50_us"))] for name in samples]
    print_table("service: 99 B, callers, not pinned", ["", "rps", "p50 us"], rows)
    gain = ratio(samples, "8 callers", "1 caller", "rps")
    return [Target("8 callers against one", gain, CALLERS_LIMIT, at_most=False)]


def _idle(count: int, rounds: int, *, smoke: bool) -> list[Target]:
    idle = SMOKE_IDLE if smoke else IDLE
    with _serving() as alone, _serving() as crowded:
        _fill(crowded.port, idle, seconds=1 if smoke else HOLD_SECONDS)
        subjects: dict[str, Callable[[], Sample]] = {
            name: partial(load, server.port, json_event(99), warm=WARM, count=count)
            for name, server in (("1 environment", alone), (f"{idle + 1}", crowded))
        }
        samples = interleave(subjects, rounds)
    rows = [[name, *(median(samples, name, key) for key in ("rps", "p50_us"))] for name in samples]
    print_table("service: 99 B, idle environments, not pinned", ["", "rps", "p50 us"], rows)
    kept = ratio(samples, f"{idle + 1}", "1 environment", "rps")
    return [Target(f"warm rate beside {idle} idle environments", kept, COST_LIMIT, at_most=False)]


@contextlib.contextmanager
def _serving() -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as code:
        Path(code, "scaled.py").write_text(HANDLER)
        options = ("--code", code, "--port", "0", "--timeout", "60", "--concurrency", "300")
        with start_server(*RAPID_MOCK_START, "scaled.handler", *options) as server:
            yield server


def _fill(port: int, count: int, seconds: int) -> None:
    """Have so many environments at work at once, for so long that all begin, and idle then."""
    event = b'{"seconds": %d}' % seconds

    def hold(_number: int) -> None:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, 60)) as caller:
            caller.request("POST", INVOKE_PATH, event)
            caller.getresponse().read()

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(hold, range(count)))
