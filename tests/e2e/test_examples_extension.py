"""extension_hello and custom_runtime, and extensions that misbehave, as real processes."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import ROOT, write_code, write_executable
from tests.support.processes import eventually, is_running

EXAMPLES = ROOT / "examples"
EVENT = json.loads((EXAMPLES / "hello" / "event.json").read_text())
SDK = {"PYTHONPATH": str(ROOT)}
"""Where children find the SDK when it is not installed."""

HANDLER = """
import os, time
def handler(event, context):
    if event.get("hang"):
        time.sleep(60)
    return os.getpid()
"""


class Log(io.BytesIO):
    @property
    def text(self) -> str:
        return self.getvalue().decode()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def local(log: Log) -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=log) as running:
        yield running


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return write_code(tmp_path / "code", HANDLER)


def extension(directory: Path, name: str, body: str) -> Path:
    """An executable whose `#!/usr/bin/env python3` is left to PATH."""
    return write_executable(
        directory / "extensions" / name,
        f"#!/usr/bin/env python3\nimport os, sys\nfrom lambda_extensions import *\n{body}\n",
    )


def test_hello_sees_invocations_and_the_end(log: Log) -> None:
    """The example prints each invocation's request id, and at the end the reason."""
    with LocalLambda(log_stream=log) as local:
        function = local.create_function(
            "hello",
            handler="app.handler",
            code=EXAMPLES / "hello",
            extensions=[EXAMPLES / "extension_hello" / "hello"],
            environment=SDK,
        )
        first, second = function.invoke(EVENT), function.invoke(EVENT)
        assert f"\ninvocation {first.request_id}\n" in f"\n{first.logs}"
        assert f"\ninvocation {second.request_id}\n" in f"\n{second.logs}"
        assert second.report.init_ms is None
        assert "shutdown" not in log.text
    assert "shutdown: spindown\n" in log.text
    assert "rapid-mock:" not in log.text


