"""`lambda_runtime` on managed instances of the local Lambda: several invocations at once."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rapid_mock import LocalLambda
from rapid_mock.local import Function
from tests.support.command_line import write_code
from tests.support.meeting import FORMS, SOURCE
from tests.support.peers import wait_until
from tests.support.processes import is_running

Create = Callable[..., Function]
GROWTH_INVOKES = int(os.environ.get("GROWTH_INVOKES", "400"))
"""100,000 by hand; fewer where every minute counts."""
GROWTH_KIB = 2048


@pytest.fixture
def create(tmp_path: Path) -> Iterator[Create]:
    """A function that meets, in environments with room for many processes."""
    code = write_code(tmp_path / "code", SOURCE)
    (tmp_path / "meeting").mkdir()
    with LocalLambda(log_stream=io.BytesIO()) as local:

        def create_function(form: str, count: int, **options: float) -> Function:
            return local.create_function(
                "many",
                handler=FORMS[form][0],
                code=code,
                max_concurrency=count,
                concurrency=1,
                environment={"LAMBDA_RUNTIME_CONCURRENCY": form},
                **({"timeout": 10, "memory": 2048} | options),  # type: ignore[arg-type]
            )

        yield create_function


@pytest.mark.parametrize("form", FORMS)
def test_sixteen_at_once(create: Create, tmp_path: Path, form: str) -> None:
    """None is answered before all sixteen are at work, in as many processes as the form has."""
    many = create(form, 16)
    event = {"meet_in": str(tmp_path / "meeting"), "count": 16}
    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(many.invoke, [event | {"n": n} for n in range(16)]))
    assert [result.payload[0] for result in results] == [16] * 16
    assert [result.payload[2] for result in results] == list(range(16))
    assert len({result.payload[1] for result in results}) == FORMS[form][1]


@pytest.mark.linux
@pytest.mark.parametrize("form", FORMS)
def test_killed_worker_is_replaced(create: Create, form: str) -> None:
    """Within a second another process answers, in the same environment."""
    many = create(form, 1)
    first = many.invoke("pid").payload
    parent, port = _parent(first), _runtime_api_port(first)
    os.kill(first, signal.SIGKILL)
    wait_until(
        lambda: _children(parent) not in ([], [first]) and not _is_half_closed(port),
        seconds=1,
        what="another worker",
    )
    after = many.invoke("pid")
    assert after.payload in _children(parent)
    assert after.report.init_ms is None
    assert after.report.duration_ms < 1000


@pytest.mark.parametrize("form", FORMS)
def test_crash_is_its_invokers_error_at_once(create: Create, form: str) -> None:
    """In Lambda's words, long before the timeout, and the environment lives on."""
    many = create(form, 2, timeout=60)
    many.invoke("pid")
    result = many.invoke("crash")
    assert result.function_error == "Unhandled"
    assert result.payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": f"RequestId: {result.request_id} Error: Runtime exited with error: "
        "exit status 9",
    }
    assert many.invoke("pid").report.init_ms is None


def test_timeout_of_one_invocation(create: Create, tmp_path: Path) -> None:
    """Only that one fails; its late response is refused, and its worker goes on."""
    many = create("process", 1, timeout=1)
    pid = many.invoke("pid").payload
    event = {"meet_in": str(tmp_path / "meeting"), "count": 2, "n": 0}
    late = many.invoke(event)
    assert late.payload["errorType"] == "Sandbox.Timedout"
    (tmp_path / "meeting" / "another").touch()
    assert many.invoke("pid").payload == pid


@pytest.mark.linux
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.timeout(1200)
def test_nothing_grows(create: Create, form: str) -> None:
    """Memory and open files of a worker after all invocations are those after a tenth of them."""
    many = create(form, 1)
    pid = many.invoke("pid").payload
    sizes = []
    for count in (GROWTH_INVOKES // 10, GROWTH_INVOKES - GROWTH_INVOKES // 10):
        for _ in range(count):
            assert many.invoke("pid").payload == pid
        sizes.append((_resident_kib(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))))
    (early, early_files), (late, late_files) = sizes
    assert late <= early + GROWTH_KIB
    assert late_files == early_files


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _runtime_api_port(pid: int) -> int:
    text = Path(f"/proc/{pid}/environ").read_text()
    return int(text.partition("AWS_LAMBDA_RUNTIME_API=127.0.0.1:")[2].partition("\0")[0])


def _is_half_closed(port: int) -> bool:
    """Whether the other side of a poll has gone and nobody has noticed: it would get an event."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "08" for row in rows)


def _children(pid: int) -> list[int]:
    """Its living children."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [child for child in map(int, text.split()) if is_running(child)]


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
