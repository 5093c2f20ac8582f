"""Extension.run: the events it asks for, the handlers it calls, how it fails."""

from __future__ import annotations

import json
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_httpserver import BlockingHTTPServer
from pytest_httpserver.blocking_httpserver import BlockingRequestHandler

from lambda_extensions import Extension, InvokeEvent, Registration, ShutdownEvent
from tests.support.scripted_api import HANG_UP, Scripted, ScriptedApi, body_of, head_of, reply

IDENTIFIER = "0f2a7cf2-9e5f-4d0c-9c1c-2f1f0a6f7e11"
REGISTERED = reply(
    "200 OK",
    f"Lambda-Extension-Identifier: {IDENTIFIER}",
    body='{"functionName":"hello","functionVersion":"$LATEST","handler":"app.handler"}\n',
)
ACCEPTED = reply("202 Accepted", body='{"status":"OK"}\n')
SHUTDOWN = reply(
    "200 OK", body='{"eventType":"SHUTDOWN","deadlineMs":2,"shutdownReason":"spindown"}'
)
NEXT = "GET /2020-01-01/extension/event/next HTTP/1.1"


def invoke(request_id: str) -> bytes:
    body = f'{{"eventType":"INVOKE","deadlineMs":1,"requestId":"{request_id}"}}'
    return reply("200 OK", body=body)


def run(monkeypatch: pytest.MonkeyPatch, extension: Extension, *replies: Scripted) -> ScriptedApi:
    with ScriptedApi(*replies) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        extension.run()
    return api


def fail(monkeypatch: pytest.MonkeyPatch, extension: Extension, *replies: bytes) -> ScriptedApi:
    with ScriptedApi(*replies) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        with pytest.raises(SystemExit) as caught:
            extension.run()
    assert caught.value.code == 1
    return api


def test_events_reach_their_handlers_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each event reaches every handler of its kind, in the order of the decorators."""
    extension = Extension("hello")
    seen: list[object] = []

    @extension.on_init
    def start(registration: Registration) -> None:
        seen.append(registration.handler)

    @extension.on_invoke
    def first(event: InvokeEvent) -> None:
        seen.append(("first", event.request_id))

    @extension.on_invoke
    def second(event: InvokeEvent) -> None:
        seen.append(("second", event.request_id))

    @extension.on_shutdown
    def end(event: ShutdownEvent) -> None:
        seen.append(event.reason)

    api = run(monkeypatch, extension, REGISTERED, invoke("a"), invoke("b"), SHUTDOWN)
    assert seen == [
        "app.handler",
        *[("first", "a"), ("second", "a"), ("first", "b"), ("second", "b")],
        "spindown",
    ]
    assert body_of(api.requests[0]) == b'{"events":["INVOKE","SHUTDOWN"]}'
    assert [head_of(one)[0] for one in api.requests[1:]] == [NEXT] * 3


def test_nothing_is_registered_for_invoke_without_a_handler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An extension that handles no invocation does not hold any up: SHUTDOWN alone."""
    api = run(monkeypatch, Extension("hello"), REGISTERED, SHUTDOWN)
    assert body_of(api.requests[0]) == b'{"events":["SHUTDOWN"]}'


def test_name_is_the_file_name_of_the_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lambda knows an external extension by its executable's file name."""
    monkeypatch.setattr(sys, "argv", ["/opt/extensions/shipper.py", "x"])
    api = run(monkeypatch, Extension(), REGISTERED, SHUTDOWN)
    assert head_of(api.requests[0])[1]["lambda-extension-name"] == "shipper.py"


def test_unknown_events_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event type of the future is no reason to fail."""
    thaw = reply("200 OK", body='{"eventType":"THAW","deadlineMs":1}')
    extension = Extension("hello")
    seen: list[str] = []
    extension.on_invoke(lambda event: seen.append(event.request_id))
    run(monkeypatch, extension, REGISTERED, thaw, invoke("a"), SHUTDOWN)
    assert seen == ["a"]


def test_next_is_asked_after_the_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next event is not asked for before the handler of this one has returned."""
    started, returning = threading.Event(), threading.Event()
    extension = Extension("hello")

    @extension.on_invoke
    def slow(_: InvokeEvent) -> None:
        started.set()
        assert returning.wait(10)

    with BlockingHTTPServer(host="127.0.0.1", timeout=10) as server:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", f"127.0.0.1:{server.port}")
        thread = threading.Thread(target=extension.run)
        thread.start()
        try:
            _answer_registration(server)
            invoked = {"eventType": "INVOKE", "deadlineMs": 1, "requestId": "a"}
            _next(server).respond_with_json(invoked)
            assert started.wait(10)
            assert server.request_queue.empty()
            returning.set()
            ended = {"eventType": "SHUTDOWN", "deadlineMs": 1, "shutdownReason": "timeout"}
            _next(server).respond_with_json(ended)
        finally:
            returning.set()
            thread.join(10)


