"""Python runtimes under AWS's own emulator: awslambdaric proves the tests, then ours is judged."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from tests.conformance.function.app import RAISING_LINE
from tests.support.peers import REPOSITORY, RuntimeInterfaceEmulator, session_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Emulated = Callable[..., RuntimeInterfaceEmulator]

FUNCTION = REPOSITORY / "tests" / "conformance" / "function"


@pytest.fixture(params=["awslambdaric", "lambda_runtime"])
def emulated(request: pytest.FixtureRequest, rie_binary: Path) -> Emulated:
    """RIE that runs the runtime under test with a handler of `function/app.py`."""
    if request.param == "awslambdaric":
        pytest.importorskip("awslambdaric")

    def emulate(handler: str, **env: str) -> RuntimeInterfaceEmulator:
        return RuntimeInterfaceEmulator(
            rie_binary,
            [sys.executable, "-m", request.param, handler],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), **env},
            cwd=FUNCTION,
        )

    return emulate


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_an_event_comes_back_as_the_handler_returned_it(
    emulated: Emulated, http: requests.Session
) -> None:
    """The response is the handler's value as JSON in UTF-8, with blanks after `,` and `:`.

    awslambdaric escapes to ASCII where AWS_EXECUTION_ENV names no Python from 3.12 on.
    """
    with emulated("app.echo", AWS_EXECUTION_ENV="AWS_Lambda_python3.12") as rie:
        answer = http.post(
            rie.url, data='{"name":"Gr\u00fc\u00dfe","n":[1,2.5,null,true]}'.encode()
        )
    assert answer.status_code == 200
    assert answer.content == (
        b'{"event": {"name": "Gr\xc3\xbc\xc3\x9fe", "n": [1, 2.5, null, true]}}'
    )


@pytest.mark.parametrize("size", [2_000, 10_000, 1_000_000], ids=["2kB", "10kB", "1MB"])
def test_a_large_event_comes_back_whole(
    emulated: Emulated, http: requests.Session, size: int
) -> None:
    """RIE sends events above 2 KiB chunked; each is read to its last byte, again and again."""
    event = {"text": "x" * size}
    with emulated("app.echo") as rie:
        for _ in range(3):
            answer = http.post(rie.url, json=event)
            assert answer.json() == {"event": event}


def test_the_context_says_what_rie_says(emulated: Emulated, http: requests.Session) -> None:
    """The context object carries RIE's headers and environment."""
    with emulated("app.describe", AWS_LAMBDA_FUNCTION_NAME="hello") as rie:
        answer = http.post(rie.url, data=b"{}", headers={"X-Amzn-RequestId": "request-1"})
    found = answer.json()
    assert found.pop("pid") > 0
    assert found == {
        "request_id": "request-1",
        "function_name": "hello",
        "function_version": "$LATEST",
        "memory": "3008",
        "arn": "arn:aws:lambda:us-east-1:012345678912:function:hello",
        "identity": [None, None],
        "tenant": None,
        "custom": None,
        "has_time_left": True,
    }


def test_the_client_context_reaches_the_handler(emulated: Emulated, http: requests.Session) -> None:
    """`X-Amz-Client-Context` is base64 JSON; its `custom` member is on the context object."""
    context = {"X-Amz-Client-Context": "eyJjdXN0b20iOnsiayI6InYifX0="}  # {"custom":{"k":"v"}}
    with emulated("app.describe") as rie:
        answer = http.post(rie.url, data=b"{}", headers=context)
    assert answer.json()["custom"] == {"k": "v"}


def test_one_process_serves_one_invoke_after_another(
    emulated: Emulated, http: requests.Session
) -> None:
    """A warm invoke runs in the process that served the first one."""
    with emulated("app.describe") as rie:
        pids = {http.post(rie.url, data=b"{}").json()["pid"] for _ in range(5)}
    assert len(pids) == 1


