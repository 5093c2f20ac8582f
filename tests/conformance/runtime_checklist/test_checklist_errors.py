"""Checklist D, 17 to 29 and 39 to 42: what a handler raises, for the invoker and for X-Ray."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import (
    FAULT,
    SURVIVED,
    Played,
    Record,
    Scenario,
    play,
)
from tests.support.scripted_runtime_api import event

PROGRAM = """
class MyError(Exception):
    def __init__(self, message):
        super().__init__(message)

def deeper():
    raise MyError("deep")

def deep():
    deeper()

def endless():
    endless()

def handler(event, context):
    match context.aws_request_id:
        case "custom":
            raise MyError("My exception")
        case "empty":
            raise MyError("")
        case "import":
            import invalid_module
        case "fault":
            raise fault("FaultExceptionType", "Fault exception msg", event)
        case "deep":
            deep()
        case "endless":
            endless()
        case "injected":
            raise MyError("a\\r\\nX-Injected: yes\\r\\n\\r\\nb")
        case "cause":
            try:
                {}["key"]
            except KeyError as error:
                raise MyError("outer") from error
        case "no text":
            raise NoText
        case "surrogate":
            raise MyError("a \\ud800 b")
        case "result":
            return "\\ud800"
        case "long":
            raise fault("T", "m" * event, [])

class NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")
"""
TRACE = ["trace_line1\ntrace_line2", "trace_line3\n", "", "", "trace_line4"]
RAISED = Scenario(
    program=FAULT + PROGRAM,
    events=tuple(
        event(body, request_id=name)
        for name, body in {
            "custom": b"{}",
            "empty": b"{}",
            "import": b"{}",
            "fault": json.dumps(TRACE).encode(),
            "deep": b"{}",
            "endless": b"{}",
            "injected": b"{}",
            "cause": b"{}",
        }.items()
    ),
)


def line_of(record: Record, text: str) -> int:
    """The line of app.py that holds `text`."""
    return (record.folder / "app.py").read_text().splitlines().index(text) + 1


# --- The error JSON ---------------------------------------------------------------------------


@item(17, "S")
def test_a_class_of_the_handlers_own(played: Played, ric: Ric) -> None:
    """errorType is the bare name of the class, errorMessage the exception's text."""
    error = played(RAISED, ric).error("custom").json
    assert error["errorType"] == "MyError"
    assert error["errorMessage"] == "My exception"
    assert error["requestId"] == "custom"


@item(18, "S")
def test_xray_sees_the_handlers_frame(played: Played, ric: Ric) -> None:
    """X-Ray gets one exception with one frame: the handler, its file, its line."""
    record = played(RAISED, ric)
    path = str(record.folder / "app.py")
    line = line_of(record, '            raise MyError("My exception")')
    assert record.error("custom").xray == {
        "working_directory": str(record.folder),
        "exceptions": [
            {
                "message": "My exception",
                "type": "MyError",
                "stack": [{"label": "handler", "path": path, "line": line}],
            }
        ],
        "paths": [path],
    }


@item(19, "S")
def test_an_exception_without_a_message(played: Played, ric: Ric) -> None:
    """The message is empty text, and the frame is there."""
    post = played(RAISED, ric).error("empty")
    assert post.json["errorMessage"] == ""
    assert len(post.json["stackTrace"]) == 1
    assert len(post.xray["exceptions"][0]["stack"]) == 1


@item(20, "S")
def test_an_import_that_fails_inside_the_handler(played: Played, ric: Ric) -> None:
    """It is a ModuleNotFoundError like any other exception, no fault of the runtime."""
    post = played(RAISED, ric).error("import")
    assert post.json["errorType"] == "ModuleNotFoundError"
    assert post.json["errorMessage"] == "No module named 'invalid_module'"
    assert post.xray["exceptions"][0]["type"] == "ModuleNotFoundError"


@item(21, "S")
def test_a_fault_with_a_trace_of_its_own(played: Played, ric: Ric) -> None:
    """Type, message and the given list are posted as they are; X-Ray sees LambdaValidationError."""
    record = played(RAISED, ric)
    post = record.error("fault")
    assert post.json == {
        "errorMessage": "Fault exception msg",
        "errorType": "FaultExceptionType",
        "requestId": "fault",
        "stackTrace": TRACE,
    }
    message = {"message": "Fault exception msg", "type": "LambdaValidationError", "stack": []}
    assert post.xray["exceptions"] == [message]
    assert post.xray["paths"] == []


@item(22, "P")
def test_the_form_of_a_stack_trace(played: Played, ric: Ric) -> None:
    """Each entry is the frame and its source, two lines, without carets."""
    record = played(RAISED, ric)
    line = line_of(record, '    raise MyError("deep")')
    last = record.error("deep").json["stackTrace"][-1]
    path = record.folder / "app.py"
    assert last == f'  File "{path}", line {line}, in deeper\n    raise MyError("deep")\n'


@item(23, "P")
def test_the_frames_of_the_client_are_left_out(played: Played, ric: Ric) -> None:
    """A trace begins with the handler, and every frame of it is the function's own."""
    record = played(RAISED, ric)
    trace = record.error("deep").json["stackTrace"]
    frame = re.compile(rf'  File "{record.folder}/app\.py", line \d+, in (\w+)\n')
    found = [frame.match(entry) for entry in trace]
    assert [match and match[1] for match in found] == ["handler", "deep", "deeper"]


