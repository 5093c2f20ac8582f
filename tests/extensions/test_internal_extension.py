"""Internal extensions against bytes spelled by hand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from lambda_extensions import InternalExtension
from lambda_extensions.events import InvokeEvent
from lambda_runtime import hooks
from tests.support.processes import eventually
from tests.support.scripted_api import HANG_UP, ScriptedApi, body_of, head_of, reply

REGISTERED = reply("200 OK", "Lambda-Extension-Identifier: x", body="{}")


@pytest.fixture(autouse=True)
def _the_thread_ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With the API gone the extension's thread says so on stderr and ends, within the test; the
    middleware that it leaves in the runtime's process ends with it too.
    """
    monkeypatch.setattr(hooks, "_middleware", [])
    yield
    eventually(
        lambda: all(thread.name != "flush" for thread in threading.enumerate()),
        "the end of the extension's thread",
    )


def invoke(_: bytes) -> bytes:
    deadline = int(time.time() * 1000) + 3000
    body = {"eventType": "INVOKE", "deadlineMs": deadline, "requestId": "r-1"}
    return reply("200 OK", body=json.dumps(body))


def test_it_works_after_the_handler_has_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """after_response waits for the watched handler of the same invocation; then comes next."""
    order: list[str] = []
    is_imported, done = threading.Event(), threading.Event()

    def begin(request: bytes) -> bytes:
        assert is_imported.wait(5)
        return invoke(request)

    def again(_: bytes) -> bytes:
        order.append("next")
        done.set()
        return HANG_UP

    with ScriptedApi(REGISTERED, begin, again) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        internal = InternalExtension("flush")

        @internal.after_response
        def flush(event: InvokeEvent) -> None:
            order.append(f"flush {event.request_id}")

        @internal.watch
        def handler(event: str, _: object) -> str:
            order.append(event)
            return event

        is_imported.set()
        handler("stale", SimpleNamespace(aws_request_id="r-0"))
        assert handler("handler", SimpleNamespace(aws_request_id="r-1")) == "handler"
        assert done.wait(5)
    assert internal.is_registered
    assert order == ["stale", "handler", "flush r-1", "next"]
    assert head_of(api.requests[0])[1]["lambda-extension-name"] == "flush"
    assert body_of(api.requests[0]) == b'{"events":["INVOKE"]}'


def test_retry_with_the_same_id_is_worked_after_its_own_handler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An asynchronous invocation that is tried again keeps its id; each handler is waited for."""
    order: list[str] = []
    begun, done = [threading.Event(), threading.Event()], threading.Event()

    def begin(request: bytes) -> bytes:
        assert begun[len(order) // 2].wait(5)
        return invoke(request)

    def end(_: bytes) -> bytes:
        done.set()
        return HANG_UP

    with ScriptedApi(REGISTERED, begin, begin, end) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        internal = InternalExtension("flush")
        internal.after_response(lambda _: order.append("flush"))

        @internal.watch
        def handler(_event: str, _context: object) -> None:
            order.append("handler")

        context = SimpleNamespace(aws_request_id="r-1")
        handler("first", context)
        begun[0].set()
        eventually(lambda: len(api.requests) == 3, "the request for the second event")
        begun[1].set()
        assert not done.wait(0.2)
        handler("again", context)
        assert done.wait(5)
    assert order == ["handler", "flush", "handler", "flush"]


def test_raising_handler_sets_it_going_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A handler that raises is finished as well, and a failing flush is told and no more."""
    is_imported, done = threading.Event(), threading.Event()

    def begin(request: bytes) -> bytes:
        assert is_imported.wait(5)
        return invoke(request)

    def again(_: bytes) -> bytes:
        done.set()
        return HANG_UP

    with ScriptedApi(REGISTERED, begin, again) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        internal = InternalExtension("flush")

        @internal.watch
        def handler(_event: object, _context: object) -> None:
            raise ValueError("no")

        @internal.after_response
        def flush(_: InvokeEvent) -> None:
            raise OSError("nobody there")

        is_imported.set()
        with pytest.raises(ValueError, match="no"):
            handler({}, SimpleNamespace(aws_request_id="r-1"))
        assert done.wait(5)
    assert 'lambda_extensions: internal extension "flush" failed\n' in capsys.readouterr().err


@pytest.mark.parametrize("is_in_lambda", [True, False])
def test_refused_registration_does_not_hurt_the_function(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_in_lambda: bool
) -> None:
    """Too late, or outside of Lambda: one line, and the function works on."""
    closed = reply(
        "403 Forbidden",
        body='{"errorMessage":"Extension registration closed already",'
        '"errorType":"Extension.RegistrationClosed"}\n',
    )
    with ScriptedApi(*([closed] if is_in_lambda else [])) as api:
        if is_in_lambda:
            monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        internal = InternalExtension("late")
    assert not internal.is_registered

    @internal.watch
    def handler(event: str, _: object) -> str:
        return event

    assert handler("works", SimpleNamespace(aws_request_id="r-1")) == "works"
    reason = "Extension.RegistrationClosed" if is_in_lambda else "AWS_LAMBDA_RUNTIME_API is not set"
    error = capsys.readouterr().err
    assert error.startswith('lambda_extensions: internal extension "late": ')
    assert reason in error


def test_managed_instances_have_no_invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On managed instances it registers for nothing, and one line says so."""
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")
    with ScriptedApi(REGISTERED, HANG_UP) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        assert InternalExtension("flush").is_registered
    assert body_of(api.requests[0]) == b'{"events":[]}'
    assert "managed instances have no INVOKE event\n" in capsys.readouterr().err
