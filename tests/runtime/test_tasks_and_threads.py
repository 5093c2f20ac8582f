"""Several invocations at once in one process: tasks of one event loop, or threads."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import write_code
from tests.support.many_pollers import ManyPollers, Running, refusal
from tests.support.peers import wait_until
from tests.support.processes import eventually

MODULE = "lambda_runtime"
GONE = refusal("410 Gone")
ASYNC = """
import asyncio
import logging
import os
import sys

from lambda_runtime import after_response, current_context

meeting = asyncio.Event()
arrived = 0

async def inner():
    logging.warning("inside")
    return current_context().aws_request_id

async def handler(event, context):
    global arrived
    kind, *rest = event if isinstance(event, list) else [event]
    if kind == "meet":
        arrived += 1
        if arrived == rest[0]:
            meeting.set()
        logging.warning("before")
        await meeting.wait()
        logging.warning("after")
        same = await asyncio.gather(inner(), asyncio.create_task(inner()))
        trace = os.environ.get("_X_AMZN_TRACE_ID")
        return [os.getpid(), context.aws_request_id, *same, context.trace_id, trace]
    if kind == "later":
        async def log():
            logging.warning("later")
        after_response(log)
    if kind == "hang":
        print("hangs", flush=True)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            print("cleaned up", flush=True)
    if kind == "crash":
        os._exit(9)
    if kind == "raise":
        raise ValueError(context.aws_request_id)
    if kind == "exit":
        sys.exit(3)
    if kind == "set":
        return {1}
    return event
"""
THREADED = """
import logging
import os
import sys
import threading
import time

from lambda_runtime import after_response, current_context

meeting = threading.Barrier(16)

def handler(event, context):
    kind = event[0] if isinstance(event, list) else event
    if kind == "meet":
        logging.warning("before")
        meeting.wait(10)
        logging.warning("after")
        same = current_context().aws_request_id
        trace = os.environ.get("_X_AMZN_TRACE_ID")
        return [os.getpid(), context.aws_request_id, same, same, context.trace_id, trace]
    if kind == "later":
        after_response(lambda: logging.warning("later"))
    if kind == "hang":
        print("hangs", flush=True)
        time.sleep(60)
    if kind == "crash":
        os._exit(9)
    if kind == "raise":
        raise ValueError(context.aws_request_id)
    if kind == "exit":
        sys.exit(3)
    if kind == "set":
        return {1}
    return event
