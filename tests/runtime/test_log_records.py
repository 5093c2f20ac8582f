"""The root logger: text and JSON records, levels, frames; `logging` loaded only when used."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.runtime_programs import (
    ACCEPTED,
    EVENT,
    answering,
    event,
    run_against,
    served,
)

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LOG = "import logging\nlog = logging.getLogger('app')\n"


def text_of(folder: Path, statements: str, **environment: str) -> str:
    program = LOG + "def handler(event, context):\n" + _indented(statements)
    return served(folder, program, **environment).stdout


def records_of(folder: Path, statements: str, **environment: str) -> list[dict[str, Any]]:
    lines = text_of(folder, statements, AWS_LAMBDA_LOG_FORMAT="JSON", **environment).splitlines()
    return [json.loads(line) for line in lines]


def _indented(statements: str) -> str:
    return "".join(f"    {line}\n" for line in statements.splitlines())


# --- Text -------------------------------------------------------------------------------------


def test_a_text_record(tmp_path: Path) -> None:
    """Level, time in milliseconds, request id and message, separated by tabs."""
    text = text_of(tmp_path, "log.warning('hello %s', 'you')")
    assert re.fullmatch(rf"\[WARNING\]\t{TIME}\trequest-1\thello you\n", text)


def test_a_record_before_the_first_event_has_no_request_id(tmp_path: Path) -> None:
    """The module may log while it is loaded."""
    program = LOG + "log.error('loading')\ndef handler(event, context): pass\n"
    assert re.fullmatch(rf"\[ERROR\]\t{TIME}\t\tloading\n", served(tmp_path, program).stdout)


def test_a_traceback_ends_in_a_line_break(tmp_path: Path) -> None:
    """The record after a traceback begins on a line of its own."""
    text = text_of(
        tmp_path, "try: 1 / 0\nexcept Exception: log.exception('oh')\nlog.warning('after')"
    )
    lines = text.split("\n")
    assert lines[0].endswith("\trequest-1\toh")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-3] == "ZeroDivisionError: division by zero"
    assert lines[-2].endswith("\tafter")


def test_stack_info_is_shown(tmp_path: Path) -> None:
    """`stack_info=True` adds the stack, in text."""
    text = text_of(tmp_path, "log.warning('here', stack_info=True)")
    assert "\there\nStack (most recent call last):\n" in text
    assert text.endswith("\n")


def test_a_format_of_the_users_own_is_ended_by_a_line_break(tmp_path: Path) -> None:
    """Formats may name `aws_request_id`; times are UTC; each record is a line."""
    text = text_of(
        tmp_path,
        "handler = logging.getLogger().handlers[0]\n"
        "handler.setFormatter(logging.Formatter('%(aws_request_id)s %(message)s'))\n"
        "log.warning('one')\nlog.warning('two')",
    )
    assert text == "request-1 one\nrequest-1 two\n"


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("", "WEC"),
        ("TRACE", "DIWEC"),
        ("trace", "DIWEC"),
        ("debug", "DIWEC"),
        ("INFO", "IWEC"),
        ("WARN", "WEC"),
        ("ERROR", "EC"),
        ("FATAL", "C"),
        ("nonsense", "WEC"),
    ],
)
@pytest.mark.parametrize("log_format", ["Text", "json"])
def test_the_level_comes_from_the_environment(
    tmp_path: Path, level: str, shown: str, log_format: str
) -> None:
    """AWS_LAMBDA_LOG_LEVEL in whatever case; an unknown one leaves Python's own."""
    text = text_of(
        tmp_path,
        "for name in ('debug', 'info', 'warning', 'error', 'critical'):\n"
        "    getattr(log, name)('m')",
        AWS_LAMBDA_LOG_LEVEL=level,
        AWS_LAMBDA_LOG_FORMAT=log_format,
    )
    pattern = r'"level": "(\w)' if log_format == "json" else r"^\[(\w)"
    assert "".join(re.findall(pattern, text, re.MULTILINE)) == shown


