"""Checklist D, 43 to 61: the handler's name, and what happens when init fails."""

from __future__ import annotations

import re

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import Played, Post, Scenario
from tests.support.scripted_runtime_api import event

HANDLER = "def handler(event, context):\n    return __name__\n"


def named(handler: str, *files: str) -> Scenario:
    """A client that is given this handler, and modules that have one."""
    events = (event(b"{}", request_id="one"),)
    return Scenario(arguments=(handler,), files=dict.fromkeys(files, HANDLER), events=events)


def broken(program: str) -> Scenario:
    return Scenario(program=program)


def is_reported(post: Post, error_type: str, message: str) -> None:
    """Type and message are in the report, the type in the header too."""
    assert post.headers["lambda-runtime-function-error-type"] == error_type
    assert post.json["errorType"] == error_type
    assert post.json["errorMessage"] == message


# --- The handler's name -----------------------------------------------------------------------

NO_DOT = named("bad_handler")
NO_MODULE = named("no_module.handler")
SYNTAX = broken("def handler(:\n")
MISSING = named("app.my_handler")
BUILT_IN = named("sys.hello")


@item(43, "S")
def test_a_name_without_a_dot(played: Played, ric: Ric) -> None:
    """It is a Runtime.MalformedHandlerName."""
    is_reported(
        played(NO_DOT, ric).init_error,
        "Runtime.MalformedHandlerName",
        "Bad handler 'bad_handler': not enough values to unpack (expected 2, got 1)",
    )


@item(44, "S")
def test_a_module_that_is_not_there(played: Played, ric: Ric) -> None:
    """It is a Runtime.ImportModuleError that names the module."""
    is_reported(
        played(NO_MODULE, ric).init_error,
        "Runtime.ImportModuleError",
        "Unable to import module 'no_module': No module named 'no_module'",
    )


@item(45, "S")
def test_a_module_that_is_no_python(played: Played, ric: Ric) -> None:
    """It is a Runtime.UserCodeSyntaxError that shows the line."""
    error = played(SYNTAX, ric).init_error.json
    assert error["errorType"] == "Runtime.UserCodeSyntaxError"
    assert error["errorMessage"].startswith("Syntax error in module 'app': ")
    assert re.fullmatch(r'  File ".*/app\.py" Line 1\n.*', "".join(error["stackTrace"]), re.DOTALL)


@item(46, "S")
def test_a_function_that_is_not_there(played: Played, ric: Ric) -> None:
    """It is a Runtime.HandlerNotFound that names function and module."""
    is_reported(
        played(MISSING, ric).init_error,
        "Runtime.HandlerNotFound",
        "Handler 'my_handler' missing on module 'app'",
    )


@item(47, "S")
def test_a_module_by_its_path(played: Played, ric: Ric) -> None:
    """`dir/sub/mod.handler` is the function of dir.sub.mod."""
    record = played(named("dir/sub/mod.handler", "dir/sub/mod.py"), ric)
    assert record.result("one") == "dir.sub.mod"


@item(48, "S")
def test_a_module_named_like_a_built_in(played: Played, ric: Ric) -> None:
    """It is a Runtime.BuiltInModuleConflict."""
    is_reported(
        played(BUILT_IN, ric).init_error,
        "Runtime.BuiltInModuleConflict",
        "Cannot use built-in module sys as a handler module",
    )


@item(49, "S")
def test_a_path_that_ends_like_a_built_in(played: Played, ric: Ric) -> None:
    """`pkg/sub/sys.handler` is allowed."""
    record = played(named("pkg/sub/sys.handler", "pkg/sub/sys.py"), ric)
    assert record.result("one") == "pkg.sub.sys"


@item(50, "S")
def test_a_package_that_ends_like_a_built_in(played: Played, ric: Ric) -> None:
    """`pkg.sub.sys.handler` is allowed."""
    record = played(named("pkg.sub.sys.handler", "pkg/sub/sys.py"), ric)
    assert record.result("one") == "pkg.sub.sys"


@item(51, "P")
def test_a_dependency_that_is_not_there(played: Played, ric: Ric) -> None:
    """It is a Runtime.ImportModuleError that names handler's module and dependency."""
    is_reported(
        played(broken("import not_installed\n"), ric).init_error,
        "Runtime.ImportModuleError",
        "Unable to import module 'app': No module named 'not_installed'",
    )


