"""Several invocations at once under AWS's own emulator, in its mode for managed instances."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.support.command_line import write_code
from tests.support.managed_rie import managed_rie, require_managed_rie
from tests.support.meeting import FORMS, SOURCE
from tests.support.peers import RuntimeInterfaceEmulator, session_members, wait_until
from tests.support.processes import eventually

Emulated = Callable[..., RuntimeInterfaceEmulator]


@pytest.fixture
def emulated(request: pytest.FixtureRequest, tmp_path: Path) -> Emulated:
    """RIE as managed instances with a function that meets; /opt is empty."""
    opt, task = tmp_path / "opt", write_code(tmp_path / "task", SOURCE)
    meeting = task / "meeting"
    meeting.mkdir()
    require_managed_rie(opt, task)
    meeting.chmod(0o777)
    rie: Path = request.getfixturevalue("rie_binary")
    return partial(managed_rie, rie, tmp_path, opt, task)


def post(url: str, event: object) -> requests.Response:
    with requests.Session() as http:
        http.trust_env = False
        return http.post(url, json=event, timeout=20)


def is_taken(url: str) -> bool:
    """Whether somebody polls: 400 says that nobody does."""
    return post(url, "pid").status_code == 200


def children(rie: RuntimeInterfaceEmulator) -> dict[int, int]:
    """The processes of RIE's session to their parents."""
    found = {}
    for pid in session_members(rie.pid):
        with suppress(OSError):  # it has ended since it was listed
            stat = Path(f"/proc/{pid}/stat").read_text()
            found[pid] = int(stat.rpartition(")")[2].split()[1])
    return found


def workers(rie: RuntimeInterfaceEmulator) -> list[int]:
    """The children of RIE's child."""
    found = children(rie)
    return [pid for pid, parent in found.items() if found.get(parent) == rie.pid]


@pytest.mark.parametrize("form", [*FORMS, "awslambdaric"])
def test_sixteen_at_once(emulated: Emulated, form: str) -> None:
    """No answer before all sixteen are at work; awslambdaric's workers prove the test."""
    handler, processes = FORMS.get(form, FORMS["process"])
    module = form if form == "awslambdaric" else "lambda_runtime"
    variables = {} if form == "awslambdaric" else {"LAMBDA_RUNTIME_CONCURRENCY": form}
    event = {"meet_in": "/var/task/meeting", "count": 16}
    with emulated(module, handler, AWS_LAMBDA_MAX_CONCURRENCY="16", **variables) as rie:
        eventually(partial(is_taken, rie.url), "a poll")
        if form == "awslambdaric":
            eventually(lambda: len(workers(rie)) == 16, "all workers")
        with ThreadPoolExecutor(16) as pool:
            events = [event | {"n": n} for n in range(16)]
            answers = [answer.json() for answer in pool.map(partial(_until_taken, rie.url), events)]
    assert [answer[0] for answer in answers] == [16] * 16
    assert [answer[2] for answer in answers] == list(range(16))
    assert len({answer[1] for answer in answers}) == processes


def _until_taken(url: str, event: object) -> requests.Response:
    """RIE does not wait for a poll: it answers 400 at once, and the invoker may try again."""
    found: list[requests.Response] = []

    def is_answered() -> bool:
        found.append(post(url, event))
        return found[-1].status_code == 200

    eventually(is_answered, "an answer")
    return found[-1]


@pytest.mark.parametrize("form", ["process", "thread", "async"])
def test_killed_worker_is_replaced(emulated: Emulated, form: str) -> None:
    """Within a second somebody polls again, and RIE has not noticed anything."""
    with emulated(
        handler=FORMS[form][0], AWS_LAMBDA_MAX_CONCURRENCY="1", LAMBDA_RUNTIME_CONCURRENCY=form
    ) as rie:
        eventually(partial(is_taken, rie.url), "a poll")
        [worker] = workers(rie)
        os.kill(worker, signal.SIGKILL)
        wait_until(
            lambda: workers(rie) not in ([], [worker]) and is_taken(rie.url),
            seconds=1,
            what="another worker that polls",
        )


def test_crash_is_its_invokers_error_at_once(emulated: Emulated) -> None:
    """RIE hands on what the parent of the dead worker reports; others are not touched."""
    with emulated(AWS_LAMBDA_MAX_CONCURRENCY="2", AWS_LAMBDA_FUNCTION_TIMEOUT="30") as rie:
        eventually(partial(is_taken, rie.url), "a poll")
        answer = _until_taken(rie.url, "crash")
        assert answer.headers["Error-Type"] == "Runtime.ExitError"
        assert answer.json()["errorMessage"].endswith(
            " Error: Runtime exited with error: exit status 9"
        )
        assert _until_taken(rie.url, "pid").json() in workers(rie)


def test_timeout_of_one_invocation(emulated: Emulated, tmp_path: Path) -> None:
    """RIE answers the late response with 410: the worker logs it and serves on."""
    with emulated(AWS_LAMBDA_MAX_CONCURRENCY="1", AWS_LAMBDA_FUNCTION_TIMEOUT="1") as rie:
        eventually(partial(is_taken, rie.url), "a poll")
        event = {"meet_in": "/var/task/meeting", "count": 16, "n": 0}
        answer = _until_taken(rie.url, event)
        assert answer.headers["Error-Type"] == "Sandbox.Timedout"
        for number in range(15):
            (tmp_path / "task" / "meeting" / f"{number}").touch()
        eventually(lambda: " with 410: " in rie.stdout() + rie.stderr(), "a refused response")
        assert _until_taken(rie.url, "pid").json() in workers(rie)


@pytest.mark.parametrize("form", ["process", "preload"])
def test_init_failure_is_reported_once(emulated: Emulated, tmp_path: Path, form: str) -> None:
    """RIE's invoker hears the error type, from a worker or from the parent."""
    (tmp_path / "task" / "app.py").write_text("import no_such_module\n")
    with emulated(AWS_LAMBDA_MAX_CONCURRENCY="4", LAMBDA_RUNTIME_CONCURRENCY=form) as rie:
        answer = post(rie.url, {})
        assert json.loads(answer.text)["errorType"] == "Runtime.ImportModuleError"
        eventually(lambda: session_members(rie.pid) in ([], [rie.pid]), "the runtime's end")
