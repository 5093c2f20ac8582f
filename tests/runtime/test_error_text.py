"""How a failure reads in the log, in the error JSON and in X-Ray."""

from __future__ import annotations

import json

import pytest

from lambda_runtime.error_report import ErrorReport
from lambda_runtime.errors import FaultError

BEGINNING = "Traceback (most recent call last):"


def made(error_type: str, message: str, trace: list[str] | None = None) -> ErrorReport:
    """A report with this type, message and trace."""
    error = FaultError(message, trace)
    error.error_type = error_type
    return ErrorReport(error)


@pytest.mark.parametrize(
    ("error_type", "message", "head"),
    [
        ("T", "m", "[ERROR] T: m"),
        ("T", "", "[ERROR] T"),
        ("", "m", "[ERROR] m"),
        ("", "", "[ERROR]"),
        ("T", "two\nlines ", "[ERROR] T: two\nlines "),
    ],
)
def test_the_first_line(error_type: str, message: str, head: str) -> None:
    """Type and message as far as there are any; the trace is announced in any case."""
    assert made(error_type, message).log_line() == f"{head}\r{BEGINNING}\n"


@pytest.mark.parametrize(
    ("trace", "lines"),
    [
        (["line1", "line2"], ["line1", "line2"]),
        (["line1\nline2\n"], ["line1", "line2"]),
        (["  line1  ", "    line2"], ["\u00a0\u00a0line1  ", "\u00a0" * 4 + "line2"]),
        (["line1", "", "line2"], ["line1", "", "line2"]),
        (["a  b"], ["a  b"]),
        (["\tline1"], ["\tline1"]),
        (["   "], ["\u00a0\u00a0\u00a0"]),
    ],
)
def test_the_lines_of_a_trace(trace: list[str], lines: list[str]) -> None:
    """One line of the log: only leading blanks become no-break spaces, empty lines stay."""
    assert made("T", "m", trace).log_line() == "\r".join(["[ERROR] T: m", BEGINNING, *lines]) + "\n"


def test_a_fault_with_a_trace_of_its_own() -> None:
    """The list is posted as it is; X-Ray is told of a fault, whatever its type is called."""
    report = made("Any.Type", "m", ["line1", "line2"])
    assert report.body("request-1") == (
        b'{"errorMessage": "m", "errorType": "Any.Type", "requestId": "request-1", '
        b'"stackTrace": ["line1", "line2"]}'
    )
    [exception] = json.loads(report.xray_cause())["exceptions"]
    assert exception == {"message": "m", "type": "LambdaValidationError", "stack": []}


def test_a_user_exception_in_frames_of_several_files() -> None:
    """X-Ray's paths name each file once, in the order of the frames."""
    programs = [
        ("/one.py", "def first(f): f()"),
        ("/two.py", "def second(f): first(f)"),
        ("/one.py", "def third(f): second(f)"),
        ("/two.py", "def last(): raise ValueError('x')"),
    ]
    names: dict[str, object] = {}
    for path, text in programs:
        exec(compile(text, path, "exec"), names)  # noqa: S102  frames need code of several files
    with pytest.raises(ValueError, match="x") as caught:
        names["third"](names["last"])  # type: ignore[operator]
    report = ErrorReport(caught.value)
    cause = json.loads(report.xray_cause())
    assert cause["paths"] == [__file__, "/one.py", "/two.py"]
    assert [frame["label"] for frame in cause["exceptions"][0]["stack"]] == [
        "test_a_user_exception_in_frames_of_several_files",
        *("third", "second", "first", "last"),
    ]


def test_an_xray_cause_is_one_line_of_ascii() -> None:
    """Whatever the message holds, it can stand in a header."""
    text = made("T", "a\r\nX: y \u20ac \ud800 \0").xray_cause()
    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text)["exceptions"][0]["message"] == "a\r\nX: y \u20ac \ud800 \0"


def test_surrogates_are_escaped_in_the_body() -> None:
    """A body is UTF-8, always."""
    assert b'"errorMessage": "\\ud800 \xe2\x82\xac"' in made("T", "\ud800 \u20ac").body("")