"""
FORMS = pytest.mark.parametrize(
    ("program", "form"), [(ASYNC, "async"), (THREADED, "thread")], ids=["async", "thread"]
)
FAR = f"Lambda-Runtime-Deadline-Ms: {2_000_000_000_000}"


def environment(form: str) -> dict[str, str]:
    return {"LAMBDA_RUNTIME_CONCURRENCY": form, "AWS_LAMBDA_LOG_FORMAT": "JSON"}


def records(runtime: Running) -> list[Any]:
    return [json.loads(line) for line in runtime.output.splitlines() if line[:1] == "{"]


@FORMS
def test_sixteen_at_once_know_who_they_are(tmp_path: Path, program: str, form: str) -> None:
    """Context, trace id and log records are each invocation's own, in tasks that it starts too;
    there is no `_X_AMZN_TRACE_ID`, which would be anybody's.
    """
    names = [f"request-{number}" for number in range(16)]
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=16, **environment(form)) as runtime:
        for name in names:
            header = f"Lambda-Runtime-Trace-Id: Root={name}"
            api.give(name, b'["meet", 16]', header, f"Lambda-Runtime-Invocation-Id: id-{name}")
        results = {name: api.result(name) for name in names}
        for name in names:
            assert results[name][1:] == [name, name, name, f"Root={name}", None]
            assert api.post(name).headers["lambda-runtime-invocation-id"] == f"id-{name}"
        assert len({result[0] for result in results.values()}) == 1
        assert len(runtime.workers()) == 1
        logged = [(line["message"], line["requestId"]) for line in records(runtime)]
    for message, times in (("before", 1), ("after", 1), ("inside", 2 * (form == "async"))):
        found = sorted(request_id for text, request_id in logged if text == message)
        assert found == sorted(names * times)


def test_coroutine_handler_is_served_in_tasks_unasked(tmp_path: Path) -> None:
    """`auto`: one worker polls for all."""
    with ManyPollers() as api, api.start(MODULE, write_code(tmp_path, ASYNC), count=8) as runtime:
        api.wait_for_polls(8)
        assert len(runtime.workers()) == 1


def test_free_threaded_python_serves_in_threads_unasked(tmp_path: Path) -> None:
    """`auto`, where the interpreter says that it runs without a GIL."""
    without_gil = "import sys\nsys._is_gil_enabled = lambda: False\n"
    code = write_code(tmp_path, without_gil + THREADED)
    with ManyPollers() as api, api.start(MODULE, code, count=8) as runtime:
        api.wait_for_polls(8)
        assert len(runtime.workers()) == 1


@FORMS
def test_what_fails_fails_alone(tmp_path: Path, program: str, form: str) -> None:
    """Exceptions, exits, results and events that are no JSON: the process lives on."""
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=2, **environment(form)) as runtime:
        for kind in ("raise", "exit", "set"):
            api.give(kind, json.dumps(kind).encode(), "Lambda-Runtime-Invocation-Id: echo")
        api.give("bad", b"{no")
        api.give("good", b"1")
        errors = {name: api.post(name) for name in ("raise", "exit", "set", "bad")}
        assert api.result("good") == 1
        api.wait_for_polls(2)
        assert len(runtime.workers()) == 1
        failures = {
            line["requestId"]: line["errorType"] for line in records(runtime) if "errorType" in line
        }
    types = {
        "raise": "ValueError",
        "exit": "Runtime.ExitError",
        "set": "Runtime.MarshalError",
        "bad": "Runtime.UnmarshalError",
    }
    assert {name: post.json["errorType"] for name, post in errors.items()} == types == failures
    assert all(post.path.endswith("/error") for post in errors.values())
    assert errors["raise"].headers["lambda-runtime-invocation-id"] == "echo"
    assert errors["raise"].json["errorMessage"] == "raise"


@FORMS
def test_work_after_the_response(tmp_path: Path, program: str, form: str) -> None:
    """It belongs to the invocation that asked for it."""
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=2, **environment(form)) as runtime:
        api.give("one", b'"later"')
        api.give("two", b"2")
        api.result("one")
        api.result("two")
        api.wait_for_polls(2)
        later = [line for line in records(runtime) if line["message"] == "later"]
    assert [line["requestId"] for line in later] == ["one"]


@FORMS
def test_crash_fails_all_that_were_at_work(tmp_path: Path, program: str, form: str) -> None:
    """Each of them at once, and another worker polls for as many."""
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=3, **environment(form)) as runtime:
        api.give("one", b'"hang"')
        api.give("two", b'"hang"')
        eventually(lambda: runtime.output.count("hangs") == 2, "two at work")
        api.give("three", b'"crash"')
        wait_until(lambda: api.parked == 3, seconds=1, what="three polls")
        for name in ("one", "two", "three"):
            assert api.post(name).json == {
                "errorType": "Runtime.ExitError",
                "errorMessage": f"RequestId: {name} Error: Runtime exited with error: "
                "exit status 9",
            }


@pytest.mark.parametrize("form", ["async", "thread", "process"])
def test_answer_that_comes_too_late(tmp_path: Path, form: str) -> None:
    """410 says that the invocation has timed out: it is logged, and the next event is asked for."""
    code = write_code(tmp_path, ASYNC if form == "async" else THREADED)
    answers = {"late/response": GONE, "raise/error": GONE}
    with (
        ManyPollers(answers) as api,
        api.start(MODULE, code, count=1, **environment(form)) as runtime,
    ):
        api.give("late", b"1")
        api.give("raise", b'"raise"')
        api.give("next", b"2")
        assert api.result("next") == 2
        refused = [line for line in records(runtime) if " with 410: " in line.get("message", "")]
        assert [line["requestId"] for line in refused] == ["late", "raise"]
        assert len(runtime.workers()) == 1


@pytest.mark.parametrize("reply", [refusal("500 Internal Server Error"), b""], ids=["500", "none"])
@pytest.mark.parametrize("form", ["async", "thread", "process"])
def test_answer_that_is_lost(tmp_path: Path, form: str, reply: bytes) -> None:
    """It is logged under its request id; whoever sent it asks for the next event."""
    code = write_code(tmp_path, ASYNC if form == "async" else THREADED)
    answers = {"lost/response": reply}
    with (
        ManyPollers(answers) as api,
        api.start(MODULE, code, count=1, **environment(form)) as runtime,
    ):
        api.wait_for_polls(1)
        before = runtime.workers()
        api.give("lost", b"1")
        api.give("next", b"2")
        assert api.result("next") == 2
        notes = [
            line for line in records(runtime) if line["message"].endswith("the worker goes on")
        ]
        assert [line["requestId"] for line in notes] == ["lost"]
        assert runtime.workers() == before


@FORMS
def test_poller_that_cannot_go_on_ends_its_worker(tmp_path: Path, program: str, form: str) -> None:
    """After five polls that failed: it says why, and another worker polls."""
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=1, **environment(form)) as runtime:
        for _ in range(5):
            api.reply_to_poll(refusal("500 Internal Server Error"))
        api.give("next", b"2")
        assert api.result("next") == 2
        assert runtime.output.count("the next event is asked for again in") == 4
        assert "lambda_runtime: the Runtime API answered" in runtime.output
        assert "worker 0 ended with exit status 1" in runtime.output


def test_task_past_its_deadline_is_cancelled(tmp_path: Path) -> None:
    """Half a second later, so that Lambda's own timeout comes first; the task polls again."""
    code = write_code(tmp_path, ASYNC)
    answers = {"late/error": GONE}
    with (
        ManyPollers(answers) as api,
        api.start(MODULE, code, count=1, **environment("auto")) as runtime,
    ):
        deadline = time.time() + 0.1
        api.give("late", b'"hang"', f"Lambda-Runtime-Deadline-Ms: {int(deadline * 1000)}")
        assert api.post("late").json["errorType"] == "DeadlineReached"
        assert time.time() - deadline >= 0.49
        assert "cleaned up" in runtime.output
        api.give("next", b"2", FAR)
        assert api.result("next") == 2


