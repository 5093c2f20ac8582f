"""Telemetry end to end: an extension made of nothing but sockets, a thousand invocations."""

from __future__ import annotations

import io
import json
import os
import random
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rapid_mock import LocalLambda
from rapid_mock.host import push
from rapid_mock.lifecycle import subscriber
from tests.support.command_line import ROOT, write_code, write_executable
from tests.support.processes import eventually

INVOKES = 1000
LOSSY_INVOKES = int(os.environ.get("LOSSY_INVOKES", "300"))
SLOW = "Consumer seems to have fallen behind"
SIZES = [0, 1, 10, 100, 1000, 5000, 70_000]
HANDLER = """
def handler(event, context):
    for number, size in enumerate(event):
        print(f"{context.aws_request_id} {number} " + "x" * size)
    return len(event)
"""
SMALL = {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25}
LARGE = {"maxItems": 10000, "maxBytes": 1048576, "timeoutMs": 30000}


class Consumer:
    """A function with an extension that consumes its telemetry."""

    def __init__(self, directory: Path) -> None:
        self.out = directory / "received"
        self.log = io.BytesIO()
        self.source = HANDLER
        self._directory = directory

    def invoke(
        self,
        sizes: list[list[int]],
        *,
        types: list[str],
        behaviour: str = "good",
        protocol: str = "HTTP",
        buffering: dict[str, int] | None = None,
        api: str = "/2022-07-01/telemetry",
        schema: str = "2022-12-13",
        until: Callable[[list[dict[str, Any]]], bool] | None = None,
        log_format: str = "text",
        log_frames: bool = False,
        timeout: int = 3,
        failing: tuple[int, ...] = (),
    ) -> list[dict[str, Any]]:
        """One invocation for each list of line lengths; everything that arrived to the end."""
        program = ROOT / "tests" / "support" / "telemetry_consumer.py"
        extension = write_executable(
            self._directory / "consumer",
            f'#!/bin/sh\nexec "{sys.executable}" "{program}" consumer\n',
        )
        subscription = {"schemaVersion": schema, "types": types} | (
            {} if buffering is None else {"buffering": buffering}
        )
        with LocalLambda(log_stream=self.log) as local:
            function = local.create_function(
                "talker",
                handler="app.handler",
                code=write_code(self._directory / "code", self.source),
                extensions=[extension],
                log_format=log_format,
                log_frames=log_frames,
                timeout=timeout,
                environment={
                    "OUT": str(self.out),
                    "BEHAVIOUR": behaviour,
                    "PROTOCOL": protocol,
                    "SUBSCRIPTION": json.dumps(subscription),
                    "API": api,
                },
            )
            failed = [function.invoke(lengths).function_error is not None for lengths in sizes]
            assert [n for n, each in enumerate(failed) if each] == list(failing)
            if until is not None:
                eventually(lambda: until(self.received), "all records")
        return self.received

    @property
    def received(self) -> list[dict[str, Any]]:
        if not self.out.exists():
            return []
        whole, _, _ = self.out.read_bytes().rpartition(b"\n")
        return [json.loads(line) for line in whole.split(b"\n")] if whole else []


@pytest.fixture
def consumer(tmp_path: Path) -> Consumer:
    return Consumer(tmp_path)


def lengths(invokes: int = INVOKES) -> list[list[int]]:
    """Lines of all sizes, a few for each invocation; now and then a long one."""
    dice = random.Random(invokes)
    return [
        [dice.choice(SIZES[:5]) for _ in range(dice.randint(0, 6))]
        + ([dice.choice(SIZES)] if number % 20 == 0 else [])
        for number in range(invokes)
    ]


