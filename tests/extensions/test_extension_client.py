"""ExtensionClient against bytes spelled by hand."""

from __future__ import annotations

import json

import pytest

from lambda_extensions import (
    ConnectionLost,
    ExtensionClient,
    ExtensionsApiError,
    InvokeEvent,
    LambdaExtensionsError,
    NotInLambda,
    NotRegistered,
    RegistrationRefused,
    ShutdownEvent,
    UnknownEvent,
)
from tests.support.scripted_api import HANG_UP, ScriptedApi, body_of, head_of, reply

IDENTIFIER = "0f2a7cf2-9e5f-4d0c-9c1c-2f1f0a6f7e11"
REGISTERED = reply(
    "200 OK",
    "Content-Type: application/json",
    f"Lambda-Extension-Identifier: {IDENTIFIER}",
    body='{"functionName":"hello","functionVersion":"$LATEST","handler":"app.handler"}\n',
)
ACCEPTED = reply("202 Accepted", "Content-Type: application/json", body='{"status":"OK"}\n')


def event(body: str, *headers: str) -> bytes:
    return reply("200 OK", *headers, body=body)


def refused(error_type: str, message: str, status: str = "403 Forbidden") -> bytes:
    body = f'{{"errorMessage":"{message}","errorType":"{error_type}"}}\n'
    return reply(status, "Content-Type: application/json", body=body)


def test_register_says_name_and_events() -> None:
    """register posts the name as a header and the events as JSON."""
    with ScriptedApi(REGISTERED) as api, ExtensionClient(api.address) as client:
        client.register("hello", ["INVOKE", "SHUTDOWN"])
    line, headers = head_of(api.requests[0])
    assert line == "POST /2020-01-01/extension/register HTTP/1.1"
    assert headers["lambda-extension-name"] == "hello"
    assert headers["host"] == api.address
    assert headers["content-length"] == "32"
    assert "lambda-extension-accept-feature" not in headers
    assert body_of(api.requests[0]) == b'{"events":["INVOKE","SHUTDOWN"]}'


def test_register_answers_what_the_function_is() -> None:
    """The registration holds identifier, function, version and handler; no account id unasked."""
    with ScriptedApi(REGISTERED) as api, ExtensionClient(api.address) as client:
        registration = client.register("hello", [])
    assert registration.identifier == IDENTIFIER
    assert registration.function_name == "hello"
    assert registration.function_version == "$LATEST"
    assert registration.handler == "app.handler"
    assert registration.account_id is None
    assert body_of(api.requests[0]) == b'{"events":[]}'


@pytest.mark.parametrize(
    ("body", "account_id"),
    [
        ('{"accountId":"123456789012","functionName":"f"}', "123456789012"),
        ('{"functionName":"f"}', None),
        ('{"accountId":"","functionName":"f"}', None),
    ],
)
def test_account_id_is_asked_for_and_may_be_missing(body: str, account_id: str | None) -> None:
    """The feature accountId is a header; a server without an account leaves the id out."""
    answer = reply("200 OK", f"Lambda-Extension-Identifier: {IDENTIFIER}", body=body)
    with ScriptedApi(answer) as api, ExtensionClient(api.address) as client:
        registration = client.register("hello", [], accept_account_id=True)
    assert head_of(api.requests[0])[1]["lambda-extension-accept-feature"] == "accountId"
    assert registration.account_id == account_id
    assert registration.function_version == ""


def test_refused_registration_names_the_reason_of_aws() -> None:
    """A 403 raises RegistrationRefused with status, type and text of AWS."""
    answer = refused("Extension.RegistrationClosed", "Extension registration closed already")
    with ScriptedApi(answer) as api, ExtensionClient(api.address) as client:
        with pytest.raises(RegistrationRefused) as caught:
            client.register("late", ["INVOKE"])
        with pytest.raises(NotRegistered):
            client.next()
    assert caught.value.status == 403
    assert caught.value.error_type == "Extension.RegistrationClosed"
    assert caught.value.message == "Extension registration closed already"
    assert str(caught.value) == (
        'registration of "late" was refused with status 403: '
        "Extension registration closed already (Extension.RegistrationClosed)"
    )


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (reply("404 Not Found", body="404 page not found\n"), "status 404: 404 page not found"),
        (reply("500 Internal Server Error"), "status 500: no reason given"),
        (reply("403 Forbidden", body="[1]"), "status 403: [1]"),
    ],
)
def test_refusal_without_the_json_of_aws_is_still_told(answer: bytes, text: str) -> None:
    """A server that refuses in its own words is quoted as it is."""
    with (
        ScriptedApi(answer) as api,
        ExtensionClient(api.address) as client,
        pytest.raises(RegistrationRefused) as caught,
    ):
        client.register("hello", [])
    assert str(caught.value).endswith(text)
    assert caught.value.error_type == ""