def test_handler_that_blocks_the_loop_is_named(tmp_path: Path) -> None:
    """The others wait, none is lost, and the log says whose fault it was."""
    program = (
        "import time\n"
        "async def handler(event, context):\n"
        "    if event == 'block':\n        time.sleep(2.3)\n"
        "    return event\n"
    )
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=4) as runtime:
        api.wait_for_polls(4)
        api.give("block", b'"block"')
        for number in range(3):
            api.give(f"event-{number}", b"1")
        assert [api.result(f"event-{number}") for number in range(3)] == [1, 1, 1]
        eventually(lambda: "a coroutine handler blocked the event loop" in runtime.output, "a word")


def test_streams_of_several_tasks_are_interleaved(tmp_path: Path) -> None:
    """Each async generator waits for the other's chunk: a chunk leaves as soon as it is there."""
    program = (
        "import asyncio\n"
        "from lambda_runtime import HttpResponse\n"
        "turns = [asyncio.Event() for _ in range(8)]\n"
        "async def handler(event, context):\n"
        "    yield HttpResponse(201, {'x': '1'})\n"
        "    for number in range(event, 8, 2):\n"
        "        if number:\n"
        "            await turns[number - 1].wait()\n"
        "        turns[number].set()\n"
        "        yield f'{number} '\n"
        "    if event:\n"
        "        raise ValueError('at the end')\n"
    )
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=2):
        api.give("even", b"0", "Lambda-Runtime-Invocation-Id: echo")
        api.give("odd", b"1")
        even, odd = api.post("even"), api.post("odd")
    head = b'{"statusCode": 201, "headers": {"x": "1"}}' + bytes(8)
    chunks = b"".join(b"2\r\n%d \r\n" % number for number in (0, 2, 4, 6))
    assert even.body == b"%x\r\n%b\r\n%b0\r\n\r\n" % (len(head), head, chunks)
    assert even.headers["lambda-runtime-function-response-mode"] == "streaming"
    assert even.headers["lambda-runtime-invocation-id"] == "echo"
    assert b"7 \r\n0\r\nLambda-Runtime-Function-Error-Type: ValueError\r\n" in odd.body


