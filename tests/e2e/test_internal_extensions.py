"""Internal extensions in real runtimes: ours and AWS's."""

from __future__ import annotations

import importlib.util
import io
import sys
from pathlib import Path

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import ROOT, write_code

RUNTIMES = {
    "lambda_runtime": (sys.executable, "-m", "lambda_runtime", "app.handler"),
    "awslambdaric": (sys.executable, "-m", "awslambdaric", "app.handler"),
}

AFTER_RESPONSE = """
from lambda_extensions import InternalExtension
internal = InternalExtension("flush")
waiting = []

@internal.after_response
def flush(event):
    print("flushed", waiting, "of", event.request_id, flush=True)
    waiting.clear()

@internal.watch
def handler(event, context):
    waiting.append(event["n"])
    return len(waiting)
"""

ON_SIGTERM = """
from lambda_extensions import on_sigterm

on_sigterm(lambda: print("closing the pool"))

def handler(event, context):
    return "ok"
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Lambda's signals")


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> tuple[str, ...]:
    name: str = request.param
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    return RUNTIMES[name]


def test_work_after_the_response(runtime: tuple[str, ...], tmp_path: Path) -> None:
    """Each invocation's work is flushed after its handler and before the next invocation."""
    log = io.BytesIO()
    with LocalLambda(log_stream=log) as local:
        function = local.create_function(
            "f",
            handler="app.handler",
            code=write_code(tmp_path, AFTER_RESPONSE),
            runtime=runtime,
            environment={"PYTHONPATH": str(ROOT)},
        )
        results = [function.invoke({"n": number}) for number in range(3)]
    assert [result.payload for result in results] == [1, 1, 1]
    for number, result in enumerate(results):
        assert f"flushed [{number}] of {result.request_id}\n" in result.logs


def test_word_before_the_end(runtime: tuple[str, ...], tmp_path: Path) -> None:
    """on_sigterm's handler runs at shutdown, also while awslambdaric sits in its native next."""
    log = io.BytesIO()
    with LocalLambda(log_stream=log) as local:
        function = local.create_function(
            "f",
            handler="app.handler",
            code=write_code(tmp_path, ON_SIGTERM),
            runtime=runtime,
            environment={"PYTHONPATH": str(ROOT)},
        )
        assert function.invoke({}).payload == "ok"
        assert b"closing" not in log.getvalue()
    assert b"closing the pool\n" in log.getvalue()


def test_example_flushes_after_the_response() -> None:
    """The example sends what an invocation collected before the next one begins."""
    log = io.BytesIO()
    with LocalLambda(log_stream=log) as local:
        function = local.create_function(
            "f",
            handler="app.handler",
            code=ROOT / "examples" / "internal_extension",
            environment={"PYTHONPATH": str(ROOT)},
        )
        results = [function.invoke({"items": number}) for number in (3, 2)]
    assert [result.payload for result in results] == [{"collected": 3}, {"collected": 2}]
    for number, result in zip((3, 2), results, strict=True):
        assert f"flushing {number} measurements of {result.request_id}\n" in result.logs
