"""A runtime that its developer starts, under a debugger for example, and time that does not run."""

from __future__ import annotations

import http.client
import io
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from rapid_mock import LocalLambda
from rapid_mock.errors import SetupError, TooManyRequests
from rapid_mock.local import Function
from tests.support.command_line import ROOT, Serving, run, write_code, write_executable
from tests.support.processes import eventually

HANDLER = """
import os, pathlib, time

def handler(event, context):
    if event.get("die_once"):
        mark = pathlib.Path(event["die_once"])
        if not mark.exists():
            mark.touch()
            os._exit(7)
    time.sleep(event.get("seconds", 0))
    return [os.getpid(), context.function_name, context.get_remaining_time_in_millis() > 3_000_000]
"""
SIMPLE_EXTENSION = f"""#!{sys.executable}
import http.client, json, os, sys

api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
events = json.dumps({{"events": ["INVOKE", "SHUTDOWN"]}})
api.request("POST", "/2020-01-01/extension/register", events,
            {{"Lambda-Extension-Name": os.path.basename(sys.argv[0])}})
answer = api.getresponse()
answer.read()
me = {{"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}}
while True:
    api.request("GET", "/2020-01-01/extension/event/next", headers=me)
    event = json.loads(api.getresponse().read())
    if event["eventType"] == "SHUTDOWN":
        break
    if os.path.exists("crash"):
        os.remove("crash")
        os._exit(9)
"""


@pytest.fixture
def local() -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=io.BytesIO()) as running:
        yield running