# --- Init fails -------------------------------------------------------------------------------

NO_LOGGING = Scenario(
    program=HANDLER,
    files={
        "sitecustomize.py": (
            "import logging\ndef fail(self, added):\n    raise OSError('no logging today')\n"
            "logging.Handler.addFilter = fail\n"
        )
    },
    path=(".",),
)
RAISES = broken("def helper():\n    raise LookupError('at import')\nhelper()\n")


@item(52, "S")
def test_a_handler_that_cannot_be_found_ends_the_process(played: Played, ric: Ric) -> None:
    """The exit code is 1."""
    for scenario in (NO_DOT, NO_MODULE, SYNTAX, MISSING, BUILT_IN):
        assert played(scenario, ric).exit_code == 1


@item(53, "S")
def test_logging_that_cannot_be_set_up_ends_the_process(played: Played, ric: Ric) -> None:
    """The exit code is 1, and the reason is said."""
    record = played(NO_LOGGING, ric)
    assert record.exit_code == 1
    assert "OSError: no logging today" in record.stdout + record.stderr


@item(54, "S")
def test_the_report_of_a_failed_init(played: Played, ric: Ric) -> None:
    """init/error gets the type as a header, and type, message, request id and trace as JSON."""
    post = played(MISSING, ric).init_error
    assert post.headers["lambda-runtime-function-error-type"] == "Runtime.HandlerNotFound"
    assert post.body == (
        b"{\"errorMessage\": \"Handler 'my_handler' missing on module 'app'\", "
        b'"errorType": "Runtime.HandlerNotFound", "requestId": "", "stackTrace": []}'
    )


MEGABYTES = 16 << 20


@item(55, "S")
def test_the_answer_to_the_report_is_read(played: Played, ric: Ric) -> None:
    """The process takes the whole body of the answer: ending before would break it off."""
    long = b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n" % MEGABYTES + b" " * MEGABYTES
    scenario = Scenario(arguments=("bad_handler",), answers={"init/error": long})
    assert played(scenario, ric).exit_code == 1


@item(56, "S")
def test_a_report_that_is_refused(played: Played, ric: Ric) -> None:
    """Any status but 202 is an error that names endpoint and status."""
    refusal = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"
    scenario = Scenario(arguments=("bad_handler",), answers={"init/error": refusal})
    record = played(scenario, ric)
    assert record.exit_code == 1
    assert "/2018-06-01/runtime/init/error" in record.stderr
    assert "500" in record.stderr


@item(57, "S")
def test_an_api_that_refuses_connections(played: Played, ric: Ric) -> None:
    """The process ends and says that the connection was refused."""
    record = played(Scenario(arguments=("bad_handler",), address="127.0.0.1:1"), ric)
    assert record.exit_code == 1
    assert "Connection refused" in record.stderr


@item(58, "S")
def test_an_address_that_is_none(played: Played, ric: Ric) -> None:
    """The process ends with an OSError, ours with a sentence that repeats the address."""
    record = played(Scenario(arguments=("bad_handler",), address="::::"), ric)
    assert record.exit_code == 1
    assert ric.expects(awslambdaric="gaierror", lambda_runtime="::::") in record.stderr


@item(59, "P")
def test_a_module_that_raises(played: Played, ric: Ric) -> None:
    """The report has the class, the message, no request id, and a trace that ends in the module."""
    post = played(RAISES, ric).init_error
    is_reported(post, "LookupError", "at import")
    assert post.json["requestId"] == ""
    path = played(RAISES, ric).folder / "app.py"
    assert post.json["stackTrace"][-1] == (
        f"  File \"{path}\", line 2, in helper\n    raise LookupError('at import')\n"
    )


@item(60, "S")
def test_no_handler_at_all(played: Played, ric: Ric) -> None:
    """The process ends before it calls anybody, and says that there is no handler."""
    record = played(Scenario(arguments=()), ric)
    assert record.exit_code == 1
    assert record.requests == []
    assert "handler" in record.stderr.lower()


@item(61, "S")
def test_no_address_at_all(played: Played, ric: Ric) -> None:
    """The process ends and names the variable that is missing."""
    record = played(Scenario(env={"AWS_LAMBDA_RUNTIME_API": ""}), ric)
    assert record.exit_code == 1
    assert record.requests == []
    assert "AWS_LAMBDA_RUNTIME_API" in record.stderr
