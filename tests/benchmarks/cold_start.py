"""From exec to the first request for an event, and to the first response: ours and AWS's client."""

from __future__ import annotations

from tests.benchmarks.client_loop import cores_in_words
from tests.benchmarks.clients import FLOOR, OURS, PEER, Load, core_pair, json_event, subjects
from tests.benchmarks.report import (
    LeftOut,
    Options,
    Target,
    interleave,
    median,
    print_table,
    ratio,
)

ROUNDS = 11
LIMIT = 0.50
MOMENTS = {"first_next_ms": "first next", "first_response_ms": "first response"}


def run(options: Options) -> list[Target]:
    cores = two_cores_if_any()
    names = [OURS, PEER, FLOOR]
    measurements = subjects(Load(json_event(99), 0, 1), cores, names)
    for measure in measurements.values():
        measure()  # the page cache is warm and the bytecode is written
    rounds = options.round_count(ROUNDS)
    samples = interleave(measurements, rounds)
    rows = [
        [
            name,
            *(median(samples, name, moment) for moment in MOMENTS),
            *(ratio(samples, name, PEER, moment) for moment in MOMENTS),
            median(samples, name, "peak_rss_kib") / 1024,
        ]
        for name in names
    ]
    title = f"cold start: exec to ..., {rounds} rounds, {cores_in_words(cores)}"
    header = [*("client", "next ms", "response ms"), *("next/ric", "response/ric", "peak MiB")]
    print_table(title, header, rows)
    return [
        Target(f"cold start to {words}", ratio(samples, OURS, PEER, moment), LIMIT)
        for moment, words in MOMENTS.items()
    ]


def two_cores_if_any() -> str:
    try:
        core_pair("two")
    except LeftOut:
        return "one"
    return "two"