def by_request(records: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What was told of each invocation, in order: `start`, line numbers, `runtimeDone` ..."""
    told: dict[str, list[str]] = {}
    for record in records:
        if record["type"] == "function":
            request_id, number, filling = record["record"].split(" ")
            told.setdefault(request_id, []).append(f"{number}:{len(filling)}")
        elif "requestId" in record["record"]:
            kind = record["type"].removeprefix("platform.")
            told.setdefault(record["record"]["requestId"], []).append(kind)
    return told


@pytest.mark.parametrize(
    ("protocol", "buffering"),
    [("HTTP", SMALL), ("HTTP", LARGE), ("HTTP", None), ("TCP", SMALL)],
    ids=["small batches", "large batches", "default batches", "TCP"],
)
def test_every_line_arrives_once_and_in_order(
    consumer: Consumer, protocol: str, buffering: dict[str, int] | None
) -> None:
    """Of every invocation: its start, its lines as printed, runtimeDone, report, each once."""
    sizes = lengths()
    records = consumer.invoke(
        sizes, types=["platform", "function"], protocol=protocol, buffering=buffering
    )
    expected = [
        ["start", *(f"{n}:{size}" for n, size in enumerate(each)), "runtimeDone", "report"]
        for each in sizes
    ]
    assert list(by_request(records).values()) == expected
    kinds = Counter(record["type"] for record in records)
    assert kinds["platform.logsDropped"] == 0
    assert [kinds[f"platform.{kind}"] for kind in ("start", "runtimeDone", "report")] == [1000] * 3
    firsts = [record["type"] for record in records[:5]]
    assert firsts == [
        "platform.initStart",
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
    ]


def test_the_logs_api_tells_in_its_own_schema(consumer: Consumer) -> None:
    """The same lines; START, END and REPORT with fewer members."""
    records = consumer.invoke(
        [[1], [2]],
        types=["platform", "function"],
        api="/2020-08-15/logs",
        schema="2020-08-15",
        buffering=SMALL,
    )
    told = by_request(records)
    assert list(told.values()) == [
        ["start", "0:1", "end", "report"],
        ["start", "0:2", "end", "report"],
    ]
    assert records[0]["type"] == "platform.logsSubscription"
    starts = [record["record"] for record in records if record["type"] == "platform.start"]
    assert starts == [{"requestId": request_id, "version": "$LATEST"} for request_id in told]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("slow", SLOW),
        ("500", "could not send events: http request failed with status 500 "),
        ("refuse", "could not send events: "),
        ("hang", "could not send events: no answer within 0.2 s"),
    ],
)
def test_what_a_bad_consumer_loses_is_counted(
    consumer: Consumer, behaviour: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines that arrived and lines told as dropped are together all lines, each counted once."""
    monkeypatch.setattr(push, "SEND_SECONDS", 0.2 if behaviour == "hang" else 5.0)
    monkeypatch.setattr(subscriber, "QUEUED_BYTES", 50_000)  # so that little is too much
    sizes = lengths(INVOKES if behaviour == "slow" else LOSSY_INVOKES)
    produced = sum(map(len, sizes))

    def told(records: list[dict[str, Any]]) -> int:
        return sum(
            record["record"]["droppedRecords"]
            for record in records
            if record["type"] == "platform.logsDropped"
        )

    def arrived(records: list[dict[str, Any]]) -> int:
        return sum(record["type"] == "function" for record in records)

    def is_complete(records: list[dict[str, Any]]) -> bool:
        if behaviour == "refuse" and b": could not send events: " in consumer.log.getvalue():
            consumer.out.with_suffix(".listen").touch()
        return arrived(records) + told(records) >= produced

    records = consumer.invoke(
        sizes, types=["function"], behaviour=behaviour, buffering=SMALL, until=is_complete
    )
    assert arrived(records) + told(records) == produced
    drops = [record["record"] for record in records if record["type"] == "platform.logsDropped"]
    assert drops
    reasons = {drop["reason"] for drop in drops}
    assert any(each.startswith(reason) for each in reasons), drops
    assert all(each.startswith((reason, SLOW)) for each in reasons), drops
    for numbers in by_request(records).values():
        positions = [int(number.partition(":")[0]) for number in numbers if ":" in number]
        assert positions == sorted(set(positions))


@pytest.mark.parametrize(
    ("log_format", "schema", "record"),
    [
        ("json", "2022-12-13", {"n": 1}),
        ("json", "2022-07-01", '{"n": 1}'),
        ("text", "2022-12-13", '{"n": 1}'),
    ],
)
def test_json_lines_arrive_as_objects(
    consumer: Consumer, log_format: str, schema: str, record: object
) -> None:
    """Where the log format is JSON, by schemas since 2022-12-13; all else is a string."""
    consumer.source = (
        'def handler(e, c):\n    print(\'{"n": 1}\')\n    print("[1]")\n    return 0\n'
    )
    records = consumer.invoke(
        [[]], types=["function"], log_format=log_format, schema=schema, buffering=SMALL
    )
    assert [each["record"] for each in records] == [record, "[1]"]


def test_the_console_and_the_extension_are_told_the_same(consumer: Consumer) -> None:
    """JSON lines on the console and records at the extension are equal, member for member."""
    records = consumer.invoke([[], []], types=["platform"], log_format="json", buffering=SMALL)
    printed = [
        json.loads(line) for line in consumer.log.getvalue().splitlines() if line[:1] == b"{"
    ]
    platform = [each for each in printed if each.get("type", "").startswith("platform.")]
    assert [each for each in platform if each in records] == platform
    assert {each["type"] for each in platform} >= {"platform.start", "platform.report"}


@pytest.mark.parametrize("last", ["time.sleep(5)", "os.kill(os.getpid(), 9)"])
def test_after_a_reset_the_console_and_the_extension_are_told_the_same(
    consumer: Consumer, last: str
) -> None:
    """Whoever subscribes anew is told of the invocation that init is repeated in, START first."""
    consumer.source = (
        f"import os, time\ndef handler(event, context):\n    if event == [1]:\n        {last}\n"
    )
    records = consumer.invoke(
        [[], [1], [], []],
        types=["platform"],
        log_format="json",
        buffering=SMALL,
        timeout=1,
        failing=(1,),
    )
    printed = [
        json.loads(line) for line in consumer.log.getvalue().splitlines() if line[:1] == b"{"
    ]
    starts = [n for n, each in enumerate(printed) if each["type"] == "platform.start"]
    since_the_reset = printed[starts[2] :]
    assert [each for each in since_the_reset if each in records] == since_the_reset
    assert list(by_request(records).values())[2:] == [["start", "runtimeDone", "report"]] * 2


def test_last_words_come_before_the_end_that_followed_them(consumer: Consumer) -> None:
    """What a runtime wrote without a newline before it died is in the invocation's records."""
    consumer.source = (
        "import os, sys\ndef handler(event, context):\n"
        "    print('last words', end='', flush=True)\n    os._exit(3)\n"
    )
    records = consumer.invoke([[]], types=["platform", "function"], buffering=SMALL, failing=(0,))
    told = [(each["type"], each["record"]) for each in records]
    kinds = [kind for kind, _ in told]
    assert kinds.index("platform.start") < told.index(("function", "last words"))
    assert told.index(("function", "last words")) < kinds.index("platform.runtimeDone")


def test_a_long_line_is_cut_between_characters(consumer: Consumer) -> None:
    """Above 256 KiB a line arrives in pieces, each of them text."""
    line = "\u20ac" * 200_000
    consumer.source = f"def handler(event, context):\n    print({line[:1]!r} * {len(line)})\n"
    records = consumer.invoke([[]], types=["function"], buffering=SMALL)
    assert len(records) > 1
    assert "".join(each["record"] for each in records) == line


def test_a_framed_message_is_one_record(consumer: Consumer) -> None:
    """With a log descriptor, a message of several lines arrives, and is printed, as one."""
    consumer.source = (
        "import logging\n"
        "def handler(event, context):\n"
        "    logging.getLogger().error('one\\ntwo')\n"
        "    return 0\n"
    )
    records = consumer.invoke([[]], types=["function"], buffering=SMALL, log_frames=True)
    (record,) = records
    assert record["record"].endswith("one\ntwo")
    assert b"one\ntwo\nEND RequestId" in consumer.log.getvalue()
