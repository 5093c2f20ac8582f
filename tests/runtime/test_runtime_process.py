"""`python -m lambda_runtime` as a process: events in, responses and errors out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.scripted_runtime_api import (
    ACCEPTED,
    Finished,
    Peer,
    ScriptedRuntimeApi,
    body_of,
    event,
    headers_of,
    path_of,
    replies,
    run_runtime,
    start_runtime,
)

INVOCATION = "/2018-06-01/runtime/invocation"


def served(folder: Path, program: str, *events: bytes, **environment: str) -> Finished:
    (folder / "app.py").write_text(program, encoding="utf-8")
    return run_runtime(folder, *events, environment=environment)


def answers(finished: Finished) -> list[tuple[str, bytes]]:
    """The last part of the path and the body of each post."""
    return [(path_of(post).rpartition("/")[2], body_of(post)) for post in finished.posted]


def error_of(finished: Finished) -> dict[str, object]:
    """The one error that was posted."""
    [post] = finished.posted
    assert path_of(post) == f"{INVOCATION}/request-1/error"
    error: dict[str, object] = json.loads(body_of(post))
    assert headers_of(post)["lambda-runtime-function-error-type"] == error["errorType"]
    assert error["requestId"] == "request-1"
    return error


# --- Events and responses ---------------------------------------------------------------------


def test_events_are_handled_one_after_another(tmp_path: Path) -> None:
    """Each event gives one response under its own request id, in the order of arrival."""
    program = (
        "def handler(event, context):\n"
        "    return {'input': event, 'aws_request_id': context.aws_request_id}\n"
    )
    finished = served(
        tmp_path, program, *(event(b'"event_body"', request_id=f"r-{n}") for n in range(3))
    )
    assert [path_of(post) for post in finished.posted] == [
        f"{INVOCATION}/r-{n}/response" for n in range(3)
    ]
    assert [body_of(post) for post in finished.posted] == [
        b'{"input": "event_body", "aws_request_id": "r-%d"}' % n for n in range(3)
    ]
    assert headers_of(finished.posted[0])["content-type"] == "application/json"


def test_one_connection_serves_every_request(tmp_path: Path) -> None:
    """Polls and posts share one kept connection, which says who speaks."""
    finished = served(tmp_path, "def handler(e, c): return e", event(b"1"), event(b"2"))
    assert len(finished.requests) == 5
    for request in finished.requests:
        agent = headers_of(request)["user-agent"]
        assert agent.startswith("aws-lambda-python/3.")
        assert agent.endswith("-0.1.0")


ECHO = (
    "def handler(event, context):\n"
    "    return event if isinstance(event, bytes) else [type(event).__name__, event]\n"
)
PNG = b"\x89PNG\r\n\x1a\n\0\xff"


@pytest.mark.parametrize(
    ("content_type", "body", "response", "response_type"),
    [
        ("application/json", b'{"a": [1, 2.5, null]}', b'["dict", {"a": [1, 2.5, null]}]', "json"),
        ("application/json; charset=utf-8", b'"x"', b'["str", "x"]', "json"),
        ("Application/JSON", b"1", b'["int", 1]', "json"),
        ("", b"null", b'["NoneType", null]', "json"),
        ("image/png", PNG, PNG, "unknown"),
        ("text/plain", b"{}", b"{}", "unknown"),
        ("application/octet-stream", b"", b"", "unknown"),
    ],
)
def test_content_types_decide(
    tmp_path: Path, content_type: str, body: bytes, response: bytes, response_type: str
) -> None:
    """JSON is decoded, everything else is bytes; bytes go back as they are."""
    finished = served(tmp_path, ECHO, event(body, f"Content-Type: {content_type}"))
    assert answers(finished) == [("response", response)]
    assert f"\r\nContent-Type: application/{response_type}\r\n".encode() in finished.posted[0]


def test_an_event_without_content_type_is_json(tmp_path: Path) -> None:
    """AWS's native client crashes there."""
    reply = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\nContent-Length: 1\r\n\r\n7"
    assert answers(served(tmp_path, ECHO, reply)) == [("response", b'["int", 7]')]


