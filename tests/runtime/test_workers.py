"""Several invocations at once: the process that forks workers, and what becomes of them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import write_code
from tests.support.many_pollers import NEVER, ManyPollers, Running, refusal
from tests.support.processes import eventually, is_running

MODULE = "lambda_runtime"
ID_OF_DELIVERY = "5f4d2a9e-0000-4000-8000-00000000abcd"
PROGRAM = """
import os
import time

print("imported by", os.getpid(), flush=True)

def handler(event, context):
    if event == "hang":
        print("hangs in", os.getpid(), flush=True)
        time.sleep(60)
    if event == "exit":
        raise SystemExit(3)
    if event == "crash":
        os._exit(9)
    return os.getpid()
"""
BROKEN = "import os\nprint('imported by', os.getpid(), flush=True)\nraise ValueError('no')\n"


def told(runtime: Running, what: str) -> list[int]:
    """The pids that have said so."""
    return [int(pid) for pid in re.findall(f"{what} (\\d+)", runtime.output)]


# --- Deaths -----------------------------------------------------------------------------------


def test_killed_worker_is_replaced_and_its_invocation_fails_at_once(tmp_path: Path) -> None:
    """The invoker hears in Lambda's words what happened, under the id of the delivery; as many poll
    as before, by a worker that starts at once.
    """
    with ManyPollers() as api, api.start(MODULE, write_code(tmp_path, PROGRAM), count=2) as runtime:
        api.wait_for_polls(2)
        api.give("one", b'"hang"', f"Lambda-Runtime-Invocation-Id: {ID_OF_DELIVERY}")
        eventually(lambda: bool(told(runtime, "hangs in")), "a handler at work")
        os.kill(told(runtime, "hangs in")[0], signal.SIGKILL)
        api.wait_for_polls(2)
        failed = api.post("one")
        assert failed.path == "invocation/one/error"
        assert failed.headers["lambda-runtime-function-error-type"] == "Runtime.ExitError"
        assert failed.headers["lambda-runtime-invocation-id"] == ID_OF_DELIVERY
        assert failed.body == (
            b'{"errorType": "Runtime.ExitError", "errorMessage": '
            b'"RequestId: one Error: Runtime exited with error: signal: killed"}'
        )
        assert re.search(r"signal: killed \(pid \d+\); another one starts at once", runtime.output)
        eventually(lambda: len(runtime.workers()) == 2, "the end of the one that reported it")


def test_worker_that_is_idle_dies_without_a_report(tmp_path: Path) -> None:
    """It has answered all it had: there is nothing to say to an invoker."""
    with ManyPollers() as api, api.start(MODULE, write_code(tmp_path, PROGRAM), count=1) as runtime:
        api.give("one")
        dead = api.result("one")
        api.wait_for_polls(1)
        os.kill(dead, signal.SIGKILL)
        eventually(lambda: "signal: killed" in runtime.output, "its death")
        api.wait_for_polls(1)
        api.give("two")
        assert api.result("two") != dead
        assert len(api.posts) == 2
        assert len(runtime.workers()) == 1


def test_all_workers_die_at_once_and_all_are_replaced(tmp_path: Path) -> None:
    """A death that is not repeated costs its invocations and nothing else."""
    with ManyPollers() as api, api.start(MODULE, write_code(tmp_path, PROGRAM), count=4) as runtime:
        api.wait_for_polls(4)
        before = set(runtime.workers())
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: len(set(runtime.workers()) - before) == 4, "four new workers")
        api.wait_for_polls(4)
        assert runtime.process.poll() is None


def test_workers_that_do_nothing_but_die_end_the_runtime(tmp_path: Path) -> None:
    """Ever later a new one starts; then Lambda has to know: exit status 1, and a sentence."""
    with ManyPollers() as api, api.start(MODULE, write_code(tmp_path, PROGRAM), count=1) as runtime:
        for number in range(5):
            api.give(f"event-{number}", b'"crash"')
        assert runtime.exit_code() == 1
        assert len(api.posts) == 5
        for when in ("at once", "in 0.1 s", "in 0.2 s", "in 0.4 s"):
            assert f"another one starts {when}" in runtime.output
        assert "exit status 9 (pid " in runtime.output
        assert "5 in a row, and no other is left" in runtime.output
    assert runtime.members() == []


def test_runtime_does_not_wait_for_ever_for_an_api_that_hangs(tmp_path: Path) -> None:
    """Who still reports a dead worker's invocation when the runtime ends has two seconds."""
    with (
        ManyPollers({"event-4/error": NEVER}) as api,
        api.start(MODULE, write_code(tmp_path, PROGRAM), count=1) as runtime,
    ):
        for number in range(5):
            api.give(f"event-{number}", b'"crash"')
        assert runtime.exit_code() == 1
        assert len(api.posts) == 5
    assert runtime.members() == []


