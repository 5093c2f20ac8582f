"""What the process does when the Runtime API does not take an answer: it lives, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.runtime_programs import (
    ACCEPTED,
    EVENT,
    Peer,
    answering,
    body_of,
    event,
    headers_of,
    path_of,
    paths,
    refusal,
    run_against,
)

ECHO = "def handler(event, context):\n    print('handled', context.aws_request_id)\n    return 1\n"
RAISE = "def handler(event, context):\n    raise ValueError('x')\n"
SECOND = event(b"{}", request_id="request-2")
TOO_LARGE = refusal("413 Request Entity Too Large", "RequestEntityTooLarge")


@pytest.mark.parametrize("program", [ECHO, RAISE], ids=["response", "error"])
@pytest.mark.parametrize(
    "refused", [refusal("400 Bad Request", "InvalidRequestID"), refusal("403 Forbidden")]
)
def test_a_refused_answer_is_logged_and_the_next_event_served(
    tmp_path: Path, program: str, refused: bytes
) -> None:
    """400 and 403 cost the process nothing."""
    finished = run_against(tmp_path, program, answering(EVENT, refused, SECOND, ACCEPTED))
    assert len(finished.requests) == 5
    assert "/request-2/" in path_of(finished.requests[3])
    status = refused[9:12].decode()
    assert "[ERROR] lambda_runtime: the Runtime API answered " in finished.stdout
    assert f" with {status}: " in finished.stdout


@pytest.mark.parametrize("after", [ACCEPTED, refusal("403 Forbidden")])
def test_a_response_that_is_too_large_is_a_function_error(tmp_path: Path, after: bytes) -> None:
    """413: an error of type Function.ResponseSizeTooLarge is posted; it may be refused."""
    script = answering(EVENT, TOO_LARGE, after, SECOND, ACCEPTED)
    finished = run_against(tmp_path, ECHO, script)
    assert paths(finished) == ["next", "response", "error", "next", "response", "next"]
    post = finished.requests[2]
    assert headers_of(post)["lambda-runtime-function-error-type"] == "Function.ResponseSizeTooLarge"
    error = json.loads(body_of(post))
    assert error["errorType"] == "Function.ResponseSizeTooLarge"
    assert error["requestId"] == "request-1"


@pytest.mark.parametrize(
    "script",
    [
        answering(EVENT, refusal("500 Internal Server Error", "InternalServerError")),
        answering(refusal("500 Internal Server Error", "InternalServerError")),
        answering(refusal("403 Forbidden")),
    ],
    ids=["post 500", "next 500", "next 403"],
)
def test_what_cannot_be_recovered_ends_the_process_with_a_sentence(
    tmp_path: Path, script: object
) -> None:
    """A 5xx anywhere, and a poll that is refused: exit status 1, one line on standard error."""
    finished = run_against(tmp_path, ECHO, script)  # type: ignore[arg-type]
    assert finished.exit_code == 1
    assert finished.stderr.startswith("lambda_runtime: the Runtime API answered ")
    assert finished.stderr.count("\n") == 1


def test_a_response_sent_twice_counts_as_delivered(tmp_path: Path) -> None:
    """A 403 for what was sent again says that the first had arrived."""

    def lose_the_answer(peer: Peer) -> None:
        peer.request()
        peer.send(EVENT)
        peer.request()

    finished = run_against(
        tmp_path, ECHO, lose_the_answer, answering(refusal("403 Forbidden"), SECOND, ACCEPTED)
    )
    assert paths(finished) == ["next", "response", "response", "next", "response", "next"]
    assert finished.stdout == "handled request-1\nhandled request-2\n"


def test_an_event_whose_answer_was_refused_never_runs_again(tmp_path: Path) -> None:
    """When it is delivered once more the process ends instead."""
    refused = refusal("400 Bad Request", "InvalidRequestID")
    finished = run_against(tmp_path, ECHO, answering(EVENT, refused, EVENT))
    assert finished.stdout.count("handled request-1") == 1
    assert finished.exit_code == 1
    assert finished.stderr == (
        "lambda_runtime: the Runtime API delivered request-1 a second time\n"
    )


def test_an_event_that_is_retried_after_an_accepted_error_runs_again(tmp_path: Path) -> None:
    """Lambda retries an asynchronous event under the same request id."""
    finished = run_against(tmp_path, RAISE, answering(EVENT, ACCEPTED, EVENT, ACCEPTED))
    assert paths(finished) == ["next", "error", "next", "error", "next"]


@pytest.mark.parametrize(
    "raised", ["ConnectionLost('x')", "RuntimeApiError('op', 500, 'x')"], ids=["lost", "refused"]
)
@pytest.mark.parametrize("kind", ["return", "yield"])
def test_an_error_of_ours_that_the_handler_raises_is_its_own(
    tmp_path: Path, raised: str, kind: str
) -> None:
    """A handler that speaks to an API of its own reports its failures like any other."""
    program = (
        "from lambda_runtime import ConnectionLost, RuntimeApiError\n"
        f"def handler(event, context):\n    raise {raised}\n    {kind}\n"
    )
    finished = run_against(tmp_path, program, answering(EVENT, ACCEPTED))
    assert paths(finished) == ["next", "error", "next"]
    assert json.loads(body_of(finished.requests[1]))["errorType"] == raised.partition("(")[0]


def test_a_refused_answer_in_the_json_format(tmp_path: Path) -> None:
    """With AWS_LAMBDA_LOG_FORMAT=JSON the sentence is a JSON record like any other."""
    script = answering(EVENT, refusal("403 Forbidden"))
    finished = run_against(tmp_path, RAISE, script, AWS_LAMBDA_LOG_FORMAT="JSON")
    record = json.loads(finished.stdout.splitlines()[-1])
    assert record["message"].startswith("the Runtime API answered ")
    assert (record["level"], record["logger"]) == ("ERROR", "lambda_runtime")
    assert record["requestId"] == "request-1"
