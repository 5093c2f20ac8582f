"""SnapStart: hooks around the snapshot, and what their failures look like."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.runtime_programs import (
    ACCEPTED,
    EVENT,
    Finished,
    answering,
    body_of,
    headers_of,
    path_of,
    refusal,
    run_against,
)

RESTORED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HOOKS = (
    "from {package} import register_after_restore, register_before_snapshot\n"
    "register_before_snapshot(print, 'before 1')\n"
    "register_before_snapshot(print, 'before', 2, sep='-')\n"
    "@register_after_restore\n"
    "def after(): print('after 1')\n"
    "register_after_restore(print, 'after 2')\n"
    "def handler(event, context): return 1\n"
)
AWS_PACKAGE = """\
_before, _after = [], []
def register_before_snapshot(f, *args, **kwargs):
    _before.append((f, args, kwargs))
    return f
def register_after_restore(f, *args, **kwargs):
    _after.append((f, args, kwargs))
    return f
def get_before_snapshot(): return _before
def get_after_restore(): return _after
"""


def snap_started(folder: Path, program: str, *answers: bytes) -> Finished:
    (folder / "snapshot_restore_py.py").write_text(AWS_PACKAGE)
    return run_against(
        folder, program, answering(*answers), AWS_LAMBDA_INITIALIZATION_TYPE="snap-start"
    )


@pytest.mark.parametrize("package", ["lambda_runtime", "snapshot_restore_py"])
def test_hooks_run_around_the_snapshot(tmp_path: Path, package: str) -> None:
    """Before it the last registered is first, after it the first; AWS's own registry works too."""
    program = HOOKS.format(package=package)
    finished = snap_started(tmp_path, program, RESTORED, EVENT, ACCEPTED)
    assert [request.partition(b" HTTP")[0] for request in finished.requests[:2]] == [
        b"GET /2018-06-01/runtime/restore/next",
        b"GET /2018-06-01/runtime/invocation/next",
    ]
    assert finished.stdout == "before-2\nbefore 1\nafter 1\nafter 2\n"


def test_without_snap_start_no_hook_runs(tmp_path: Path) -> None:
    """Nothing of it is asked for or run with another initialization type."""
    program = HOOKS.format(package="lambda_runtime")
    finished = run_against(tmp_path, program, answering(EVENT, ACCEPTED))
    assert path_of(finished.requests[0]) == "/2018-06-01/runtime/invocation/next"
    assert finished.stdout == ""


@pytest.mark.parametrize(
    ("raised", "error_type", "message"),
    [
        ("raise KeyError('k')", "KeyError", "'k'"),
        ("raise SystemExit(3)", "Runtime.ExitError", "the handler ended the process: exit 3"),
    ],
)
def test_a_failing_hook_before_the_snapshot(
    tmp_path: Path, raised: str, error_type: str, message: str
) -> None:
    """It is an init error of type Runtime.BeforeSnapshotError, and exit status 64."""
    program = (
        "from lambda_runtime import register_before_snapshot\n"
        f"@register_before_snapshot\ndef hook(): {raised}\n"
        "def handler(event, context): pass\n"
    )
    finished = snap_started(tmp_path, program, ACCEPTED)
    assert finished.exit_code == 64
    [post] = finished.requests
    assert path_of(post) == "/2018-06-01/runtime/init/error"
    kind = headers_of(post)["lambda-runtime-function-error-type"]
    assert kind == "Runtime.BeforeSnapshotError"
    error = json.loads(body_of(post))
    assert (error["errorType"], error["errorMessage"]) == (error_type, message)
    assert error["requestId"] == ""


def test_a_failing_hook_after_the_restore(tmp_path: Path) -> None:
    """It is a restore error of type Runtime.AfterRestoreError, and exit status 65."""
    program = (
        "from lambda_runtime import register_after_restore\n"
        "@register_after_restore\ndef hook(): raise KeyError('k')\n"
        "def handler(event, context): pass\n"
    )
    finished = snap_started(tmp_path, program, RESTORED, ACCEPTED)
    assert finished.exit_code == 65
    assert [path_of(request) for request in finished.requests] == [
        "/2018-06-01/runtime/restore/next",
        "/2018-06-01/runtime/restore/error",
    ]
    post = finished.requests[1]
    kind = headers_of(post)["lambda-runtime-function-error-type"]
    assert kind == "Runtime.AfterRestoreError"
    assert json.loads(body_of(post))["errorType"] == "KeyError"
    assert finished.stdout.startswith("[ERROR] KeyError: 'k'\r")


def test_a_refused_restore_ends_the_process(tmp_path: Path) -> None:
    """A restore that does not come is reported as a failure before the snapshot."""
    program = "def handler(event, context): pass\n"
    finished = snap_started(tmp_path, program, refusal("404 Not Found"), ACCEPTED)
    assert finished.exit_code == 64
    assert path_of(finished.requests[1]) == "/2018-06-01/runtime/init/error"
