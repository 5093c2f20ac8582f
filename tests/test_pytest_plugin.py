"""The fixtures, in this very run and in runs of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rapid_mock import ExecutionEnvironment, Function, LocalLambda, SetupError
from tests.support.command_line import ROOT, write_code

HELLO = ROOT / "examples" / "hello"
EVENT = json.loads((HELLO / "event.json").read_text())


@pytest.mark.lambda_function(handler="app.handler", code=HELLO)
def test_a_function_from_its_marker(lambda_function: Function) -> None:
    """The marker's settings are those of `create_function`; the name is the test's."""
    result = lambda_function.invoke(EVENT)
    assert result.function_error is None
    assert lambda_function.name == "test_a_function_from_its_marker"


@pytest.mark.lambda_function(handler="app.handler", code=HELLO, name="named")
def test_every_test_begins_without_functions(
    lambda_function: Function, local_lambda: LocalLambda
) -> None:
    """The server is that of the session; its functions end with the test that made them."""
    names = [
        function["FunctionName"]
        for function in local_lambda.client("lambda").list_functions()["Functions"]
    ]
    assert names == ["named"] == [lambda_function.name]


def test_boto3_speaks_to_it(local_lambda: LocalLambda) -> None:
    """`client` is a boto3 client of this endpoint."""
    local_lambda.create_function("hello", handler="app.handler", code=HELLO)
    answer = local_lambda.client("lambda").invoke(FunctionName="hello", Payload=json.dumps(EVENT))
    assert "FunctionError" not in answer


def test_a_reset_ends_processes(local_lambda: LocalLambda, tmp_path: Path) -> None:
    """Functions are gone, and their names are free, when `reset` returns."""
    source = "import os\ndef handler(event, context):\n    return os.getpid()\n"
    code = write_code(tmp_path / "code", source)
    pid = local_lambda.create_function("f", handler="app.handler", code=code).invoke().payload
    local_lambda.reset()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    local_lambda.create_function("f", handler="app.handler", code=code)


@pytest.mark.execution_environment(timeout=900)
def test_a_timeout_takes_no_time(execution_environment: ExecutionEnvironment) -> None:
    """The clock of an execution environment moves by `advance` alone."""
    env = execution_environment
    env.init()
    poll = env.runtime.next()
    invocation = env.invoke({"name": "Ada"})
    assert poll.event.payload == {"name": "Ada"}
    env.advance(899.999)
    assert not invocation.is_answered
    env.advance(0.001)
    assert "Task timed out after 900.00 seconds" in invocation.result().payload["errorMessage"]
    assert env.signals == [("runtime", "SIGKILL")]


RUN = """
import pytest

@pytest.mark.lambda_function(code="src", handler="app.handler")
@pytest.mark.parametrize("n", [1])
def test_fails(lambda_function, n):
    lambda_function.invoke({})
    assert False

def test_fails_in_play(execution_environment):
    execution_environment.init()
    execution_environment.runtime.print("from the runtime\\n")
    assert False

def test_without_a_marker(lambda_function):
    pass
"""


def run_pytest(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_failing_test_shows_what_happened(tmp_path: Path) -> None:
    """Its report has the log, and every event with what followed from it."""
    write_code(tmp_path / "src", "def handler(event, context):\n    print('from the handler')\n")
    (tmp_path / "test_it.py").write_text(RUN)
    told = run_pytest(tmp_path)
    assert "2 failed, 1 error" in told or "3 failed" in told
    log, events = "- rapid-mock: log -", "- rapid-mock: events -"
    assert told.count(log) == told.count(events) == 2
    assert "from the handler\n" in told
    assert "from the runtime\n" in told
    assert "InitRequested -> BeginTelemetry, platform.initStart, Spawn runtime as process 1" in told
    assert "lambda_function needs @pytest.mark.lambda_function(handler=...)" in told


OPTIONS = """
import socket
import pytest

@pytest.fixture(scope="session")
def local_lambda_options():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return {"port": probe.getsockname()[1]}

def test_it(local_lambda, local_lambda_options):
    assert local_lambda.endpoint_url.endswith(f":{local_lambda_options['port']}")
"""


def test_the_server_of_a_session_has_options(tmp_path: Path) -> None:
    """A fixture of this name in a conftest.py, or in a test file, says how it is to be."""
    (tmp_path / "test_it.py").write_text(OPTIONS)
    assert "1 passed" in run_pytest(tmp_path)


PARALLEL = """
import os
import pytest

@pytest.mark.parametrize("n", range(4))
@pytest.mark.lambda_function(code="src", handler="app.handler")
def test_one_of_many(lambda_function, local_lambda, n):
    assert lambda_function.invoke(n).payload == n
    print("server", os.environ["PYTEST_XDIST_WORKER"], local_lambda.endpoint_url)
"""


def test_every_worker_of_xdist_has_a_local_lambda_of_its_own(tmp_path: Path) -> None:
    """Tests of one name at the same time are in nobody's way: ports are free ones."""
    write_code(tmp_path / "src", "def handler(event, context):\n    return event\n")
    (tmp_path / "test_it.py").write_text(PARALLEL)
    told = run_pytest(tmp_path, "-n", "2", "-rP")
    assert "4 passed" in told, told
    servers = {line.split()[1]: line.split()[2] for line in told.splitlines() if "server " in line}
    assert len(set(servers.values())) == 2, told


def test_markers_are_registered(tmp_path: Path) -> None:
    """`--markers` explains both, and `--strict-markers` accepts them."""
    told = run_pytest(tmp_path, "--markers")
    assert "@pytest.mark.lambda_function(**settings): the function of the fixture" in told
    assert "@pytest.mark.execution_environment(**settings): the settings of the fixture" in told


def test_an_unknown_process_is_named(execution_environment: ExecutionEnvironment) -> None:
    """A process that has not been started cannot act."""
    with pytest.raises(SetupError, match="process 'runtime' does not run"):
        execution_environment.runtime.exit(1)