def test_handler_that_exits_is_reported_and_replaced(tmp_path: Path) -> None:
    """As with one invocation at a time, `sys.exit` is the answer, and the end of the worker."""
    with ManyPollers() as api, api.start(MODULE, write_code(tmp_path, PROGRAM), count=1) as runtime:
        api.give("one", b'"exit"')
        assert api.post("one").json["errorType"] == "Runtime.ExitError"
        api.give("two")
        assert api.result("two") in runtime.workers()
        assert "ended with exit status 3" in runtime.output
        assert len(api.posts) == 2


# --- Ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_is_handed_on(tmp_path: Path, number: signal.Signals) -> None:
    """Each worker runs its shutdown hooks; then the runtime ends with 0, and nobody is left."""
    program = PROGRAM + (
        "from lambda_runtime import on_shutdown\n"
        "on_shutdown(lambda: print('goodbye from', os.getpid(), flush=True))\n"
    )
    with ManyPollers() as api, api.start(MODULE, write_code(tmp_path, program), count=3) as runtime:
        api.wait_for_polls(3)
        workers = runtime.workers()
        runtime.process.send_signal(number)
        assert runtime.exit_code() == 0
        assert sorted(told(runtime, "goodbye from")) == workers
        assert not [pid for pid in workers if is_running(pid)]


def test_hooks_of_a_preloaded_handler_are_the_workers_affair(tmp_path: Path) -> None:
    """The parent, which has imported them too, does not run them."""
    program = PROGRAM + (
        "from lambda_runtime import on_shutdown\n"
        "on_shutdown(lambda: print('goodbye from', os.getpid(), flush=True))\n"
    )
    code = write_code(tmp_path, program)
    form = {"LAMBDA_RUNTIME_CONCURRENCY": "preload"}
    with ManyPollers() as api, api.start(MODULE, code, count=2, **form) as runtime:
        api.wait_for_polls(2)
        workers = runtime.workers()
        runtime.terminate()
        assert runtime.exit_code() == 0
        assert sorted(told(runtime, "goodbye from")) == workers
        assert told(runtime, "imported by") == [runtime.process.pid]


def test_worker_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """Two seconds after it was asked."""
    ignoring = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    code = write_code(tmp_path, ignoring + PROGRAM)
    with ManyPollers() as api, api.start(MODULE, code, count=2) as runtime:
        api.wait_for_polls(2)
        runtime.terminate()
        assert runtime.exit_code() == 0
        assert runtime.members() == []


@pytest.mark.parametrize("form", ["process", "thread"])
def test_no_worker_outlives_its_parent(tmp_path: Path, form: str) -> None:
    """Not even when nobody could tell them: the parent was killed, one of them is at work."""
    code = write_code(tmp_path, PROGRAM)
    variable = {"LAMBDA_RUNTIME_CONCURRENCY": form}
    with ManyPollers() as api, api.start(MODULE, code, count=3, **variable) as runtime:
        api.wait_for_polls(3)
        api.give("one", b'"hang"')
        eventually(lambda: bool(told(runtime, "hangs in")), "a handler at work")
        runtime.process.kill()
        runtime.process.wait()
        eventually(lambda: not runtime.members(), "the end of the workers")


# --- Init -------------------------------------------------------------------------------------


def test_init_failure_of_workers_is_reported_once(tmp_path: Path) -> None:
    """The first worker fails: it reports, no other one starts, and the exit status is 1."""
    with ManyPollers() as api, api.start(MODULE, write_code(tmp_path, BROKEN), count=4) as runtime:
        assert runtime.exit_code() == 1
        assert [post.path for post in api.posts] == ["init/error"]
        assert api.posts[0].json["errorType"] == "ValueError"
        assert len(told(runtime, "imported by")) == 1
        assert api.polls == []