def test_an_event_may_come_in_chunks(tmp_path: Path) -> None:
    """RIE sends larger events chunked."""
    reply = (
        b"HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: a\r\nTransfer-Encoding: chunked\r\n"
        b'\r\n4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n'
    )
    assert answers(served(tmp_path, ECHO, reply)) == [("response", b'["dict", {"a": 1}]')]


def test_a_large_event_and_response(tmp_path: Path) -> None:
    """Six megabytes in, six megabytes out."""
    text = b'"' + b"x" * 6_000_000 + b'"'
    finished = served(tmp_path, "def handler(e, c): return e", event(text), event(b"1"))
    assert answers(finished) == [("response", text), ("response", b"1")]


@pytest.mark.parametrize("returned", [b"ab", b"\0\xff"])
def test_bytes_are_sent_as_they_are(tmp_path: Path, returned: bytes) -> None:
    """As `application/unknown`, whatever type of bytes they are."""
    for kind in ("", "bytearray", "memoryview"):
        program = f"def handler(e, c): return {kind}({returned!r})"
        finished = served(tmp_path, program, event(b"{}"))
        assert answers(finished) == [("response", returned)]
        assert headers_of(finished.posted[0].partition(b"\r\n\r\n")[0])["content-type"] == (
            "application/unknown"
        )


def test_the_trace_id_is_in_the_environment(tmp_path: Path) -> None:
    """`_X_AMZN_TRACE_ID` is what the event's header says; without one it is removed."""
    program = "import os\ndef handler(e, c): return os.environ.get('_X_AMZN_TRACE_ID')"
    finished = served(
        tmp_path,
        program,
        event(b"1"),
        event(b"1", "Lambda-Runtime-Trace-Id: Root=1-2;Parent=3;Sampled=1"),
        event(b"1", "lambda-runtime-trace-id: Root=4"),
        event(b"1", "Lambda-Runtime-Trace-Id:"),
        _X_AMZN_TRACE_ID="stale",
    )
    assert [body_of(post) for post in finished.posted] == [
        b"null",
        b'"Root=1-2;Parent=3;Sampled=1"',
        b'"Root=4"',
        b"null",
    ]


@pytest.mark.parametrize("start", ["subprocess.check_output(command)", "os.popen(line).read()"])
def test_children_inherit_the_trace_id(tmp_path: Path, start: str) -> None:
    """A child process that is started with our environment has that of its invocation, or none."""
    program = (
        "import os, subprocess, sys\n"
        "code = 'import os; print(os.environ.get(\"_X_AMZN_TRACE_ID\"))'\n"
        "command = [sys.executable, '-c', code]\n"
        "line = f\"{sys.executable} -c '{code}'\"\n"
        f"def handler(e, c):\n    out = {start}\n"
        "    return (out if isinstance(out, str) else out.decode()).strip()\n"
    )
    finished = served(
        tmp_path,
        program,
        event(b"1", "Lambda-Runtime-Trace-Id: Root=1"),
        event(b"2", "Lambda-Runtime-Trace-Id: Root=2"),
        event(b"3"),
        _X_AMZN_TRACE_ID="stale",
    )
    assert answers(finished) == [
        ("response", b'"Root=1"'),
        ("response", b'"Root=2"'),
        ("response", b'"None"'),
    ]


def test_output_is_utf_8_and_leaves_line_by_line(tmp_path: Path) -> None:
    """Whatever the locale; what cannot be written is escaped, a dying process loses no line."""
    program = (
        "import os, sys\n"
        "def handler(event, context):\n"
        "    print('Gr\u00fc\u00dfe', '\\udc80')\n"
        "    print('d\u00e9j\u00e0', file=sys.stderr)\n"
        "    os._exit(3)\n"
    )
    finished = served(tmp_path, program, event(b"{}"), LC_ALL="C", PYTHONIOENCODING="ascii")
    assert finished.exit_code == 3
    assert finished.stdout == "Gr\u00fc\u00dfe \\udc80\n"
    assert finished.stderr == "d\u00e9j\u00e0\n"


