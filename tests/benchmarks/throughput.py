"""Warm invokes through the Invoke endpoint: `rapid-mock start` and AWS's emulator (RIE).

RIE runs twice: with the same runtime, `lambda_runtime`, which compares the servers, and with
awslambdaric, which compares what a user gets. One caller, one kept connection; then four callers.
"""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.benchmarks.clients import PEER, core_pair, json_event, pinned
from tests.benchmarks.payloads import MEGABYTE, string_value
from tests.benchmarks.report import (
    Options,
    Sample,
    Samples,
    Target,
    interleave,
    median,
    print_table,
    ratio,
)
from tests.benchmarks.servers import (
    RAPID_MOCK,
    RIE,
    RIE_AND_RIC,
    load,
    rie_or_left_out,
    start_rapid_mock,
    start_rie,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 5
PLACES = {
    "one": "everything on one core",
    "two": "the caller on a core of its own",
    "free": "not pinned",
}
CALLERS = 4


class Case(NamedTuple):
    """One event, how often, and what our rate must be: against RIE and against RIE with ric."""

    event: bytes
    warm: int
    invokes: int
    server_limit: float | None
    stack_limit: float | None


CASES = {
    "99 B": Case(json_event(99), 200, 3000, 1.7, 3.2),
    "1 MB string": Case(string_value(MEGABYTE), 5, 60, None, 1.8),
    "6 MB string": Case(string_value(6 * MEGABYTE), 2, 12, None, 1.3),
}
P99_LIMIT, CALLERS_LIMIT = 0.3, 1.5


def run(options: Options) -> list[Target]:
    targets = []
    for cores in ("one", "free") if options.cores == "one" else (options.cores,):
        found = [target for case in CASES for target in compare(case, options, cores)]
        targets += found if cores == "one" else []
    print("  rapid-mock answers when the response is complete; RIE only after the runtime's next")
    print("  poll. The rate counts whole cycles and p50 does not: a caller sees both.")
    return [*targets, *several_callers(options)]


@contextlib.contextmanager
def servers() -> Iterator[dict[str, int]]:
    """All three, started; name to port."""
    rie = rie_or_left_out()
    with start_rapid_mock() as ours, start_rie(rie) as theirs, start_rie(rie, PEER) as stack:
        yield {RAPID_MOCK: ours.port, RIE: theirs, RIE_AND_RIC: stack}


def compare(name: str, options: Options, cores: str) -> list[Target]:
    """Print the table of one case in one placement; returns its targets."""
    case = CASES[name]
    warm, count = (1, 5) if options.smoke else (case.warm, case.invokes)
    load_core, server_core = core_pair(cores)
    with pinned(server_core), servers() as ports, pinned(load_core):
        subjects: dict[str, Callable[[], Sample]] = {
            server: partial(load, port, case.event, warm=warm, count=count)
            for server, port in ports.items()
        }
        rounds = options.round_count(ROUNDS)
        samples = interleave(subjects, rounds)
    title = f"throughput: {name}, one caller, {count} x {rounds} rounds, {PLACES[cores]}"
    print_rates(title, samples)
    rate = partial(ratio, samples, RAPID_MOCK, column="rps")
    wanted = [
        Target(f"rate against {base}, {name}", rate(base), limit, at_most=False)
        for base, limit in ((RIE, case.server_limit), (RIE_AND_RIC, case.stack_limit))
        if limit is not None
    ]
    if case.server_limit is not None:
        p99 = ratio(samples, RAPID_MOCK, RIE, "p99_us")
        wanted.append(Target(f"p99 against {RIE}, {name}", p99, P99_LIMIT))
    return wanted


def print_rates(title: str, samples: Samples) -> None:
    columns = ("rps", "p50_us", "p99_us")
    rows = [
        [
            name,
            *(median(samples, name, column) for column in columns),
            *(ratio(samples, name, RIE, column) for column in columns),
            ratio(samples, name, RIE_AND_RIC, "rps"),
        ]
        for name in samples
    ]
    ratios = ("rps/RIE", "p50/RIE", "p99/RIE", "rps/RIE+ric")
    print_table(title, ["server", "rps", "p50 us", "p99 us", *ratios], rows)


def several_callers(options: Options) -> list[Target]:
    """Four callers at once, each with an environment, beside our own single caller."""
    case = CASES["99 B"]
    warm, count = (1, 5) if options.smoke else (case.warm, case.invokes)
    with start_rapid_mock() as ours:
        one = partial(load, ours.port, case.event, warm=warm, count=count)

        def all_at_once() -> Sample:
            with ThreadPoolExecutor(CALLERS) as pool:
                found = [pool.submit(one) for _ in range(CALLERS)]
            samples = [future.result() for future in found]
            worst = {key: max(sample[key] for sample in samples) for key in samples[0]}
            return worst | {"rps": sum(sample["rps"] for sample in samples)}

        subjects: dict[str, Callable[[], Sample]] = {
            "1 caller": one,
            f"{CALLERS} callers": all_at_once,
        }
        samples = interleave(subjects, options.round_count(ROUNDS))
    rows = [
        [name, *(median(samples, name, column) for column in ("rps", "p50_us", "p99_us"))]
        for name in samples
    ]
    print_table("throughput: 99 B, rapid-mock, not pinned", ["", "rps", "p50 us", "p99 us"], rows)
    print("  RIE is left out: it dies of two callers at once")
    gain = ratio(samples, f"{CALLERS} callers", "1 caller", "rps")
    return [Target(f"{CALLERS} callers against one", gain, CALLERS_LIMIT, at_most=False)]
