"""Checklist D, 112 to 133: several invocations at once, as Lambda Managed Instances hand them out.

awslambdaric has retries only where AWS_EXECUTION_ENV names Python 3.12 or later, and it leaves its
workers behind when its main process ends: here the session's processes are ended with the test.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
from pathlib import Path

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.support.command_line import write_code
from tests.support.many_pollers import ManyPollers, refusal
from tests.support.peers import wait_until
from tests.support.processes import eventually, is_running
from tests.support.scripted_runtime_api import event

PIDS = """
import os
import pathlib
import sys
import time

def meet(event):
    meeting = pathlib.Path("meeting")
    if event == "meet":
        (meeting / str(os.getpid())).touch()
        deadline = time.monotonic() + 10
        while len(list(meeting.iterdir())) < 3 and time.monotonic() < deadline:
            time.sleep(0.002)

def handler(event, context):
    if event == "die":
        os._exit(7)
    meet(event)
    print("out", event, flush=True)
    print("err", event, file=sys.stderr, flush=True)
    return [event, os.getpid()]
"""
WITH_RETRIES = {"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}


@item(112, "S")
def test_number_of_workers(ric: Ric, tmp_path: Path) -> None:
    """As many processes as there may be invocations: all are at work at once."""
    code = write_code(tmp_path, PIDS)
    (code / "meeting").mkdir()
    names = ("one", "two", "three")
    with ManyPollers() as api, api.start(ric.module, code, count=3):
        for name in names:
            api.give(name, b'"meet"')
        assert len({api.result(name)[1] for name in names}) == 3


@item(113, "S")
def test_provider_socket(ric: Ric, tmp_path: Path) -> None:
    """Each worker connects its two streams to the socket that it is given; without one, to none."""
    code = write_code(tmp_path, PIDS)
    place = str(tmp_path / "provider")
    received: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener, ManyPollers() as api:
        listener.bind(place)
        listener.listen()

        def read(connection: socket.socket) -> None:
            with connection:
                received.append(b"".join(iter(lambda: connection.recv(4096), b"")))

        variable = {"_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET": place}
        readers = []
        with api.start(ric.module, code, count=1, **variable) as runtime:
            for _ in range(2):
                connection = listener.accept()[0]
                readers.append(threading.Thread(target=read, args=[connection]))
                readers[-1].start()
            api.give("one", b"1")
            api.post("one")
            assert "out 1" not in runtime.output
        for reader in readers:
            reader.join()
        with api.start(ric.module, code, count=1) as runtime:
            api.give("two", b"2")
            api.post("two")
            assert "out 2\n" in runtime.output
            assert "err 2\n" in runtime.output
    assert sorted(received) == [b"err 1\n", b"out 1\n"]


@item(114, "S")
def test_worker_that_fails(ric: Ric, tmp_path: Path) -> None:
    """Its failure is its own: of four workers two die, and the other two finish."""
    code = write_code(tmp_path, PIDS)
    with ManyPollers() as api, api.start(ric.module, code, count=4) as runtime:
        api.wait_for_polls(4)
        before = set(runtime.workers())
        api.give("dies", b'"die"')
        api.give("dies-too", b'"die"')
        eventually(lambda: len(before & set(runtime.workers())) == 2, "two deaths")
        api.give("one", b"1")
        api.give("two", b"2")
        assert [api.result(name)[0] for name in ("one", "two")] == [1, 2]


@item(115, "S")
def test_poll_that_fails_is_repeated(ric: Ric, tmp_path: Path) -> None:
    """After 0.1, 0.2, 0.4 and 0.8 s; the fifth attempt may bring the event."""
    code = write_code(tmp_path, PIDS)
    failed = event(b"{}").replace(b"200 OK", b"500 Internal Server Error")
    with ManyPollers() as api, api.start(ric.module, code, count=1, **WITH_RETRIES):
        for _ in range(4):
            api.reply_to_poll(failed)
        api.give("one", b"1")
        assert api.result("one")[0] == 1
        gaps = [later - sooner for sooner, later in zip(api.polls, api.polls[1:], strict=False)]
    assert all(gap >= wanted for gap, wanted in zip(gaps, (0.1, 0.2, 0.4, 0.8), strict=False))
    assert sum(gaps[:4]) < 5


@item(117, "S")
def test_post_that_fails(ric: Ric, tmp_path: Path) -> None:
    """It is logged and survived, whatever the status; the same worker has the next event."""
    code = write_code(tmp_path, PIDS)
    answers = {"one/response": refusal("500 Internal Server Error")}
    with ManyPollers(answers) as api, api.start(ric.module, code, count=1) as runtime:
        api.give("one", b"1")
        api.give("two", b"2")
        assert api.result("one")[1] == api.result("two")[1]
        assert "500" in runtime.output
        says = ric.expects(
            awslambdaric="This won't kill the Runtime loop", lambda_runtime="the worker goes on"
        )
        assert says in runtime.output


@item(118, "S")
def test_init_error_that_is_forbidden(ric: Ric, tmp_path: Path) -> None:
    """403 says that another worker has reported: that is no error of this one."""
    answers = {"init/error": refusal("403 Forbidden")}
    with (
        ManyPollers(answers) as api,
        api.start(ric.module, tmp_path, count=1, handler="bad") as runtime,
    ):
        assert runtime.exit_code() == ric.expects(awslambdaric=0, lambda_runtime=1)
        assert not re.search(r"\b(?<!\.)403\b", runtime.output)  # but for milliseconds
        assert [post.path for post in api.posts] == ["init/error"]


@item(119, "S")
def test_init_error_that_is_refused(ric: Ric, tmp_path: Path) -> None:
    """Any other status is an error that names it."""
    answers = {"init/error": refusal("500 Internal Server Error")}
    with (
        ManyPollers(answers) as api,
        api.start(ric.module, tmp_path, count=1, handler="bad") as runtime,
    ):
        assert runtime.exit_code() == ric.expects(awslambdaric=0, lambda_runtime=1)
        assert "500" in runtime.output


@item(122, "P")
def test_pool_is_announced(ric: Ric, tmp_path: Path) -> None:
    """One record of level DEBUG, by the main process, before there is more than one worker."""
    code = write_code(tmp_path, PIDS)
    levels = {"AWS_LAMBDA_LOG_LEVEL": "DEBUG", "AWS_LAMBDA_LOG_FORMAT": "JSON"}
    with ManyPollers() as api, api.start(ric.module, code, count=2, **levels) as runtime:
        api.wait_for_polls(2)
        records = [json.loads(line) for line in runtime.output.splitlines()]
    told = [record for record in records if isinstance(record.get("message"), dict)]
    assert [(record["level"], record["message"]) for record in told] == [
        (
            "DEBUG",
            {
                "event": "runtime_worker_pool_initializing",
                "workerCount": 2,
                "executionEnvironmentMaxConcurrency": 2,
            },
        )
    ]


@item(133, "B", recorded=True)
def test_supervision(ric: Ric, tmp_path: Path) -> None:
    """A dead worker is replaced, SIGTERM ends them all, a failed init is an exit code.

    awslambdaric never replaces one, leaves its workers behind, and exits with 0.
    """
    code = write_code(tmp_path, PIDS)
    with ManyPollers() as api:
        with api.start(ric.module, code, count=2) as runtime:
            api.wait_for_polls(2)
            workers = runtime.workers()
            os.kill(workers[0], signal.SIGKILL)
            api.wait_for_polls(1)
            if ric.expects(awslambdaric=False, lambda_runtime=True):
                wait_until(lambda: api.parked == 2, seconds=1, what="another worker")
            left = runtime.workers()
            runtime.terminate()
            code_of_main = runtime.exit_code()
            assert code_of_main == ric.expects(awslambdaric=-signal.SIGTERM, lambda_runtime=0)
            alive = [pid for pid in left if is_running(pid)]
            assert len(alive) == ric.expects(awslambdaric=1, lambda_runtime=0)
        with api.start(ric.module, code, count=2, handler="app.nobody") as runtime:
            assert runtime.exit_code() == ric.expects(awslambdaric=0, lambda_runtime=1)
            assert len(api.posts) == ric.expects(awslambdaric=2, lambda_runtime=1)