def test_large_bodies_in_tasks(tmp_path: Path) -> None:
    """6 MB in, 6 MB out, several times over one connection."""
    program = "async def handler(event, context):\n    return event\n"
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=1):
        for name in ("one", "two"):
            api.give(name, json.dumps(["x" * 6_000_000]).encode())
            assert api.result(name) == ["x" * 6_000_000]


def test_sync_handler_in_tasks_when_asked(tmp_path: Path) -> None:
    """One that only hands on a coroutine works as that coroutine does."""
    program = (
        "async def inner(event):\n    return event\n"
        "def handler(event, context):\n    return inner(event)\n"
    )
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=2, **environment("async")):
        api.give("one", b"1")
        assert api.result("one") == 1


@pytest.mark.parametrize("form", ["process", "thread"])
def test_coroutine_handler_elsewhere_when_asked(tmp_path: Path, form: str) -> None:
    """In each process, or each thread, on an event loop of its own."""
    program = (
        "import asyncio\n"
        "async def handler(event, context):\n"
        "    await asyncio.sleep(0.01)\n    return event\n"
    )
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=4, **environment(form)) as runtime:
        api.wait_for_polls(4)
        for number in range(8):
            api.give(f"event-{number}", str(number).encode())
        assert [api.result(f"event-{number}") for number in range(8)] == list(range(8))
        assert len(runtime.workers()) == (4 if form == "process" else 1)


@FORMS
def test_shutdown_hooks_of_one_process(tmp_path: Path, program: str, form: str) -> None:
    """They run once, while invocations are at work; nothing of these is answered."""
    hook = (
        "import lambda_runtime\n"
        "@lambda_runtime.on_shutdown\n"
        "async def bye():\n    print('goodbye', flush=True)\n"
    )
    code = write_code(tmp_path, program + hook)
    with ManyPollers() as api, api.start(MODULE, code, count=2, **environment(form)) as runtime:
        api.give("one", b'"hang"')
        eventually(lambda: "hangs" in runtime.output, "a handler at work")
        runtime.terminate()
        assert runtime.exit_code() == 0
        assert runtime.output.count("goodbye") == 1
        assert api.posts == []


@pytest.mark.parametrize("count", [None, 2], ids=["one at a time", "two"])
def test_shutdown_in_the_middle_of_a_stream(tmp_path: Path, count: int | None) -> None:
    """The stream breaks off, the generator is closed, and nothing is reported as a failure."""
    program = (
        "import asyncio\n"
        "from lambda_runtime import on_shutdown\n"
        "on_shutdown(lambda: print('goodbye', flush=True))\n"
        "async def handler(event, context):\n"
        "    try:\n"
        "        yield 'one'\n"
        "        print('one is sent', flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "    finally:\n"
        "        print('closed', flush=True)\n"
    )
    code = write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, code, count=count) as runtime:
        api.give("one")
        eventually(lambda: "one is sent" in runtime.output, "a stream under way")
        runtime.terminate()
        assert runtime.exit_code() == 0
        assert sorted(runtime.output.splitlines()) == ["closed", "goodbye", "one is sent"]


def test_connection_that_closes_between_two_calls(tmp_path: Path) -> None:
    """A kept connection that the API closes is opened again, and the answer sent again."""
    closing = b"HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    code = write_code(tmp_path, ASYNC)
    with ManyPollers({"one/response": closing}) as api, api.start(MODULE, code, count=1):
        for name in ("one", "two"):
            api.give(name, b"1")
            assert api.result(name) == 1
