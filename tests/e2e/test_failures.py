"""What goes wrong in a function, and what its caller and its developer see of it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import COMMAND, ROOT, Serving, write_code, write_executable

HANDLER = """
import os, signal, subprocess, sys, time

def handler(event, context):
    what = event.get("do")
    if what == "raise":
        raise RuntimeError("no")
    if what == "exit":
        print("going", file=sys.stderr, flush=True)
        os._exit(event["code"])
    if what == "die":
        os.kill(os.getpid(), event["signal"])
    if what == "eat":
        data = b"x" * (event["megabytes"] << 20)
        time.sleep(event.get("seconds", 60))
        return os.getpid()
    if what == "feed a child":
        program = f"data = b'x' * ({event['megabytes']} << 20); import time; time.sleep(60)"
        subprocess.run([sys.executable, "-c", program])
    if what == "hang":
        time.sleep(60)
    if what == "child":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    return os.getpid()
"""


class Local:
    """A LocalLambda with its log at hand."""

    def __init__(self, directory: Path) -> None:
        self.log = io.BytesIO()
        self.local = LocalLambda(log_stream=self.log)
        self.code = write_code(directory / "code", HANDLER)

    @property
    def text(self) -> str:
        return self.log.getvalue().decode()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Local]:
    running = Local(tmp_path)
    with running.local:
        yield running


def test_raising_handler_keeps_its_environment(running: Local) -> None:
    """An exception is a function error; the same process serves the next invocation."""
    function = running.local.create_function("f", handler="app.handler", code=running.code)
    pid = function.invoke({}).payload
    result = function.invoke({"do": "raise"})
    assert result.function_error == "Unhandled"
    assert result.payload["errorType"] == "RuntimeError"
    assert function.invoke({}).payload == pid


@pytest.mark.parametrize(
    ("event", "message", "sentence"),
    [
        (
            {"do": "exit", "code": 3},
            "Runtime exited with error: exit status 3",
            "runtime exited during an invocation (exit status 3)\n  | going\n",
        ),
        (
            {"do": "exit", "code": 0},
            "Runtime exited without providing a reason",
            "runtime exited during an invocation (exit status 0)\n  | going\n",
        ),
        (
            {"do": "die", "signal": signal.SIGKILL},
            "Runtime exited with error: signal: killed",
            "runtime exited during an invocation (signal: killed)\n",
        ),
        (
            {"do": "die", "signal": signal.SIGSEGV},
            "Runtime exited with error: signal: segmentation fault",
            "runtime exited during an invocation (signal: segmentation fault)\n",
        ),
    ],
)
def test_dying_runtime(
    running: Local, event: dict[str, object], message: str, sentence: str
) -> None:
    """A runtime that ends: AWS's two members to the caller, one sentence for the developer."""
    function = running.local.create_function("f", handler="app.handler", code=running.code)
    result = function.invoke(event)
    assert result.function_error == "Unhandled"
    assert result.raw.decode() == (
        '{"errorType":"Runtime.ExitError",'
        f'"errorMessage":"RequestId: {result.request_id} Error: {message}"}}'
    )
    assert f"RequestId: {result.request_id} Error: {message}\nRuntime.ExitError\n" in result.logs
    assert "\tStatus: error\tError Type: Runtime.ExitError\t\n" in result.logs
    assert f"rapid-mock: {sentence}" in running.text
    assert isinstance(function.invoke({}).payload, int)


def test_of_several_functions_the_sentence_names_which(running: Local) -> None:
    """The log is that of all of them; where there is one function, nobody asks."""
    function = running.local.create_function("f", handler="app.handler", code=running.code)
    function.invoke({"do": "exit", "code": 3})
    assert "rapid-mock: runtime exited during an invocation (exit status 3)\n" in running.text
    running.local.create_function("g", handler="app.handler", code=running.code)
    function.invoke({"do": "exit", "code": 4})
    assert "rapid-mock: f: runtime exited during an invocation (exit status 4)\n" in running.text


def test_what_an_invocation_wrote_explains_only_itself(running: Local) -> None:
    """Lines of an earlier invocation do not stand under the sentence about a later one."""
    function = running.local.create_function("f", handler="app.handler", code=running.code)
    function.invoke({"do": "raise"})
    function.invoke({"do": "exit", "code": 3})
    assert "during an invocation (exit status 3)\n  | going\n" in running.text