def test_invoke_event_of_aws() -> None:
    """An INVOKE event has request id, deadline, ARN, trace id and the delivery's identifier."""
    body = (
        '{"eventType":"INVOKE","deadlineMs":1700000003000,"requestId":"3da1f2dc",'
        '"invokedFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:hello",'
        '"tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-5759e988-bd862e3fe1be46a994272793;'
        'Parent=53995c3f42cd8ad8;Sampled=1"}}'
    )
    answer = event(body, "Lambda-Extension-Event-Identifier: 5f9f0d20")
    with ScriptedApi(REGISTERED, answer) as api, ExtensionClient(api.address) as client:
        client.register("hello", ["INVOKE"])
        received = client.next()
    line, headers = head_of(api.requests[1])
    assert line == "GET /2020-01-01/extension/event/next HTTP/1.1"
    assert headers["lambda-extension-identifier"] == IDENTIFIER
    assert body_of(api.requests[1]) == b""
    assert api.connections == 1
    assert isinstance(received, InvokeEvent)
    assert received.event_type == "INVOKE"
    assert received.request_id == "3da1f2dc"
    assert received.deadline_ms == 1700000003000
    assert received.invoked_function_arn.endswith(":function:hello")
    assert received.trace_id is not None
    assert received.trace_id.startswith("Root=1-5759e988-")
    assert received.event_id == "5f9f0d20"
    assert received.remaining() == 0.0
    assert received.raw == json.loads(body)


def test_invoke_event_without_tracing() -> None:
    """A server that sends neither tracing nor an event identifier is understood."""
    answer = event('{"eventType":"INVOKE","deadlineMs":1,"requestId":"a","invokedFunctionArn":"b"}')
    with ScriptedApi(REGISTERED, answer) as api, ExtensionClient(api.address) as client:
        client.register("hello", ["INVOKE"])
        received = client.next()
    assert isinstance(received, InvokeEvent)
    assert received.trace_id is None
    assert received.event_id is None


@pytest.mark.parametrize("reason", ["spindown", "timeout", "failure", "SandboxTerminated", ""])
def test_shutdown_event_with_any_reason_and_content_type(reason: str) -> None:
    """SHUTDOWN comes as text/plain from some servers, and its reasons are an open set."""
    body = f'{{"eventType":"SHUTDOWN","deadlineMs":1700000002000,"shutdownReason":"{reason}"}}'
    answer = event(body, "Content-Type: text/plain; charset=utf-8")
    with ScriptedApi(REGISTERED, answer) as api, ExtensionClient(api.address) as client:
        client.register("hello", ["SHUTDOWN"])
        received = client.next()
    assert isinstance(received, ShutdownEvent)
    assert received.reason == reason
    assert received.deadline_ms == 1700000002000


@pytest.mark.parametrize(
    "body",
    [
        '{"eventType":"THAW","deadlineMs":1}',
        '{"eventType":"THAW"}',
        '{"eventType":"THAW","deadlineMs":"soon"}',
        '{"eventType":"THAW","deadlineMs":1e999}',
    ],
)
def test_unknown_event_type_is_handed_over(body: str) -> None:
    """An event type of the future is an UnknownEvent that holds the whole object."""
    with ScriptedApi(REGISTERED, event(body)) as api, ExtensionClient(api.address) as client:
        client.register("hello", ["INVOKE"])
        received = client.next()
    assert isinstance(received, UnknownEvent)
    assert received.event_type == "THAW"
    assert received.raw["eventType"] == "THAW"
    assert received.remaining() == 0.0


@pytest.mark.parametrize("body", ["", "OK", "[]", "{}", '{"eventType":1}', "null"])
def test_event_that_is_none_is_an_error(body: str) -> None:
    """Success with a body that is no event raises, or a broken server would be asked for ever."""
    with ScriptedApi(REGISTERED, event(body)) as api, ExtensionClient(api.address) as client:
        client.register("hello", ["INVOKE"])
        with pytest.raises(LambdaExtensionsError, match=r"^(the event is no|an event without)"):
            client.next()


def test_refused_next_names_the_reason() -> None:
    """A 403 on next raises ExtensionsApiError with AWS's type and text."""
    text = "State transition from Ready to Ready failed for extension x. Error: not allowed"
    answer = refused("Extension.InvalidExtensionState", text)
    with ScriptedApi(REGISTERED, answer) as api, ExtensionClient(api.address) as client:
        client.register("hello", ["INVOKE"])
        with pytest.raises(ExtensionsApiError) as caught:
            client.next()
    assert caught.value.error_type == "Extension.InvalidExtensionState"
    assert caught.value.message == text
    assert not isinstance(caught.value, RegistrationRefused)


