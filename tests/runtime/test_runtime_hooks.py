"""on_init, on_shutdown, after_response, middleware, on_error, request_sigterm."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support.runtime_programs import (
    ACCEPTED,
    EVENT,
    Peer,
    answering,
    body_of,
    headers_of,
    path_of,
    paths,
    refusal,
    run_against,
    served,
    streamed,
)

HOOKS = (
    "import asyncio, os, signal, sys, time\n"
    "from lambda_runtime import on_shutdown\n"
    "@on_shutdown\n"
    "def first(): print('first')\n"
    "@on_shutdown\n"
    "def second(): print('second')\n"
)
INIT = (
    "from lambda_runtime import on_init\n"
    "@on_init\n"
    "def first(): print('first')\n"
    "@on_init\n"
    "async def second(): print('second')\n"
    "def handler(event, context): print('called')\n"
    "print('loaded')\n"
)
KILL = "os.kill(os.getpid(), signal.SIGTERM)"


def test_init_hooks_come_before_the_first_event(tmp_path: Path) -> None:
    """After the module has loaded, in the order of registration, once."""
    finished = served(tmp_path, INIT, EVENT, EVENT)
    assert finished.stdout == "loaded\nfirst\nsecond\ncalled\ncalled\n"
    assert paths(finished)[:2] == ["next", "response"]


def test_an_init_hook_that_fails_is_an_init_error(tmp_path: Path) -> None:
    """No event is asked for; the report is that of the exception."""
    finished = served(tmp_path, INIT.replace("print('second')", "raise KeyError('x')"))
    assert [path_of(request) for request in finished.requests] == ["/2018-06-01/runtime/init/error"]
    assert json.loads(body_of(finished.posted[0]))["errorType"] == "KeyError"
    assert finished.exit_code == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_parked_runs_the_hooks(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT end the wait for the next event; the last hook registered is first."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        pid = int(body_of(peer.request()))
        peer.send(ACCEPTED)
        peer.request()
        os.kill(pid, number)
        assert not peer.some()

    program = HOOKS + "def handler(event, context): return os.getpid()\n"
    finished = run_against(tmp_path, program, serve)
    assert finished.stdout == "second\nfirst\n"
    assert finished.exit_code == 0
    assert finished.stderr == ""


@pytest.mark.parametrize(
    "handler",
    [
        f"def handler(event, context):\n    {KILL}\n    time.sleep(60)\n",
        f"async def handler(event, context):\n    {KILL}\n    await asyncio.sleep(60)\n",
        "async def handler(event, context):\n"
        f"    asyncio.get_running_loop().call_soon(lambda: {KILL})\n"
        "    await asyncio.sleep(60)\n",
    ],
    ids=["function", "coroutine", "parked loop"],
)
def test_a_signal_in_a_handler_runs_the_hooks(tmp_path: Path, handler: str) -> None:
    """The invocation is given up unanswered."""
    finished = served(tmp_path, HOOKS + handler)
    assert finished.stdout == "second\nfirst\n"
    assert finished.exit_code == 0
    assert finished.posted == []


def test_a_signal_in_a_stream_runs_the_hooks(tmp_path: Path) -> None:
    """The generator's `finally` comes before the hooks."""
    program = HOOKS + (
        "def handler(event, context):\n"
        "    try:\n"
        "        yield 'x'\n"
        f"        {KILL}\n"
        "        time.sleep(60)\n"
        "    finally: print('closed')\n"
    )
    finished = served(tmp_path, program)
    assert finished.stdout.endswith("closed\nsecond\nfirst\n")
    assert finished.exit_code == 0


def test_a_handler_that_swallows_everything_is_ended_after_its_answer(tmp_path: Path) -> None:
    """Where `except BaseException` hides the request, no further event is asked for."""
    program = HOOKS + (
        "def handler(event, context):\n"
        f"    try: {KILL}; time.sleep(60)\n"
        "    except BaseException: return 'swallowed'\n"
    )
    finished = served(tmp_path, program, EVENT, EVENT)
    assert [body_of(post) for post in finished.posted] == [b'"swallowed"']
    assert finished.stdout == "second\nfirst\n"


