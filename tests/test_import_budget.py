"""What a cold start may import: names in `sys.modules`, not milliseconds.

A fresh interpreter runs `python -m lambda_runtime app.handler` for one invocation; the handler
itself tells what is loaded. It is started with -S and -s: a `.pth` file of an editable install, or
a sitecustomize, would import whatever it likes, and is not ours to judge.

`-m` itself loads runpy, and with it importlib.util, contextlib and others, depending on the
version of Python. So the list is compared with what `python -m` of an empty module has loaded; what
must not be there at all is looked for in the whole of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripted_runtime_api import (
    ACCEPTED,
    ROOT,
    Peer,
    ScriptedRuntimeApi,
    body_of,
    event,
)

HEAVY = {
    *("asyncio", "http", "email", "ssl", "inspect", "dataclasses", "typing", "typing_extensions"),
    *("uuid", "urllib", "concurrent", "importlib.metadata", "requests", "threading", "subprocess"),
    *("lambda_extensions", "rapid_mock"),
}
BARE = {
    *("logging", "json", "re", "enum", "socket", "traceback", "linecache", "tokenize", "decimal"),
    *("datetime", "collections", "functools", "contextlib", "selectors", "pathlib", "random"),
    *("encodings.idna", "stringprep", "unicodedata"),
}
TELLING = "import sys\ndef handler(event, context):\n    {}\n    return sorted(sys.modules)\n"
EVENT = event(
    b'{"key": ["value", 1, 2.5, null]}\n',
    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7;Sampled=0",
    "Lambda-Runtime-Deadline-Ms: 1542409706888",
    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f",
)


def loaded_by(folder: Path, program: str) -> set[str]:
    """What is in `sys.modules` when the handler of `program` has been called."""
    (folder / "app.py").write_text(program)
    return set(json.loads(told_by(folder, "lambda_runtime", "app.handler")))


def told_by(folder: Path, module: str, *arguments: str) -> bytes:
    """The body of the first response that `python -m module` posts."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        peer.request()
        peer.send(ACCEPTED)

    with ScriptedRuntimeApi(serve) as api:
        _interpreter(folder, "-m", module, *arguments, AWS_LAMBDA_RUNTIME_API=api.address)
    return body_of(api.requests[1])


def already_there(folder: Path, *arguments: str) -> set[str]:
    return set(_interpreter(folder, *arguments).split())


def _interpreter(folder: Path, *arguments: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-S", "-s", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=20,
        check=False,
    )
    return done.stdout


def families(modules: set[str]) -> set[str]:
    """The modules and the packages they are in."""
    return modules | {name.partition(".")[0] for name in modules}


PRINT = "import sys\nprint(*sys.modules)\n"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What a handler that imports nothing but sys finds loaded."""
    return loaded_by(tmp_path_factory.mktemp("bare"), TELLING.format("pass"))


def test_a_cold_start_loads_nothing_heavy(bare: set[str]) -> None:
    """No asyncio, HTTP library, typing or dataclasses: not from us, and not from `python -m`."""
    assert not HEAVY & families(bare)


def test_a_bare_handler_needs_no_json_and_no_logging(tmp_path: Path, bare: set[str]) -> None:
    """Beyond what `python -m` of an empty module has loaded there is nothing of these either."""
    (tmp_path / "empty.py").write_text(PRINT)
    by_minus_m = already_there(tmp_path, "-m", "empty")
    assert not BARE & families(bare - by_minus_m)
    assert not {"logging", "json", "re", "enum", "socket"} & bare


def test_everything_else_is_ours_or_built_in(tmp_path: Path, bare: set[str]) -> None:
    """Against `python -c pass`: our modules, the handler's, and runpy's.

    `_json` and `_socket` are the only extension modules.
    """
    (tmp_path / "empty.py").write_text(PRINT)
    by_minus_c = already_there(tmp_path, "-c", PRINT)
    by_minus_m = already_there(tmp_path, "-m", "empty") - by_minus_c
    extra = bare - by_minus_c - by_minus_m
    ours = {name for name in extra if name.partition(".")[0] == "lambda_runtime"}
    assert extra - ours == {"app", "__future__", "_json", "_socket"}
    assert ours == {
        "lambda_runtime",
        *(f"lambda_runtime.{name}" for name in OWN_MODULES),
    }


OWN_MODULES = (
    *("client", "context", "contract", "current", "errors", "handler", "logging_hook", "loop"),
    *("quick_json", "replies", "serialization", "start", "transport"),
)


@pytest.mark.parametrize(
    "line",
    [
        "context.get_remaining_time_in_millis()",
        "context.invoked_function_arn, context.function_name, context.identity, context.tenant_id",
        "context.log('x')",
        "print('x')",
    ],
)
def test_the_context_costs_no_imports(tmp_path: Path, bare: set[str], line: str) -> None:
    """Its attributes and methods load at most one more module of ours."""
    extra = loaded_by(tmp_path, TELLING.format(line)) - bare
    assert extra <= {"lambda_runtime.sink"}


@pytest.mark.parametrize(
    ("imported", "with_it"),
    [
        ("json", set()),
        ("collections", set()),
        ("socket", set()),
        ("logging", {"json", "json.decoder", "json.encoder", "json.scanner"}),  # its JSON format
    ],
)
def test_what_a_handler_imports_is_all_it_pays_for(
    tmp_path: Path, imported: str, with_it: set[str]
) -> None:
    """Its own imports bring nothing along that they do not bring without us."""
    (tmp_path / "empty.py").write_text(f"import {imported}\n{PRINT}")
    found = loaded_by(tmp_path, f"import {imported}\n" + TELLING.format("pass"))
    extra = found - already_there(tmp_path, "-m", "empty")
    strangers = {name for name in extra if name.partition(".")[0] != "lambda_runtime"}
    assert strangers <= {"app", "__future__", "_json", "_socket", *with_it}


def test_a_failure_loads_what_reports_it_and_nothing_heavy(tmp_path: Path) -> None:
    """json and traceback, once something has failed; still no HTTP library, no asyncio."""
    program = (
        "import sys\n"
        "def handler(event, context):\n"
        "    raise RuntimeError(*[name for name in HEAVY if name in sys.modules])\n"
        f"HEAVY = {sorted(HEAVY - {'inspect', 'typing', 'dataclasses'})!r}\n"
        "import lambda_runtime.error_report\n"
    )
    (tmp_path / "app.py").write_text(program)
    error = json.loads(told_by(tmp_path, "lambda_runtime", "app.handler"))
    assert (error["errorType"], error["errorMessage"]) == ("RuntimeError", "")
