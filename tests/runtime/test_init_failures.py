"""Finding the handler: every way it fails is posted to init/error, and the process exits with 1."""

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

INIT_ERROR = "/2018-06-01/runtime/init/error"


def failed(folder: Path, handler: str) -> Finished:
    """The end of a runtime that fails to initialise; it never polls."""
    finished = run_runtime(folder, arguments=(handler,))
    assert finished.exit_code == 1
    assert [path_of(request) for request in finished.requests] == [INIT_ERROR]
    assert finished.stderr == ""
    return finished


def error_of(finished: Finished) -> dict[str, object]:
    error: dict[str, object] = json.loads(body_of(finished.requests[0]))
    assert list(error) == ["errorMessage", "errorType", "requestId", "stackTrace"]
    header = headers_of(finished.requests[0])["lambda-runtime-function-error-type"]
    assert header == error["errorType"]
    assert error["requestId"] == ""
    return error


BAD = "Bad handler '{}': not enough values to unpack (expected 2, got 1)"
BUILT_IN = "Cannot use built-in module {} as a handler module"
NO_MODULE = "Unable to import module '{}': No module named '{}'"
ODD_NAME = (
    "Unable to import module '{}': a module's name neither begins nor ends with a dot or a slash"
)

ROWS = [
    ("bad_handler", "Runtime.MalformedHandlerName", BAD.format("bad_handler")),
    ("", "Runtime.MalformedHandlerName", BAD.format("")),
    ("a:b", "Runtime.MalformedHandlerName", BAD.format("a:b")),
    ("sys.hello", "Runtime.BuiltInModuleConflict", BUILT_IN.format("sys")),
    ("time.h", "Runtime.BuiltInModuleConflict", BUILT_IN.format("time")),
    ("sys.path.h", "Runtime.BuiltInModuleConflict", BUILT_IN.format("sys.path")),
    ("no_module.handler", "Runtime.ImportModuleError", NO_MODULE.format("no_module", "no_module")),
    ("pkg/sub/app.h", "Runtime.ImportModuleError", NO_MODULE.format("pkg/sub/app", "pkg")),
    ("/app.handler", "Runtime.ImportModuleError", ODD_NAME.format("/app")),
    ("./app.handler", "Runtime.ImportModuleError", ODD_NAME.format("./app")),
    ("app..handler", "Runtime.ImportModuleError", ODD_NAME.format("app.")),
    (".handler", "ValueError", "Empty module name"),
    ("app.nobody", "Runtime.HandlerNotFound", "Handler 'nobody' missing on module 'app'"),
    ("app.", "Runtime.HandlerNotFound", "Handler '' missing on module 'app'"),
    (
        "app.Class.method",
        "Runtime.ImportModuleError",
        "Unable to import module 'app.Class': No module named 'app.Class'; 'app' is not a package",
    ),
]

DEPENDENCIES = [
    ("needy.handler", "ModuleNotFoundError", NO_MODULE.format("needy", "nothing_there")),
    ("indirect.handler", "ModuleNotFoundError", NO_MODULE.format("indirect", "nothing_there")),
    (
        "wishful.handler",
        "ImportError",
        "Unable to import module 'wishful': cannot import name 'nobody' from 'app' ({}/app.py)",
    ),
]


@pytest.mark.parametrize(("handler", "error_type", "message"), ROWS)
def test_what_the_handlers_name_may_lack(
    tmp_path: Path, handler: str, error_type: str, message: str
) -> None:
    """Each has AWS's error type and message; faults have no stack trace."""
    (tmp_path / "app.py").write_text("class Class: pass\n")
    finished = failed(tmp_path, handler)
    error = error_of(finished)
    assert (error["errorType"], error["errorMessage"]) == (error_type, message)
    if error_type.startswith("Runtime."):
        assert error["stackTrace"] == []
        assert finished.stdout == (
            f"[ERROR] {error_type}: {message}\rTraceback (most recent call last):\n"
        )


@pytest.mark.parametrize(("handler", "error_type", "message"), DEPENDENCIES)
def test_what_the_handlers_module_may_lack(
    tmp_path: Path, handler: str, error_type: str, message: str
) -> None:
    """A failed import inside it is Runtime.ImportModuleError; the log says where it stands."""
    (tmp_path / "app.py").write_text("")
    (tmp_path / "needy.py").write_text("import nothing_there\n")
    (tmp_path / "wishful.py").write_text("from app import nobody\n")
    (tmp_path / "indirect.py").write_text("import needy\n")
    finished = failed(tmp_path, handler)
    error = error_of(finished)
    message = message.replace("{}", str(tmp_path))
    assert error["errorType"] == "Runtime.ImportModuleError"
    assert error["errorMessage"] == message
    assert error["stackTrace"] == []
    module = handler.partition(".")[0]
    assert finished.stdout.startswith(
        f"[ERROR] Runtime.ImportModuleError: {message}\r"
        "Traceback (most recent call last):\r"
        f"Caused by: {error_type}: {message.partition(': ')[2]}\r"
        f'\u00a0\u00a0File "{tmp_path}/{module}.py", line 1, in <module>\r'
    )
    assert "lambda_runtime" not in finished.stdout


