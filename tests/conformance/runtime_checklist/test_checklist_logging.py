"""Checklist D, 96 to 106: levels and records of `logging`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.conformance.runtime_checklist.rics import Ric, item
from tests.conformance.runtime_checklist.scenario import Played, Record, Scenario
from tests.support.scripted_runtime_api import event

PROGRAM = """
import logging
import logging.config

log = logging.getLogger("test.logger")

class Unspellable:
    def __str__(self):
        return "spelled by str"

def handler(event, context):
    match context.aws_request_id:
        case "level":
            return logging.getLogger().level
        case "line-breaks":
            log.warning("two\\nlines")
        case "critical":
            log.critical("the end")
        case "tenant":
            log.warning("whose")
        case "exception":
            try:
                raise ValueError("wrong")
            except ValueError:
                log.exception("it failed")
        case "suppressed":
            log.info("not to be seen")
        case "dictionary":
            log.warning({"nested": [1, {"deep": True}]})
        case "extras":
            log.warning(
                "extra", extra={"order": 7, "level": "mine", "requestId": "mine", "logger": "mine"}
            )
        case "unspellable":
            log.warning("odd", extra={"odd": Unspellable()})
        case "raised":
            logging.getLogger().setLevel(logging.CRITICAL)
            log.error("not to be seen")
            log.critical("to be seen")
        case "configured":
            logging.config.dictConfig({
                "version": 1,
                "disable_existing_loggers": False,
                "formatters": {"own": {"format": "%(levelname)s - %(message)s"}},
                "handlers": {
                    "own": {
                        "class": "logging.StreamHandler",
                        "stream": "ext://sys.stderr",
                        "formatter": "own",
                    }
                },
                "root": {"level": "INFO", "handlers": ["own"]},
            })
            log.critical("critical message")
"""


def logged(env: dict[str, str], *names: str) -> Scenario:
    """The events of these names, each with a tenant where it is called so."""
    events = (
        event(
            b"{}",
            *(["Lambda-Runtime-Aws-Tenant-Id: blue"] if name == "tenant" else []),
            request_id=name,
        )
        for name in names
    )
    return Scenario(program=PROGRAM, events=tuple(events), env=env)


JSON = logged(
    {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "WARN"},
    *("line-breaks", "critical", "tenant", "exception", "suppressed", "dictionary"),
    *("extras", "unspellable"),
)
TEXT = logged({}, "line-breaks", "suppressed", "raised")
OWN = logged({"AWS_LAMBDA_LOG_FORMAT": "JSON"}, "configured")
OWN_TEXT = logged({}, "configured")
LEVELS = {
    (name, log_format): logged(
        {"AWS_LAMBDA_LOG_LEVEL": name, "AWS_LAMBDA_LOG_FORMAT": log_format}, "level"
    )
    for name in ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "unknown")
    for log_format in ("JSON", "Text", "unknown")
}


def record_of(record: Record, name: str) -> dict[str, Any]:
    """The one JSON record of an invocation."""
    lines = [json.loads(line) for line in record.stdout.splitlines()]
    [found] = [line for line in lines if line["requestId"] == name]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("TRACE", 10),
        ("DEBUG", 10),
        ("INFO", 20),
        ("WARN", 30),
        ("ERROR", 40),
        ("FATAL", 50),
        ("unknown", 30),
    ],
)
@item(96, "S")
def test_levels(played: Played, ric: Ric, name: str, level: int) -> None:
    """AWS_LAMBDA_LOG_LEVEL is the root logger's level, in any format; else that stays WARNING."""
    for log_format in ("JSON", "Text", "unknown"):
        assert played(LEVELS[name, log_format], ric).result("level") == level


@item(97, "S")
def test_a_json_record(played: Played, ric: Ric) -> None:
    """Time, level, message with its line breaks, logger and request id; nothing on stderr."""
    record = played(JSON, ric)
    members = record_of(record, "line-breaks")
    stamp = members.pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", stamp)
    assert members == {
        "level": "WARNING",
        "message": "two\nlines",
        "logger": "test.logger",
        "requestId": "line-breaks",
    }
    assert record.stderr == ""


@item(98, "S")
def test_the_label_of_critical(played: Played, ric: Ric) -> None:
    """FATAL's records are CRITICAL."""
    assert record_of(played(JSON, ric), "critical")["level"] == "CRITICAL"


@item(99, "S")
def test_the_tenant_is_in_the_record(played: Played, ric: Ric) -> None:
    """`tenantId` is there for an invocation with a tenant, and for no other."""
    record = played(JSON, ric)
    assert record_of(record, "tenant")["tenantId"] == "blue"
    assert "tenantId" not in record_of(record, "critical")


@item(100, "S")
def test_the_record_of_an_exception(played: Played, ric: Ric) -> None:
    """It has type, message, a trace of one entry, and the location of the call."""
    record = played(JSON, ric)
    members = record_of(record, "exception")
    assert members["errorType"] == "ValueError"
    assert members["errorMessage"] == "wrong"
    assert len(members["stackTrace"]) == 1
    assert re.fullmatch(rf"{record.folder}/app\.py:handler:\d+", members["location"])


@item(101, "S")
def test_records_below_the_level(played: Played, ric: Ric) -> None:
    """They are suppressed."""
    for scenario in (JSON, TEXT):
        assert "not to be seen" not in played(scenario, ric).stdout


@item(102, "S")
def test_a_level_that_is_raised_later(played: Played, ric: Ric) -> None:
    """The handler may set the root logger's level itself."""
    lines = played(TEXT, ric).stdout.splitlines()
    assert re.fullmatch(r"\[CRITICAL\]\t\S{24}\traised\tto be seen", lines[-1])
    assert not any("not to be seen" in line for line in lines)


@item(103, "S")
def test_a_configuration_of_the_users_own(played: Played, ric: Ric) -> None:
    """`dictConfig` replaces handler and format."""
    for scenario in (OWN, OWN_TEXT):
        record = played(scenario, ric)
        assert record.stderr == "CRITICAL - critical message\n"
        assert record.stdout == ""


@item(104, "P")
def test_a_dictionary_as_message(played: Played, ric: Ric) -> None:
    """It is nested in the record."""
    message = record_of(played(JSON, ric), "dictionary")["message"]
    assert message == {"nested": [1, {"deep": True}]}


@item(105, "P")
def test_extras(played: Played, ric: Ric) -> None:
    """They are members of the record and never replace its own."""
    members = record_of(played(JSON, ric), "extras")
    assert members["order"] == 7
    assert (members["level"], members["logger"]) == ("WARNING", "test.logger")


@item(106, "P")
def test_an_extra_that_is_no_json(played: Played, ric: Ric) -> None:
    """It is spelled by `str`."""
    assert record_of(played(JSON, ric), "unspellable")["odd"] == "spelled by str"