def test_a_raising_handler_is_a_function_error(emulated: Emulated, http: requests.Session) -> None:
    """The error is errorMessage, errorType, requestId and stackTrace, in this order."""
    with emulated("app.fail") as rie:
        answer = http.post(
            rie.url, data=b'{"what":"luck"}', headers={"X-Amzn-RequestId": "request-2"}
        )
        after = http.post(rie.url, data=b'{"what":"more luck"}')
    frame = f'  File "{FUNCTION}/app.py", line {RAISING_LINE}, in fail\n'
    frame += '    raise ValueError("no " + event["what"])\n'
    assert answer.status_code == 200
    assert answer.text == (
        '{"errorMessage": "no luck", "errorType": "ValueError", "requestId": "request-2", '
        f'"stackTrace": [{json.dumps(frame)}]}}'
    )
    assert after.json()["errorMessage"] == "no more luck"


def test_an_event_that_is_no_json_is_a_function_error(
    emulated: Emulated, http: requests.Session
) -> None:
    """RIE hands on any bytes; the runtime answers `Runtime.UnmarshalError` and serves on."""
    with emulated("app.echo") as rie:
        answer = http.post(rie.url, data=b"{no")
        after = http.post(rie.url, data=b"1")
    assert answer.json()["errorType"] == "Runtime.UnmarshalError"
    assert answer.json()["errorMessage"].startswith("Unable to unmarshal input: ")
    assert answer.json()["stackTrace"] == []
    assert after.json() == {"event": 1}


def test_a_module_that_cannot_be_imported_fails_init(
    emulated: Emulated, http: requests.Session
) -> None:
    """The runtime posts init/error and exits; RIE answers 502 with the posted body."""
    with emulated("no_such_module.handler") as rie:
        answer = http.post(rie.url, data=b"{}")
    assert answer.status_code == 502
    assert answer.json() == {
        "errorMessage": (
            "Unable to import module 'no_such_module': No module named 'no_such_module'"
        ),
        "errorType": "Runtime.ImportModuleError",
        "requestId": "",
        "stackTrace": [],
    }


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        ("app.nobody", "Runtime.HandlerNotFound", "Handler 'nobody' missing on module 'app'"),
        (
            "bad",
            "Runtime.MalformedHandlerName",
            "Bad handler 'bad': not enough values to unpack (expected 2, got 1)",
        ),
        (
            "sys.exit",
            "Runtime.BuiltInModuleConflict",
            "Cannot use built-in module sys as a handler module",
        ),
    ],
)
def test_a_handler_that_is_not_there_fails_init(
    emulated: Emulated, http: requests.Session, handler: str, error_type: str, message: str
) -> None:
    """Each way of naming no handler has its own errorType and message."""
    with emulated(handler) as rie:
        answer = http.post(rie.url, data=b"{}")
    assert answer.status_code == 502
    assert answer.json()["errorType"] == error_type
    assert answer.json()["errorMessage"] == message


def test_a_runtime_that_exits_is_started_again(emulated: Emulated, http: requests.Session) -> None:
    """RIE reports the exit status to the caller; the next invoke starts a new process."""
    with emulated("app.leave") as rie:
        answers = [
            http.post(rie.url, data=b"{}", headers={"X-Amzn-RequestId": name})
            for name in ("request-3", "request-4")
        ]
    assert [answer.status_code for answer in answers] == [502, 502]
    assert answers[1].text == (
        '{"errorType":"Runtime.ExitError","errorMessage":"RequestId: request-4 Error: '
        'Runtime exited with error: exit status 3"}'
    )


def test_a_handler_that_never_returns_times_out(emulated: Emulated, http: requests.Session) -> None:
    """RIE kills the runtime at the function's timeout and answers in plain text."""
    with emulated("app.hang", AWS_LAMBDA_FUNCTION_TIMEOUT="1") as rie:
        answer = http.post(rie.url, data=b"{}")
    assert answer.status_code == 200
    assert answer.text == "Task timed out after 1.00 seconds"


def test_nothing_outlives_rie(emulated: Emulated, http: requests.Session) -> None:
    """After the end of RIE no process of its session is left."""
    with emulated("app.describe") as rie:
        http.post(rie.url, data=b"{}")
        assert len(session_members(rie.pid)) == 2
    assert session_members(rie.pid) == []
