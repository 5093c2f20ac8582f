"""Handlers that never return: what they may hold, and how the process ends."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lambda_extensions import Extension, InvokeEvent
from tests.support.scripted_api import HANG_UP, Scripted, ScriptedApi, reply
from tests.support.telemetry_platform import Platform, record, shutdown

ROOT = Path(__file__).resolve().parents[2]
REGISTERED = reply("200 OK", "Lambda-Extension-Identifier: x", body="{}")
SHUTDOWN = reply(
    "200 OK", body='{"eventType":"SHUTDOWN","deadlineMs":2,"shutdownReason":"spindown"}'
)


def invoke_until(request_id: str, seconds: float) -> bytes:
    """INVOKE with a deadline of the near future, as Lambda sends it."""
    deadline = int((time.time() + seconds) * 1000)
    body = f'{{"eventType":"INVOKE","deadlineMs":{deadline},"requestId":"{request_id}"}}'
    return reply("200 OK", body=body)


HANGING = """
import threading
from lambda_extensions import Extension
extension = Extension("hello", max_wait={max_wait})

@extension.on_invoke
def hanging(event):
    print("hanging at", event.request_id)
    threading.Event().wait()

extension.on_shutdown(lambda event: print(event.reason))
extension.run()
"""


def run_hanging(
    max_wait: float | None, *replies: Scripted
) -> tuple[list[float], subprocess.CompletedProcess[str]]:
    """Run the extension above; returns when each event was asked for, and how it ended."""
    asked: list[float] = []

    def noting(then: Scripted) -> Scripted:
        def answer(request: bytes) -> bytes:
            asked.append(time.monotonic())
            return then if isinstance(then, bytes) else then(request)

        return answer

    with ScriptedApi(REGISTERED, *map(noting, replies)) as api:
        child = subprocess.run(
            [sys.executable, "-c", HANGING.format(max_wait=max_wait)],
            env={"AWS_LAMBDA_RUNTIME_API": api.address, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=20,
            check=False,
            text=True,
        )
    return asked, child


@pytest.mark.parametrize(("max_wait", "deadline", "held"), [(0.2, 3, "0.2"), (None, 0.5, "0.4")])
def test_handler_that_never_returns_lets_invocations_go(
    max_wait: float | None, deadline: float, held: str
) -> None:
    """An on_invoke handler that hangs holds one invocation as long as it may, 90 % of what is left
    at most, and later ones not at all; on_shutdown is called, and the process ends.
    """

    def first(_: bytes) -> bytes:
        return invoke_until("a", deadline)

    others = [invoke_until(name, 30) for name in "bc"]
    asked, child = run_hanging(max_wait, first, *others, SHUTDOWN)
    assert (child.returncode, child.stdout) == (0, "hanging at a\nspindown\n")
    assert child.stderr == (
        'lambda_extensions: extension "hello": a handler of INVOKE has not returned for '
        f"{held} s; invocations go on without it\n"
    )
    assert float(held) - 0.05 <= asked[1] - asked[0] < 5.0
    assert asked[3] - asked[1] < 5.0


def test_loss_of_lambda_is_told_although_a_handler_hangs() -> None:
    """Without Lambda the process ends with 1 and a sentence, whatever its handlers do."""
    _, child = run_hanging(0.05, invoke_until("a", 3), HANG_UP)
    assert child.returncode == 1
    assert '\nlambda_extensions: extension "hello": the Extensions API at ' in child.stderr


def test_handler_that_is_late_is_called_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that returned after its time is called for the invocations that follow."""
    extension = Extension("hello", max_wait=0.05)
    gate = threading.Event()
    seen: list[str] = []

    @extension.on_invoke
    def slow(event: InvokeEvent) -> None:
        seen.append(event.request_id)
        assert gate.wait(10)

    def again(_: bytes) -> bytes:
        gate.set()
        if seen[-1] != "a":
            return SHUTDOWN
        api._replies.append(again)  # until its turn has come
        return invoke_until("c", 3)

    with ScriptedApi(REGISTERED, *(invoke_until(name, 3) for name in "ab"), again) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        extension.run()
    assert seen == ["a", "c"]


HANGING_COROUTINE = """
import asyncio
from lambda_extensions import Extension, FlushPolicy
extension = Extension("hello")

@extension.on_telemetry("function", flush=FlushPolicy.on_shutdown())
async def hanging(batch):
    print("hanging with", len(batch))
    try:
        await asyncio.Event().wait()
    finally:
        print("cleaned up")

extension.run()
"""


def test_coroutine_that_never_ends_is_cancelled_at_the_end() -> None:
    """A coroutine that hangs at shutdown is cancelled and cleans up; the process ends in time."""
    platform = Platform()

    def post_then_shutdown(request: bytes) -> bytes:
        platform.post(record("function", "one"))
        return shutdown(request)

    with ScriptedApi(REGISTERED, platform.subscribe, post_then_shutdown) as api:
        began = time.monotonic()
        child = subprocess.run(
            [sys.executable, "-W", "error", "-c", HANGING_COROUTINE],
            env={"AWS_LAMBDA_RUNTIME_API": api.address, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=20,
            check=False,
            text=True,
        )
    assert time.monotonic() - began < 5.0
    assert (child.returncode, child.stdout) == (0, "hanging with 1\ncleaned up\n")
    assert "the telemetry handler did not return: 1 records may be lost\n" in child.stderr
    assert "destroyed" not in child.stderr
