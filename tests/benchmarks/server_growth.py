"""Does the local Lambda grow with the number of invokes? Its memory and open files tell."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks.clients import json_event
from tests.benchmarks.report import LeftOut, Options, Target, print_table
from tests.benchmarks.servers import load, start_rapid_mock

FEW, MANY = 10_000, 100_000
LIMIT_MIB = 2.0


def run(options: Options) -> list[Target]:
    if sys.platform != "linux":
        raise LeftOut("memory and files are read from /proc")
    few, many = (20, 60) if options.smoke else (FEW, MANY)
    with start_rapid_mock() as server:
        counts = {}
        done = 0
        for count in (few, many):
            load(server.port, json_event(99), warm=0, count=count - done)
            done = count
            counts[count] = (resident_mib(server.pid), open_files(server.pid))
    header = ["invokes", "resident MiB", "open files"]
    print_table("server growth: 99 B", header, [[str(n), *row] for n, row in counts.items()])
    (early, early_files), (late, late_files) = counts.values()
    return [
        Target(f"server growth over {many} invokes, MiB", late - early, LIMIT_MIB),
        Target("server growth, open files", late_files - early_files, 0),
    ]


def resident_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
