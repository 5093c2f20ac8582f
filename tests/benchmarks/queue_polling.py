"""A queue's poller: how soon a message reaches the handler, and how many a second are processed.

On the embedded AWS, and its own rate beside that: a program that receives and deletes the same
messages with as many threads, and no function. And on a queue that is no limit (`plain_queue`).
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from pathlib import Path

import requests

from rapid_mock import LocalLambda
from tests.benchmarks.report import Options, Sample, Target, interleave, median, print_table, ratio
from tests.support.aws import eventually
from tests.support.queue_worker import queue_arn

ROUNDS, SMOKE_MESSAGES, MESSAGES, LATENCIES = 3, 20, 200, 60
THREADS, PLAIN_FACTOR = 5, 20
LATENCY_MS, RATE, SHARE = 50.0, 500.0, 0.8
HANDLER = """
import os, time

LOG = os.open(os.environ["LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def handler(event, context):
    line = f"{time.time()} {len(event['Records'])}\\n"
    os.write(LOG, line.encode())
"""
_queues = count()


def run(options: Options) -> list[Target]:
    messages = SMOKE_MESSAGES if options.smoke else MESSAGES
    rounds = options.round_count(ROUNDS)
    with _polled("embedded") as polled:
        latency = polled.latency_ms(3 if options.smoke else LATENCIES)
        subjects: dict[str, Callable[[], Sample]] = {
            "embedded": lambda: {"rate": polled.rate(messages)},
            "the engine alone": lambda: {"rate": polled.engine_rate(messages)},
        }
        samples = interleave(subjects, rounds)
    many = messages * PLAIN_FACTOR
    with _plain_queue() as url, _polled(url) as plain:
        measure = partial(plain.plain_rate, many, url)
        samples |= interleave({"plain queue": lambda: {"rate": measure()}}, rounds)
    rows = [[name, median(samples, name, "rate")] for name in samples]
    print_table("queue: batches of 10", ["", "messages/s"], rows)
    print_table("queue: idle, SendMessage to handler", ["", "p50 ms"], [["embedded", latency]])
    share = ratio(samples, "embedded", "the engine alone", "rate")
    rate = median(samples, "plain queue", "rate") / RATE
    return [
        Target("SendMessage to handler / 50 ms", latency / LATENCY_MS, 1),
        Target("messages/s on a plain queue / 500", rate, 1, at_most=False),
        Target("embedded, of what the engine alone carries", share, SHARE, at_most=False),
    ]


class _Polled:
    """A function of a LocalLambda with an embedded AWS, and its log."""

    def __init__(self, local: LocalLambda, directory: Path) -> None:
        self._directory = directory
        self._local = local
        self._sqs = local.client("sqs")
        self._lambda = local.client("lambda")
        self._mapping = ""

    def latency_ms(self, samples: int) -> float:
        """The median from just before SendMessage to the handler's first line."""
        url, log = self._queue("idle")
        self._map("idle")
        delays = []
        for number in range(samples + 1):
            sent = time.time()
            self._sqs.send_message(QueueUrl=url, MessageBody="x")
            eventually(partial(_has_lines, log, number + 1), "the message")
            delays.append((_lines(log)[-1][0] - sent) * 1000)
        return statistics.median(delays[1:])

    def rate(self, messages: int) -> float:
        """Messages a second, from enabling the mapping to an empty queue."""
        name = f"polled-{next(_queues)}"
        url, log = self._queue(name)
        self._fill(url, messages)
        begun = time.time()
        self._map(name)
        eventually(lambda: _total(log) >= messages, "all messages")
        return messages / (_lines(log)[-1][0] - begun)

    def plain_rate(self, messages: int, url: str) -> float:
        """Messages a second of a queue that is filled at once while it is polled."""
        name = f"plain-{next(_queues)}"
        log = self._function(name)
        self._map(name)
        begun = time.time()
        requests.put(f"{url}/{messages}", timeout=10).raise_for_status()
        eventually(lambda: _total(log) >= messages, "all messages")
        self._unmap()
        return messages / (_lines(log)[-1][0] - begun)

    def engine_rate(self, messages: int) -> float:
        """The same without a function."""
        url, _ = self._queue(f"alone-{next(_queues)}")
        self._fill(url, messages)
        begun = time.time()
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda _: self._take(url), range(THREADS)))
        return messages / (time.time() - begun)

    def _take(self, url: str) -> None:
        while found := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            entries = [
                {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"]}
                for place, message in enumerate(found)
            ]
            self._sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    def _queue(self, name: str) -> tuple[str, Path]:
        """A queue's URL, and the log of the function of its name."""
        return self._sqs.create_queue(QueueName=name)["QueueUrl"], self._function(name)

    def _function(self, name: str) -> Path:
        log = self._directory / name
        made = self._local.create_function(
            name, handler="polled.handler", code=self._directory, environment={"LOG": str(log)}
        )
        made.invoke({"Records": []})
        return log

    def _map(self, name: str) -> None:
        made = self._lambda.create_event_source_mapping(
            FunctionName=name, EventSourceArn=queue_arn(name)
        )
        self._mapping = made["UUID"]

    def _unmap(self) -> None:
        """Delete the mapping, and wait until it polls no more."""
        self._lambda.delete_event_source_mapping(UUID=self._mapping)
        listed = self._lambda.list_event_source_mappings
        eventually(lambda: not listed()["EventSourceMappings"], "the end of the mapping")

    def _fill(self, url: str, messages: int) -> None:
        entries = [{"Id": str(place), "MessageBody": "x" * 100} for place in range(10)]
        for _ in range(messages // 10):
            self._sqs.send_message_batch(QueueUrl=url, Entries=entries)


@contextlib.contextmanager
def _polled(aws: str) -> Iterator[_Polled]:
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "polled.py").write_text(HANDLER)
        with (
            Path(os.devnull).open("wb") as nowhere,
            LocalLambda(aws=aws, log_stream=nowhere) as local,
        ):
            yield _Polled(local, Path(directory))


@contextlib.contextmanager
def _plain_queue() -> Iterator[str]:
    command = (sys.executable, "-m", "tests.benchmarks.plain_queue")
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def _total(log: Path) -> int:
    return sum(number for _, number in _lines(log))


def _has_lines(log: Path, number: int) -> bool:
    return len(_lines(log)) >= number


def _lines(log: Path) -> list[tuple[float, int]]:
    if not log.exists():
        return []
    pairs = [line.split() for line in log.read_text().splitlines()]
    return [(float(moment), int(number)) for moment, number in pairs]