def _answer_registration(server: BlockingHTTPServer) -> None:
    server.assert_request(
        "/2020-01-01/extension/register",
        method="POST",
        headers={"Lambda-Extension-Name": "hello"},
        json={"events": ["INVOKE", "SHUTDOWN"]},
        timeout=10,
    ).respond_with_json(
        {"functionName": "f", "functionVersion": "$LATEST", "handler": "app.handler"},
        headers={"Lambda-Extension-Identifier": IDENTIFIER},
    )


def _next(server: BlockingHTTPServer) -> BlockingRequestHandler:
    return server.assert_request(
        "/2020-01-01/extension/event/next",
        method="GET",
        headers={"Lambda-Extension-Identifier": IDENTIFIER},
        timeout=10,
    )


def test_failing_handler_costs_the_function_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A handler that raises is told on stderr; the others and the next event still come."""
    extension = Extension("hello")
    seen: list[object] = []

    @extension.on_invoke
    def broken(event: InvokeEvent) -> None:
        raise ValueError(f"bad {event.request_id}")

    @extension.on_shutdown
    def broken_too(event: ShutdownEvent) -> None:
        raise KeyError(event.reason)

    extension.on_invoke(lambda event: seen.append(event.request_id))
    extension.on_shutdown(lambda event: seen.append(event.reason))
    api = run(monkeypatch, extension, REGISTERED, invoke("a"), invoke("b"), SHUTDOWN)
    assert seen == ["a", "b", "spindown"]
    assert len(api.requests) == 4
    error = capsys.readouterr().err
    assert error.count('lambda_extensions: extension "hello" failed at INVOKE\n') == 2
    assert error.count('lambda_extensions: extension "hello" failed at SHUTDOWN\n') == 1
    assert "ValueError: bad a" in error
    assert "in broken\n" in error
    assert "/lambda_extensions/" not in error  # the author's frames alone


@pytest.mark.parametrize("at", ["invoke", "shutdown"])
def test_failing_handler_that_shall_exit(
    at: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With on_failure="exit" a failure is reported to /exit/error and ends the process with 1."""
    extension = Extension("hello", on_failure="exit")

    def broken(_: object) -> None:
        raise ConnectionResetError("gone")

    if at == "invoke":
        extension.on_invoke(broken)
        api = fail(monkeypatch, extension, REGISTERED, invoke("a"), ACCEPTED)
    else:
        extension.on_shutdown(broken)
        api = fail(monkeypatch, extension, REGISTERED, SHUTDOWN, ACCEPTED)
    line, headers = head_of(api.requests[-1])
    assert line == "POST /2020-01-01/extension/exit/error HTTP/1.1"
    assert headers["lambda-extension-function-error-type"] == "Extension.ConnectionResetError"
    assert json.loads(body_of(api.requests[-1]))["errorMessage"] == "gone"
    assert "ConnectionResetError: gone" in capsys.readouterr().err


def test_initialisation_that_exits_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """sys.exit() in an init handler goes to /init/error as well."""
    extension = Extension("hello")
    extension.on_init(lambda _: sys.exit("no licence"))
    api = fail(monkeypatch, extension, REGISTERED, ACCEPTED)
    line, headers = head_of(api.requests[1])
    assert line == "POST /2020-01-01/extension/init/error HTTP/1.1"
    assert headers["lambda-extension-function-error-type"] == "Extension.SystemExit"
    assert json.loads(body_of(api.requests[1]))["errorMessage"] == "no licence"


def test_failing_initialisation_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An init handler that raises goes to /init/error; the process ends without asking for work."""
    extension = Extension("hello")

    @extension.on_init
    def start(registration: Registration) -> None:
        raise LookupError("no licence for " + registration.function_name)

    api = fail(monkeypatch, extension, REGISTERED, ACCEPTED)
    line, headers = head_of(api.requests[1])
    assert line == "POST /2020-01-01/extension/init/error HTTP/1.1"
    assert headers["lambda-extension-identifier"] == IDENTIFIER
    assert headers["lambda-extension-function-error-type"] == "Extension.LookupError"
    assert json.loads(body_of(api.requests[1]))["errorMessage"] == "no licence for hello"
    error = capsys.readouterr().err
    assert error.startswith('lambda_extensions: extension "hello" cannot initialise\nTraceback')
    assert error.endswith("LookupError: no licence for hello\n")


def test_report_that_is_refused_still_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When Lambda does not take the report either, both are told and the exit code is 1."""
    extension = Extension("hello")
    extension.on_init(lambda registration: registration.missing)
    fail(monkeypatch, extension, REGISTERED, HANG_UP)
    error = capsys.readouterr().err
    assert "AttributeError" in error
    assert '\nlambda_extensions: extension "hello": the Extensions API at 127.0.0.1:' in error