# --- JSON -------------------------------------------------------------------------------------


def test_a_json_record(tmp_path: Path) -> None:
    """Its members in AWS's order; the time has milliseconds; a line break inside stays inside."""
    text = text_of(tmp_path, "log.warning('gr\u00fc\u00df\\n')", AWS_LAMBDA_LOG_FORMAT="JSON")
    assert re.sub(TIME, "TIME", text) == (
        '{"timestamp": "TIME", "level": "WARNING", "message": "gr\u00fc\u00df\\n", '
        '"logger": "app", "requestId": "request-1"}\n'
    )


def test_a_json_record_of_an_exception(tmp_path: Path) -> None:
    """Type, message, trace without carets, and where it was logged."""
    [record] = records_of(tmp_path, "try: 1 / 0\nexcept Exception: log.exception('oh')")
    assert list(record) == [
        *("timestamp", "level", "message", "logger"),
        *("stackTrace", "errorType", "errorMessage", "requestId", "location"),
    ]
    assert record["errorType"] == "ZeroDivisionError"
    assert record["errorMessage"] == "division by zero"
    assert record["stackTrace"] == [
        f'  File "{tmp_path}/app.py", line 4, in handler\n    try: 1 / 0\n'
    ]
    assert record["location"] == f"{tmp_path}/app.py:handler:5"


def test_extras_follow_and_never_replace(tmp_path: Path) -> None:
    """Extras keep their order; None is left out; what is no JSON is its text."""
    [record] = records_of(
        tmp_path,
        "log.error('m', extra={'b': 1, 'a': {2}, 'level': 'x', 'none': None, 'requestId': 'no'})",
    )
    assert list(record)[-2:] == ["b", "a"]
    assert (record["b"], record["a"], record["level"]) == (1, "{2}", "ERROR")
    assert record["requestId"] == "request-1"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("{(1, 2): 3}", "{(1, 2): 3}"),
        ("type('T', (), {'__str__': lambda self: 1 / 0})()", "<T without text: ZeroDivisionError>"),
        ("'\\ud800'", "\ud800"),
    ],
)
def test_no_value_loses_a_record(tmp_path: Path, value: str, shown: str) -> None:
    """Keys that are no text, values without text, lone surrogates: the record is written."""
    [record] = records_of(tmp_path, f"log.error('m', extra={{'value': {value}}})")
    assert record["value"] == shown


def test_a_dictionary_as_message_is_nested(tmp_path: Path) -> None:
    """`log.info({...})` without arguments puts the object itself under `message`."""
    [record] = records_of(tmp_path, "log.error({'a': [1]})")
    assert record["message"] == {"a": [1]}


def test_a_custom_level_goes_down_to_its_decade_and_stays_in_the_record(tmp_path: Path) -> None:
    """25 is INFO in JSON; other handlers still see 25."""
    text = text_of(
        tmp_path,
        "class Other(logging.Handler):\n"
        "    def emit(self, record): print(record.levelno, record.levelname)\n"
        "log.addHandler(Other()); log.setLevel(1); logging.getLogger().setLevel(1)\n"
        "log.log(25, 'm')\n"
        "log.log(99, 'm')",
        AWS_LAMBDA_LOG_FORMAT="JSON",
    )
    assert re.findall(r'"level": "(\w+)"', text) == ["INFO", "CRITICAL"]
    assert "25 Level 25\n" in text


def test_a_record_of_a_task_has_no_task_name(tmp_path: Path) -> None:
    """Python's `taskName` is no extra of the user's."""
    program = LOG + "async def handler(event, context): log.error('m')\n"
    finished = served(tmp_path, program, AWS_LAMBDA_LOG_FORMAT="JSON")
    assert "taskName" not in json.loads(finished.stdout)


