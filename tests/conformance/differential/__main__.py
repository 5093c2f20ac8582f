"""`python -m tests.conformance.differential [--exchanges N] [--seed S]`: walks beyond those of CI.

Prints how far it is, and the shortest walk that RIE and rapid-mock answer differently.
"""

from __future__ import annotations

import argparse
import secrets
import sys

import hypothesis
from hypothesis import HealthCheck, given, settings

from tests.support.differential import Differential
from tests.support.peers import fetch_rie
from tests.support.walks import Saying, walks

BATCH = 50
SHORTEST, LONGEST = 25, 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.differential")
    parser.add_argument("--exchanges", type=int, default=100_000, help="how many (100,000)")
    parser.add_argument("--seed", type=int, default=None, help="the first seed (random)")
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    differential = Differential(fetch_rie())
    while differential.exchanges < options.exchanges:
        print(f"\nseed {seed}", file=sys.stderr)
        walk_on(differential, seed, options.exchanges)
        seed += 1
    print("", *differential.lines(), sep="\n")
    return 0


def walk_on(differential: Differential, seed: int, goal: int) -> None:
    """One batch of walks; raises AssertionError with the shortest that differs."""

    @hypothesis.seed(seed)
    @settings(
        max_examples=BATCH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(walks(SHORTEST, LONGEST))
    def compare(walk: list[Saying]) -> None:
        if differential.exchanges < goal:
            wrong = differential.compare(walk)
            show_progress(differential.exchanges, goal)
            assert not wrong, "\n".join(wrong)

    compare()


def show_progress(done: int, goal: int) -> None:
    filled = min(40, 40 * done // goal)
    bar = "#" * filled + "." * (40 - filled)
    print(f"\r[{bar}] {done}/{goal} exchanges", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