def test_refused_registration_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A refusal is told in AWS's words, without a traceback, and the exit code is 1."""
    answer = reply(
        "403 Forbidden",
        body='{"errorMessage":"Extension limit (10) reached",'
        '"errorType":"Extension.TooManyExtensions"}\n',
    )
    fail(monkeypatch, Extension("hello"), answer)
    assert capsys.readouterr().err == (
        'lambda_extensions: registration of "hello" was refused with status 403: '
        "Extension limit (10) reached (Extension.TooManyExtensions)\n"
    )


def test_misspelled_name_is_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that is no executable's makes Lambda refuse SHUTDOWN; the sentence says why, and
    the name to take.
    """
    monkeypatch.setattr(sys, "argv", ["/opt/extensions/hello"])
    answer = reply(
        "403 Forbidden",
        body='{"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension",'
        '"errorType":"Extension.InvalidEventType"}\n',
    )
    fail(monkeypatch, Extension("helo"), answer)
    assert capsys.readouterr().err == (
        'lambda_extensions: registration of "helo" was refused with status 403: '
        "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension (Extension.InvalidEventType); "
        "Lambda takes every name for an internal extension that is not the file name of an "
        'executable in /opt/extensions (this program was started as "hello")\n'
    )


def test_outside_of_lambda_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Started by hand an extension says where it belongs and exits with 1."""
    with pytest.raises(SystemExit) as caught:
        Extension("hello").run()
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        'lambda_extensions: extension "hello": AWS_LAMBDA_RUNTIME_API is not set: an extension is '
        "started by Lambda, or on your machine by rapid-mock with --extension\n"
    )


@pytest.mark.parametrize("deadline", ["99999999999999", "1" + "0" * 400, "-1", "null"])
def test_deadline_that_makes_no_sense(monkeypatch: pytest.MonkeyPatch, deadline: str) -> None:
    """Whatever deadline a server names, handlers are called and their end is waited for."""
    body = f'{{"eventType":"INVOKE","deadlineMs":{deadline},"requestId":"a"}}'
    extension = Extension("hello", max_wait=float("inf"))
    seen: list[float] = []
    extension.on_invoke(lambda event: seen.append(event.remaining()))
    run(monkeypatch, extension, REGISTERED, reply("200 OK", body=body), SHUTDOWN)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ({"max_wait": -1}, "max_wait must be at least 0, not -1"),
        ({"on_failure": "retry"}, "on_failure is drop or exit, not retry"),
        ({"protocol": "http"}, "protocol is HTTP or TCP, not http"),
    ],
)
def test_options_that_cannot_be_are_refused(option: dict[str, Any], text: str) -> None:
    """An option that cannot be is refused where it is written."""
    with pytest.raises(ValueError, match=f"^{text}$"):
        Extension("hello", **option)


def test_handlers_run_in_the_thread_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handlers share the thread that called run: signals and SQLite connections work in them."""
    extension = Extension("hello")
    threads: set[int] = set()
    for decorate in (extension.on_init, extension.on_invoke, extension.on_shutdown):
        decorate(lambda _: threads.add(threading.get_ident()))
    run(monkeypatch, extension, REGISTERED, invoke("a"), invoke("b"), SHUTDOWN)
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("is_coroutine", [False, True])
def test_handler_that_exits_costs_the_function_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_coroutine: bool
) -> None:
    """sys.exit() deep in a library is a failure like others; the next events still come."""
    extension = Extension("hello")

    def leave(_: InvokeEvent) -> None:
        sys.exit("usage: thing")

    async def leave_later(event: InvokeEvent) -> None:
        leave(event)

    extension.on_invoke(leave_later if is_coroutine else leave)
    api = run(monkeypatch, extension, REGISTERED, invoke("a"), invoke("b"), SHUTDOWN)
    assert len(api.requests) == 4
    assert capsys.readouterr().err.count("SystemExit: usage: thing") == 2


def test_thaw_comes_before_other_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a rest the on_thaw handlers come first, once, with its seconds; a failing one is
    told.
    """
    clock = [1e9]
    monkeypatch.setattr("lambda_extensions.thaw.time", SimpleNamespace(time=lambda: clock[0]))
    seen: list[str] = []

    class Shipper(Extension):
        def thaw(self, rest: float) -> None:
            assert rest == 5.5
            seen.append("thaw")

        def invoke(self, event: InvokeEvent) -> None:
            seen.append(event.request_id)

    def after_a_rest(_: bytes) -> bytes:
        clock[0] += 5.5
        return invoke("b")

    def after_a_moment(_: bytes) -> bytes:
        clock[0] += 5.0
        return invoke("c")

    extension = Shipper("hello")
    extension.on_invoke(lambda _: seen.append("second"))
    run(monkeypatch, extension, REGISTERED, invoke("a"), after_a_rest, after_a_moment, SHUTDOWN)
    assert seen == ["a", "second", "thaw", "b", "second", "c", "second"]