# --- Errors of the handler --------------------------------------------------------------------

RAISING = """\
class Overdrawn(Exception):
    pass

def inner():
    raise Overdrawn("only \u20ac 3 left")

def handler(event, context):
    inner()
"""


def test_an_exception_is_posted_as_json(tmp_path: Path) -> None:
    """errorMessage, errorType, requestId, stackTrace; the trace shows the user's frames alone."""
    finished = served(tmp_path, RAISING, event(b"{}"))
    place = tmp_path / "app.py"
    frames = (
        f'"  File \\"{place}\\", line 8, in handler\\n    inner()\\n", '
        f'"  File \\"{place}\\", line 5, in inner\\n'
        '    raise Overdrawn(\\"only \u20ac 3 left\\")\\n"'
    )
    expected = (
        '{"errorMessage": "only \u20ac 3 left", "errorType": "Overdrawn", '
        f'"requestId": "request-1", "stackTrace": [{frames}]}}'
    )
    assert answers(finished) == [("error", expected.encode())]


def test_an_exception_is_one_line_of_the_log(tmp_path: Path) -> None:
    """Carriage returns join its lines, no-break spaces keep their indentation."""
    finished = served(tmp_path, RAISING, event(b"{}"))
    place = tmp_path / "app.py"
    assert finished.stdout == (
        "[ERROR] Overdrawn: only \u20ac 3 left\r"
        "Traceback (most recent call last):\r"
        f'\u00a0\u00a0File "{place}", line 8, in handler\r'
        "\u00a0\u00a0\u00a0\u00a0inner()\r"
        f'\u00a0\u00a0File "{place}", line 5, in inner\r'
        '\u00a0\u00a0\u00a0\u00a0raise Overdrawn("only \u20ac 3 left")\n'
    )


def test_an_exception_tells_x_ray_where_it_came_from(tmp_path: Path) -> None:
    """The cause is one line of ASCII: directory, exception, frames, files without repetition."""
    [post] = served(tmp_path, RAISING, event(b"{}")).posted
    text = headers_of(post)["lambda-runtime-function-xray-error-cause"]
    assert text.isascii()
    place = str(tmp_path / "app.py")
    assert json.loads(text) == {
        "working_directory": str(tmp_path),
        "exceptions": [
            {
                "message": "only \u20ac 3 left",
                "type": "Overdrawn",
                "stack": [
                    {"label": "handler", "path": place, "line": 8},
                    {"label": "inner", "path": place, "line": 5},
                ],
            }
        ],
        "paths": [place],
    }


def test_a_trace_shows_no_carets(tmp_path: Path) -> None:
    """Two lines a frame, as before Python 3.11 marked columns."""
    program = "def handler(event, context):\n    return (1 + 2) * event['a']['b'] + 3\n"
    error = error_of(served(tmp_path, program, event(b'{"a": {}}')))
    assert error["stackTrace"] == [
        f'  File "{tmp_path}/app.py", line 2, in handler\n'
        "    return (1 + 2) * event['a']['b'] + 3\n"
    ]


def test_frames_without_source_have_one_line(tmp_path: Path) -> None:
    """Code that was not read from a file is named and not shown."""
    program = "exec(compile('def handler(e, c): 1 / 0', '<made>', 'exec'))"
    error = error_of(served(tmp_path, program, event(b"{}")))
    assert error["stackTrace"] == ['  File "<made>", line 1, in handler\n']