def test_init_failure_of_one_of_several_workers(tmp_path: Path) -> None:
    """Nobody polls before all are ready; the one that fails reports, the others end."""
    program = (
        "import os, pathlib\n"
        "number = len(list(pathlib.Path('started').iterdir()))\n"
        "(pathlib.Path('started') / str(os.getpid())).touch()\n"
        "if number >= 2:\n    raise ValueError('too many')\n"
        "def handler(event, context): ...\n"
    )
    code = write_code(tmp_path, program)
    (code / "started").mkdir()
    with ManyPollers() as api, api.start(MODULE, code, count=4) as runtime:
        assert runtime.exit_code() == 1
        assert [post.path for post in api.posts] == ["init/error"]
        assert api.posts[0].json["errorMessage"] == "too many"
        assert api.polls == []
    assert runtime.members() == []


def test_init_failure_before_the_fork(tmp_path: Path) -> None:
    """A handler that is preloaded fails in the parent, which reports it; nobody is forked."""
    form = {"LAMBDA_RUNTIME_CONCURRENCY": "preload"}
    code = write_code(tmp_path, BROKEN)
    with ManyPollers() as api, api.start(MODULE, code, count=4, **form) as runtime:
        assert runtime.exit_code() == 1
        assert [post.path for post in api.posts] == ["init/error"]
        assert told(runtime, "imported by") == [runtime.process.pid]


@pytest.mark.parametrize(
    ("line", "code"), [("os._exit(5)", 5), ("os.kill(os.getpid(), 9)", 137), ("os._exit(0)", 1)]
)
def test_process_that_ends_during_init(tmp_path: Path, line: str, code: int) -> None:
    """Its exit status is that of the runtime, and never 0."""
    program = write_code(tmp_path, f"import os\n{line}\n")
    with ManyPollers() as api, api.start(MODULE, program, count=3) as runtime:
        assert runtime.exit_code() == code
        assert api.posts == []


def test_worker_that_cannot_come_back_does_not_report_init(tmp_path: Path) -> None:
    """Init is over: the others go on, and the log says why there is one less."""
    program = "import os, pathlib\nif pathlib.Path('broken').exists():\n    raise ValueError('x')\n"
    code = write_code(tmp_path, program + PROGRAM)
    with ManyPollers() as api, api.start(MODULE, code, count=2) as runtime:
        api.wait_for_polls(2)
        (code / "broken").touch()
        os.kill(runtime.workers()[0], signal.SIGKILL)
        eventually(lambda: "ended with exit status 1" in runtime.output, "a failed replacement")
        assert "[ERROR] ValueError: x" in runtime.output
        api.give("one")
        api.result("one")
        assert [post.path for post in api.posts] == ["invocation/one/response"]


@pytest.mark.parametrize(
    ("count", "form", "sentence"),
    [
        ("many", "auto", "AWS_LAMBDA_MAX_CONCURRENCY is 'many': not how many"),
        ("0", "auto", "AWS_LAMBDA_MAX_CONCURRENCY is '0': not how many"),
        ("2", "fibre", "'fibre' is no form of concurrency: auto, process, preload, thread, async"),
    ],
)
def test_settings_that_are_none(tmp_path: Path, count: str, form: str, sentence: str) -> None:
    """They are named in one sentence, and the exit status is 1."""
    code = write_code(tmp_path, PROGRAM)
    with (
        ManyPollers() as api,
        api.start(MODULE, code, count=count, LAMBDA_RUNTIME_CONCURRENCY=form) as runtime,
    ):
        assert runtime.exit_code() == 1
        assert runtime.output == f"lambda_runtime: {sentence}\n"


# --- Surroundings -----------------------------------------------------------------------------


def test_handler_of_a_runtime_object_is_shared_by_its_workers(tmp_path: Path) -> None:
    """`Runtime(function, concurrency=...)` forks after the function was made."""
    program = (
        "import os\nfrom lambda_runtime import Runtime\nmade_by = os.getpid()\n"
        "Runtime(lambda event, context: [made_by, os.getpid()], concurrency='process').run()\n"
    )
    code = write_code(tmp_path, program)
    command = [sys.executable, "app.py"]
    with ManyPollers() as api, api.start_command(command, code, count=2) as runtime:
        api.wait_for_polls(2)
        api.give("one")
        made_by, worker = api.result("one")
        assert made_by == runtime.process.pid
        assert worker in runtime.workers()


