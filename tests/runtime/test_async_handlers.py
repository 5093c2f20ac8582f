"""Coroutine handlers: one event loop, cancellation before the deadline, cleanup."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.support.runtime_programs import EVENT, Finished, body_of, event, paths, served


def bodies(finished: Finished) -> list[object]:
    return [json.loads(body_of(post)) for post in finished.posted]


def test_a_coroutine_handler_is_awaited(tmp_path: Path) -> None:
    """What it returns is the response."""
    program = (
        "import asyncio\n"
        "async def handler(event, context):\n"
        "    await asyncio.sleep(0)\n"
        "    return {'got': event}\n"
    )
    assert bodies(served(tmp_path, program, event(b"1"), event(b"2"))) == [{"got": 1}, {"got": 2}]


def test_every_invocation_runs_on_the_same_loop(tmp_path: Path) -> None:
    """Clients made in one invocation work in the next; a task left behind goes on there."""
    program = (
        "import asyncio\n"
        "loops, queue = [], asyncio.Queue()\n"
        "async def later(): await queue.put(await asyncio.sleep(0, 'from the first'))\n"
        "async def handler(event, context):\n"
        "    loops.append(asyncio.get_running_loop())\n"
        "    if len(loops) == 1:\n"
        "        global task; task = asyncio.create_task(later())\n"
        "        return None\n"
        "    return [loops[0] is loops[1], await queue.get()]\n"
    )
    assert bodies(served(tmp_path, program, EVENT, EVENT)) == [None, [True, "from the first"]]


def test_a_function_that_returns_a_coroutine_is_a_coroutine_handler(tmp_path: Path) -> None:
    """Decorators that hide `async def` do no harm: what is returned decides."""
    program = (
        "async def real(event, context): return 'awaited'\n"
        "def handler(event, context): return real(event, context)\n"
    )
    assert bodies(served(tmp_path, program)) == ["awaited"]


@pytest.mark.parametrize(
    ("raised", "error_type"),
    [("ValueError('x')", "ValueError"), ("asyncio.CancelledError()", "CancelledError")],
)
def test_what_a_coroutine_raises_is_reported(tmp_path: Path, raised: str, error_type: str) -> None:
    """The trace begins in the user's code, and the process lives on, even after a cancellation."""
    program = f"import asyncio\nasync def handler(event, context):\n    raise {raised}\n"
    finished = served(tmp_path, program, EVENT, EVENT)
    assert paths(finished) == ["next", "error", "next", "error", "next"]
    error = json.loads(body_of(finished.posted[1]))
    assert error["errorType"] == error_type
    assert error["stackTrace"] == [
        f'  File "{tmp_path}/app.py", line 3, in handler\n    raise {raised}\n'
    ]


def test_a_coroutine_is_cancelled_before_its_deadline_when_asked(tmp_path: Path) -> None:
    """Its `finally` is awaited, the invocation fails with DeadlineReached, the process lives on."""
    program = (
        "import asyncio\n"
        "from lambda_runtime import cancel_before_deadline\n"
        "cancel_before_deadline(3600 - 0.05)\n"
        "async def handler(event, context):\n"
        "    if event: return 'alive'\n"
        "    try: await asyncio.Event().wait()\n"
        "    finally:\n"
        "        await asyncio.sleep(0)\n"
        "        print('cleaned up')\n"
    )
    deadline = f"Lambda-Runtime-Deadline-Ms: {int((time.time() + 3600) * 1000)}"
    late = f"Lambda-Runtime-Deadline-Ms: {int((time.time() + 7200) * 1000)}"
    finished = served(tmp_path, program, event(b"{}", deadline), event(b"1", late))
    error, after = bodies(finished)
    assert isinstance(error, dict)
    assert error["errorType"] == "DeadlineReached"
    assert error["errorMessage"].startswith("the handler was cancelled after ")
    assert after == "alive"
    assert finished.stdout.startswith("cleaned up\n")


def test_tasks_left_at_the_end_are_cancelled_and_awaited(tmp_path: Path) -> None:
    """A normal end lets the cleanup of background tasks run."""
    program = (
        "import asyncio\n"
        "async def background():\n"
        "    try: await asyncio.Event().wait()\n"
        "    finally: print('background done')\n"
        "async def handler(event, context):\n"
        "    global task; task = asyncio.create_task(background())\n"
        "    await asyncio.sleep(0)\n"
    )
    assert served(tmp_path, program).stdout == "background done\n"


def test_an_exit_in_a_coroutine_is_reported_and_then_done(tmp_path: Path) -> None:
    """`sys.exit` inside a coroutine gives its status to the process."""
    program = "import sys\nasync def handler(event, context): sys.exit(5)\n"
    finished = served(tmp_path, program)
    assert finished.exit_code == 5
    [error] = bodies(finished)
    assert isinstance(error, dict)
    assert error["errorType"] == "Runtime.ExitError"