@pytest.mark.parametrize(
    ("operation", "path"), [("init_error", "init/error"), ("exit_error", "exit/error")]
)
def test_error_report(operation: str, path: str) -> None:
    """An exception is reported with its class as type, its text, and its stack trace."""
    with ScriptedApi(REGISTERED, ACCEPTED) as api, ExtensionClient(api.address) as client:
        client.register("hello", [])
        try:
            raise FileNotFoundError("no config")
        except OSError as error:
            getattr(client, operation)(error)
    line, headers = head_of(api.requests[1])
    assert line == f"POST /2020-01-01/extension/{path} HTTP/1.1"
    assert headers["lambda-extension-identifier"] == IDENTIFIER
    assert headers["lambda-extension-function-error-type"] == "Extension.FileNotFoundError"
    assert headers["content-type"] == "application/json"
    body = json.loads(body_of(api.requests[1]))
    assert body["errorMessage"] == "no config"
    assert body["errorType"] == "Extension.FileNotFoundError"
    assert len(body["stackTrace"]) == 1
    assert "test_error_report" in body["stackTrace"][0]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("Extension.ConfigMissing", "Extension.ConfigMissing"),
        ("config missing", "Extension.ConfigMissing"),
        ("no key: a_b (42)!\r\nX-Evil: 1", "Extension.NoKeyABXEvil"),
        ("HTTPError", "Extension.HTTPError"),
        ("E", "Extension.EError"),
        ("Ошибка", "Extension.Error"),
    ],
)
def test_error_type_is_spelled_as_aws_keeps_it(given: str, sent: str) -> None:
    """Any words become `Extension.` and letters, an upper-case one first."""
    with ScriptedApi(REGISTERED, ACCEPTED) as api, ExtensionClient(api.address) as client:
        client.register("hello", [])
        client.exit_error("why", given)
    assert head_of(api.requests[1])[1]["lambda-extension-function-error-type"] == sent
    assert json.loads(body_of(api.requests[1])) == {
        "errorMessage": "why",
        "errorType": sent,
        "stackTrace": [],
    }


def test_error_report_without_a_type() -> None:
    """A bare message is reported under the type that AWS itself falls back to."""
    replies = (REGISTERED, ACCEPTED, ACCEPTED)
    with ScriptedApi(*replies) as api, ExtensionClient(api.address) as client:
        client.register("hello", [])
        client.init_error("why")
        client.exit_error("why")
    types = [head_of(one)[1]["lambda-extension-function-error-type"] for one in api.requests[1:]]
    assert types == ["Extension.InitError", "Extension.ExitError"]


def test_refused_error_report() -> None:
    """A report that Lambda refuses raises ExtensionsApiError."""
    answer = refused("Extension.InvalidExtensionState", "State transition from Ready to InitError")
    with ScriptedApi(REGISTERED, answer) as api, ExtensionClient(api.address) as client:
        client.register("hello", [])
        with pytest.raises(ExtensionsApiError, match=r"^the error report was refused"):
            client.init_error("late")


def test_nobody_listens() -> None:
    """A runtime API that is not there raises ConnectionLost, which names the address."""
    with ScriptedApi() as api:
        pass
    with (
        ExtensionClient(api.address) as client,
        pytest.raises(ConnectionLost, match=f"^the Extensions API at {api.address}: "),
    ):
        client.register("hello", [])


def test_server_hangs_up_on_a_parked_next() -> None:
    """A server that goes away while next is parked raises ConnectionLost."""
    with ScriptedApi(REGISTERED, HANG_UP) as api, ExtensionClient(api.address) as client:
        client.register("hello", [])
        with pytest.raises(ConnectionLost):
            client.next()


def test_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_LAMBDA_RUNTIME_API is the default; cargo-lambda writes a URL with a path into it."""
    with ScriptedApi(REGISTERED) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", f"http://{api.address}/.rt")
        with ExtensionClient() as client:
            client.register("hello", [])
    assert api.requests[0].startswith(b"POST /.rt/2020-01-01/extension/register HTTP/1.1\r\n")


@pytest.mark.parametrize("value", [None, ""])
def test_outside_of_lambda(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without AWS_LAMBDA_RUNTIME_API there is one clear sentence."""
    if value is not None:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", value)
    with pytest.raises(NotInLambda, match=r"^AWS_LAMBDA_RUNTIME_API is not set: "):
        ExtensionClient()


@pytest.mark.parametrize("value", ["https://127.0.0.1:9001", "127.0.0.1:port", ":9001"])
def test_address_that_is_none(value: str) -> None:
    """An address that cannot be one is refused before anything is sent; the text quotes it."""
    with pytest.raises(NotInLambda, match=f"^AWS_LAMBDA_RUNTIME_API: .*{value}"):
        ExtensionClient(value)
