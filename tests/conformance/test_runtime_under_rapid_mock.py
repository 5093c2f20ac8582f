"""Python runtimes under `rapid_mock`: AWS's own client, which judges the mock, and then ours."""

from __future__ import annotations

import io
import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from rapid_mock import LocalLambda
from tests.conformance.function.app import RAISING_LINE
from tests.support.peers import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rapid_mock.local import Function

FUNCTION = REPOSITORY / "tests" / "conformance" / "function"


@pytest.fixture
def local() -> Iterator[LocalLambda]:
    with LocalLambda(log_stream=io.BytesIO()) as running:
        yield running


@pytest.fixture(params=["awslambdaric", "lambda_runtime"])
def create(request: pytest.FixtureRequest, local: LocalLambda) -> Callable[..., Function]:
    """A function of `function/app.py` on the runtime under test."""
    if request.param == "awslambdaric":
        pytest.importorskip("awslambdaric")

    def create_function(handler: str, timeout: float = 5) -> Function:
        runtime = [sys.executable, "-m", request.param, handler]
        return local.create_function(
            "hello",
            handler=handler,
            code=FUNCTION,
            timeout=timeout,
            runtime=None if request.param == "lambda_runtime" else runtime,
        )

    return create_function


def test_an_event_comes_back_as_the_handler_returned_it(create: Callable[..., Function]) -> None:
    """The invoker gets the runtime's bytes, and the log its START, END and REPORT."""
    result = create("app.echo").invoke(b'{"name":"Ada","n":[1,2.5,null,true]}')
    assert result.function_error is None
    assert result.raw == b'{"event": {"name": "Ada", "n": [1, 2.5, null, true]}}'
    lines = result.logs.splitlines()
    assert lines[0] == f"START RequestId: {result.request_id} Version: $LATEST"
    assert lines[-2] == f"END RequestId: {result.request_id}"
    assert lines[-1].startswith(f"REPORT RequestId: {result.request_id}\tDuration: ")


@pytest.mark.parametrize("size", [10_000, 1_000_000, 6_000_000], ids=["10kB", "1MB", "6MB"])
def test_a_large_event_comes_back_whole(create: Callable[..., Function], size: int) -> None:
    """Nothing between invoker and handler cuts an event or a response."""
    hello = create("app.echo")
    event = {"text": "x" * size}
    for _ in range(2):
        assert hello.invoke(event).payload == {"event": event}


def test_the_context_says_what_the_function_is(create: Callable[..., Function]) -> None:
    """The context object carries the mock's headers and environment."""
    hello = create("app.describe")
    result = hello.invoke(
        {},
        client_context={"custom": {"k": "v"}},
        cognito_identity={"cognitoIdentityId": "i-1", "cognitoIdentityPoolId": "p-1"},
        tenant_id="blue",
    )
    found = result.payload
    assert found.pop("pid") > 0
    assert re.fullmatch(r"arn:aws:lambda:[\w-]+:\d{12}:function:hello", found.pop("arn"))
    assert found == {
        "request_id": result.request_id,
        "function_name": "hello",
        "function_version": "$LATEST",
        "memory": "128",
        "identity": ["i-1", "p-1"],
        "tenant": "blue",
        "custom": {"k": "v"},
        "has_time_left": True,
    }
    bare = hello.invoke({}).payload
    assert (bare["identity"], bare["tenant"], bare["custom"]) == ([None, None], None, None)


def test_one_process_serves_one_invoke_after_another(create: Callable[..., Function]) -> None:
    """A warm invoke runs in the process of the first, and only the first reports an init."""
    hello = create("app.describe")
    results = [hello.invoke({}) for _ in range(5)]
    assert len({result.payload["pid"] for result in results}) == 1
    assert [result.report.init_ms is None for result in results] == [False, *[True] * 4]


def test_a_raising_handler_is_a_function_error(create: Callable[..., Function]) -> None:
    """`Unhandled`: errorMessage, errorType, requestId and stackTrace; the next invoke works."""
    hello = create("app.fail")
    result = hello.invoke({"what": "luck"})
    after = hello.invoke({"what": "more luck"})
    frame = f'  File "{FUNCTION}/app.py", line {RAISING_LINE}, in fail\n'
    frame += '    raise ValueError("no " + event["what"])\n'
    assert result.function_error == "Unhandled"
    assert result.raw.decode() == (
        '{"errorMessage": "no luck", "errorType": "ValueError", '
        f'"requestId": "{result.request_id}", "stackTrace": [{json.dumps(frame)}]}}'
    )
    assert after.payload["errorMessage"] == "no more luck"


def test_an_event_that_is_no_json_is_a_function_error(create: Callable[..., Function]) -> None:
    """`Runtime.UnmarshalError` comes from the runtime, which serves on."""
    hello = create("app.echo")
    result = hello.invoke(b"{no")
    assert result.function_error == "Unhandled"
    assert result.payload["errorType"] == "Runtime.UnmarshalError"
    assert hello.invoke(b"1").payload == {"event": 1}


def test_a_module_that_cannot_be_imported_fails_init(create: Callable[..., Function]) -> None:
    """The invoker gets the body that the runtime posted to init/error."""
    result = create("no_such_module.handler").invoke({})
    assert result.function_error == "Unhandled"
    assert result.payload == {
        "errorMessage": (
            "Unable to import module 'no_such_module': No module named 'no_such_module'"
        ),
        "errorType": "Runtime.ImportModuleError",
        "requestId": "",
        "stackTrace": [],
    }


def test_a_runtime_that_exits_is_started_again(create: Callable[..., Function]) -> None:
    """`Runtime.ExitError` names the request and the exit status, every time."""
    hello = create("app.leave")
    for _ in range(2):
        result = hello.invoke({})
        assert result.function_error == "Unhandled"
        assert result.payload == {
            "errorType": "Runtime.ExitError",
            "errorMessage": (
                f"RequestId: {result.request_id} Error: Runtime exited with error: exit status 3"
            ),
        }


def test_a_handler_that_never_returns_times_out(create: Callable[..., Function]) -> None:
    """`Sandbox.Timedout` at the function's timeout."""
    result = create("app.hang", timeout=1).invoke({})
    assert result.function_error == "Unhandled"
    assert result.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": (
            f"RequestId: {result.request_id} Error: Task timed out after 1.00 seconds"
        ),
    }
