"""Checklist D, 107 to 121: the client's side of the protocol, one invocation at a time."""

from __future__ import annotations

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import SURVIVED, Played, Scenario
from tests.support.scripted_runtime_api import event

EVENTS = (event(b"{}", request_id="one"), event(b"{}", request_id="two"))
PLAIN = Scenario(
    program="""
import sys
def handler(event, context):
    return sorted(name for name in sys.modules if "concurren" in name or "multiproc" in name)
""",
    events=EVENTS,
)
WITH_SIGNALS = """
import os
import signal

def terminate(number, frame):
    os.write(1, b"terminated by %d" % number)
    os._exit(7)

signal.signal(signal.SIGTERM, terminate)

def handler(event, context):
    return None
"""


def refused(end: str, status: str) -> Scenario:
    """The post whose path ends so is answered with this status."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    return Scenario(program=PLAIN.program, events=EVENTS, answers={end: head.encode() + b"{}"})


@item(107, "S")
def test_the_user_agent(played: Played, ric: Ric) -> None:
    """It ends in the version of the package."""
    for request in played(PLAIN, ric).requests:
        assert request.headers["user-agent"].endswith(f"-{ric.version}")


@item(108, "S")
def test_signals_while_polling(played: Played, ric: Ric) -> None:
    """SIGTERM reaches a handler in Python while the process waits for an event.

    With AWS's client only where AWS_EXECUTION_ENV names Python 3.12 or later; with ours always.
    """
    execution_env = ric.expects(awslambdaric="AWS_Lambda_python3.12", lambda_runtime="")
    env = {"AWS_EXECUTION_ENV": execution_env}
    record = played(Scenario(program=WITH_SIGNALS, events=EVENTS, env=env), ric)
    assert record.stdout == "terminated by 15"
    assert record.exit_code == 7


@item(111, "S")
def test_a_response_that_is_refused(played: Played, ric: Ric) -> None:
    """It ends the process, which says so; ours goes on to the next event after a 4xx."""
    record = played(refused("one/response", "400 Bad Request"), ric)
    assert record.exit_code == ric.expects(awslambdaric=1, lambda_runtime=SURVIVED)
    posted = [post.path for post in record.posts]
    both = ["invocation/one/response", "invocation/two/response"]
    assert posted == ric.expects(awslambdaric=both[:1], lambda_runtime=both)
    said = ric.expects(awslambdaric="Http response code: 400", lambda_runtime=" with 400: ")
    assert said in record.stdout
    ended = played(refused("one/response", "500 Internal Server Error"), ric)
    assert ended.exit_code == 1
    assert [post.path for post in ended.posts] == both[:1]


@item(116, "S")
def test_a_poll_that_fails(played: Played, ric: Ric) -> None:
    """It ends the process; nobody tries again."""
    failed = EVENTS[0].replace(b"200 OK", b"500 Internal Server Error")
    record = played(Scenario(program=PLAIN.program, events=(failed,)), ric)
    assert record.exit_code == 1
    assert [request.path for request in record.requests] == ["invocation/next"]


@item(120, "S")
def test_an_init_error_that_is_forbidden(played: Played, ric: Ric) -> None:
    """403 for the report is an error that names endpoint and status."""
    scenario = refused("init/error", "403 Forbidden")
    without_handler = Scenario(arguments=("bad_handler",), answers=scenario.answers)
    record = played(without_handler, ric)
    assert record.exit_code == 1
    assert "/2018-06-01/runtime/init/error" in record.stderr
    assert "403" in record.stderr


@item(121, "S")
def test_code_for_several_invocations_at_once(played: Played, ric: Ric) -> None:
    """It is not loaded for one at a time."""
    assert played(PLAIN, ric).result("one") == []