def test_environment_is_not_reused_before_the_extension_is_back(
    local: LocalLambda, log: Log, code: Path, tmp_path: Path
) -> None:
    """The invocation ends, and the environment is free, when the extension asks for the next."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    body = (
        "ext = Extension()\n"
        f"ext.on_invoke(lambda event: print('let go:', open({str(gate)!r}).read()))\n"
        "ext.run()"
    )
    local.create_function(
        "f",
        handler="app.handler",
        code=code,
        extensions=[extension(tmp_path, "slow", body)],
        concurrency=1,
        environment=SDK,
        timeout=30,
    )
    with closing(local.client()) as client:
        first = client.invoke(FunctionName="f")["Payload"].read()
        assert "REPORT" not in log.text
        gate.write_text("one")
        eventually(lambda: log.text.count("REPORT") == 1, "the first REPORT")
        assert "let go: one\n" in log.text  # flushed before the freeze, without flush=True
        second = client.invoke(FunctionName="f")["Payload"].read()
        gate.write_text("two")
        eventually(lambda: log.text.count("REPORT") == 2, "the second REPORT")
    assert first == second


MISBEHAVIOURS = {
    "before registering": (
        "print('no config'); sys.exit(3)",
        {"errorType": "Extension.Crash", "errorMessage": "exit status 3"},
        'extension "bad" exited before registering (exit status 3)\n  | no config\n',
    ),
    "after registering": (
        "ExtensionClient().register('bad', ['INVOKE', 'SHUTDOWN']); os._exit(4)",
        {"errorType": "Extension.Crash", "errorMessage": "exit status 4"},
        'extension "bad" exited during init (exit status 4)\n',
    ),
    "at an invocation": (
        "ext = Extension()\next.on_invoke(lambda event: os._exit(5))\next.run()",
        {"errorType": "Extension.Crash", "errorMessage": "exit status 5"},
        'extension "bad" exited during an invocation (exit status 5)\n',
    ),
    "in its own initialisation": (
        "ext = Extension()\next.on_init(lambda registration: 1 / 0)\next.run()",
        {"errorType": "Extension.InitError", "errorMessage": "exit status 1"},
        'extension "bad" exited during init after reporting Extension.ZeroDivisionError '
        "(exit status 1)\n",
    ),
    "at an invocation, on purpose": (
        "ext = Extension(on_failure='exit')\next.on_invoke(lambda event: {}['x'])\next.run()",
        {"errorType": "Extension.ExitError", "errorMessage": "exit status 1"},
        'extension "bad" exited during an invocation after reporting Extension.KeyError '
        "(exit status 1)\n",
    ),
}


@pytest.mark.parametrize("when", MISBEHAVIOURS)
def test_extension_that_ends_too_early(
    local: LocalLambda, log: Log, code: Path, tmp_path: Path, when: str
) -> None:
    """AWS's answer to the caller, one sentence that names who and why, no orphan; a mended
    extension serves the next invocation.
    """
    body, answer, sentence = MISBEHAVIOURS[when]
    pids = tmp_path / "pids"
    witness = f"open({str(pids)!r}, 'a').write(f'{{os.getpid()}} ')\n"
    bad = extension(tmp_path, "bad", witness + body)
    function = local.create_function(
        "f", handler="app.handler", code=code, extensions=[bad], environment=SDK
    )
    result = function.invoke({"hang": "invocation" in when})
    assert result.function_error == "Unhandled"
    assert result.payload == {
        **answer,
        "errorMessage": f"RequestId: {result.request_id} Error: {answer['errorMessage']}",
    }
    assert f"rapid-mock: {sentence}" in log.text
    for pid in pids.read_text().split():
        eventually(_has_ended(int(pid)), f"the end of {pid}")
    extension(tmp_path, "bad", "Extension().run()")
    assert isinstance(function.invoke({}).payload, int)


def _has_ended(pid: int) -> Callable[[], bool]:
    return lambda: not is_running(pid)


def test_failing_handler_costs_the_function_nothing(
    local: LocalLambda, log: Log, code: Path, tmp_path: Path
) -> None:
    """An extension whose handler raises is told on stderr; invocations succeed, warm."""
    body = "ext = Extension()\next.on_invoke(lambda event: {}['x'])\next.run()"
    function = local.create_function(
        "f",
        handler="app.handler",
        code=code,
        extensions=[extension(tmp_path, "bad", body)],
        environment=SDK,
    )
    first, second = function.invoke({}), function.invoke({})
    assert (first.function_error, second.function_error) == (None, None)
    assert first.payload == second.payload
    assert log.text.count('lambda_extensions: extension "bad" failed at INVOKE\n') == 2
    assert "rapid-mock:" not in log.text


def test_extension_that_ignores_shutdown(log: Log, code: Path, tmp_path: Path) -> None:
    """It is killed when its two seconds are over, and nothing of the environment is left."""
    body = (
        "print('pid', os.getpid())\n"
        "ext = Extension()\next.on_shutdown(lambda event: open(os.environ['GATE']).read())\n"
        "ext.run()"
    )
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with LocalLambda(log_stream=log) as local:
        function = local.create_function(
            "f",
            handler="app.handler",
            code=code,
            extensions=[extension(tmp_path, "deaf", body)],
            environment={**SDK, "GATE": str(gate)},
        )
        runtime = function.invoke({}).payload
        began = time.monotonic()
    assert 1.9 < time.monotonic() - began < 5.0
    deaf = int(log.text.partition("pid ")[2].split()[0])
    assert not is_running(runtime)
    assert not is_running(deaf)


def test_misspelled_name_is_refused_with_its_reason(
    local: LocalLambda, log: Log, code: Path, tmp_path: Path
) -> None:
    """A name that is not the file's makes Lambda refuse SHUTDOWN; the sentence says why."""
    function = local.create_function(
        "f",
        handler="app.handler",
        code=code,
        extensions=[extension(tmp_path, "right", "Extension('wrong').run()")],
        environment=SDK,
    )
    assert function.invoke({}).payload["errorType"] == "Extension.Crash"
    assert 'registration of "wrong" was refused with status 403: SHUTDOWN: ' in log.text
    sentence = "not the file name of an executable in /opt/extensions"
    assert f'{sentence} (this program was started as "right")\n' in log.text
    assert 'rapid-mock: extension "right" exited before registering (exit status 1)' in log.text


def test_custom_runtime_runs_here(local: LocalLambda) -> None:
    """The example's bootstrap starts lambda_runtime with the Python that rapid-mock runs on."""
    function = local.create_function(
        "f",
        handler="app.handler",
        code=EXAMPLES / "custom_runtime",
        runtime=["./bootstrap"],
        environment=SDK,
    )
    result = function.invoke({"name": "Ada"})
    assert result.payload == {
        "greeting": "Hello, Ada!",
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def test_custom_runtime_as_it_goes_into_a_zip(local: LocalLambda, log: Log, tmp_path: Path) -> None:
    """bootstrap, app.py, lambda_runtime/ and python/ are enough: the bundled Python runs it."""
    root = tmp_path / "task"
    example = EXAMPLES / "custom_runtime"
    shutil.copytree(example, root, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "lambda_runtime",
        root / "lambda_runtime",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    write_executable(
        root / "python" / "bin" / "python3",
        f'#!/bin/sh\necho "bundled: $@"\nexec {sys.executable} "$@"\n',
    )
    function = local.create_function("f", handler="app.handler", code=root, runtime=["./bootstrap"])
    assert function.invoke({}).payload["greeting"] == "Hello, world!"
    assert "bundled: -m lambda_runtime app.handler\n" in log.text


@pytest.mark.parametrize("file", ["extension_hello/hello", "custom_runtime/bootstrap"])
def test_executables_are_executable(file: str) -> None:
    """What Lambda executes has its mode set in the repository."""
    assert os.access(EXAMPLES / file, os.X_OK)
