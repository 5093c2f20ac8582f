from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from rapid_mock import cli, events
from rapid_mock.event_command import FACTORIES
from tests.support.command_line import COMMAND, ROOT, run, write_code


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert cli.main(["event", *arguments]) == 0
    return capsys.readouterr().out


def test_names_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name, every event is listed with what it is."""
    lines = printed(capsys).splitlines()
    assert [line.split()[0] for line in lines] == [
        *("alb", "api_gateway_v1", "api_gateway_v2", "cloudwatch_logs", "dynamodb"),
        *("eventbridge", "function_url", "kinesis", "s3", "scheduled", "sns", "sqs"),
    ]
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("name", sorted(FACTORIES))
def test_event_without_options(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Every event can be had with nothing but its name and a seed, and is the factory's."""
    assert json.loads(printed(capsys, name, "--seed", "5")) == FACTORIES[name](seed=5)


def test_options_are_the_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """Options carry text, numbers, JSON and lists into the factory; bodies stand free."""
    options = ["--queue", "orders", "--receive-count", "3", "--attributes", '{"n": 7}']
    ids = ["--message-ids", "1", "--message-ids", "2"]
    text = printed(capsys, "sqs", "a", "b", *options, *ids, "--at", "2026-01-31T12:00:00Z")
    records = json.loads(text)["Records"]
    assert [(record["messageId"], record["body"]) for record in records] == [("1", "a"), ("2", "b")]
    assert records[0]["attributes"]["ApproximateReceiveCount"] == "3"
    assert records[0]["attributes"]["SentTimestamp"] == "1769860800000"
    assert records[0]["messageAttributes"]["n"]["dataType"] == "Number"
    assert records[0]["eventSourceARN"].endswith(":orders")


def test_switches_and_items(capsys: pytest.CaptureFixture[str]) -> None:
    """A switch needs no value, an item is a JSON object, a moment may be epoch seconds."""
    text = printed(capsys, "dynamodb", "--old", '{"id": 7}', "--expired", "--at", "1428582896")
    (record,) = json.loads(text)["Records"]
    assert record["eventName"] == "REMOVE"
    assert record["dynamodb"]["ApproximateCreationDateTime"] == 1428582896
    assert record["userIdentity"]["type"] == "Service"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["pigeon"],
            "rapid-mock: no event is called pigeon; there are: alb, api_gateway_v1, "
            "api_gateway_v2, cloudwatch_logs, dynamodb, eventbridge, function_url, kinesis, s3, "
            "scheduled, sns, sqs\n",
        ),
        (
            ["dynamodb", "--new", '{"name": "x"}'],
            "rapid-mock: the item has no key attribute id\n",
        ),
    ],
)
def test_refusals(capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str) -> None:
    """An unknown name and values that make no event are one sentence and exit code 2."""
    assert cli.main(["event", *arguments]) == 2
    assert capsys.readouterr().err == sentence


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["s3", "--size", "x"], "argument --size: invalid int value: 'x'"),
        (["sqs", "--attributes", "x"], "argument --attributes: not JSON: x"),
        (["dynamodb", "--new", "[1]"], "argument --new: not a JSON object: [1]"),
        (
            ["sns", "--at", "noon"],
            "argument --at: neither epoch seconds nor an ISO 8601 time: noon",
        ),
        (["sns", "--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_usage_errors(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    """An option that is unknown or cannot be read is a usage error that names it."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["event", *arguments])
    assert ended.value.code == 2
    assert f"rapid-mock event {arguments[0]}: error: {complaint}\n" in capsys.readouterr().err


def test_piped_into_a_function(tmp_path: Path) -> None:
    """What `event` prints, `invoke` takes from its standard input."""
    event = run("event", "sqs", "hello", "--queue", "orders", "--seed", "1").stdout
    code = write_code(tmp_path, "def handler(event, context):\n    return event\n")
    done = run("invoke", "app.handler", "--code", str(code), "-e", "-", stdin=event.encode())
    assert json.loads(done.stdout) == events.sqs("hello", queue="orders", seed=1)


def test_a_reader_that_has_gone_is_no_crash() -> None:
    """As for other programs behind `head`: nothing is said, and the exit code is SIGPIPE's."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        command = [*COMMAND, "event", "sqs", "hello"]
        done = subprocess.run(
            command, stdout=pipe, stderr=subprocess.PIPE, cwd=ROOT, timeout=30, check=False
        )
    assert (done.returncode, done.stderr) == (141, b"")