def _start(
    variables: Mapping[str, str], code: Path, handler: str = "app.handler"
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "lambda_runtime", handler],
        cwd=code,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def runtime(function: Function, code: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The developer's own runtime process."""
    process = _start(function.variables, code)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_attached_runtime_serves_and_nothing_times_out(local: LocalLambda, tmp_path: Path) -> None:
    """The process we started ourselves answers, also long after the function timeout."""
    code = write_code(tmp_path, HANDLER)
    function = local.create_function(
        "f", handler="app.handler", code=code, timeout=0.1, attach=True
    )
    with runtime(function, code) as process:
        result = function.invoke({"seconds": 0.5})
        assert result.payload == [process.pid, "f", True]
        assert result.report.duration_ms > 500
        assert function.invoke({}).payload == [process.pid, "f", True]


def test_variables_are_those_of_a_runtime(local: LocalLambda, tmp_path: Path) -> None:
    """What has to be set is what Lambda sets, and nothing of this machine."""
    function = local.create_function(
        "f", handler="app.handler", code=tmp_path, attach=True, environment={"STAGE": "test"}
    )
    variables = function.variables
    assert variables["AWS_LAMBDA_RUNTIME_API"].startswith("127.0.0.1:")
    assert variables["_HANDLER"] == "app.handler"
    assert variables["LAMBDA_TASK_ROOT"] == str(tmp_path)
    assert (variables["AWS_LAMBDA_FUNCTION_NAME"], variables["STAGE"]) == ("f", "test")
    assert not {"PATH", "HOME", "TMPDIR"} & set(variables)


def test_restarted_runtime_gets_what_the_first_left_undone(
    local: LocalLambda, tmp_path: Path
) -> None:
    """A runtime that dies in a handler fails nobody: the next one gets the same event."""
    code = write_code(tmp_path / "code", HANDLER)
    function = local.create_function("f", handler="app.handler", code=code, attach=True)
    mark = tmp_path / "died"
    answers: list[object] = []
    asking = threading.Thread(
        target=lambda: answers.append(function.invoke({"die_once": str(mark)}).payload)
    )
    with runtime(function, code) as first:
        asking.start()
        assert first.wait(20) == 7
    with runtime(function, code) as second:
        asking.join(20)
        assert answers == [[second.pid, "f", True]]


def test_runtime_that_cannot_load_the_handler(local: LocalLambda, tmp_path: Path) -> None:
    """Its init error is told as any; started again with what was missing, it serves."""
    function = local.create_function("f", handler="app.handler", code=tmp_path, attach=True)
    with runtime(function, tmp_path) as process:
        assert process.wait(20) == 1
    code = write_code(tmp_path, HANDLER)
    with runtime(function, code) as process:
        assert function.invoke({}).payload == [process.pid, "f", True]


def test_runtime_outlives_a_reset(local: LocalLambda, tmp_path: Path) -> None:
    """An extension that crashes fails the invocation, and the runtime goes on in the next one."""
    code = write_code(tmp_path / "code", HANDLER)
    extension = write_executable(tmp_path / "shipper", SIMPLE_EXTENSION)
    function = local.create_function(
        "f", handler="app.handler", code=code, extensions=[extension], attach=True
    )
    with runtime(function, code) as process:
        assert function.invoke({}).function_error is None
        (code / "crash").touch()
        assert function.invoke({"seconds": 0.3}).payload["errorType"] == "Extension.Crash"
        assert function.invoke({}).payload == [process.pid, "f", True]


def test_one_environment_only(local: LocalLambda, tmp_path: Path) -> None:
    """There is one runtime: a second invocation at the same time is throttled."""
    code = write_code(tmp_path, HANDLER)
    function = local.create_function("f", handler="app.handler", code=code, attach=True)
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(function.invoke({}).payload)
        except TooManyRequests as refusal:
            answers.append(refusal)

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    eventually(lambda: len(answers) == 1, "one of the two is refused")
    assert isinstance(answers[0], TooManyRequests)
    with runtime(function, code) as process:
        for thread in asking:
            thread.join(20)
    assert answers[1] == [process.pid, "f", True]


def test_shutdown_lets_the_runtime_go(tmp_path: Path) -> None:
    """When the local Lambda ends, a runtime that waits for its next event ends too."""
    code = write_code(tmp_path, HANDLER)
    with LocalLambda(log_stream=io.BytesIO()) as local:
        function = local.create_function("f", handler="app.handler", code=code, attach=True)
        process = _start(function.variables, code)
        function.invoke({})
    try:
        assert process.wait(20) is not None
    finally:
        process.kill()
        process.wait()


def test_managed_instances_cannot_be_attached(local: LocalLambda, tmp_path: Path) -> None:
    """Several runtimes at once have no one to start them: one sentence."""
    with pytest.raises(SetupError, match="cannot be attached to managed instances"):
        local.create_function("f", code=tmp_path, attach=True, max_concurrency=2)


def test_command_prints_variables_for_a_shell(tmp_path: Path) -> None:
    """`start --attach` prints what `. FILE` understands, the Runtime API beside the Invoke API."""
    code = write_code(tmp_path / "code", HANDLER)
    printed = tmp_path / "lambda.env"
    with (
        printed.open("wb") as stdout,
        Serving("--attach", "app.handler", "--code", str(code), stdout=stdout) as serving,
    ):
        eventually(lambda: "_HANDLER" in printed.read_text(), "the variables are printed")
        python = shlex.quote(sys.executable)
        script = f"set -a; . {printed}; exec {python} -m lambda_runtime app.handler"
        process = subprocess.Popen(
            ["sh", "-c", script],
            cwd=code,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )
        try:
            host = serving.url.removeprefix("http://")
            api = http.client.HTTPConnection(host, timeout=20)
            api.request("POST", "/2015-03-31/functions/function/invocations", b"{}")
            assert json.loads(api.getresponse().read()) == [process.pid, "function", True]
            api.close()
            serving.wait_for("REPORT")
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert serving.stop() == 0
    assert f"waiting for the runtime: start it in {code} with the variables printed" in serving.log
    assert "app.handler`" in serving.log


def test_no_timeout(tmp_path: Path) -> None:
    """With --no-timeout a handler may take longer than --timeout says."""
    code = write_code(tmp_path, HANDLER)
    event = json.dumps({"seconds": 0.5})
    options = ("app.handler", "--code", str(code), "--timeout", "0.1", "-e", event)
    assert run("invoke", *options).returncode == 1
    done = run("invoke", *options, "--no-timeout")
    assert done.returncode == 0
    assert json.loads(done.stdout)[1:] == ["function", True]
