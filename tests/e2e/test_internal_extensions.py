"""Internal extensions in real runtimes: ours and AWS's."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
from pathlib import Path

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import ROOT, write_code, write_executable

INVOKES = 1000
FROZEN_INVOKES = int(os.environ.get("FROZEN_INVOKES", "100"))
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
on_sigterm(lambda: print("closing the door"))

def handler(event, context):
    return "ok"
"""

KINDS = """
import asyncio
import inspect
from lambda_extensions import InternalExtension
from lambda_runtime import after_response
internal = InternalExtension("flush")
order = []

@internal.after_response
async def flush(event):
    await asyncio.sleep(0)
    print("flushed", order, flush=True)
    order.clear()

@internal.watch
async def coroutine(event, context):
    order.append("begun")
    after_response(order.append, "answered")
    await asyncio.sleep(0.05)
    order.append("returned")
    return "ok"

@internal.watch
async def stream(event, context):
    order.append("begun")
    after_response(order.append, "answered")
    yield "o"
    await asyncio.sleep(0.05)
    order.append("returned")
    yield "k"

def failing(event, context):
    order.append("begun")
    after_response(order.append, "answered")
    order.append("returned")
    raise ValueError("no")

print("async:", inspect.iscoroutinefunction(coroutine), inspect.isasyncgenfunction(stream))
"""

HOOKS = """
from lambda_extensions import on_sigterm
from lambda_runtime import on_shutdown

on_shutdown(lambda: print("first registered", flush=True))
on_sigterm(lambda: print("last registered", flush=True))

def handler(event, context):
    return "ok"
"""

AS_PROGRAM = """#!{python}
from lambda_runtime import run
from lambda_extensions import InternalExtension, on_sigterm
internal = InternalExtension("flush")
waiting = []

@internal.after_response
def flush(event):
    print("flushed", waiting, flush=True)
    waiting.clear()

on_sigterm(lambda: print("closing the pool"))
run(lambda event, context: waiting.append(event))
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
    assert b"closing the door\n" in log.getvalue()
    assert b"lambda_extensions:" not in log.getvalue()


@pytest.mark.parametrize("kind", ["coroutine", "stream", "failing"])
def test_lambda_runtime_tells_when_the_response_is_out(kind: str, tmp_path: Path) -> None:
    """Coroutines, streams and failures are over, and answered, before the work after them; one that
    is watched remains what it is.
    """
    log = io.BytesIO()
    with LocalLambda(log_stream=log) as local:
        function = local.create_function(
            "f",
            handler=f"app.{kind}",
            code=write_code(tmp_path, KINDS),
            environment={"PYTHONPATH": str(ROOT)},
        )
        results = [function.invoke({}) for _ in range(2)]
    for result in results:
        assert "flushed ['begun', 'returned', 'answered']\n" in result.logs
        assert (result.function_error is None) == (kind != "failing")
    assert b"async: True True\n" in log.getvalue()


def test_word_before_the_end_is_one_of_the_shutdown_hooks(tmp_path: Path) -> None:
    """With lambda_runtime, on_sigterm keeps its hooks' order and takes nothing from them."""
    log = io.BytesIO()
    with LocalLambda(log_stream=log) as local:
        local.create_function(
            "f",
            handler="app.handler",
            code=write_code(tmp_path, HOOKS),
            environment={"PYTHONPATH": str(ROOT)},
        ).invoke({})
    assert b"last registered\nfirst registered\n" in log.getvalue()


def test_runtime_that_is_its_own_program(tmp_path: Path) -> None:
    """Where a program calls lambda_runtime.run, both work as well, in one process."""
    write_executable(tmp_path / "bootstrap", AS_PROGRAM.format(python=sys.executable))
    log = io.BytesIO()
    with LocalLambda(log_stream=log) as local:
        function = local.create_function(
            "f",
            handler="any",
            code=tmp_path,
            runtime=["./bootstrap"],
            environment={"PYTHONPATH": str(ROOT)},
        )
        results = [function.invoke(number) for number in range(2)]
    assert ["flushed [0]\n" in results[0].logs, "flushed [1]\n" in results[1].logs] == [True] * 2
    assert b"closing the pool\n" in log.getvalue()


@pytest.mark.parametrize("freeze", [False, True], ids=["running on", "frozen between"])
def test_example_flushes_after_each_response(freeze: bool) -> None:
    """The example sends what an invocation collected before the next one begins, each time."""
    with LocalLambda(log_stream=io.BytesIO()) as local:
        function = local.create_function(
            "f",
            handler="app.handler",
            code=ROOT / "examples" / "internal_extension",
            environment={"PYTHONPATH": str(ROOT)},
            freeze=freeze,
        )
        for number in range(FROZEN_INVOKES if freeze else INVOKES):
            result = function.invoke({"items": number % 4})
            assert result.payload == {"collected": number % 4}
            assert f"flushing {number % 4} measurements of {result.request_id}\n" in result.logs