def test_hooks_have_half_a_second(tmp_path: Path) -> None:
    """A hook that takes longer is cut off, with one sentence; the process ends."""
    program = HOOKS + (
        "on_shutdown(lambda: time.sleep(60))\n"
        f"def handler(event, context):\n    {KILL}\n    time.sleep(60)\n"
    )
    finished = served(tmp_path, program)
    assert finished.exit_code == 0
    assert finished.stdout == ""
    assert finished.stderr == "lambda_runtime: the shutdown hooks took more than 0.5 s\n"


def test_a_failing_hook_is_logged_and_the_others_run(tmp_path: Path) -> None:
    """The error of one hook is a log record."""
    program = HOOKS + (
        "@on_shutdown\n"
        "def failing(): raise ValueError('no')\n"
        f"def handler(event, context):\n    {KILL}\n    time.sleep(60)\n"
    )
    stdout = served(tmp_path, program).stdout
    assert stdout.startswith("[ERROR] ValueError: no\rTraceback (most recent call last):\r")
    assert stdout.endswith("\nsecond\nfirst\n")


def test_a_hook_may_be_a_coroutine(tmp_path: Path) -> None:
    """It runs on the loop of the handler, which is still open."""
    program = HOOKS + (
        "loops = []\n"
        "@on_shutdown\n"
        "async def closing():\n"
        "    await asyncio.sleep(0)\n"
        "    print(loops == [asyncio.get_running_loop()])\n"
        "async def handler(event, context): loops.append(asyncio.get_running_loop())\n"
    )
    assert served(tmp_path, program).stdout == "True\nsecond\nfirst\n"


def test_the_hooks_run_at_a_normal_end_too(tmp_path: Path) -> None:
    """So they do when the Runtime API is gone, and after `sys.exit`."""
    program = HOOKS + "def handler(event, context):\n    if not event: sys.exit(9)\n"
    gone = served(tmp_path, program, EVENT.replace(b"{}", b"[1]").replace(b": 2", b": 3"))
    assert (gone.exit_code, gone.stdout) == (1, "second\nfirst\n")
    left = served(tmp_path, program)
    assert left.exit_code == 9
    assert left.stdout.endswith("\nsecond\nfirst\n")
    error = json.loads(body_of(left.posted[0]))
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"] == "the handler ended the process: exit 9"


def test_without_hooks_sigterm_ends_the_process_at_once(tmp_path: Path) -> None:
    """As it does any Python: nothing is installed before somebody asks."""
    program = f"import os, signal\ndef handler(event, context): {KILL}\n"
    assert served(tmp_path, program).exit_code == -signal.SIGTERM


# --- After the response -----------------------------------------------------------------------


def test_work_after_the_response(tmp_path: Path) -> None:
    """The response leaves before the work is done, the work is done before the next poll."""
    program = (
        "import os\n"
        "from lambda_runtime import after_response\n"
        "def work(name, text=''):\n"
        "    while not os.path.exists('answered'): pass\n"
        "    open(name, 'w').write(text)\n"
        "def handler(event, context):\n"
        "    after_response(work, 'done', text='x')\n"
    )

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        assert path_of(peer.request()).endswith("/response")
        assert not (tmp_path / "done").exists()
        peer.send(ACCEPTED)
        (tmp_path / "answered").touch()
        peer.request()
        assert (tmp_path / "done").read_text() == "x"

    run_against(tmp_path, program, serve)


def test_failing_work_after_the_response_is_logged(tmp_path: Path) -> None:
    """The next event is served all the same; work may be a coroutine; streams have it too."""
    program = (
        "from lambda_runtime import after_response\n"
        "async def work(): raise ValueError('too late')\n"
        "def handler(event, context):\n"
        "    after_response(work)\n"
        "    yield 'x'\n"
    )
    finished = served(tmp_path, program, EVENT, EVENT)
    assert [streamed(post).chunks for post in finished.posted] == [[b"x"], [b"x"]]
    assert finished.stdout.count("[ERROR] ValueError: too late\r") == 2


# --- Middleware and errors --------------------------------------------------------------------