def test_an_init_error_byte_by_byte(tmp_path: Path) -> None:
    """No content type, the error type as a header, the error JSON with an empty request id."""
    body = (
        b'{"errorMessage": "Bad handler \'bad\': not enough values to unpack (expected 2, got 1)", '
        b'"errorType": "Runtime.MalformedHandlerName", "requestId": "", "stackTrace": []}'
    )
    with ScriptedRuntimeApi(replies(ACCEPTED)) as api:
        start_runtime(tmp_path, api.address, "bad")
    [request] = api.requests
    agent = headers_of(request)["user-agent"].encode()
    assert request == (
        b"POST /2018-06-01/runtime/init/error HTTP/1.1\r\n"
        b"Host: " + api.address.encode() + b"\r\n"
        b"User-Agent: " + agent + b"\r\n"
        b"Lambda-Runtime-Function-Error-Type: Runtime.MalformedHandlerName\r\n"
        b"Content-Length: 166\r\n"
        b"\r\n" + body
    )


@pytest.mark.parametrize("handler", ["broken.handler", "importing.handler"])
def test_a_syntax_error_shows_its_line(tmp_path: Path, handler: str) -> None:
    """The handler's own or that of a module it imports: file, line and text are the trace."""
    (tmp_path / "broken.py").write_text("a = 1\ndef handler(event, context:\n    pass\n")
    (tmp_path / "importing.py").write_text("import broken\n")
    error = error_of(failed(tmp_path, handler))
    module = handler.partition(".")[0]
    assert error["errorType"] == "Runtime.UserCodeSyntaxError"
    assert error["errorMessage"] == (
        f"Syntax error in module '{module}': '(' was never closed (broken.py, line 2)"
    )
    assert error["stackTrace"] == [
        f'  File "{tmp_path}/broken.py" Line 2\n    def handler(event, context:'
    ]


def test_an_exception_of_the_module_has_its_trace(tmp_path: Path) -> None:
    """Class name, message and the module's own frames, without those of the import system."""
    (tmp_path / "app.py").write_text("def f():\n    raise KeyError('x')\nf()\n")
    finished = failed(tmp_path, "app.handler")
    error = error_of(finished)
    assert (error["errorType"], error["errorMessage"]) == ("KeyError", "'x'")
    assert error["stackTrace"] == [
        f'  File "{tmp_path}/app.py", line 3, in <module>\n    f()\n',
        f"  File \"{tmp_path}/app.py\", line 2, in f\n    raise KeyError('x')\n",
    ]
    assert finished.stdout.startswith("[ERROR] KeyError: 'x'\rTraceback (most recent call last):\r")


@pytest.mark.parametrize(("raised", "exit_code"), [("SystemExit(3)", 3), ("SystemExit()", 0)])
def test_a_module_may_end_the_process(tmp_path: Path, raised: str, exit_code: int) -> None:
    """Nothing is posted: Lambda itself reports the exit."""
    (tmp_path / "app.py").write_text(f"raise {raised}\n")
    done = start_runtime(tmp_path, "127.0.0.1:1", "app.handler")
    assert (done.exit_code, done.stdout, done.stderr) == (exit_code, "", "")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
            "the Runtime API answered /2018-06-01/runtime/init/error with 403: no",
        ),
        (b"", "no reply from 127.0.0.1:"),
    ],
)
def test_a_report_that_is_not_taken(tmp_path: Path, reply: bytes, reason: str) -> None:
    """The log has the error, stderr the reason why Lambda does not; exit code 1."""

    def serve(peer: Peer) -> None:
        peer.request()
        peer.send(reply)

    with ScriptedRuntimeApi(serve) as api:
        done = start_runtime(tmp_path, api.address, "bad")
    assert done.exit_code == 1
    assert done.stdout.startswith("[ERROR] Runtime.MalformedHandlerName: Bad handler 'bad'")
    assert done.stderr.startswith(f"lambda_runtime: {reason}")
    assert done.stderr.count("\n") == 1


# --- Where the handler comes from ---------------------------------------------------------------