@item(24, "P")
def test_endless_recursion(played: Played, ric: Ric) -> None:
    """It is reported as RecursionError, and survived."""
    record = played(RAISED, ric)
    assert record.error("endless").json["errorType"] == "RecursionError"
    assert record.exit_code == SURVIVED


@item(25, "P")
def test_a_message_injects_no_header(played: Played, ric: Ric) -> None:
    """Line breaks of a message are escaped where the message stands in a header."""
    post = played(RAISED, ric).error("injected")
    assert "x-injected" not in post.headers
    assert post.xray["exceptions"][0]["message"] == "a\r\nX-Injected: yes\r\n\r\nb"
    assert post.json["errorMessage"] == "a\r\nX-Injected: yes\r\n\r\nb"


# --- Better than AWS's client -----------------------------------------------------------------


def one(program: str, *names: str) -> Scenario:
    return Scenario(program=program, events=tuple(event(b"{}", request_id=name) for name in names))


EXITS = one("import sys\ndef handler(event, context):\n    sys.exit(3)\n", "exit")
NO_TEXT = one(FAULT + PROGRAM, "no text")
SURROGATES = one(FAULT + PROGRAM, "surrogate", "result")


@item(26, "B", recorded=True)
def test_a_handler_that_exits(played: Played, ric: Ric) -> None:
    """The exit is reported as Runtime.ExitError, then happens; AWS's client leaves in silence."""
    record = played(EXITS, ric)
    assert record.exit_code == 3
    types = [post.json["errorType"] for post in record.posts]
    assert types == ric.expects(awslambdaric=[], lambda_runtime=["Runtime.ExitError"])


@item(27, "B", recorded=True)
def test_an_exception_that_has_no_text(played: Played, ric: Ric) -> None:
    """One whose `__str__` raises is reported with its type; AWS's client dies of it."""
    record = played(NO_TEXT, ric)
    assert record.exit_code == ric.expects(awslambdaric=1, lambda_runtime=SURVIVED)
    types = [post.json["errorType"] for post in record.posts]
    assert types == ric.expects(awslambdaric=[], lambda_runtime=["NoText"])


@item(28, "B", recorded=True)
def test_lone_surrogates(played: Played, ric: Ric) -> None:
    """They are escaped in results and reports; AWS's client dies of one in a message."""
    record = played(SURROGATES, ric)
    assert record.exit_code == ric.expects(awslambdaric=1, lambda_runtime=SURVIVED)
    assert [post.body[:32] for post in record.posts] == ric.expects(
        awslambdaric=[], lambda_runtime=[b'{"errorMessage": "a \\ud800 b", "', b'"\\ud800"']
    )


@item(29, "B", recorded=True)
def test_causes_are_shown(played: Played, ric: Ric) -> None:
    """The exceptions behind one are in the log and in a member `cause`; AWS's client drops them."""
    record = played(RAISED, ric)
    error = record.error("cause").json
    causes = [cause["errorType"] for cause in error.get("cause", [])]
    assert causes == ric.expects(awslambdaric=[], lambda_runtime=["KeyError"])
    assert ("Caused by: KeyError: 'key'" in record.stdout) == bool(causes)


# --- The cause for X-Ray ----------------------------------------------------------------------


@item(39, "S")
def test_xray_of_one_frame(played: Played, ric: Ric) -> None:
    """`paths` names the one file, `stack` has label, path and line."""
    cause = played(RAISED, ric).error("custom").xray
    [frame] = cause["exceptions"][0]["stack"]
    assert cause["paths"] == [frame["path"]]
    assert list(frame) == ["label", "path", "line"]


@item(40, "S")
def test_xray_of_several_frames(played: Played, ric: Ric) -> None:
    """Frames keep their order, outermost first; each file is named once."""
    cause = played(RAISED, ric).error("deep").xray
    stack = cause["exceptions"][0]["stack"]
    assert [frame["label"] for frame in stack] == ["handler", "deep", "deeper"]
    assert cause["paths"] == [stack[0]["path"]]


def of_size(size: int, cwd: Path) -> Scenario:
    """A fault whose cause for X-Ray is so many bytes long, in a directory like `cwd`."""
    rest = (
        f'{{"working_directory": "{cwd}", "exceptions": [{{"message": "", '
        '"type": "LambdaValidationError", "stack": []}], "paths": []}'
    )
    length = str(size - len(rest)).encode()
    return Scenario(program=FAULT + PROGRAM, events=(event(length, request_id="long"),))


@item(41, "S")
def test_the_longest_cause(ric: Ric, tmp_path: Path) -> None:
    """A cause of 1 048 575 bytes is sent.

    awslambdaric means to, but the libcurl inside it takes no head of a MiB, and it dies of that.
    """
    length = ric.expects(awslambdaric=1_048_000, lambda_runtime=1_048_575)
    post = play(of_size(length, tmp_path), ric, tmp_path).error("long")
    assert len(post.headers["lambda-runtime-function-xray-error-cause"]) == length


@item(42, "S")
def test_a_cause_that_is_too_long(ric: Ric, tmp_path: Path) -> None:
    """From 1 048 576 bytes on the header is left out; the error is posted."""
    post = play(of_size(1_048_576, tmp_path), ric, tmp_path).error("long")
    assert "lambda-runtime-function-xray-error-cause" not in post.headers
    assert post.json["errorType"] == "T"