def test_handler_that_never_returns(running: Local) -> None:
    """The function timeout ends it: Sandbox.Timedout, duration capped, the next invoke works."""
    function = running.local.create_function(
        "f", handler="app.handler", code=running.code, timeout=0.5
    )
    result = function.invoke({"do": "hang"})
    assert result.raw.decode() == (
        '{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: '
        f'{result.request_id} Error: Task timed out after 0.50 seconds"}}'
    )
    assert f"Z {result.request_id} Task timed out after 0.50 seconds\n\n" in result.logs
    assert "Duration: 500.00 ms\t" in result.logs
    assert "\tStatus: timeout\t\n" in result.logs
    assert "rapid-mock: handler did not respond within 0.5 s" in running.text
    assert isinstance(function.invoke({}).payload, int)


@pytest.mark.parametrize("how", ["eat", "feed a child"])
def test_function_that_outgrows_its_memory(running: Local, how: str) -> None:
    """It is killed and told as AWS tells it, with the real maximum; the next invoke works."""
    function = running.local.create_function(
        "f", handler="app.handler", code=running.code, memory=128, timeout=30
    )
    result = function.invoke({"do": how, "megabytes": 160})
    message = f"RequestId: {result.request_id} Error: Runtime exited with error: signal: killed"
    assert result.function_error == "Unhandled"
    assert result.raw.decode() == (
        f'{{"errorType":"Runtime.OutOfMemory","errorMessage":"{message}"}}'
    )
    assert f"{message}\nRuntime.OutOfMemory\n" in result.logs
    assert "\tStatus: error\tError Type: Runtime.OutOfMemory\t\n" in result.logs
    assert "\tMemory Size: 128 MB\t" in result.logs
    assert result.report.max_memory_mb > 128
    assert result.report.duration_ms < 30_000
    assert (
        "rapid-mock: runtime outgrew the environment and was killed: all processes used "
        f"{result.report.max_memory_mb} MB, the memory size is 128 MB\n" in running.text
    )
    assert isinstance(function.invoke({}).payload, int)


def test_function_within_its_memory(running: Local) -> None:
    """What uses less than the memory size is left alone, however long it takes."""
    function = running.local.create_function(
        "f", handler="app.handler", code=running.code, memory=256, timeout=30
    )
    result = function.invoke({"do": "eat", "megabytes": 160, "seconds": 0.3})
    assert result.function_error is None
    assert 160 < result.report.max_memory_mb <= 256


def test_runtime_killed_while_idle(running: Local) -> None:
    """A runtime killed between invocations fails nobody: the next invoke works."""
    function = running.local.create_function("f", handler="app.handler", code=running.code)
    pid = function.invoke({}).payload
    os.kill(pid, signal.SIGKILL)
    _until(lambda: "runtime exited while idle (signal: killed)" in running.text)
    result = function.invoke({})
    assert result.function_error is None
    assert result.payload != pid


def test_grandchildren_end_with_the_environment(running: Local) -> None:
    """A process that the handler started does not survive the shutdown."""
    with LocalLambda(log_stream=io.BytesIO()) as local:
        function = local.create_function("f", handler="app.handler", code=running.code)
        pid = function.invoke({"do": "child"}).payload
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert children
    for child in children:
        _until(lambda child=child: not _is_alive(int(child)))


INIT_FAILURES = {
    "module": ("raise KeyError('x')\n", "KeyError"),
    "exit": ("import os; os._exit(4)\n", "Runtime.ExitError"),
    "syntax": ("def (\n", "Runtime.UserCodeSyntaxError"),
}


@pytest.mark.parametrize("kind", INIT_FAILURES)
def test_failing_init_is_repeated_then_answered(running: Local, tmp_path: Path, kind: str) -> None:
    """A failed init runs again inside the invocation and answers it; a later fix works."""
    source, error_type = INIT_FAILURES[kind]
    code = write_code(tmp_path / "broken", source)
    function = running.local.create_function("f", handler="app.handler", code=code)
    result = function.invoke({})
    assert result.function_error == "Unhandled"
    assert result.payload["errorType"] == error_type
    assert running.text.count("\tPhase: init\tStatus: error\t") == 1
    assert running.text.count("\tPhase: invoke\tStatus: error\t") == 1
    write_code(tmp_path / "broken", "def handler(event, context):\n    return 'mended'\n")
    assert function.invoke({}).payload == "mended"