def test_a_tenant_is_named(tmp_path: Path) -> None:
    """`tenantId` stands in records of a tenant's invocation."""
    program = LOG + "def handler(event, context): log.error('m')\n"
    tenant = event(b"{}", "Lambda-Runtime-Aws-Tenant-Id: blue")
    finished = served(tmp_path, program, tenant, AWS_LAMBDA_LOG_FORMAT="JSON")
    assert json.loads(finished.stdout)["tenantId"] == "blue"


def test_causes_notes_and_groups_are_in_json_records(tmp_path: Path) -> None:
    """Nothing that Python would have printed is lost."""
    [record] = records_of(
        tmp_path,
        "try:\n"
        "    try: {}['k']\n"
        "    except KeyError as error: raise ExceptionGroup('g', [ValueError('v')]) from error\n"
        "except Exception as error:\n"
        "    error.add_note('a note')\n"
        "    log.exception('oh')",
    )
    assert [cause["errorType"] for cause in record["cause"]] == ["KeyError"]
    assert record["notes"] == ["a note"]
    assert [one["errorMessage"] for one in record["exceptions"]] == ["v"]


def test_what_a_handler_raises_is_a_json_record(tmp_path: Path) -> None:
    """The runtime's own record of an error is JSON too, on one line."""
    program = "def handler(event, context):\n    raise ValueError('x')\n"
    finished = served(tmp_path, program, AWS_LAMBDA_LOG_FORMAT="JSON")
    record = json.loads(finished.stdout)
    assert list(record) == [
        *("timestamp", "level", "errorMessage", "errorType", "requestId", "stackTrace"),
    ]
    assert re.fullmatch(TIME, record["timestamp"])
    assert (record["level"], record["errorType"]) == ("ERROR", "ValueError")
    assert record["requestId"] == "request-1"


# --- The handler ------------------------------------------------------------------------------


def test_the_root_logger_has_one_handler_before_anybody_can_ask(tmp_path: Path) -> None:
    """It stands when the user's first import of `logging` returns; its names are AWS's."""
    program = LOG + (
        "found = [type(h).__name__ for h in logging.getLogger().handlers]\n"
        "spec = type(logging.__spec__.loader).__name__, type(logging.__loader__).__name__\n"
        "import sys\n"
        "hooks = [f for f in sys.meta_path if 'lambda_runtime' in getattr(f, '__module__', '')]\n"
        "def handler(event, context): print(found, spec, hooks)\n"
    )
    assert served(tmp_path, program).stdout == (
        "['LambdaLoggerHandler'] ('SourceFileLoader', 'SourceFileLoader') []\n"
    )


def test_logging_that_is_loaded_already_gets_its_handler_too(tmp_path: Path) -> None:
    """A sitecustomize that logs is no obstacle."""
    (tmp_path / "sitecustomize.py").write_text("import logging\n")
    program = LOG + "def handler(event, context): print(len(logging.getLogger().handlers))\n"
    path = f"{tmp_path}{os.pathsep}{Path(__file__).resolve().parents[2]}"
    finished = run_against(tmp_path, program, answering(EVENT, ACCEPTED), PYTHONPATH=path)
    assert finished.stdout == "1\n"


def test_a_configuration_of_the_users_own_wins(tmp_path: Path) -> None:
    """`logging.config.dictConfig` replaces the handler."""
    program = LOG + (
        "import logging.config\n"
        "logging.config.dictConfig({'version': 1, 'handlers': {'e': {'class':\n"
        "  'logging.StreamHandler', 'formatter': 'f'}}, 'root': {'handlers': ['e']},\n"
        "  'formatters': {'f': {'format': '%(levelname)s - %(message)s'}}})\n"
        "def handler(event, context): logging.critical('critical message')\n"
    )
    finished = served(tmp_path, program)
    assert finished.stdout == ""
    assert finished.stderr.startswith("CRITICAL - critical message\n")


def test_a_handler_that_never_logs_never_loads_logging(tmp_path: Path) -> None:
    """Neither the runtime's log handler nor `logging` is imported."""
    program = (
        "import sys\n"
        "def handler(event, context):\n"
        "    print([name for name in ('logging', 'lambda_runtime.logs') if name in sys.modules])\n"
    )
    assert served(tmp_path, program).stdout == "[]\n"


