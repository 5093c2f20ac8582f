"""Checklist D, 123 to 132: what AWS's client does not stand, and ours does."""

from __future__ import annotations

import pytest

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import SURVIVED, Played, Scenario
from tests.support.scripted_runtime_api import event

ECHO = "def handler(event, context):\n    return event\n"
LAST = event(b'"last"', request_id="last")


def echo(*events: bytes, **answers: bytes) -> Scenario:
    named = {name.replace("_", "/"): answer for name, answer in answers.items()}
    return Scenario(program=ECHO, events=events, answers=named)


def refusal(status: str) -> bytes:
    body = '{"errorMessage":"no","errorType":"Refused"}'
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n{body}".encode()


UNTYPED = echo(
    b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: one\r\nContent-Length: 2\r\n\r\n{}", LAST
)
NO_POLL = echo(refusal("500 Internal Server Error"))
BARE_POLL = echo(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
EMPTY = echo(event(b"", request_id="one"), LAST)
NO_CONTENT = echo(
    b"HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n"
    b"Lambda-Runtime-Aws-Request-Id: one\r\n\r\n",
    LAST,
)


@item(123, "B", recorded=True)
def test_an_event_without_a_content_type(played: Played, ric: Ric) -> None:
    """It is JSON; AWS's client dies of it, mostly by a segmentation fault."""
    record = played(UNTYPED, ric)
    survived = record.exit_code == SURVIVED
    assert survived == ric.expects(awslambdaric=False, lambda_runtime=True)
    assert [post.body for post in record.posts] == ric.expects(
        awslambdaric=[], lambda_runtime=[b"{}", b'"last"']
    )


@pytest.mark.parametrize("scenario", [NO_POLL, BARE_POLL], ids=["with type", "bare"])
@item(124, "B")
def test_a_poll_that_the_api_fails(played: Played, ric: Ric, scenario: Scenario) -> None:
    """The process ends with one sentence, whatever headers the refusal lacks."""
    record = played(scenario, ric)
    assert record.exit_code == 1
    assert "/2018-06-01/runtime/invocation/next with 500" in record.stderr
    assert record.stderr.count("\n") == 1


@pytest.mark.parametrize("scenario", [EMPTY, NO_CONTENT], ids=["200", "204"])
@item(125, "B")
def test_an_event_without_a_body(played: Played, ric: Ric, scenario: Scenario) -> None:
    """It is no JSON: a Runtime.UnmarshalError, and the next event is served."""
    record = played(scenario, ric)
    error = record.error("one").json
    assert error["errorType"] == "Runtime.UnmarshalError"
    assert error["errorMessage"] == (
        "Unable to unmarshal input: Expecting value: line 1 column 1 (char 0)"
    )
    assert record.result("last") == "last"


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-8", "APPLICATION/JSON", "Application/Json;charset=UTF-8"],
)
@item(126, "B", recorded=True)
def test_content_types_that_mean_json(played: Played, ric: Ric, content_type: str) -> None:
    """Parameters and case do not matter; AWS's client takes such an event for bytes."""
    scenario = Scenario(
        program="def handler(event, context):\n    return type(event).__name__\n",
        events=(event(b"{}", f"Content-Type: {content_type}", request_id="one"),),
    )
    kind = ric.expects(awslambdaric="bytes", lambda_runtime="dict")
    assert played(scenario, ric).result("one") == kind


@item(127, "B")
def test_a_response_that_is_not_taken(played: Played, ric: Ric) -> None:
    """413 becomes a function error of its own; after it, and after a 400, the process goes on."""
    first = event(b"1", request_id="one")
    too_large = played(echo(first, LAST, one_response=refusal("413 Too Large")), ric)
    paths = [post.path for post in too_large.posts]
    assert paths[:2] == ["invocation/one/response", "invocation/one/error"]
    error = too_large.posts[1].json
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    bad = played(echo(first, LAST, one_response=refusal("400 Bad Request")), ric)
    for record in (too_large, bad):
        assert record.exit_code == SURVIVED
        assert record.result("last") == "last"


@item(128, "B")
def test_an_event_in_chunks(played: Played, ric: Ric) -> None:
    """The body is put together."""
    head = b"\r\n".join(
        [
            b"HTTP/1.1 200 OK",
            b"Lambda-Runtime-Aws-Request-Id: one",
            b"Content-Type: application/json",
            b"Transfer-Encoding: chunked",
        ]
    )
    record = played(echo(head + b'\r\n\r\n3\r\n["a\r\n4;x=y\r\nbc"]\r\n0\r\n\r\n', LAST), ric)
    assert record.result("one") == ["abc"]
    assert record.result("last") == "last"


@item(129, "B")
def test_the_case_of_header_names(played: Played, ric: Ric) -> None:
    """It does not matter."""
    shouted = event(b"1", "CONTENT-TYPE: application/json", request_id="one").replace(
        b"Lambda-Runtime-Aws-Request-Id", b"LAMBDA-RUNTIME-AWS-REQUEST-ID"
    )
    quiet = event(b"2", "content-type: application/json", request_id="two").replace(
        b"Lambda-Runtime-Aws-Request-Id", b"lambda-runtime-aws-request-id"
    )
    record = played(echo(shouted, quiet.replace(b"Content-Length", b"content-length")), ric)
    assert (record.result("one"), record.result("two")) == (1, 2)


@item(130, "B")
def test_a_request_id_that_is_no_path(played: Played, ric: Ric) -> None:
    """It is escaped in the URL."""
    record = played(echo(event(b"1", request_id="a/b?c#d e%")), ric)
    assert [post.path for post in record.posts] == ["invocation/a%2Fb%3Fc%23d%20e%25/response"]


LOGS = Scenario(
    program="""
import logging

class Levels(logging.Handler):
    def emit(self, record):
        print("level", record.levelno, record.levelname, flush=True)

logging.addLevelName(25, "NOTICE")
logging.getLogger().addHandler(Levels())

def handler(event, context):
    try:
        raise ValueError("x")
    except ValueError:
        logging.exception("failed")
    logging.log(35, "custom")
""",
    events=(event(b"{}", request_id="one"),),
)


@item(131, "B", recorded=True)
def test_a_traceback_in_the_log(played: Played, ric: Ric) -> None:
    """It ends in a line break; AWS's client glues the next record to it."""
    text = played(LOGS, ric).stdout
    glued = "ValueError: xlevel 40 ERROR\n" in text
    assert glued == ric.expects(awslambdaric=True, lambda_runtime=False)
    assert ("ValueError: x\nlevel 40 ERROR\n" in text) != glued


@item(132, "B", recorded=True)
def test_a_record_stays_as_it_was(played: Played, ric: Ric) -> None:
    """Other handlers see the level that was logged; AWS's client rounds it down in the record."""
    scenario = Scenario(
        program=LOGS.program, events=LOGS.events, env={"AWS_LAMBDA_LOG_FORMAT": "JSON"}
    )
    text = played(scenario, ric).stdout
    rounded = ric.expects(awslambdaric="level 30 WARNING", lambda_runtime="level 35 Level 35")
    assert f"{rounded}\n" in text
