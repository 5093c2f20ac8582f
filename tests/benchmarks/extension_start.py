"""From exec to an extension's registration: ours, `requests`, and a Python that does nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lambda_extensions.cli import unpack
from lambda_extensions.layer import build
from tests.benchmarks.report import Options, Sample, Target, interleave, median, print_table, ratio

ROUNDS = 15
LIMIT = 1.6
ROOT = Path(__file__).resolve().parents[2]
BARE, OURS, PEER = "python -c pass", "lambda_extensions", "requests"
SHIPPER, LAYER = "lambda_extensions, telemetry", "the same as a layer"

EXTENSION = """
from lambda_extensions import Extension

extension = Extension("hello")
extension.on_invoke(print)
extension.run()
"""
WITH_TELEMETRY = """
from lambda_extensions import Extension
from lambda_extensions.records import FunctionLog

class Shipper(Extension):
    types = ("function",)

    def records(self, batch):
        print([record.message for record in batch if isinstance(record, FunctionLog)])

Shipper("shipper").run()
"""
WITH_REQUESTS = """
import os
import requests

requests.post(
    "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/register",
    json={"events": ["INVOKE", "SHUTDOWN"]},
    headers={"Lambda-Extension-Name": "hello"},
)
"""


def run(options: Options) -> list[Target]:
    with tempfile.TemporaryDirectory() as place:
        subjects = {
            BARE: _bare,
            OURS: _registering(Path(place) / "ours.py", EXTENSION),
            SHIPPER: _registering(Path(place) / "shipper.py", WITH_TELEMETRY),
            LAYER: _in_a_layer(Path(place)),
            PEER: _registering(Path(place) / "peer.py", WITH_REQUESTS),
        }
        for measure in subjects.values():
            measure()  # the page cache is warm and the bytecode is written
        rounds = options.round_count(ROUNDS)
        samples = interleave(subjects, rounds)
    rows = [
        [name, median(samples, name, "ms"), ratio(samples, name, BARE, "ms")] for name in subjects
    ]
    title = f"extension: exec to registration, {rounds} rounds"
    print_table(title, ["extension", "ms", "of bare"], rows)
    return [
        Target(f"{name}: start of a bare Python's", ratio(samples, name, BARE, "ms"), LIMIT)
        for name in (OURS, SHIPPER, LAYER)
    ]


def _bare() -> Sample:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], env=_environment(""), check=True)
    return {"ms": (time.perf_counter() - began) * 1000}


def _in_a_layer(place: Path) -> Callable[[], Sample]:
    """Started by the layer's launcher in sh, from the layer's bytecode, with the layer's SDK."""
    build(place / "shipper.py", "shipper", place / "layer.zip")
    unpack(place / "layer.zip", place / "opt")
    return _measuring(str(place / "opt" / "extensions" / "shipper"))


def _registering(program: Path, text: str) -> Callable[[], Sample]:
    program.write_text(text)
    return _measuring(sys.executable, str(program))


def _measuring(*command: str) -> Callable[[], Sample]:
    def measure() -> Sample:
        with socket.create_server(("127.0.0.1", 0)) as api:
            address = "{}:{}".format(*api.getsockname())
            began = time.perf_counter()
            child = subprocess.Popen(command, env=_environment(address), stderr=subprocess.DEVNULL)
            connection, _ = api.accept()
            with connection:
                connection.recv(1)
                took = time.perf_counter() - began
        child.wait()
        return {"ms": took * 1000}

    return measure


def _environment(address: str) -> dict[str, str]:
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "AWS_LAMBDA_RUNTIME_API": address,
    }