MIDDLEWARE = (
    "from lambda_runtime import middleware\n"
    "@middleware\n"
    "def outer(call, event, context):\n"
    "    return ['outer', call(event + ['outer'], context)]\n"
    "@middleware\n"
    "def inner(call, event, context):\n"
    "    return ['inner', call(event + ['inner'], context)]\n"
)


def test_middleware_is_around_the_handler(tmp_path: Path) -> None:
    """The first registered is outermost; each sees the event and the result."""
    program = MIDDLEWARE + "def handler(event, context): return event\n"
    [post] = served(tmp_path, program, EVENT.replace(b"{}", b"[]")).posted
    assert body_of(post) == b'["outer", ["inner", ["outer", "inner"]]]'


def test_middleware_of_coroutine_handlers_awaits(tmp_path: Path) -> None:
    """`await call(...)` inside, and the result of the coroutine is the response."""
    program = (
        "from lambda_runtime import middleware\n"
        "@middleware\n"
        "async def around(call, event, context): return ['around', await call(event, context)]\n"
        "async def handler(event, context): return event\n"
    )
    [post] = served(tmp_path, program).posted
    assert body_of(post) == b'["around", {}]'


@pytest.mark.parametrize(
    ("mapper", "error_type", "message"),
    [
        ("HandlerError('Order.Unknown', 'no order 7')", "Order.Unknown", "no order 7"),
        ("None", "KeyError", "7"),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
    ],
)
def test_an_error_may_be_mapped(tmp_path: Path, mapper: str, error_type: str, message: str) -> None:
    """What `on_error` returns is reported; None changes nothing; its own error is reported."""
    program = (
        "from lambda_runtime import HandlerError, on_error\n"
        "@on_error\n"
        f"def mapper(error, context): return {mapper}\n"
        "def handler(event, context): return {}[7]\n"
    )
    [post] = served(tmp_path, program).posted
    error = json.loads(body_of(post))
    assert (error["errorType"], error["errorMessage"]) == (error_type, message)
    assert headers_of(post)["lambda-runtime-function-error-type"] == error_type


def test_a_handler_names_its_error_type(tmp_path: Path) -> None:
    """HandlerError reports the type it was given, with the trace of its raise."""
    program = (
        "from lambda_runtime import HandlerError\n"
        "def handler(event, context):\n"
        "    raise HandlerError('Order.Unknown', 'no order 7')\n"
    )
    error = json.loads(body_of(served(tmp_path, program).posted[0]))
    assert error["errorType"] == "Order.Unknown"
    assert len(error["stackTrace"]) == 1


# --- SIGTERM from Lambda ----------------------------------------------------------------------

SIGTERM_PROGRAM = (
    "from lambda_runtime import request_sigterm\n"
    "request_sigterm()\n"
    "def handler(event, context): return 1\n"
)


def test_an_internal_extension_asks_for_sigterm(tmp_path: Path) -> None:
    """It registers without events during init, and waits for one, as Lambda demands."""
    registered = (
        b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: id-1\r\nContent-Length: 2\r\n\r\n{}"
    )
    extension: list[bytes] = []

    def register(peer: Peer) -> None:
        extension.append(peer.request())
        peer.send(registered)
        extension.append(peer.request())

    finished = run_against(tmp_path, SIGTERM_PROGRAM, register, answering(EVENT, ACCEPTED))
    head, _, body = extension[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /2020-01-01/extension/register HTTP/1.1\r\n")
    assert b"\r\nLambda-Extension-Name: lambda-runtime-sigterm\r\n" in head
    assert body == b'{"events":[]}'
    assert extension[1].startswith(b"GET /2020-01-01/extension/event/next HTTP/1.1\r\n")
    assert b"\r\nLambda-Extension-Identifier: id-1\r\n" in extension[1]
    assert "response" in paths(finished)


def test_without_an_extensions_api_it_says_so(tmp_path: Path) -> None:
    """The function works all the same."""
    finished = run_against(
        tmp_path,
        SIGTERM_PROGRAM,
        answering(refusal("404 Not Found")),
        answering(EVENT, ACCEPTED),
    )
    assert finished.stderr.startswith(
        "lambda_runtime: SIGTERM will not be sent: registration was answered with 404\n"
    )
    assert paths(finished)[-3:] == ["next", "response", "next"]