# --- Frames -----------------------------------------------------------------------------------


def frames_of(folder: Path, statements: str, **environment: str) -> list[tuple[int, bytes]]:
    """Type word and text of each frame on the descriptor of _LAMBDA_TELEMETRY_LOG_FD."""
    program = LOG + "import os\ndef handler(event, context):\n" + _indented(statements)
    read, write = os.pipe()
    try:
        finished = run_against(
            folder,
            program,
            answering(EVENT, ACCEPTED),
            descriptors=(write,),
            _LAMBDA_TELEMETRY_LOG_FD=str(write),
            **environment,
        )
    finally:
        os.close(write)
        with open(read, "rb") as pipe:  # noqa: PTH123  a descriptor, not a path
            data = pipe.read()
    assert finished.stdout == ""
    frames = []
    while data:
        length = int.from_bytes(data[4:8], "big")
        microseconds = int.from_bytes(data[8:16], "big")
        assert 1.7e15 < microseconds < 4e15
        frames.append((int.from_bytes(data[:4], "big"), data[16 : 16 + length]))
        data = data[16 + length :]
    return frames


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, [0xA55A0003, 0xA55A0003]),
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO"}, [0xA55A0013, 0xA55A001B]),
        ({"AWS_LAMBDA_LOG_FORMAT": "JSON"}, [0xA55A0012, 0xA55A001A]),
    ],
)
def test_records_are_framed(tmp_path: Path, environment: dict[str, str], words: list[int]) -> None:
    """Each record is one frame whose type tells format and level."""
    frames = frames_of(tmp_path, "log.warning('\u00fc')\nlog.critical('c')", **environment)
    assert [word for word, _ in frames] == words
    assert "\u00fc".encode() in frames[0][1]
    assert all(text.endswith(b"\n") for _, text in frames)


@pytest.mark.parametrize("environment", [{}, {"AWS_LAMBDA_LOG_LEVEL": "INFO"}])
def test_an_error_is_framed_with_line_breaks(tmp_path: Path, environment: dict[str, str]) -> None:
    """What a handler raises is one frame of level ERROR, its lines joined by line breaks."""
    [(word, text)] = frames_of(tmp_path, "raise ValueError('x')", **environment)
    assert word == 0xA55A0017
    assert text.startswith(b"[ERROR] ValueError: x\nTraceback (most recent call last):\n")
    assert b"\r" not in text
    assert not text.endswith(b"\n")


def test_an_error_in_json_is_framed(tmp_path: Path) -> None:
    """The type word says JSON and ERROR; the object is all there is."""
    [(word, text)] = frames_of(tmp_path, "raise ValueError('x')", AWS_LAMBDA_LOG_FORMAT="JSON")
    assert word == 0xA55A0016
    assert text.endswith(b"}")
    assert json.loads(text)["errorType"] == "ValueError"


def test_the_descriptor_is_hidden_and_context_log_is_framed(tmp_path: Path) -> None:
    """Children do not see the variable; `context.log` writes a frame without a level."""
    frames = frames_of(
        tmp_path, "context.log(str('_LAMBDA_TELEMETRY_LOG_FD' in os.environ))\ncontext.log('YOLO!')"
    )
    assert frames == [(0xA55A0003, b"False"), (0xA55A0003, b"YOLO!")]


@pytest.mark.parametrize("descriptor", ["987", "nonsense"])
def test_a_useless_descriptor_is_named_and_standard_output_serves(
    tmp_path: Path, descriptor: str
) -> None:
    """One sentence on standard error, and the records are not lost."""
    finished = served(
        tmp_path,
        "def handler(event, context): context.log('here')\n",
        _LAMBDA_TELEMETRY_LOG_FD=descriptor,
    )
    assert finished.stdout == "here"
    assert finished.stderr.startswith("lambda_runtime: _LAMBDA_TELEMETRY_LOG_FD is useless: ")