@pytest.mark.parametrize(
    ("raised", "error_type", "message"),
    [
        ("KeyError('k')", "KeyError", "'k'"),
        ("ValueError()", "ValueError", ""),
        ("ValueError('a\\r\\nX: y')", "ValueError", "a\r\nX: y"),
        ("ValueError('\\ud800')", "ValueError", "\ud800"),
        ("Silent()", "Silent", "<the message cannot be shown: ZeroDivisionError in __str__>"),
        ("type('Gr\u00fcn', (Exception,), {})('x')", "Gr\u00fcn", "x"),
        ("ExceptionGroup('many', [ValueError()])", "ExceptionGroup", "many (1 sub-exception)"),
        ("__import__('invalid_module')", "ModuleNotFoundError", "No module named 'invalid_module'"),
        ("RecursionError('deep')", "RecursionError", "deep"),
        ("MemoryError()", "MemoryError", ""),
    ],
)
def test_every_exception_is_reported_and_survived(
    tmp_path: Path, raised: str, error_type: str, message: str
) -> None:
    """Type and message as they are, even when they are hard to spell; the next event is served."""
    program = (
        "class Silent(Exception):\n"
        "    def __str__(self): return 1 / 0\n"
        "def handler(event, context):\n"
        "    if event == 'next': return 'served'\n"
        f"    raise {raised}\n"
    )
    finished = served(tmp_path, program, event(b"{}"), event(b'"next"', request_id="r-2"))
    first, second = finished.posted
    error = json.loads(body_of(first))
    assert (error["errorType"], error["errorMessage"]) == (error_type, message)
    assert error["requestId"] == "request-1"
    cause = json.loads(headers_of(first)["lambda-runtime-function-xray-error-cause"])
    assert cause["exceptions"][0]["type"] == error_type
    assert cause["exceptions"][0]["stack"][0]["label"] == "handler"
    assert body_of(second) == b'"served"'


def test_endless_recursion_is_survived(tmp_path: Path) -> None:
    """RecursionError is an error like any other."""
    program = "def handler(e, c): return 1 if e == 1 else handler(e, c)"
    first, second = served(tmp_path, program, event(b"{}"), event(b"1")).posted
    assert json.loads(body_of(first))["errorType"] == "RecursionError"
    assert body_of(second) == b"1"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("handler = 3", "'int' object is not callable"),
        ("def handler(event): return 1", "handler() takes 1 positional argument but 2 were given"),
    ],
)
def test_a_handler_that_cannot_be_called(tmp_path: Path, program: str, message: str) -> None:
    """It is accepted at init; each invocation fails with a TypeError and the frame that called."""
    error = error_of(served(tmp_path, program, event(b"{}")))
    assert (error["errorType"], error["errorMessage"]) == ("TypeError", message)
    assert "lambda_runtime" in str(error["stackTrace"])


def test_a_callable_object_is_a_handler(tmp_path: Path) -> None:
    """Whatever can be called with event and context is one."""
    program = "class H:\n    def __call__(self, event, context): return 'called'\nhandler = H()"
    assert answers(served(tmp_path, program, event(b"1"))) == [("response", b'"called"')]


@pytest.mark.parametrize(
    ("code", "exit_code", "shown", "printed"),
    [("3", 3, "3", ""), ("", 0, "None", ""), ("'why'", 1, "why", "why\n")],
)
def test_a_handler_that_exits_is_reported_first(
    tmp_path: Path, code: str, exit_code: int, shown: str, printed: str
) -> None:
    """SystemExit is posted as Runtime.ExitError, then the process ends with its status."""
    finished = served(tmp_path, f"def handler(e, c): raise SystemExit({code})", event(b"{}"))
    assert (finished.exit_code, finished.stderr) == (exit_code, printed)
    error = error_of(finished)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"] == f"the handler ended the process: exit {shown}"
    assert len(finished.requests) == 2


def test_an_interrupt_is_no_error(tmp_path: Path) -> None:
    """KeyboardInterrupt ends the process with 130, and nothing is posted."""
    finished = served(tmp_path, "def handler(e, c): raise KeyboardInterrupt", event(b"{}"))
    assert (finished.exit_code, finished.stderr) == (130, "")
    assert finished.posted == []


def test_a_handler_may_vanish(tmp_path: Path) -> None:
    """`os._exit` posts nothing: Lambda itself reports the exit."""
    finished = served(tmp_path, "import os\ndef handler(e, c): os._exit(7)", event(b"{}"))
    assert (finished.exit_code, finished.posted) == (7, [])


# --- Faults: what the runtime itself cannot read or spell ---------------------------------------