@pytest.mark.parametrize(
    "handler", ["pkg.sub.app.handler", "pkg/sub/app.handler", "pkg/sub.app.handler"]
)
def test_a_handler_in_a_package(tmp_path: Path, handler: str) -> None:
    """Dots and slashes separate packages alike, with or without `__init__.py`."""
    place = tmp_path / "pkg" / "sub"
    place.mkdir(parents=True)
    (place / "app.py").write_text("def handler(event, context): return __name__\n")
    finished = run_runtime(tmp_path, event(b"1"), arguments=(handler,))
    assert [body_of(post) for post in finished.posted] == [b'"pkg.sub.app"']


def test_a_package_may_hold_a_module_named_like_a_built_in(tmp_path: Path) -> None:
    """Only the first part of the name must be free."""
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "sys.py").write_text("def handler(event, context): return __name__\n")
    for handler in ("pkg.sys.handler", "pkg/sys.handler"):
        finished = run_runtime(tmp_path, event(b"1"), arguments=(handler,))
        assert [body_of(post) for post in finished.posted] == [b'"pkg.sys"']


@pytest.mark.parametrize("arguments", [("app.one",), ("app.one", "app.two", "--more")])
def test_the_first_argument_names_the_handler(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """It goes before `_HANDLER`; further arguments are nobody's."""
    (tmp_path / "app.py").write_text("one = lambda e, c: 1\ntwo = lambda e, c: 2\n")
    finished = run_runtime(
        tmp_path, event(b"1"), arguments=arguments, environment={"_HANDLER": "app.two"}
    )
    assert [body_of(post) for post in finished.posted] == [b"1"]


def test_without_an_argument_the_environment_names_the_handler(tmp_path: Path) -> None:
    """`_HANDLER` is what a custom runtime gets."""
    (tmp_path / "app.py").write_text("two = lambda e, c: 2\n")
    finished = run_runtime(tmp_path, event(b"1"), arguments=(), environment={"_HANDLER": "app.two"})
    assert [body_of(post) for post in finished.posted] == [b"2"]


def test_the_task_root_is_searched_first(tmp_path: Path) -> None:
    """A module in LAMBDA_TASK_ROOT is found from anywhere, and before one that stands there."""
    for name in ("task", "elsewhere"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(f"def handler(e, c): return {name!r}\n")
    finished = run_runtime(
        tmp_path / "elsewhere",
        event(b"1"),
        environment={"LAMBDA_TASK_ROOT": str(tmp_path / "task")},
    )
    assert [body_of(post) for post in finished.posted] == [b'"task"']


def test_without_a_task_root_the_working_directory_is_searched(tmp_path: Path) -> None:
    """As `python -m` does; a task root that is searched already is not added again."""
    (tmp_path / "app.py").write_text(
        "import sys\ndef handler(e, c): return sys.path.count(sys.path[0])\n"
    )
    for environment in ({}, {"LAMBDA_TASK_ROOT": str(tmp_path)}):
        finished = run_runtime(tmp_path, event(b"1"), environment=environment)
        assert [body_of(post) for post in finished.posted] == [b"1"]


# --- Nothing to run, nowhere to ask -------------------------------------------------------------


def test_no_handler_is_said_in_a_sentence(tmp_path: Path) -> None:
    """Neither an argument nor `_HANDLER`: exit code 1, before the API is asked."""
    done = start_runtime(tmp_path, "127.0.0.1:1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "lambda_runtime: no handler: name it as in `python -m lambda_runtime app.handler`, "
        "or set _HANDLER\n"
    )


def test_no_address_is_said_in_a_sentence(tmp_path: Path) -> None:
    """Outside Lambda the user is told what to try."""
    (tmp_path / "app.py").write_text("print('imported')\n")
    done = start_runtime(tmp_path, "", "app.handler")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "lambda_runtime: AWS_LAMBDA_RUNTIME_API is not set: this process expects to be started "
        "by Lambda; on your machine try `rapid-mock invoke app.handler`\n"
    )


def test_nonsense_for_an_address_is_said_in_a_sentence(tmp_path: Path) -> None:
    """It is shown as it was given."""
    done = start_runtime(tmp_path, "https://host:1", "app.handler")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        "lambda_runtime: 'https://host:1' is not host:port or http://host:port/prefix\n"
    )


def test_an_unreachable_api_is_said_in_a_sentence(tmp_path: Path) -> None:
    """Nobody listens at the address: exit code 1 and the reason."""
    (tmp_path / "app.py").write_text("def handler(e, c): pass\n")
    done = start_runtime(tmp_path, "127.0.0.1:1", "app.handler")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("lambda_runtime: cannot connect to 127.0.0.1:1: ")
    assert done.stderr.count("\n") == 1
