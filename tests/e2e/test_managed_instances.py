"""Functions on managed instances: several invocations at once in one environment's processes."""

from __future__ import annotations

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from rapid_mock import LocalLambda
from rapid_mock.errors import SetupError, TooManyRequests
from tests.support.command_line import run, write_code
from tests.support.peers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rapid_mock.local import Function

BOOTSTRAP = """
import http.client, json, os, signal, threading

COUNT = int(os.environ["AWS_LAMBDA_MAX_CONCURRENCY"])
ALL_AT_WORK = threading.Barrier(COUNT)
ONE_AT_WORK = threading.Event()

def work():
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        api.request("GET", "/2018-06-01/runtime/invocation/next")
        answer = api.getresponse()
        event = json.loads(answer.read())
        request_id = answer.headers["Lambda-Runtime-Aws-Request-Id"]
        invocation_id = answer.headers["Lambda-Runtime-Invocation-Id"]
        if event == "die":
            os._exit(7)
        if event == "stop":
            ONE_AT_WORK.wait(20)
            os.kill(os.getpid(), signal.SIGSTOP)
            signal.pause()  # the kernel may stop other threads first
        if event == "hang":
            continue
        if event != "alone":
            ONE_AT_WORK.set()
            ALL_AT_WORK.wait(20)
        names = ("AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_FORMAT")
        body = json.dumps([event, os.getpid(), *map(os.environ.get, names)])
        headers = {"Lambda-Runtime-Invocation-Id": invocation_id}
        api.request(
            "POST", f"/2018-06-01/runtime/invocation/{request_id}/response", body, headers
        )
        accepted = api.getresponse()
        accepted.read()
        assert accepted.status == 202, accepted.status

for _ in range(COUNT):
    threading.Thread(target=work).start()
"""

HANDLER = """
import os, pathlib, time

def handler(event, context):
    here = pathlib.Path(event["meet_in"])
    (here / context.aws_request_id).touch()
    deadline = time.monotonic() + 8
    while len(list(here.iterdir())) < event["count"] and time.monotonic() < deadline:
        time.sleep(0.002)
    return [len(list(here.iterdir())), os.getpid(), event["n"]]
"""


@pytest.fixture
def log() -> io.BytesIO:
    return io.BytesIO()


@pytest.fixture
def local(log: io.BytesIO) -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=log) as running:
        yield running


def threads(
    local: LocalLambda, code: Path, count: int, *, program: str = BOOTSTRAP, **options: float
) -> Function:
    """A runtime that polls with as many threads as it may have invocations."""
    (code / "bootstrap.py").write_text(program)
    runtime = [sys.executable, "bootstrap.py"]
    settings = {"timeout": 10, "concurrency": 1, **options}
    return local.create_function(
        "many",
        code=code,
        runtime=runtime,
        max_concurrency=count,
        **settings,  # type: ignore[arg-type]
    )


def test_sixteen_invocations_overlap_in_one_environment(local: LocalLambda, tmp_path: Path) -> None:
    """None is answered before all sixteen are at work, in one process, started by the first."""
    many = threads(local, tmp_path, 16)
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(many.invoke, range(16)))
    assert [result.function_error for result in results] == [None] * 16
    assert [result.payload[0] for result in results] == list(range(16))
    assert len({result.payload[1] for result in results}) == 1
    assert sum(result.report.init_ms is not None for result in results) == 1
    assert results[0].payload[2:] == ["lambda-managed-instances", "JSON"]


def test_environment_is_there_before_the_first_invocation(
    local: LocalLambda, tmp_path: Path
) -> None:
    """Its init phase begins with the function; the invocation finds it, cold start or not."""
    begun = tmp_path / "begun"
    program = f"open({str(begun)!r}, 'w').write('x')\n{BOOTSTRAP}"
    many = threads(local, tmp_path, 1, program=program)
    wait_until(begun.exists, seconds=10, what="the runtime starting")
    assert many.invoke("alone").function_error is None