EXTENSION = """#!{python}
import http.client, json, os, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, headers, body=None):
    api.request(method, "/2020-01-01/extension/" + path, body, headers)
    answer = api.getresponse()
    return dict(answer.getheaders()), json.loads(answer.read() or b"{{}}")
def register(*events):
    name = {{"Lambda-Extension-Name": os.path.basename(sys.argv[0])}}
    headers, _ = call("POST", "register", name, json.dumps({{"events": events}}))
    return {{"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}}
def next_event():
    return call("GET", "event/next", me)[1]
{body}
"""


def _extension(directory: Path, name: str, body: str) -> Path:
    return write_executable(directory / name, EXTENSION.format(python=sys.executable, body=body))


REPORTS_INIT_ERROR = (
    "me = register('INVOKE'); call('POST', 'init/error', "
    "{**me, 'Lambda-Extension-Function-Error-Type': 'Extension.Mine'}, ''); sys.exit(7)"
)


@pytest.mark.parametrize(
    ("body", "error_type", "message", "sentence"),
    [
        (
            "print('bad start'); sys.exit(5)",
            "Extension.Crash",
            "exit status 5",
            'extension "crasher" exited before registering (exit status 5)\n  | bad start\n',
        ),
        (
            "me = register('INVOKE'); sys.exit(0)",
            "Extension.Crash",
            "exit code 0",
            'extension "crasher" exited during init (exit status 0)\n',
        ),
        (
            "me = register('INVOKE'); next_event(); sys.exit(6)",
            "Extension.Crash",
            "exit status 6",
            'extension "crasher" exited during an invocation (exit status 6)\n',
        ),
        (
            REPORTS_INIT_ERROR,
            "Extension.InitError",
            "exit status 7",
            'extension "crasher" exited during init after reporting Extension.Mine (exit status 7)',
        ),
    ],
)
def test_crashing_extension(
    running: Local, tmp_path: Path, body: str, error_type: str, message: str, sentence: str
) -> None:
    """An extension that ends before SHUTDOWN fails the invocation, and is named with its reason."""
    extension = _extension(tmp_path, "crasher", body)
    function = running.local.create_function(
        "f", handler="app.handler", code=running.code, extensions=[extension]
    )
    result = function.invoke({"do": "hang"})
    assert result.raw.decode() == (
        f'{{"errorType":"{error_type}",'
        f'"errorMessage":"RequestId: {result.request_id} Error: {message}"}}'
    )
    assert f"rapid-mock: {sentence}" in running.text


def test_extension_that_is_no_program(running: Local, tmp_path: Path) -> None:
    """An extension that cannot be executed is Extension.LaunchError and named."""
    extension = tmp_path / "readme"
    extension.write_text("no program")
    function = running.local.create_function(
        "f", handler="app.handler", code=running.code, extensions=[extension]
    )
    result = function.invoke({})
    assert result.payload["errorType"] == "Extension.LaunchError"
    assert result.payload["errorMessage"].endswith("permission denied")
    assert 'rapid-mock: extension "readme" did not start: ' in running.text


def test_extension_is_awaited_before_the_next_invocation(running: Local, tmp_path: Path) -> None:
    """The environment is not reused before the extension asks for its next event."""
    gate = tmp_path / "gate"
    body = f"me = register('INVOKE')\nwhile next_event():\n    open({str(gate)!r}).read()\n"
    os.mkfifo(gate)
    extension = _extension(tmp_path, "slow", body)
    running.local.create_function(
        "f", handler="app.handler", code=running.code, extensions=[extension], concurrency=1
    )
    first = _payload(running)
    assert "REPORT" not in running.text
    gate.write_text("go on")
    _until(lambda: "REPORT" in running.text)
    assert _payload(running) == first
    gate.write_text("go on")
    _until(lambda: running.text.count("REPORT") == 2)


def _payload(running: Local) -> object:
    """What boto3 gets, which does not wait for the REPORT."""
    with closing(running.local.client()) as client:
        return json.loads(client.invoke(FunctionName="f", Payload=b"{}")["Payload"].read())