FAULTS = [
    pytest.param(
        event(b"no"),
        "Runtime.UnmarshalError",
        "Unable to unmarshal input: Expecting value: line 1 column 1 (char 0)",
        id="event",
    ),
    pytest.param(
        event(b""),
        "Runtime.UnmarshalError",
        "Unable to unmarshal input: Expecting value: line 1 column 1 (char 0)",
        id="empty event",
    ),
    pytest.param(
        event(b"\xff\xfe"),
        "Runtime.UnmarshalError",
        "Unable to unmarshal input: 'utf-8' codec can't decode byte 0xff in position 0: "
        "invalid start byte",
        id="binary event",
    ),
    pytest.param(
        event(b'"set"'),
        "Runtime.MarshalError",
        "Unable to marshal response: Object of type set is not JSON serializable",
        id="response",
    ),
    pytest.param(
        event(b'"type"'),
        "Runtime.MarshalError",
        "Unable to marshal response: Object of type type is not JSON serializable",
        id="class as response",
    ),
    pytest.param(
        event(b'"generator"'),
        "Runtime.MarshalError",
        "Unable to marshal response: Object of type list_iterator is not JSON serializable",
        id="iterator as response",
    ),
    pytest.param(
        event(b"{}", "Lambda-Runtime-Client-Context: no"),
        "Runtime.LambdaContextUnmarshalError",
        "Unable to parse Client Context JSON: Expecting value: line 1 column 1 (char 0)",
        id="client context",
    ),
    pytest.param(
        event(b"no", "Lambda-Runtime-Cognito-Identity: no"),
        "Runtime.LambdaContextUnmarshalError",
        "Unable to parse Cognito Identity JSON: Expecting value: line 1 column 1 (char 0)",
        id="identity before event",
    ),
]


@pytest.mark.parametrize(("first", "error_type", "message"), FAULTS)
def test_faults_are_reported_without_a_trace(
    tmp_path: Path, first: bytes, error_type: str, message: str
) -> None:
    """AWS's error type and message, no stack trace; X-Ray is told LambdaValidationError."""
    program = (
        "def handler(event, context):\n"
        "    return {'set': {1}, 'type': int, 'generator': iter([])}.get(event, event)\n"
    )
    finished = served(tmp_path, program, first, event(b"1"))
    failed, next_one = finished.posted
    assert (
        body_of(failed)
        == (
            f'{{"errorMessage": {json.dumps(message)}, "errorType": "{error_type}", '
            '"requestId": "request-1", "stackTrace": []}'
        ).encode()
    )
    assert json.loads(headers_of(failed)["lambda-runtime-function-xray-error-cause"]) == {
        "working_directory": str(tmp_path),
        "exceptions": [{"message": message, "type": "LambdaValidationError", "stack": []}],
        "paths": [],
    }
    assert body_of(next_one) == b"1"
    assert (
        finished.stdout == f"[ERROR] {error_type}: {message}\rTraceback (most recent call last):\n"
    )


def test_a_malformed_event_is_explained_by_a_fresh_interpreter(tmp_path: Path) -> None:
    """The reason is there although nothing had imported json before."""
    error = error_of(served(tmp_path, "def handler(e, c): pass", event(b'{"a": }')))
    assert error["errorMessage"] == (
        "Unable to unmarshal input: Expecting value: line 1 column 7 (char 6)"
    )


# --- Answers that are refused -------------------------------------------------------------------


