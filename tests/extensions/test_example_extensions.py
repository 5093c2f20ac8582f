"""The example extensions with telemetry: their handlers with made records, and as processes."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import BlockingHTTPServer, HTTPServer

from lambda_extensions import testing
from tests.support.scripted_api import Scripted, ScriptedApi, reply
from tests.support.telemetry_platform import Platform, invoke, shutdown

ROOT = Path(__file__).resolve().parents[2]
SHIPPER = ROOT / "examples" / "extension_log_shipper" / "shipper"
METRICS = ROOT / "examples" / "extension_metrics" / "metrics"
REGISTERED = reply("200 OK", "Lambda-Extension-Identifier: x", body='{"functionName":"hello"}')


def run(program: Path, *replies: Scripted, **env: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end, with Lambda's side scripted."""
    with ScriptedApi(REGISTERED, *replies) as api:
        return subprocess.run(
            [sys.executable, str(program)],
            env={"AWS_LAMBDA_RUNTIME_API": api.address, "PYTHONPATH": str(ROOT), **env},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )


def test_shipper_delivers_the_lines_of_an_invocation_before_the_next() -> None:
    """The lines of the first invocation are posted, once more after a 500, before next."""
    lines = testing.invocation("r-1", "one", "two")
    received: list[Any] = []
    with BlockingHTTPServer(host="127.0.0.1", timeout=10) as endpoint:
        platform = Platform()

        def then_shutdown(request: bytes) -> bytes:
            assert endpoint.request_queue.empty()
            assert len(received) == 2
            return shutdown(request)

        with ScriptedApi(
            REGISTERED,
            platform.subscribe,
            platform.posting(invoke, *(line.raw for line in lines)),
            then_shutdown,
        ) as api:
            child = subprocess.Popen(
                [sys.executable, str(SHIPPER)],
                env={
                    "AWS_LAMBDA_RUNTIME_API": api.address,
                    "PYTHONPATH": str(ROOT),
                    "LOG_ENDPOINT": f"http://127.0.0.1:{endpoint.port}/logs",
                },
            )
            time = "2026-01-31T12:00:00.000Z"
            expected = [
                {"time": time, "function": "hello", "message": message}
                for message in ("one", "two")
            ]
            for status in (500, 200):
                request = endpoint.assert_request("/logs", "POST", json=expected, timeout=10)
                received.append(expected)
                request.respond_with_data("", status=status)
            assert child.wait(10) == 0
    for thread in platform.threads:
        thread.join()


def test_the_shipper_brings_tests_of_its_own() -> None:
    """What an author copies with it: its handler with made records, and the fixtures of pytest."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(SHIPPER.parent)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_shipper_raises_for_an_endpoint_that_fails(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler itself, with made records: a 503 is a failure, so that the records come again."""
    httpserver.expect_request("/").respond_with_data("", status=503)
    monkeypatch.setenv("LOG_ENDPOINT", httpserver.url_for("/"))
    shipper = runpy.run_path(str(SHIPPER))["Shipper"]("shipper")

    class Registration:
        function_name = "hello"

    shipper.init(Registration)
    with shipper.session, pytest.raises(OSError, match="503"):
        shipper.records([testing.function_log("one")])


def test_metrics_prints_one_line_for_each_report() -> None:
    """Each REPORT becomes embedded metrics; a cold start's has InitDuration too."""
    platform = Platform()
    cold = testing.platform_report("r-1", duration_ms=2.5, init_duration_ms=80.0)
    warm = testing.platform_report("r-2", duration_ms=1.5)
    others = testing.invocation("r-3")[:-1]

    def post_then_shutdown(request: bytes) -> bytes:
        platform.post(cold.raw, *(one.raw for one in others), warm.raw)
        return shutdown(request)

    done = run(METRICS, platform.subscribe, post_then_shutdown)
    assert done.returncode == 0
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["Function"] == "hello"
    assert (first["Duration"], first["InitDuration"], first["MemoryUsed"]) == (2.5, 80.0, 40)
    assert "InitDuration" not in second
    (directive,) = second["_aws"]["CloudWatchMetrics"]
    assert directive["Metrics"] == [
        {"Name": "Duration", "Unit": "Milliseconds"},
        {"Name": "MemoryUsed", "Unit": "Megabytes"},
    ]
    assert second["_aws"]["Timestamp"] == 1769860800000  # 2026-01-31T12:00:00Z
