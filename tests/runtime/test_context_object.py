"""LambdaContext, attribute by attribute, as AWS's client fills it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from lambda_runtime import LambdaContext
from lambda_runtime.client import Invocation
from lambda_runtime.context import ClientContext, CognitoIdentity
from lambda_runtime.errors import ContextUnmarshalFailed
from lambda_runtime.replies import Reply

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:hello:live"


def context_of(*lines: str) -> LambdaContext:
    """The context of an event whose reply has these headers."""
    head = "".join(f"{line}\r\n" for line in ("HTTP/1.1 200 OK", *lines))
    return LambdaContext(Invocation("request-1", Reply(200, head.encode(), b"{}")))


def client_context_of(text: str) -> ClientContext:
    found = context_of(f"Lambda-Runtime-Client-Context: {text}").client_context
    assert found is not None
    return found


def test_what_the_headers_say() -> None:
    """Request id, ARN, tenant and deadline; header names in any case."""
    context = context_of(
        f"lambda-runtime-INVOKED-function-arn: {ARN}",
        "Lambda-Runtime-Aws-Tenant-Id: blue",
        "Lambda-Runtime-Deadline-Ms: 1700000000123",
    )
    assert context.aws_request_id == "request-1"
    assert context.invoked_function_arn == ARN
    assert context.tenant_id == "blue"
    assert context._epoch_deadline_time_in_ms == 1700000000123


@pytest.mark.parametrize(
    "lines", [(), ("Lambda-Runtime-Aws-Tenant-Id:", "Lambda-Runtime-Invoked-Function-Arn:")]
)
def test_what_absent_and_empty_headers_say(lines: tuple[str, ...]) -> None:
    """No ARN is empty text, no tenant None, no deadline the epoch; identity is an object."""
    context = context_of(*lines)
    assert context.invoked_function_arn == ""
    assert context.tenant_id is None
    assert context._epoch_deadline_time_in_ms == 0
    assert context.get_remaining_time_in_millis() == 0
    assert context.client_context is None
    assert isinstance(context.identity, CognitoIdentity)
    assert context.identity.cognito_identity_id is None
    assert context.identity.cognito_identity_pool_id is None
    assert context.w3c() == {}


VARIABLES = {
    "function_name": "AWS_LAMBDA_FUNCTION_NAME",
    "function_version": "AWS_LAMBDA_FUNCTION_VERSION",
    "memory_limit_in_mb": "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "log_group_name": "AWS_LAMBDA_LOG_GROUP_NAME",
    "log_stream_name": "AWS_LAMBDA_LOG_STREAM_NAME",
}


@pytest.mark.parametrize("attribute", VARIABLES)
@pytest.mark.parametrize("value", ["1234", None])
def test_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, attribute: str, value: str | None
) -> None:
    """The variable's text, the memory too; None when it is not set."""
    if value is not None:
        monkeypatch.setenv(VARIABLES[attribute], value)
    assert getattr(context_of(), attribute) == value


