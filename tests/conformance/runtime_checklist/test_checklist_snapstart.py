"""Checklist D, 62 to 68: hooks before a snapshot and after a restore, of `snapshot_restore_py`."""

from __future__ import annotations

import pytest

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import SURVIVED, Played, Scenario
from tests.support.scripted_runtime_api import event

pytest.importorskip("snapshot_restore_py", reason="it comes with awslambdaric")

PROGRAM = """
from snapshot_restore_py import register_after_restore, register_before_snapshot

def show(*args, **kwargs):
    print(*args, *kwargs.items(), flush=True)

class MyError(Exception):
    pass

def fail(when):
    raise MyError(when)

register_before_snapshot(show, "before 1", key=1)
register_before_snapshot(show, "before 2")
register_after_restore(show, "after 1", key=2)
register_after_restore(show, "after 2")

@register_before_snapshot
def before():
    print("before 3", flush=True)

@register_after_restore
def after():
    print("after 3", flush=True)

def handler(event, context):
    return "handled"
"""
MEGABYTES = 8 << 20
RESTORED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MEGABYTES + b" " * MEGABYTES
"""Who did not read it could not go on."""
EVENTS = (event(b"{}", request_id="one"),)
SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


def restoring(program: str) -> Scenario:
    return Scenario(
        program=program, events=EVENTS, env=SNAP_START, answers={"restore/next": RESTORED}
    )


WHOLE = restoring(PROGRAM)
BEFORE_FAILS = restoring(f"{PROGRAM}\nregister_before_snapshot(fail, 'before')\n")
AFTER_FAILS = restoring(f"{PROGRAM}\nregister_after_restore(fail, 'after')\n")
NOT_RESTORED = Scenario(
    program=PROGRAM,
    env=SNAP_START,
    answers={"restore/next": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"},
)


@item(62, "S")
def test_hooks_before_the_snapshot(played: Played, ric: Ric) -> None:
    """The last registered runs first."""
    lines = played(WHOLE, ric).stdout.splitlines()
    assert lines[:3] == ["before 3", "before 2", "before 1 ('key', 1)"]


@item(63, "S")
def test_hooks_after_the_restore(played: Played, ric: Ric) -> None:
    """The first registered runs first."""
    lines = played(WHOLE, ric).stdout.splitlines()
    assert lines[3:] == ["after 1 ('key', 2)", "after 2", "after 3"]


@item(64, "S")
def test_arguments_of_hooks(played: Played, ric: Ric) -> None:
    """Arguments are handed on, and registering works as a decorator."""
    lines = played(WHOLE, ric).stdout.splitlines()
    assert {"before 1 ('key', 1)", "after 1 ('key', 2)", "before 3", "after 3"} <= set(lines)


@item(65, "S")
def test_the_wait_for_the_restore(played: Played, ric: Ric) -> None:
    """restore/next is asked for once, between the hooks; all but 200 is a failed init."""
    record = played(WHOLE, ric)
    paths = [post.path for post in record.requests]
    assert paths == [
        "restore/next",
        "invocation/next",
        "invocation/one/response",
        "invocation/next",
    ]
    refused = played(NOT_RESTORED, ric)
    assert refused.exit_code == 64
    assert refused.posts[-1].path == "init/error"
    assert "after" not in refused.stdout


@item(66, "S")
def test_a_hook_before_the_snapshot_that_fails(played: Played, ric: Ric) -> None:
    """init/error is told Runtime.BeforeSnapshotError, and the class inside; the exit code is 64."""
    record = played(BEFORE_FAILS, ric)
    assert record.exit_code == 64
    post = record.init_error
    assert post.headers["lambda-runtime-function-error-type"] == "Runtime.BeforeSnapshotError"
    assert post.json["errorType"] == "MyError"
    assert post.json["errorMessage"] == "before"


@item(67, "S")
def test_a_hook_after_the_restore_that_fails(played: Played, ric: Ric) -> None:
    """restore/error is told Runtime.AfterRestoreError, and the class inside; exit code 65."""
    record = played(AFTER_FAILS, ric)
    assert record.exit_code == 65
    assert [post.path for post in record.requests] == ["restore/next", "restore/error"]
    post = record.requests[1]
    assert post.headers["lambda-runtime-function-error-type"] == "Runtime.AfterRestoreError"
    assert post.json["errorType"] == "MyError"
    assert post.json["errorMessage"] == "after"


@item(68, "P")
def test_without_snapstart(played: Played, ric: Ric) -> None:
    """No hook runs and nobody asks for a restore."""
    record = played(Scenario(program=PROGRAM, events=EVENTS), ric)
    assert record.exit_code == SURVIVED
    assert record.stdout == ""
    assert record.result("one") == "handled"
