"""Names that instrumentation libraries look for, found and replaced as sentry-sdk does it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.runtime_programs import EVENT, body_of, paths, served

LIBRARY = '''\
"""Finds the namespace of the runtime and replaces what it finds there, as sentry-sdk does."""
import sys

def namespace():
    if "bootstrap" in sys.modules:
        return sys.modules["bootstrap"]
    main = sys.modules["__main__"]
    if hasattr(main, "awslambdaricmain") and hasattr(main.awslambdaricmain, "bootstrap"):
        return main.awslambdaricmain.bootstrap
    return main.bootstrap if hasattr(main, "bootstrap") else main

def instrument():
    bootstrap = namespace()
    assert not hasattr(bootstrap, "handle_http_request")
    old = bootstrap.handle_event_request
    def handle_event_request(client, request_handler, *args, **kwargs):
        def watched(event, context):
            print("event", event)
            return request_handler(event, context)
        return old(client, watched, *args, **kwargs)
    bootstrap.handle_event_request = handle_event_request
    for name in ("post_init_error", "post_invocation_result", "post_invocation_error"):
        replace(bootstrap.LambdaRuntimeClient, name)

def replace(owner, name):
    original = getattr(owner, name)
    def post(*args, **kwargs):
        print(name)
        return original(*args, **kwargs)
    setattr(owner, name, post)
'''
INSTRUMENTED = "import library\nlibrary.instrument()\n"


def test_what_is_replaced_while_the_module_loads_is_used(tmp_path: Path) -> None:
    """Every event goes through `handle_event_request`, every post through the client's methods."""
    (tmp_path / "library.py").write_text(LIBRARY)
    program = INSTRUMENTED + "def handler(event, context): return {'got': event}\n"
    finished = served(tmp_path, program, EVENT, EVENT)
    assert finished.stdout == 2 * "event {}\npost_invocation_result\n"
    assert [body_of(post) for post in finished.posted] == 2 * [b'{"got": {}}']


def test_errors_go_through_the_replaced_client(tmp_path: Path) -> None:
    """`post_invocation_error` is what reports a function error."""
    (tmp_path / "library.py").write_text(LIBRARY)
    program = INSTRUMENTED + "def handler(event, context): raise ValueError('x')\n"
    finished = served(tmp_path, program)
    lines = finished.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("event {}", "post_invocation_error")
    assert json.loads(body_of(finished.posted[0]))["errorType"] == "ValueError"


def test_an_init_error_goes_through_the_replaced_client(tmp_path: Path) -> None:
    """A module that fails after it was instrumented is reported by `post_init_error`."""
    (tmp_path / "library.py").write_text(LIBRARY)
    finished = served(tmp_path, INSTRUMENTED + "1 / 0\n")
    assert finished.stdout.endswith("post_init_error\n")
    assert paths(finished) == ["error"]
    assert finished.exit_code == 1


def test_a_handler_that_nobody_instruments_loads_none_of_it(tmp_path: Path) -> None:
    """Looking at the namespace without replacing anything keeps the plain loop."""
    (tmp_path / "library.py").write_text(LIBRARY)
    program = (
        "import sys\n"
        "before = 'lambda_runtime.compat' in sys.modules\n"
        "import library\n"
        "library.namespace()\n"
        "def handler(event, context):\n"
        "    callers = []\n"
        "    frame = sys._getframe(1)\n"
        "    while frame: callers.append(frame.f_code.co_name); frame = frame.f_back\n"
        "    return [before, callers[:2]]\n"
    )
    [post] = served(tmp_path, program).posted
    assert json.loads(body_of(post)) == [False, ["answer", "run"]]