def test_extension_of_sigterm_is_registered_once(tmp_path: Path) -> None:
    """`request_sigterm` in a module that every worker imports registers the first one only."""
    program = "from lambda_runtime import request_sigterm\nrequest_sigterm()\n" + PROGRAM
    code = write_code(tmp_path, program)
    with ManyPollers({"register": refusal("403 Forbidden")}) as api:
        with api.start(MODULE, code, count=3) as runtime:
            api.wait_for_polls(3)
            os.kill(runtime.workers()[0], signal.SIGKILL)
            eventually(lambda: len(told(runtime, "imported by")) == 4, "a replacement")
            api.wait_for_polls(3)
        assert [post.path for post in api.posts] == ["/2020-01-01/extension/register"]


def test_nothing_needs_shared_memory_by_name(tmp_path: Path) -> None:
    """Lambda has no /dev/shm that could be written to: there workers fork, die and come back."""
    hidden = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    over = 'mount -t tmpfs -o ro none /dev/shm && exec "$0" "$@"'
    fails = "import multiprocessing\nmultiprocessing.Lock()"
    if shutil.which("unshare") is None:
        pytest.skip("no mount namespace: unshare is missing")
    probe = subprocess.run([*hidden, over, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mount namespace: {probe.stderr.decode().strip()}")
    locks = subprocess.run(
        [*hidden, over, sys.executable, "-c", fails], capture_output=True, check=False
    )
    assert locks.returncode, "the namespace hides nothing"
    command = [*hidden, over, sys.executable, "-m", MODULE, "app.handler"]
    code = write_code(tmp_path, PROGRAM)
    with ManyPollers() as api, api.start_command(command, code, count=2):
        api.wait_for_polls(2)
        api.give("one", b'"crash"')
        assert api.post("one").json["errorType"] == "Runtime.ExitError"
        api.wait_for_polls(2)


@pytest.mark.linux
@pytest.mark.parametrize(
    ("form", "count", "threads"), [("process", 1, 1), ("thread", 2, 3), ("alone", None, 1)]
)
def test_signals_wake_the_main_thread(
    tmp_path: Path, form: str, count: int | None, threads: int
) -> None:
    """No thread of ours takes SIGTERM: Python would not notice before the main thread returns."""
    program = PROGRAM + (
        "from lambda_runtime import request_sigterm\n"
        "if 'AWS_LAMBDA_MAX_CONCURRENCY' not in os.environ:\n    request_sigterm()\n"
    )
    code = write_code(tmp_path, program)
    registered = b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: x\r\nContent-Length: 2\r\n\r\n{}"
    variable = {"LAMBDA_RUNTIME_CONCURRENCY": form}
    with (
        ManyPollers({"register": registered, "event/next": NEVER}) as api,
        api.start(MODULE, code, count=count, **variable) as runtime,
    ):
        api.wait_for_polls(count or 1)
        [pid] = runtime.workers() if count else [runtime.process.pid]
        others = [task for task in _tasks(pid) if task.name != str(pid)]
        assert len(others) == threads
        for task in others:
            assert _blocked(task) & (1 << signal.SIGTERM - 1)
        assert not _blocked(Path(f"/proc/{pid}/task/{pid}"))


def _tasks(pid: int) -> list[Path]:
    return list(Path(f"/proc/{pid}/task").iterdir())


def _blocked(task: Path) -> int:
    """The set of signals that do not reach a thread, a bit for each."""
    text = (task / "status").read_text()
    return int(text.partition("SigBlk:")[2].split()[0], 16)


def test_several_invocations_at_once_cost_a_single_one_nothing(tmp_path: Path) -> None:
    """None of the modules for them is loaded without AWS_LAMBDA_MAX_CONCURRENCY."""
    names = [
        *("concurrency", "supervisor", "worker", "place", "in_flight", "signals"),
        *("scopes", "tasks", "threads", "driven", "async_client", "async_transport", "lost"),
    ]
    program = (
        "import sys\n"
        "def handler(event, context):\n"
        "    return [name for name in sys.modules if name.startswith('lambda_runtime.')]\n"
    )
    write_code(tmp_path, program)
    with ManyPollers() as api, api.start(MODULE, tmp_path, count=1):
        api.give("one")
        loaded = set(api.result("one"))
        assert {f"lambda_runtime.{name}" for name in names} - loaded == {
            f"lambda_runtime.{name}" for name in names[6:]
        }
    with ManyPollers() as api, api.start(MODULE, tmp_path, count=None):
        api.give("one")
        loaded = set(api.result("one"))
    assert not loaded & {f"lambda_runtime.{name}" for name in names}
