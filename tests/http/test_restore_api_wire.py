"""What only a restored environment serves, byte by byte: `restore/*` and the credentials."""

from __future__ import annotations

import pytest

from rapid_mock.http.credentials_api import add_credentials_api
from rapid_mock.http.router import Router
from rapid_mock.http.runtime_api import add_runtime_api
from rapid_mock.lifecycle.effects import Accepted, Refused, Restored
from rapid_mock.lifecycle.events import RuntimeRestoreFailed, RuntimeRestoreNext
from tests.support.raw_http import RawClient
from tests.support.scripted_environment import ScriptedEnvironment, ask, serving

TOKEN = "0f1e2d3c-4b5a-4968-8776-655443322110"
RESTORE_NEXT = b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
RESTORE_ERROR = (
    b"POST /2018-06-01/runtime/restore/error HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Lambda-Runtime-Function-Error-Type: Runtime.AfterRestoreError\r\nContent-Length: 2\r\n\r\n{}"
)
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\n"
KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": "SK", "AWS_SESSION_TOKEN": "ST"}
UNKNOWN_TOKEN = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"X-Content-Type-Options: nosniff\r\nContent-Length: 46\r\n\r\n"
    b"cannot get credentials for the provided token\n"
)


def test_restore_next_has_an_empty_answer_with_a_type() -> None:
    """200 without a body; the content type is there, as native clients crash without one."""
    environment = ScriptedEnvironment(Restored())

    def add(router: Router) -> None:
        add_runtime_api(router, environment, is_restored=True)

    with serving(add) as server:
        answer = ask(server, RESTORE_NEXT)
    assert answer == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n\r\n"
    )
    assert environment.events == [RuntimeRestoreNext(1)]


def test_refused_restore_next() -> None:
    """A refusal has the form of every other one."""
    refusal = Refused(403, "InvalidStateTransition", "no")
    environment = ScriptedEnvironment(refusal)

    def add(router: Router) -> None:
        add_runtime_api(router, environment, is_restored=True)

    with serving(add) as server:
        answer = ask(server, RESTORE_NEXT)
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert answer.endswith(b'{"errorMessage":"no","errorType":"InvalidStateTransition"}\n')


def test_leaving_while_waiting_is_told() -> None:
    """A runtime that closes its connection waits for the restore no more."""
    environment = ScriptedEnvironment()

    def add(router: Router) -> None:
        add_runtime_api(router, environment, is_restored=True)

    with serving(add) as server:
        with RawClient(server.address) as client:
            client.send(RESTORE_NEXT)
            environment.wait_for(lambda told: bool(told.events))
        environment.wait_for(lambda told: told.gone == [1])


def test_restore_error_goes_to_the_environment() -> None:
    """Type and body as they were sent; the answer is 202."""
    environment = ScriptedEnvironment(Accepted())

    def add(router: Router) -> None:
        add_runtime_api(router, environment, is_restored=True)

    with serving(add) as server:
        answer = ask(server, RESTORE_ERROR)
    assert answer.startswith(b"HTTP/1.1 202 Accepted\r\n")
    assert answer.endswith(b'{"status":"OK"}\n')
    assert environment.events == [RuntimeRestoreFailed(1, "Runtime.AfterRestoreError", b"{}")]


@pytest.mark.parametrize("request_", [RESTORE_NEXT, RESTORE_ERROR], ids=["next", "error"])
def test_no_restore_without_snapstart(request_: bytes) -> None:
    """An environment that is never restored has no such routes."""
    environment = ScriptedEnvironment()
    with serving(lambda router: add_runtime_api(router, environment)) as server:
        assert ask(server, request_).startswith(NOT_FOUND)
    assert environment.events == []


@pytest.mark.parametrize(
    ("authorization", "answer"),
    [
        (
            f"Authorization: {TOKEN}\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 92\r\n\r\n"
            b'{"AccessKeyId":"AK","SecretAccessKey":"SK","Token":"ST",'
            b'"Expiration":"2023-11-15T10:13:20Z"}',
        ),
        (f"Authorization: Bearer {TOKEN}\r\n", UNKNOWN_TOKEN),
        ("Authorization: bad\r\n", UNKNOWN_TOKEN),
        ("Authorization: gr\u00fcn\r\n", UNKNOWN_TOKEN),
        ("", UNKNOWN_TOKEN),
    ],
    ids=["token", "scheme", "other", "not ASCII", "none"],
)
def test_credentials(authorization: str, answer: bytes) -> None:
    """For the environment's token alone, valid for twelve hours."""
    request = f"GET /2021-04-23/credentials HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}\r\n"
    epoch = 1_700_000_000.0
    with serving(lambda router: add_credentials_api(router, TOKEN, KEYS, lambda: epoch)) as server:
        assert ask(server, request.encode("latin-1")) == answer
