from __future__ import annotations

import json
import re
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import COMMAND, ROOT, run, write_code

HELLO = ("app.handler", "--code", str(ROOT / "examples/hello"))
EVENT = ("-e", str(ROOT / "examples/hello/event.json"))


def test_invoke_prints_the_response_and_the_platform_lines() -> None:
    """The response goes to stdout, START, the function's output, END and REPORT to stderr."""
    done = run("invoke", *HELLO, *EVENT)
    assert done.returncode == 0
    response = json.loads(done.stdout)
    assert json.loads(response["body"]) == {"message": "Hello, Ada!", "function": "function"}
    start, printed, end, report = done.stderr.splitlines()
    request_id = re.fullmatch(r"START RequestId: ([0-9a-f-]{36}) Version: \$LATEST", start)
    assert request_id is not None
    assert printed == "GET /hello for Ada"
    assert end == f"END RequestId: {request_id[1]}"
    assert re.fullmatch(
        rf"REPORT RequestId: {request_id[1]}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\t"
        r"Memory Size: 128 MB\tMax Memory Used: [1-9]\d* MB\tInit Duration: \d+\.\d\d ms\t",
        report,
    )


def test_function_error_is_exit_code_1_with_its_json_on_stdout(tmp_path: Path) -> None:
    """A handler that raises: exit code 1, the error JSON on stdout."""
    code = write_code(tmp_path, "def handler(event, context):\n    raise ValueError('no')\n")
    done = run("invoke", "app.handler", "--code", str(code))
    assert done.returncode == 1
    error = json.loads(done.stdout)
    assert (error["errorMessage"], error["errorType"]) == ("no", "ValueError")


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        (
            "nowhere.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'nowhere': No module named 'nowhere'",
        ),
        (
            "app.missing",
            "Runtime.HandlerNotFound",
            "Handler 'missing' missing on module 'app'",
        ),
    ],
)
def test_missing_module_and_handler(
    tmp_path: Path, handler: str, error_type: str, message: str
) -> None:
    """A missing module or handler is a function error of AWS's type; the sentence names it."""
    code = write_code(tmp_path, "def handler(event, context):\n    return 1\n")
    done = run("invoke", handler, "--code", str(code))
    assert done.returncode == 1
    error = json.loads(done.stdout)
    assert (error["errorType"], error["errorMessage"]) == (error_type, message)
    assert f"rapid-mock: runtime reported {error_type} and exited (exit status 1)" in done.stderr


def test_missing_bootstrap(tmp_path: Path) -> None:
    """A runtime command that does not exist is `Runtime.InvalidEntrypoint`, in Go's words."""
    done = run("invoke", "app.handler", "--code", str(tmp_path), "--runtime", "./bootstrap")
    assert done.returncode == 1
    error = json.loads(done.stdout)
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert error["errorMessage"].endswith("Error: fork/exec ./bootstrap: no such file or directory")
    assert "rapid-mock: runtime did not start: fork/exec ./bootstrap" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("app.handler", "--code", "/nowhere"), "the code directory /nowhere does not exist"),
        ((), "a handler (module.function) or a runtime command is needed"),
        (("app.handler", "-e", "{nonsense"), "the event is neither a file nor JSON: {nonsense"),
        (("app.handler", "-e", "@/nowhere"), "cannot read the event /nowhere: No such file"),
        (("app.handler", "--extension", "/nowhere"), "there is no extension at /nowhere"),
        (("app.handler", "--python", "/nowhere"), "there is no Python at /nowhere"),
        (("app.handler", "--timeout", "0"), "the timeout must be more than 0 seconds"),
        (("app.handler", "--env", "AWS_REGION=x"), "AWS_REGION is reserved by AWS Lambda"),
        (("app.handler", "--env", "NOVALUE"), "--env takes NAME=VALUE, not NOVALUE"),
    ],
)
def test_setup_errors_are_exit_code_2(arguments: tuple[str, ...], sentence: str) -> None:
    """What cannot be set up: exit code 2, one sentence on stderr, nothing on stdout."""
    done = run("invoke", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("rapid-mock: ")
    assert done.stderr.count("\n") == 1
    assert sentence in done.stderr


@pytest.mark.parametrize("scale", ["0", "-1", "nan", "inf"])
def test_time_scale_that_is_none(scale: str) -> None:
    """Time has to pass, forwards, and not all of it at once."""
    done = run("start", *HELLO, "--port", "0", "--time-scale", scale)
    sentence = f"rapid-mock: the time scale must be a finite number above 0, not {scale}\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", sentence)


def test_port_in_use() -> None:
    """A port in use is exit code 2 and names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("start", *HELLO, "--port", str(port))
    assert done.returncode == 2
    assert f"rapid-mock: cannot listen on 127.0.0.1:{port}: " in done.stderr


def test_event_from_stdin_and_inline() -> None:
    """`-e -` reads stdin, `-e JSON` takes the text itself."""
    event = (ROOT / "examples/hello/event.json").read_bytes()
    assert run("invoke", *HELLO, "-e", "-", stdin=event).returncode == 0
    inline = run("invoke", *HELLO, "-e", event.decode())
    assert "Hello, Ada!" in inline.stdout


def test_tail_shows_only_the_last_4_kilobytes(tmp_path: Path) -> None:
    """With --tail stderr holds the last 4096 bytes of the invocation's log and nothing else."""
    source = "def handler(event, context):\n    print('x' * 10000)\n"
    code = write_code(tmp_path, source)
    done = run("invoke", "app.handler", "--code", str(code), "--tail")
    assert len(done.stderr.encode()) == 4096
    assert "\nREPORT RequestId: " in done.stderr


def test_json_log_format(tmp_path: Path) -> None:
    """With --log-format json the platform lines are the telemetry envelopes."""
    source = "def handler(event, context):\n    return None\n"
    code = write_code(tmp_path, source)
    done = run("invoke", "app.handler", "--code", str(code), "--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    types = [line["type"] for line in lines]
    assert types == ["platform.start", "platform.report"]
    assert lines[-1]["record"]["metrics"]["memorySizeMB"] == 128
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0]["time"])


STREAMING = """
import os, time
def handler(event, context):
    yield "first"
    while not os.path.exists(event["seen"]):
        time.sleep(0.002)
    yield "second"
"""


def test_stream_prints_chunks_as_they_come(tmp_path: Path) -> None:
    """With --stream the first chunk can be read before the second is made."""
    code, seen = write_code(tmp_path / "code", STREAMING), tmp_path / "seen"
    command = [*COMMAND, "invoke", "app.handler", "--code", str(code), "--stream"]
    with subprocess.Popen(
        [*command, "-e", json.dumps({"seen": str(seen)})],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(5) == b"first"
        seen.touch()
        assert process.stdout.read() == b"second\n"
    assert process.returncode == 0
