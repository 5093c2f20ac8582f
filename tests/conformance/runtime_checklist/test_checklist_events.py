"""Checklist D, 1 to 16: the trace id, events and results, the client's own faults."""

from __future__ import annotations

from typing import Any

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import SURVIVED, Played, Post, Scenario
from tests.support.scripted_runtime_api import event

# --- The trace id -----------------------------------------------------------------------------

TRACED = Scenario(
    program="""
import os
def handler(event, context):
    return os.environ.get("_X_AMZN_TRACE_ID")
""",
    events=(
        event(b"{}", request_id="without"),
        event(b"{}", "Lambda-Runtime-Trace-Id: Root=1-a;Sampled=1", request_id="first"),
        event(b"{}", "Lambda-Runtime-Trace-Id: Root=1-b;Sampled=0", request_id="second"),
        event(b"{}", request_id="removed"),
    ),
)
INHERITED = Scenario(
    program=TRACED.program,
    events=(event(b"{}", request_id="without"),),
    env={"_X_AMZN_TRACE_ID": "Root=1-old"},
)


@item(1, "S")
def test_without_a_trace_header_there_is_no_trace_id(played: Played, ric: Ric) -> None:
    """An event without a trace header leaves `_X_AMZN_TRACE_ID` unset."""
    assert played(TRACED, ric).result("without") is None


@item(2, "S")
def test_an_old_trace_id_is_removed(played: Played, ric: Ric) -> None:
    """An event without a trace header removes the id of another event, or of the environment."""
    assert played(TRACED, ric).result("removed") is None
    assert played(INHERITED, ric).result("without") is None


@item(3, "S")
def test_the_trace_id_is_the_header(played: Played, ric: Ric) -> None:
    """With a trace header `_X_AMZN_TRACE_ID` equals it."""
    assert played(TRACED, ric).result("first") == "Root=1-a;Sampled=1"


@item(4, "S")
def test_a_new_trace_id_replaces_the_old(played: Played, ric: Ric) -> None:
    """Each event's trace header replaces the one before."""
    assert played(TRACED, ric).result("second") == "Root=1-b;Sampled=0"


# --- Events and results -----------------------------------------------------------------------

PNG = b"\x89PNG\r\n\x1a\n\0\xff\xfe"

HANDLED = Scenario(
    program="""
class Unknown:
    pass

def handler(event, context):
    match context.aws_request_id:
        case "echo":
            return {"input": event, "aws_request_id": context.aws_request_id}
        case "json":
            return {"response": event["event_type"]}
        case "png":
            assert type(event) is bytes, type(event)
            return event[::-1]
        case "bytes":
            return bytes(event)
        case "none":
            return None
        case "text":
            return event["text"]
        case "class":
            return Unknown
""",
    events=(
        event(b'"event_body"', request_id="echo"),
        event(b'{"event_type": "foo"}', request_id="json"),
        event(PNG, "Content-Type: image/png", request_id="png"),
        event(b"[0, 255, 10]", request_id="bytes"),
        event(PNG, request_id="binary"),
        event(b"{}", request_id="none"),
        event(b'{"text": "a"}', request_id="text"),
        event(b"{}", "Lambda-Runtime-Client-Context: invalid json", request_id="client-context"),
        event(b"{}", "Lambda-Runtime-Cognito-Identity: no json", request_id="identity"),
        event(b"invalid json", request_id="event"),
        event(b"{}", request_id="class"),
    ),
)
NOT_JSON = "Expecting value: line 1 column 1 (char 0)"


@item(5, "S")
def test_an_echo(played: Played, ric: Ric) -> None:
    """A JSON event comes decoded, and the result leaves as JSON with application/json."""
    post = played(HANDLED, ric).of("echo")
    assert post.path == "invocation/echo/response"
    assert post.body == b'{"input": "event_body", "aws_request_id": "echo"}'
    assert post.headers["content-type"] == "application/json"


@item(6, "S")
def test_an_event_is_decoded(played: Played, ric: Ric) -> None:
    """The members of a JSON event are the handler's to read."""
    assert played(HANDLED, ric).of("json").body == b'{"response": "foo"}'