def test_late_extension_is_named(running: Local, tmp_path: Path) -> None:
    """An extension that does not come back in time is what the sentence names."""
    body = "me = register('INVOKE')\nnext_event()\ntime.sleep(60)\n"
    extension = _extension(tmp_path, "shipper", body)
    function = running.local.create_function(
        "f", handler="app.handler", code=running.code, extensions=[extension], timeout=0.5
    )
    result = function.invoke({})
    assert result.function_error is None  # the response was complete before
    assert 'rapid-mock: extension "shipper" did not call next within 0.5 s' in running.text
    assert "\tStatus: timeout\t\n" in result.logs


def test_extension_that_ignores_shutdown_is_killed(running: Local, tmp_path: Path) -> None:
    """An extension that ignores SHUTDOWN is killed when the 2 s budget is over."""
    body = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "me = register('INVOKE', 'SHUTDOWN')\n"
        "while True:\n    print('got', next_event()['eventType'], flush=True)\n"
        "    if os.path.exists('never'): break\n"
    )
    extension = _extension(tmp_path, "deaf", body)
    with LocalLambda(log_stream=running.log) as local:
        function = local.create_function(
            "f", handler="app.handler", code=running.code, extensions=[extension]
        )
        pid = function.invoke({}).payload
        began = time.monotonic()
    took = time.monotonic() - began
    assert "got INVOKE\n" in running.text
    assert "got SHUTDOWN\n" in running.text
    assert 1.9 < took < 4.0
    assert not _is_alive(pid)


def test_nothing_survives_kill_9(tmp_path: Path) -> None:
    """After kill -9 of rapid-mock neither the runtime nor its extensions run on."""
    code = write_code(tmp_path / "code", HANDLER)
    extension = _extension(tmp_path, "idle", "me = register()\nnext_event()\n")
    arguments = ("app.handler", "--code", str(code), "--extension", str(extension))
    with Serving(*arguments) as serving:
        assert serving.invoke(b"{}") == 200
        children = _descendants(serving.pid)
        assert len(children) >= 2
        serving.stop(signal.SIGKILL)
    for child in children:
        _until(lambda child=child: not _is_alive(child))


def test_ctrl_c_runs_the_shutdown_phase(tmp_path: Path) -> None:
    """Ctrl-C gives the extension its SHUTDOWN event; the exit code is 0."""
    code = write_code(tmp_path / "code", HANDLER)
    body = (
        "me = register('INVOKE', 'SHUTDOWN')\n"
        "while True:\n    event = next_event()\n"
        "    print(event['eventType'], event.get('shutdownReason'), flush=True)\n"
        "    if event['eventType'] == 'SHUTDOWN': break\n"
    )
    extension = _extension(tmp_path, "polite", body)
    with Serving("app.handler", "--code", str(code), "--extension", str(extension)) as serving:
        assert serving.invoke(b"{}") == 200
        assert serving.stop(signal.SIGINT) == 0
    assert "SHUTDOWN spindown\n" in serving.log


def test_second_ctrl_c_kills(tmp_path: Path) -> None:
    """A second Ctrl-C does not wait for the extension's budget."""
    code = write_code(tmp_path / "code", HANDLER)
    body = (
        "me = register('SHUTDOWN')\nevent = next_event()\n"
        "print('told', flush=True)\ntime.sleep(60)\n"
    )
    extension = _extension(tmp_path, "stubborn", body)
    with Serving("app.handler", "--code", str(code), "--extension", str(extension)) as serving:
        assert serving.invoke(b"{}") == 200
        os.kill(serving.pid, signal.SIGINT)
        serving.wait_for("told")
        began = time.monotonic()
        assert serving.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 1.0


def test_command_without_its_extra_says_so(tmp_path: Path) -> None:
    """Without httptools the command names the extra to install and exits with 2."""
    blocker = write_code(
        tmp_path, "raise ModuleNotFoundError('no', name='httptools')\n", "httptools.py"
    )
    done = subprocess.run(
        [*COMMAND, "invoke", "app.handler"],
        capture_output=True,
        timeout=20,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(blocker)},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        b"rapid-mock: httptools is missing: pip install 'lambda-runtime-sdk[mock]'\n"
    )


def _until(condition: object, seconds: float = 10.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # a task that ends while it is asked has none
            for child in children.read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found