def refusal(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nno".encode()


def against(folder: Path, *scripted: bytes) -> tuple[Finished, list[str]]:
    """An echoing runtime against these replies in order, and the paths it asked for."""
    (folder / "app.py").write_text("def handler(event, context): return event\n")
    with ScriptedRuntimeApi(replies(*scripted)) as api:
        done = start_runtime(folder, api.address, "app.handler")
    return done, [path_of(request).rpartition("/")[2] for request in api.requests]


@pytest.mark.parametrize("status", ["400 Bad Request", "403 Forbidden", "410 Gone"])
def test_a_refused_response_is_logged_and_the_next_event_served(
    tmp_path: Path, status: str
) -> None:
    """A 4xx is about this answer alone."""
    later = event(b"2", request_id="r-2")
    done, paths = against(tmp_path, event(b"1"), refusal(status), later, refusal("500 Stop"))
    assert paths == ["next", "response", "next", "response"]
    assert done.stdout == (
        "[ERROR] lambda_runtime: the Runtime API answered the response to request-1 "
        f"with {status[:3]}: no\n"
    )


def test_a_response_that_is_too_large_is_a_function_error(tmp_path: Path) -> None:
    """After a 413 an error is posted for those APIs that have not told the invoker themselves."""
    later = event(b"2", request_id="r-2")
    scripted = (event(b"1"), refusal("413 Large"), ACCEPTED, later, refusal("500 Stop"))
    done, paths = against(tmp_path, *scripted)
    assert paths == ["next", "response", "error", "next", "response"]
    assert done.exit_code == 1


@pytest.mark.parametrize("status", ["500 Oops", "503 Later"])
def test_a_response_that_fails_the_api_ends_the_process(tmp_path: Path, status: str) -> None:
    """5xx is documented as non-recoverable: one sentence, exit code 1."""
    done, paths = against(tmp_path, event(b"1"), refusal(status))
    assert paths == ["next", "response"]
    assert done.exit_code == 1
    assert done.stderr == (
        "lambda_runtime: the Runtime API answered the response to request-1 "
        f"with {status[:3]}: no\n"
    )


def test_an_event_whose_answer_was_refused_is_not_handled_twice(tmp_path: Path) -> None:
    """Should the API deliver it again, the process ends."""
    done, paths = against(tmp_path, event(b"1"), refusal("400 Bad Request"), event(b"1"))
    assert paths == ["next", "response", "next"]
    assert done.exit_code == 1
    assert done.stderr == "lambda_runtime: the Runtime API delivered request-1 a second time\n"


# --- The end ----------------------------------------------------------------------------------


def test_a_refused_poll_ends_the_process_with_a_sentence(tmp_path: Path) -> None:
    """Status and text on stderr, no traceback, exit code 1."""
    (tmp_path / "app.py").write_text("def handler(e, c): pass")

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\nno events")

    with ScriptedRuntimeApi(serve) as api:
        done = start_runtime(tmp_path, api.address, "app.handler")
    assert done.exit_code == 1
    assert done.stderr == (
        "lambda_runtime: the Runtime API answered /2018-06-01/runtime/invocation/next "
        "with 500: no events\n"
    )


@pytest.mark.parametrize("reply", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-"])
def test_an_api_that_breaks_off_ends_the_process_with_a_sentence(
    tmp_path: Path, reply: bytes
) -> None:
    """One line on stderr that says what came, exit code 1."""
    (tmp_path / "app.py").write_text("def handler(e, c): pass")

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(reply)

    with ScriptedRuntimeApi(serve) as api:
        done = start_runtime(tmp_path, api.address, "app.handler")
    assert done.exit_code == 1
    assert done.stderr.startswith(("lambda_runtime: no reply from", "lambda_runtime: the reply is"))
    assert done.stderr.count("\n") == 1


def test_a_kept_connection_that_was_closed_costs_nothing(tmp_path: Path) -> None:
    """The poll that met a closed connection goes out again; the handler never knows."""
    (tmp_path / "app.py").write_text("def handler(e, c): return e")

    def first(peer: Peer) -> None:
        for reply in (event(b"1"), ACCEPTED):
            peer.request()
            peer.send(reply)

    def second(peer: Peer) -> None:
        for reply in (event(b"2"), ACCEPTED):
            peer.request()
            peer.send(reply)
        peer.request()
        peer.send(b"HTTP/1.1 500 Enough\r\nContent-Length: 0\r\n\r\n")

    with ScriptedRuntimeApi(first, second) as api:
        done = start_runtime(tmp_path, api.address, "app.handler")
    assert [body_of(request) for request in api.requests if request.startswith(b"POST")] == [
        b"1",
        b"2",
    ]
    assert "500" in done.stderr
