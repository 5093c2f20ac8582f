"""SnapStart from end to end: hooks of `lambda_runtime` around a restore."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rapid_mock import LocalLambda
from rapid_mock.errors import SetupError, SnapStartFailed
from tests.support.command_line import run, write_code
from tests.support.processes import eventually

HOOKS = """
import os, urllib.request, json
from lambda_runtime import register_after_restore, register_before_snapshot

done = []

@register_before_snapshot
def before():
    done.append("before")
    print("taking the snapshot", flush=True)

@register_after_restore
def after():
    done.append("after")
    if os.path.exists("fail"):
        raise OSError("no network")

def handler(event, context):
    request = urllib.request.Request(
        os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]},
    )
    keys = json.load(urllib.request.urlopen(request))
    return {
        "done": done,
        "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "key": keys["AccessKeyId"],
        "variables": [name for name in os.environ if name.startswith(("AWS_ACC", "AWS_SE"))],
    }
"""


class Local:
    """A local Lambda with its log at hand."""

    def __init__(self) -> None:
        self.log = io.BytesIO()
        self.local = LocalLambda(log_stream=self.log)

    @property
    def text(self) -> str:
        return self.log.getvalue().decode()


@pytest.fixture
def running() -> Iterator[Local]:
    running = Local()
    with running.local:
        yield running


def test_hooks_run_around_the_snapshot(running: Local, tmp_path: Path) -> None:
    """The snapshot is taken before any invocation; the first one restores, the second does not."""
    code = write_code(tmp_path, HOOKS)
    function = running.local.create_function("f", handler="app.handler", code=code, snapstart=True)
    eventually(lambda: "taking the snapshot\n" in running.text, "the snapshot is taken")
    assert "RESTORE_REPORT" not in running.text
    first, second = function.invoke({}), function.invoke({})
    expected = {
        "done": ["before", "after"],
        "type": "snap-start",
        "key": "RAPIDMOCKDUMMYKEY",
        "variables": [],
    }
    assert first.payload == second.payload == expected
    assert first.report.restore_ms is not None
    assert (first.report.init_ms, second.report.restore_ms) == (None, None)
    assert "\tRestore Duration: " in first.logs
    assert "\tBilled Restore Duration: " in first.logs
    assert running.text.count("RESTORE_REPORT Restore Duration: ") == 1


def test_hook_that_fails_fails_the_invocation(running: Local, tmp_path: Path) -> None:
    """The API refuses with AWS's words, the log says why; without the reason, the next works."""
    code = write_code(tmp_path, HOOKS)
    (tmp_path / "fail").touch()
    function = running.local.create_function("f", handler="app.handler", code=code, snapstart=True)
    with pytest.raises(SnapStartFailed, match=r"The afterRestore\(\) runtime hook encountered"):
        function.invoke({})
    assert "OSError: no network" in running.text
    assert "rapid-mock: runtime reported Runtime.AfterRestoreError and exited" in running.text
    assert "\tStatus: error\tError Type: Runtime.AfterRestoreError\n" in running.text
    (tmp_path / "fail").unlink()
    assert function.invoke({}).payload["done"] == ["before", "after"]


def test_function_without_hooks(running: Local, tmp_path: Path) -> None:
    """It is restored all the same."""
    code = write_code(tmp_path, "def handler(event, context):\n    return 'plain'\n")
    function = running.local.create_function("f", handler="app.handler", code=code, snapstart=True)
    result = function.invoke({})
    assert result.payload == "plain"
    assert result.report.restore_ms is not None


def test_frozen_at_the_snapshot(running: Local, tmp_path: Path) -> None:
    """With freezing nothing runs between the snapshot and the restore."""
    code = write_code(tmp_path, HOOKS)
    function = running.local.create_function(
        "f", handler="app.handler", code=code, snapstart=True, freeze=True
    )
    assert function.invoke({}).payload["done"] == ["before", "after"]
    assert function.invoke({}).payload["done"] == ["before", "after"]


def test_command_line(tmp_path: Path) -> None:
    """`invoke --snapstart` prints the restore's line and durations."""
    code = write_code(tmp_path, HOOKS)
    done = run("invoke", "app.handler", "--code", str(code), "--snapstart")
    assert json.loads(done.stdout)["done"] == ["before", "after"]
    assert "RESTORE_REPORT Restore Duration: " in done.stderr
    assert "Init Duration" not in done.stderr


def test_managed_instances_have_no_snapshots(tmp_path: Path) -> None:
    """One sentence for what Lambda does not have."""
    options: dict[str, Any] = {"snapstart": True, "max_concurrency": 2}
    with (
        LocalLambda(log_stream=io.BytesIO()) as local,
        pytest.raises(SetupError, match="managed instances are not restored from snapshots"),
    ):
        local.create_function("f", handler="a.b", code=tmp_path, **options)


def test_failed_restore_for_boto3(running: Local, tmp_path: Path) -> None:
    """A client gets the exception that AWS's SDKs know."""
    code = write_code(tmp_path, HOOKS)
    (tmp_path / "fail").touch()
    running.local.create_function("f", handler="app.handler", code=code, snapstart=True)
    client = running.local.client("lambda")
    try:
        with pytest.raises(client.exceptions.SnapStartException) as raised:
            client.invoke(FunctionName="f", Payload=b"{}")
    finally:
        client.close()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert raised.value.response["Message"] == (
        "The afterRestore() runtime hook encountered an error. For more information, check the "
        "Amazon CloudWatch logs."
    )
