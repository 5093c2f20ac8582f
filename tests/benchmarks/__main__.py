"""`python -m tests.benchmarks [member ...]`: us and the peer in turn, medians and ratios."""

from __future__ import annotations

import argparse
import platform
import sys

from tests.benchmarks import (
    client_loop,
    cold_start,
    core_steps,
    extension_start,
    growth,
    payloads,
    queue_polling,
    server_growth,
    server_start,
    server_streaming,
    service_scale,
    several_at_once,
    streaming,
    telemetry_cost,
    telemetry_intake,
    throughput,
)
from tests.benchmarks.report import LeftOut, Options, Target

MEMBERS = {
    "client_loop": client_loop.run,
    "throughput": throughput.run,
    "cold_start": cold_start.run,
    "payloads": payloads.run,
    "streaming": streaming.run,
    "growth": growth.run,
    "several_at_once": several_at_once.run,
    "core_steps": core_steps.run,
    "server_streaming": server_streaming.run,
    "server_start": server_start.run,
    "server_growth": server_growth.run,
    "service_scale": service_scale.run,
    "extension_start": extension_start.run,
    "telemetry_cost": telemetry_cost.run,
    "telemetry_intake": telemetry_intake.run,
    "queue_polling": queue_polling.run,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("members", nargs="*", metavar="member", help=", ".join(MEMBERS))
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--smoke", action="store_true", help="does each member run? judges nothing")
    mode.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    parser.add_argument("--rounds", type=int, help="rounds of A B A B ...")
    parser.add_argument("--cores", choices=("one", "two", "free"), default="one")
    found = parser.parse_args()
    for name in found.members:
        if name not in MEMBERS:
            parser.error(f"no member {name!r}; there are {', '.join(MEMBERS)}")
    return found


def main() -> int:
    found = arguments()
    options = Options(found.smoke, found.rounds, found.cores)
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    targets: list[Target] = []
    for name in found.members or MEMBERS:
        try:
            targets += MEMBERS[name](options)
        except LeftOut as reason:
            print(f"\n{name}: left out, {reason}")
    print()
    if found.smoke:
        print("smoke: too few invokes to judge a target")
        return 0
    for target in targets:
        print(target)
    missed = any(not target.is_met for target in targets)
    return 1 if found.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
