"""The examples that consume telemetry, beside a function that is invoked a thousand times."""

from __future__ import annotations

import io
import json
import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import ROOT, write_code, write_executable

EXAMPLES = ROOT / "examples"
INVOKES = 1000
FROZEN_INVOKES = int(os.environ.get("FROZEN_INVOKES", "100"))
HELD_INVOKES = int(os.environ.get("HELD_INVOKES", "60"))
"""Each of them waits for Lambda's shortest buffering, 25 ms, and for the endpoint."""
HANDLER = """
def handler(event, context):
    for line in range(event):
        print(f"{context.aws_request_id} {line}")
"""


class Endpoint(ThreadingHTTPServer):
    """Where lines are shipped to; `refused` of 100 posts get 500, the first among them."""

    def __init__(self, refused: int) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.dice, self.refused = random.Random(8), refused
        self.refusals = 0
        self.lines: list[dict[str, Any]] = []


class _Post(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        endpoint = self.server
        assert isinstance(endpoint, Endpoint)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_refused = endpoint.dice.randrange(100) < endpoint.refused
        endpoint.refusals += is_refused
        if not is_refused:
            endpoint.lines += json.loads(body)
        self.send_response(500 if is_refused else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@contextmanager
def listening(refused: int) -> Iterator[Endpoint]:
    with Endpoint(refused) as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield endpoint
        finally:
            endpoint.shutdown()
            thread.join()


def example(directory: Path, path: str) -> Path:
    """The example under its own name, run by this Python."""
    program = EXAMPLES / path
    return write_executable(
        directory / "opt" / program.name, f'#!/bin/sh\nexec "{sys.executable}" "{program}"\n'
    )


@pytest.mark.parametrize(
    ("refused", "freeze", "invokes"),
    [
        (0, False, INVOKES),
        (30, False, INVOKES),
        (0, True, FROZEN_INVOKES),
        (30, True, FROZEN_INVOKES),
    ],
    ids=["well", "30 % of 500s", "frozen between", "frozen, 30 % of 500s"],
)
def test_the_log_shipper_loses_nothing(
    tmp_path: Path, refused: int, freeze: bool, invokes: int
) -> None:
    """Every line of every invocation is posted once, and in order."""
    expected: list[str] = []
    with listening(refused) as endpoint:
        with LocalLambda(log_stream=io.BytesIO()) as local:
            function = local.create_function(
                "talker",
                handler="app.handler",
                code=write_code(tmp_path / "code", HANDLER),
                extensions=[example(tmp_path, "extension_log_shipper/shipper")],
                environment={
                    "LOG_ENDPOINT": f"http://127.0.0.1:{endpoint.server_port}/",
                    "PYTHONPATH": str(ROOT),
                },
                freeze=freeze,
            )
            for number in range(invokes):
                request_id = function.invoke(number % 4).request_id
                expected += [f"{request_id} {line}" for line in range(number % 4)]
        assert (endpoint.refusals > 0) == (refused > 0)
        assert [line["message"].rstrip("\n") for line in endpoint.lines] == expected
        assert {line["function"] for line in endpoint.lines} == {"talker"}


EAGER = """
import runpy, sys
from lambda_extensions import FlushPolicy
class Eager(runpy.run_path({shipper!r})["Shipper"]):
    flush = FlushPolicy.end_of_invoke(max_wait=5)
Eager("eager", protocol={protocol!r}).run()
"""


@pytest.mark.parametrize(
    ("protocol", "refused", "freeze"),
    [("HTTP", 0, False), ("HTTP", 30, False), ("HTTP", 30, True), ("TCP", 30, True)],
    ids=["well", "500s", "frozen", "over TCP"],
)
def test_an_invocation_ends_when_its_lines_are_delivered(
    tmp_path: Path, protocol: str, refused: int, freeze: bool
) -> None:
    """With end_of_invoke the lines of each invocation are there before the next begins, once, in
    order, also where three in ten posts are refused.
    """
    shipper = str(EXAMPLES / "extension_log_shipper" / "shipper")
    write_code(tmp_path, EAGER.format(shipper=shipper, protocol=protocol), "eager.py")
    program = write_executable(
        tmp_path / "opt" / "eager", f'#!/bin/sh\nexec "{sys.executable}" "{tmp_path}/eager.py"\n'
    )
    expected: list[str] = []
    with listening(refused) as endpoint:
        with LocalLambda(log_stream=io.BytesIO()) as local:
            function = local.create_function(
                "talker",
                handler="app.handler",
                code=write_code(tmp_path / "code", HANDLER),
                extensions=[program],
                environment={
                    "LOG_ENDPOINT": f"http://127.0.0.1:{endpoint.server_port}/",
                    "PYTHONPATH": str(ROOT),
                },
                freeze=freeze,
                timeout=10,
            )
            for number in range(HELD_INVOKES):
                request_id = function.invoke(number % 4).request_id
                expected += [f"{request_id} {line}" for line in range(number % 4)]
                assert [line["message"].rstrip("\n") for line in endpoint.lines] == expected
        assert endpoint.refusals >= HELD_INVOKES * refused // 300
        assert [line["message"].rstrip("\n") for line in endpoint.lines] == expected


@pytest.mark.parametrize(
    ("freeze", "invokes"),
    [(False, INVOKES), (True, FROZEN_INVOKES)],
    ids=["running on", "frozen between"],
)
def test_the_metrics_are_those_of_every_report(tmp_path: Path, freeze: bool, invokes: int) -> None:
    """One line of embedded metrics for each invocation, the cold start's with its init."""
    log = io.BytesIO()
    with LocalLambda(log_stream=log) as local:
        function = local.create_function(
            "talker",
            handler="app.handler",
            code=write_code(tmp_path / "code", HANDLER),
            extensions=[example(tmp_path, "extension_metrics/metrics")],
            environment={"PYTHONPATH": str(ROOT)},
            freeze=freeze,
        )
        durations = [function.invoke(0).report.duration_ms for _ in range(invokes)]
    lines = [json.loads(line) for line in log.getvalue().splitlines() if line.startswith(b'{"_aws')]
    assert [line["Duration"] for line in lines] == durations
    assert ["InitDuration" in line for line in lines] == [True] + [False] * (invokes - 1)