@item(7, "S")
def test_an_event_of_another_type_is_bytes(played: Played, ric: Ric) -> None:
    """An image/png event reaches the handler byte for byte; bytes leave as application/unknown."""
    post = played(HANDLED, ric).of("png")
    assert post.path == "invocation/png/response"
    assert post.body == PNG[::-1]
    assert post.headers["content-type"] == "application/unknown"


@item(8, "S")
def test_a_result_of_bytes(played: Played, ric: Ric) -> None:
    """After a JSON event too, bytes are posted as they are, as application/unknown."""
    post = played(HANDLED, ric).of("bytes")
    assert post.body == b"\x00\xff\n"
    assert post.headers["content-type"] == "application/unknown"


@item(9, "S")
def test_a_binary_event_that_says_json(played: Played, ric: Ric) -> None:
    """It is answered by exactly one error, Runtime.UnmarshalError, and by no response."""
    assert played(HANDLED, ric).error("binary").json["errorType"] == "Runtime.UnmarshalError"


@item(10, "P")
def test_nothing_is_null(played: Played, ric: Ric) -> None:
    """A result of None is `null`."""
    assert played(HANDLED, ric).of("none").body == b"null"


@item(11, "P")
def test_text_is_quoted(played: Played, ric: Ric) -> None:
    """A result of text is a JSON string."""
    assert played(HANDLED, ric).of("text").body == b'"a"'


# --- The client's own faults ------------------------------------------------------------------


def is_fault(post: Post, request_id: str, error_type: str, message: str, cwd: str) -> None:
    """The report of a fault, for the invoker and for X-Ray."""
    assert post.json == {
        "errorMessage": message,
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": [],
    }
    expected: dict[str, Any] = {
        "working_directory": cwd,
        "exceptions": [{"message": message, "type": "LambdaValidationError", "stack": []}],
        "paths": [],
    }
    assert post.xray == expected


@item(12, "S")
def test_a_client_context_that_is_no_json(played: Played, ric: Ric) -> None:
    """It is a Runtime.LambdaContextUnmarshalError that says where the parser stopped."""
    record = played(HANDLED, ric)
    is_fault(
        record.error("client-context"),
        "client-context",
        "Runtime.LambdaContextUnmarshalError",
        f"Unable to parse Client Context JSON: {NOT_JSON}",
        str(record.folder),
    )


@item(13, "S")
def test_an_identity_that_is_no_json(played: Played, ric: Ric) -> None:
    """It is a Runtime.LambdaContextUnmarshalError that names the Cognito identity."""
    record = played(HANDLED, ric)
    is_fault(
        record.error("identity"),
        "identity",
        "Runtime.LambdaContextUnmarshalError",
        f"Unable to parse Cognito Identity JSON: {NOT_JSON}",
        str(record.folder),
    )


@item(14, "S")
def test_an_event_that_is_no_json(played: Played, ric: Ric) -> None:
    """It is a Runtime.UnmarshalError that says where the parser stopped."""
    record = played(HANDLED, ric)
    is_fault(
        record.error("event"),
        "event",
        "Runtime.UnmarshalError",
        f"Unable to unmarshal input: {NOT_JSON}",
        str(record.folder),
    )


@item(15, "S")
def test_a_result_that_is_no_json(played: Played, ric: Ric) -> None:
    """It is a Runtime.MarshalError that names the result's type."""
    record = played(HANDLED, ric)
    is_fault(
        record.error("class"),
        "class",
        "Runtime.MarshalError",
        "Unable to marshal response: Object of type type is not JSON serializable",
        str(record.folder),
    )


@item(16, "P")
def test_faults_are_survived(played: Played, ric: Ric) -> None:
    """After each fault the next event is asked for."""
    record = played(HANDLED, ric)
    assert record.exit_code == SURVIVED
    kinds = [post.path.rpartition("/")[2] for post in record.requests]
    assert kinds[::2] == ["next"] * (len(HANDLED.events) + 1)
    assert kinds[1::2] == ["response"] * 4 + ["error"] + ["response"] * 2 + ["error"] * 4
