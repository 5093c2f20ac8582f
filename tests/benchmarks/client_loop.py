"""Wall time and CPU per warm invoke of a Runtime API client: ours, AWS's, and the least possible.

The C fixture's own time (about a fifth of the floor's row and up) is in every wall figure alike.
"""

from __future__ import annotations

from tests.benchmarks.clients import (
    FLOOR,
    OURS,
    OURS_PIPELINED,
    PEER,
    PEER_POLLING,
    Load,
    json_event,
    subjects,
)
from tests.benchmarks.report import (
    Options,
    Samples,
    Target,
    interleave,
    median,
    print_table,
    ratio,
)

EVENT_BYTES = 99
WARM, COUNT, ROUNDS = 500, 10_000, 5
WALL_LIMIT = 0.40


def run(options: Options) -> list[Target]:
    warm, count = (5, 50) if options.smoke else (WARM, COUNT)
    load = Load(json_event(EVENT_BYTES), warm, count)
    names = [OURS, OURS_PIPELINED, PEER, PEER_POLLING, FLOOR]
    rounds = options.round_count(ROUNDS)
    samples = interleave(subjects(load, options.cores, names), rounds)
    title = f"client loop: {EVENT_BYTES} B event, echo, {count} invokes x {rounds} rounds, "
    print_client_table(title + cores_in_words(options.cores), samples)
    print(f"  {PEER}: AWS_EXECUTION_ENV unset; thread polling: AWS_Lambda_python3.12")
    wall = ratio(samples, OURS, PEER, "wall_us")
    return [Target(f"client loop, wall against {PEER}", wall, WALL_LIMIT)]


def cores_in_words(cores: str) -> str:
    return {
        "one": "client and fixture on one core",
        "two": "client and fixture on two cores",
        "free": "not pinned",
    }[cores]


def print_client_table(title: str, samples: Samples) -> None:
    """Medians for each client, its ratios to awslambdaric, and to the C floor."""
    header = [
        *("client", "wall us", "CPU us", "wall/ric", "CPU/ric", "wall/floor", "CPU/floor"),
        *("faults", "peak MiB"),
    ]
    rows = [
        [
            name,
            median(samples, name, "wall_us"),
            median(samples, name, "cpu_us"),
            ratio(samples, name, PEER, "wall_us"),
            ratio(samples, name, PEER, "cpu_us"),
            ratio(samples, name, FLOOR, "wall_us"),
            ratio(samples, name, FLOOR, "cpu_us"),
            median(samples, name, "faults"),
            median(samples, name, "peak_rss_kib") / 1024,
        ]
        for name in samples
    ]
    print_table(title, header, rows)