def test_log_is_json_and_holds_what_was_printed_meanwhile(
    local: LocalLambda, tmp_path: Path
) -> None:
    """An invocation's log begins with its own start and ends with its own report."""
    many = threads(local, tmp_path, 2)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(many.invoke, range(2)))
    for result in results:
        records = [json.loads(line) for line in result.logs.splitlines()]
        ends = [(line["type"], line["record"]["requestId"]) for line in (records[0], records[-1])]
        assert ends == [
            ("platform.start", result.request_id),
            ("platform.report", result.request_id),
        ]


def test_one_more_than_fits_is_throttled(local: LocalLambda, tmp_path: Path) -> None:
    """With one environment for two at once, the third of three overlapping invocations is 429."""
    many = threads(local, tmp_path, 2, timeout=2)
    with ThreadPoolExecutor(3) as pool:
        futures = [pool.submit(many.invoke, "hang") for _ in range(3)]
        errors = [future.exception() for future in futures]
    assert [type(error) for error in errors if error is not None] == [TooManyRequests]
    answers = [future.result() for future in futures if future.exception() is None]
    assert [answer.report.status for answer in answers] == ["timeout", "timeout"]
    assert many.invoke("alone").payload[0] == "alone"


def test_exit_fails_everything_at_work_and_the_next_gets_a_new_environment(
    local: LocalLambda, tmp_path: Path
) -> None:
    """The environment is gone for good; the function is not."""
    many = threads(local, tmp_path, 2)
    before = many.invoke("alone").payload[1]
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(many.invoke, "waits for another")
        dead = pool.submit(many.invoke, "die")
        results = [waiting.result(), dead.result()]
    assert {result.payload["errorType"] for result in results} == {"Runtime.ExitError"}
    assert many.invoke("alone").payload[1] != before


def test_stopped_runtime_is_replaced(local: LocalLambda, tmp_path: Path, log: io.BytesIO) -> None:
    """SIGSTOP costs what is at work, and the one whose event nobody asks for; then all is well."""
    many = threads(local, tmp_path, 2, timeout=1)
    before = many.invoke("alone").payload[1]
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(many.invoke, "waits for another")
        stopped = pool.submit(many.invoke, "stop")
        results = [waiting.result(), stopped.result(), many.invoke("alone")]
    assert {result.payload["errorType"] for result in results} == {"Sandbox.Timedout"}
    assert many.invoke("alone").payload[1] != before
    assert b"runtime did not ask for the event within 1.0 s" in log.getvalue()


def test_workers_of_awslambdaric_serve_one_environment(local: LocalLambda, tmp_path: Path) -> None:
    """AWS's client forks a worker for each invocation that it may have; all are at work at once."""
    pytest.importorskip("awslambdaric")
    code = write_code(tmp_path / "code", HANDLER)
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    ric = local.create_function(
        "ric",
        code=code,
        runtime=[sys.executable, "-m", "awslambdaric", "app.handler"],
        max_concurrency=4,
        concurrency=1,
        timeout=10,
    )
    events = [{"meet_in": str(meeting), "count": 4, "n": n} for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ric.invoke, events))
    assert [result.payload[0] for result in results] == [4] * 4
    assert [result.payload[2] for result in results] == [0, 1, 2, 3]
    assert len({result.payload[1] for result in results}) == 4


def test_maximum_concurrency_must_be_positive(local: LocalLambda) -> None:
    """Zero at once is a set-up error, said in one sentence."""
    with pytest.raises(SetupError, match="maximum concurrency of an environment must be at least"):
        local.create_function("none", handler="app.handler", max_concurrency=0)


def test_command_line_takes_the_maximum_concurrency(tmp_path: Path) -> None:
    """With --max-concurrency the function finds it in its environment, and logs are JSON."""
    source = "import os\n\ndef handler(event, context):\n    return dict(os.environ)\n"
    code = write_code(tmp_path, source)
    done = run("invoke", "app.handler", "--code", str(code), "--max-concurrency", "3")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["AWS_LAMBDA_MAX_CONCURRENCY"] == "3"
    assert found["AWS_LAMBDA_INITIALIZATION_TYPE"] == "lambda-managed-instances"
    assert json.loads(done.stderr.splitlines()[0])["type"] == "platform.initReport"