def test_remaining_time_is_counted_by_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole milliseconds until the deadline, never below 0."""
    context = context_of("Lambda-Runtime-Deadline-Ms: 5000")
    monkeypatch.setattr(time, "time", lambda: 2.0)
    assert context.get_remaining_time_in_millis() == 3000
    monkeypatch.setattr(time, "time", lambda: 4.9999)
    assert context.get_remaining_time_in_millis() == 1
    monkeypatch.setattr(time, "time", lambda: 6.0)
    assert context.get_remaining_time_in_millis() == 0
    assert isinstance(context.get_remaining_time_in_millis(), int)


@pytest.mark.parametrize("message", ["YOLO!", "", "two\nlines\n", 7, None])
def test_log_writes_what_it_is_given(capsys: pytest.CaptureFixture[str], message: object) -> None:
    """As text, without a line break of its own."""
    context_of().log(message)
    assert capsys.readouterr() == (str(message), "")


def test_client_context() -> None:
    """Custom, env and the five members of client; unknown members are dropped; text is UTF-8."""
    found = client_context_of(
        '{"custom": {"k": "\u00e9"}, "env": {"make": "x"}, "other": 1, "client": {'
        '"installation_id": "i", "app_title": "t", "app_version_name": "n", '
        '"app_version_code": "c", "app_package_name": "p", "other": 2}}'
    )
    assert found.custom == {"k": "\u00e9"}
    assert found.env == {"make": "x"}
    assert found.client is not None
    assert {name: getattr(found.client, name) for name in found.client.__slots__} == {
        "installation_id": "i",
        "app_title": "t",
        "app_version_name": "n",
        "app_version_code": "c",
        "app_package_name": "p",
    }
    for owner in (found, found.client):
        assert not hasattr(owner, "other")


def test_an_empty_client_context() -> None:
    """`{}` is an object whose three members are None."""
    found = client_context_of("{}")
    assert (found.custom, found.env, found.client) == (None, None, None)


def test_an_empty_client_has_five_members() -> None:
    """Each is None."""
    found = client_context_of('{"client": {}}')
    assert found.client is not None
    assert all(getattr(found.client, name) is None for name in found.client.__slots__)


@pytest.mark.parametrize("line", ["Lambda-Runtime-Client-Context:", "X-Other: {}"])
def test_no_client_context(line: str) -> None:
    """Absent and empty headers are None."""
    assert context_of(line).client_context is None


def test_a_null_client_context() -> None:
    """`null` is none."""
    assert context_of("Lambda-Runtime-Client-Context: null").client_context is None


def test_cognito_identity() -> None:
    """Both ids by their camel-case names; one may be missing."""
    name = "Lambda-Runtime-Cognito-Identity"
    both = context_of(
        f'{name}: {{"cognitoIdentityId": "i", "cognitoIdentityPoolId": "p"}}'
    ).identity
    assert (both.cognito_identity_id, both.cognito_identity_pool_id) == ("i", "p")
    one = context_of(f'{name}: {{"cognitoIdentityPoolId": "p"}}').identity
    assert (one.cognito_identity_id, one.cognito_identity_pool_id) == (None, "p")
    none = context_of(f"{name}: null").identity
    assert (none.cognito_identity_id, none.cognito_identity_pool_id) == (None, None)


@pytest.mark.parametrize(
    ("text", "w3c"),
    [
        ('{"w3c": {"traceparent": "00-a", "tracestate": "b", "baggage": "c", "x": "y"}}', "all"),
        ('{"w3c": {"traceparent": "00-a", "tracestate": 7, "baggage": null}}', "parent"),
        ('{"w3c": {}}', ""),
        ('{"w3c": ["traceparent"]}', ""),
        ('{"w3c": "traceparent"}', ""),
        ("{}", ""),
        ("null", ""),
    ],
)
def test_w3c_trace_context(text: str, w3c: str) -> None:
    """Its three members as far as they are text; a fresh dict each time."""
    expected = {
        "all": {"traceparent": "00-a", "tracestate": "b", "baggage": "c"},
        "parent": {"traceparent": "00-a"},
        "": {},
    }[w3c]
    context = context_of(f"Lambda-Runtime-Client-Context: {text}")
    found = context.w3c()
    assert found == expected
    found["traceparent"] = "changed"
    assert context.w3c() == expected
    assert not hasattr(context.client_context, "w3c")


MALFORMED = [
    ("no", "Expecting value: line 1 column 1 (char 0)"),
    ('{"custom"', "Expecting ':' delimiter: line 1 column 10 (char 9)"),
    ("[1]", "it is no object"),
    ('"text"', "it is no object"),
    ("7", "it is no object"),
    ("[" * 200_000, "maximum recursion depth exceeded"),
]


@pytest.mark.parametrize(
    ("header", "title"),
    [
        ("Lambda-Runtime-Client-Context", "Client Context"),
        ("lambda-runtime-client-context", "Client Context"),
        ("Lambda-Runtime-Cognito-Identity", "Cognito Identity"),
    ],
)
@pytest.mark.parametrize(("text", "reason"), MALFORMED, ids=lambda text: text[:12])
def test_what_is_no_json_object_fails_before_the_handler_runs(
    header: str, title: str, text: str, reason: str
) -> None:
    """The fault is raised while the context is made, with AWS's error type and message."""
    with pytest.raises(ContextUnmarshalFailed) as caught:
        context_of(f"{header}: {text}")
    assert caught.value.error_type == "Runtime.LambdaContextUnmarshalError"
    assert str(caught.value).startswith(f"Unable to parse {title} JSON: {reason}")


@pytest.mark.parametrize("client", ["[1]", '"text"', "7"])
def test_a_client_that_is_no_object(client: str) -> None:
    """It is a fault of the context as well, not an AttributeError."""
    with pytest.raises(ContextUnmarshalFailed, match="client is no object"):
        context_of(f'Lambda-Runtime-Client-Context: {{"client": {client}}}')


def test_only_what_is_asked_for_is_read() -> None:
    """Nothing is kept before it is asked for; afterwards it is read no more."""
    context = context_of(f"Lambda-Runtime-Invoked-Function-Arn: {ARN}")
    before = set(vars(context))
    assert context.invoked_function_arn == ARN
    assert set(vars(context)) - before == {"invoked_function_arn"}
    assert context.identity is context.identity


def test_it_outlives_its_request() -> None:
    """What is asked for after the response, by a thread perhaps, is still this event's."""
    reply = Reply(200, b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Tenant-Id: blue\r\n", b"{}")
    context = LambdaContext(Invocation("request-1", reply))
    del reply
    assert context.tenant_id == "blue"


@pytest.mark.parametrize(
    "ask",
    [
        lambda context: context.nothing,
        lambda context: context.__deepcopy__,
        lambda context: context._nothing,
    ],
)
def test_unknown_attributes(ask: Callable[[object], object]) -> None:
    """They are AttributeErrors that name what was asked for."""
    with pytest.raises(AttributeError, match=r"nothing|__deepcopy__"):
        ask(context_of())


def test_attributes_can_be_set() -> None:
    """As with AWS's object, whatever a library wants to keep there."""
    context = context_of()
    context.function_name = "other"
    context.extra = 1  # type: ignore[attr-defined]
    assert (context.function_name, vars(context)["extra"]) == ("other", 1)


def test_it_names_its_request() -> None:
    """The repr is short and holds the request id."""
    assert "request-1" in repr(context_of())
