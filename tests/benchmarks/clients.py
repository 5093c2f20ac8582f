"""The clients under measurement, and one run of a client under the C fixture."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.compiled import HERE, compiled
from tests.benchmarks.report import LeftOut, Sample
from tests.support.peers import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

OURS = "lambda_runtime"
OURS_PIPELINED = "lambda_runtime, pipelined"
OURS_BY_ORJSON = "lambda_runtime, orjson"
PEER = "awslambdaric"
PEER_POLLING = "awslambdaric, thread polling"
FLOOR = "C floor"

FUNCTION = HERE / "function"
HANDLER = "app.handler"
RUN_SECONDS = 120


@dataclass(frozen=True)
class Client:
    """A command that speaks the Runtime API, and what its environment adds."""

    command: Sequence[str]
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """What the fixture feeds a client: `count` measured events after `warm` others."""

    event: bytes
    warm: int
    count: int
    chunked: bool = False


def clients() -> dict[str, Client]:
    """Every subject by name, ours first; raises `LeftOut` where one of them cannot run."""
    if sys.platform != "linux":
        raise LeftOut("the fixture reads Linux's process clocks")
    if find_spec(PEER) is None:
        raise LeftOut(f"{PEER} is not installed")
    polling = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}
    return {
        OURS: Client([sys.executable, "-m", "lambda_runtime", HANDLER]),
        OURS_PIPELINED: Client([sys.executable, "-m", "lambda_runtime", "pipelined.handler"]),
        OURS_BY_ORJSON: Client([sys.executable, "-m", "lambda_runtime", "by_orjson.handler"]),
        PEER: Client([sys.executable, "-m", "awslambdaric", HANDLER]),
        PEER_POLLING: Client([sys.executable, "-m", "awslambdaric", HANDLER], polling),
        FLOOR: Client([str(compiled("floor"))]),
    }


def function_environment() -> dict[str, str]:
    """What Lambda sets for every Python function; AWS_EXECUTION_ENV is left unset."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "AWS_REGION": "us-east-1",
        "AWS_LAMBDA_FUNCTION_NAME": "function",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/function",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LAMBDA_TASK_ROOT": str(FUNCTION),
        "_HANDLER": HANDLER,
    }


def subjects(load: Load, cores: str, names: Sequence[str]) -> dict[str, Callable[[], Sample]]:
    """The named clients, each as a measurement under the same load."""
    found = clients()
    return {name: partial(measure, found[name], load, cores) for name in names}


def measure(client: Client, load: Load, cores: str) -> Sample:
    """Run `client` once under the fixture; its last response must be the event."""
    fixture_core, client_core = core_pair(cores)
    with tempfile.TemporaryDirectory() as directory, pinned(fixture_core):
        event, response = Path(directory) / "event", Path(directory) / "response"
        event.write_bytes(load.event)
        numbers = (load.warm, load.count, int(load.chunked), client_core, RUN_SECONDS)
        done = subprocess.run(
            [compiled("fixture"), event, response, *map(str, numbers), *client.command],
            env=function_environment() | client.env,
            cwd=FUNCTION,
            stdout=subprocess.PIPE,
            check=True,
        )
        if json.loads(response.read_bytes()) != json.loads(load.event):
            raise AssertionError(f"{client.command} did not echo the event")
    sample: Sample = json.loads(done.stdout)
    return sample


def core_pair(cores: str) -> tuple[int, int]:
    """(fixture's core, client's core) for "one" or "two" cores; -1 leaves it to the system."""
    allowed = sorted(os.sched_getaffinity(0))
    if cores == "free":
        return -1, -1
    if cores == "two" and len(allowed) < 2:
        raise LeftOut("one core only")
    return (allowed[-1], allowed[0]) if cores == "two" else (allowed[0], allowed[0])


@contextlib.contextmanager
def pinned(core: int) -> Iterator[None]:
    """Processes started inside run on `core`; -1 or no such facility: where they like."""
    if core < 0 or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def json_event(size: int) -> bytes:
    """A JSON object of exactly `size` bytes."""
    empty = json.dumps({"name": "Ada", "n": 1, "text": ""})
    return json.dumps({"name": "Ada", "n": 1, "text": "x" * (size - len(empty))}).encode()
