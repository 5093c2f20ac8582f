"""From exec to the first request for an event, and to the first response: ours and AWS's client.

For a handler that imports nothing and for one that imports json and logging; with the clients'
bytecode on disk and, as in many images, without.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.client_loop import cores_in_words
from tests.benchmarks.clients import (
    FLOOR,
    HANDLER,
    OURS,
    PEER,
    Load,
    clients,
    core_pair,
    json_event,
    measure,
)
from tests.benchmarks.report import (
    LeftOut,
    Options,
    Target,
    interleave,
    median,
    print_table,
    ratio,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 11
MOMENTS = {"first_next_ms": "first next", "first_response_ms": "first response"}
CASES = {
    "bare handler": (HANDLER, 0.50),
    "handler that imports json and logging": ("imports.handler", 0.85),
}
PACKAGES = {
    OURS: ("lambda_runtime",),
    PEER: ("awslambdaric", "simplejson", "snapshot_restore_py", "runtime_client"),
}


def run(options: Options) -> list[Target]:
    targets = []
    for case, (handler, limit) in CASES.items():
        targets += compare(options, case, handler, limit, without_bytecode=False)
        targets += compare(options, case, handler, limit, without_bytecode=True)
    return targets


def compare(
    options: Options, case: str, handler: str, limit: float, *, without_bytecode: bool
) -> list[Target]:
    """Print one table; returns its targets."""
    cores = two_cores_if_any()
    names = [OURS, PEER, FLOOR]
    rounds = options.round_count(ROUNDS)
    with sources() as paths:
        extra = {"PYTHONDONTWRITEBYTECODE": "1"} if without_bytecode else {}
        found = {
            name: replace(
                client,
                command=[*client.command[:-1], handler] if name != FLOOR else client.command,
                env=extra | ({"PYTHONPATH": paths[name]} if extra and name in paths else {}),
            )
            for name, client in clients().items()
            if name in names
        }
        load = Load(json_event(99), 0, 1)
        measurements = {name: partial(measure, found[name], load, cores) for name in names}
        for warm_up in measurements.values():
            warm_up()  # the page cache is warm and the bytecode, where allowed, is written
        samples = interleave(measurements, rounds)
    words = f"{case}, {'no ' if without_bytecode else ''}bytecode"
    rows = [
        [
            name,
            *(median(samples, name, moment) for moment in MOMENTS),
            *(ratio(samples, name, PEER, moment) for moment in MOMENTS),
            median(samples, name, "peak_rss_kib") / 1024,
        ]
        for name in names
    ]
    title = f"cold start: {words}, exec to ..., {rounds} rounds, {cores_in_words(cores)}"
    header = [*("client", "next ms", "response ms"), *("next/ric", "response/ric", "peak MiB")]
    print_table(title, header, rows)
    return [
        Target(f"cold start, {words}, to {what}", ratio(samples, OURS, PEER, moment), limit)
        for moment, what in MOMENTS.items()
    ]


@contextlib.contextmanager
def sources() -> Iterator[dict[str, str]]:
    """For each client a directory with a copy of its packages that holds no bytecode."""
    with tempfile.TemporaryDirectory() as directory:
        paths = {}
        for name, packages in PACKAGES.items():
            target = Path(directory) / name
            target.mkdir()
            for package in packages:
                copy_source(package, target)
            paths[name] = str(target)
        yield paths


def copy_source(package: str, target: Path) -> None:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise LeftOut(f"{package} is not installed")
    origin = Path(spec.origin)
    if spec.submodule_search_locations is None:
        shutil.copy2(origin, target)
    else:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(origin.parent, target / package, ignore=ignored)


def two_cores_if_any() -> str:
    try:
        core_pair("two")
    except LeftOut:
        return "one"
    return "two"
