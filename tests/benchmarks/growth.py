"""Does memory grow with the number of invocations? Peak RSS after a few and after very many."""

from __future__ import annotations

from dataclasses import replace

from tests.benchmarks.clients import OURS, PEER, Load, json_event, subjects
from tests.benchmarks.report import Options, Target, interleave, median, print_table

FEW, MANY = 5_000, 200_000
RATIO_LIMIT = 0.80


def run(options: Options) -> list[Target]:
    few, many = (20, 60) if options.smoke else (FEW, MANY)
    load = Load(json_event(99), 0, few)
    names = [OURS, PEER]
    early = interleave(subjects(load, options.cores, names), 1)
    late = interleave(subjects(replace(load, count=many), options.cores, names), 1)
    peaks = {
        name: [median(samples, name, "peak_rss_kib") / 1024 for samples in (early, late)]
        for name in names
    }
    rows = [[name, *peak] for name, peak in peaks.items()]
    header = ["client", f"MiB after {few}", f"MiB after {many}"]
    print_table("growth: peak RSS, 99 B", header, rows)
    (our_early, our_late), (_, peer_late) = peaks.values()
    return [
        Target(f"growth over {many} invocations", our_late / our_early, 1.01),
        Target(f"peak RSS against {PEER}", our_late / peer_late, RATIO_LIMIT),
    ]
