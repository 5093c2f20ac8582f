"""What telemetry subscribers get: batches, retries, what is dropped, and that the counts add up.

Source: "Lambda Telemetry API", AWS Lambda Developer Guide.
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid_mock.lifecycle.events import Now
from rapid_mock.lifecycle.subscriber import QUEUED_BATCHES, QUEUED_BYTES, RETRY_SECONDS, Delivery
from rapid_mock.lifecycle.subscriptions import Record
from rapid_mock.lifecycle.telemetry import Telemetry
from rapid_mock.telemetry_records import RecordRenderer
from tests.support.lifecycle_script import EPOCH, START, subscription

SLOW = "Consumer seems to have fallen behind as it has not acknowledged receipt of logs."


@dataclass
class Consumer:
    """Everything about one subscriber called `shipper`, on a clock that is moved by hand."""

    telemetry: Telemetry = field(
        default_factory=lambda: Telemetry(RecordRenderer(has_json_lines=False))
    )
    clock: float = START
    under_way: deque[Delivery] = field(default_factory=deque)
    received: list[Any] = field(default_factory=list)
    attempts: int = 0

    @property
    def now(self) -> Now:
        return Now(self.clock, EPOCH + self.clock - START)

    def take(self, deliveries: list[Delivery]) -> None:
        self.under_way += deliveries
        self.attempts += len(deliveries)
        assert len(self.under_way) <= 1, "one batch at a time"

    def begin(self) -> None:
        self.telemetry.begin()
        self.platform("platform.initStart")

    def subscribe(self, *types: str, **buffering: Any) -> None:
        self.take(self.telemetry.subscribe("shipper", subscription(*types, **buffering), self.now))

    def platform(self, kind: str, text: str = "") -> None:
        record = Record(self.now.wall, kind, "platform", {"requestId": text} if text else {})
        self.take(self.telemetry.record(record, self.now) or [])

    def line(self, text: str = "a line", category: str = "function") -> None:
        record = Record(self.now.wall, category, category, text.encode())
        self.take(self.telemetry.record(record, self.now) or [])

    def wait(self, seconds: float) -> None:
        """Time passes; what is due on the way is done."""
        end = self.clock + seconds
        while (deadline := self.telemetry.deadline) is not None and deadline <= end:
            self.clock = max(self.clock, deadline)
            self.take(self.telemetry.handle_timeout(self.now))
        self.clock = end

    def answer(self, failure: str | None = None) -> None:
        """The batch under way arrives, or does not."""
        delivery = self.under_way.popleft()
        if failure is None:
            self.received += [json.loads(line) for line in delivery.lines]
        self.take(self.telemetry.delivered("shipper", failure, self.now))

    def refuse_all(self, failure: str = "refused") -> None:
        """Every attempt at the batch under way fails."""
        for pause in RETRY_SECONDS:
            self.answer(failure)
            self.wait(pause)
        self.answer(failure)

    @property
    def texts(self) -> list[str]:
        return [each["record"] for each in self.received if each["type"] == "function"]

    @property
    def produced_texts(self) -> list[str]:
        """Of lines and of platform records alike; that of `platform.initStart` is `0:`."""
        return [
            record if isinstance(record, str) else record.get("requestId", "0:")
            for kind, record in ((each["type"], each["record"]) for each in self.received)
            if kind != "platform.logsDropped"
        ]

    @property
    def dropped(self) -> list[dict[str, Any]]:
        return [each["record"] for each in self.received if each["type"] == "platform.logsDropped"]


def subscribed(*types: str, **buffering: Any) -> Consumer:
    consumer = Consumer()
    consumer.begin()
    consumer.subscribe(*(types or ("function",)), **buffering)
    return consumer


# --- Batches ----------------------------------------------------------------------------------


def test_a_batch_goes_when_its_time_has_come() -> None:
    """`timeoutMs` after the first record of the batch, whatever comes after it."""
    consumer = subscribed(timeout=0.1)
    consumer.line("one")
    consumer.wait(0.06)
    consumer.line("two")
    consumer.wait(0.03)
    assert not consumer.under_way
    consumer.wait(0.01)
    assert len(consumer.under_way[0].lines) == 2
    consumer.answer()
    assert consumer.texts == ["one", "two"]
    assert consumer.telemetry.deadline is None


def test_a_batch_goes_when_it_has_enough_records() -> None:
    """`maxItems` records are a batch at once."""
    consumer = subscribed(max_items=3)
    for text in ("1", "2", "3", "4"):
        consumer.line(text)
    assert len(consumer.under_way[0].lines) == 3


def test_a_batch_goes_before_it_has_too_many_bytes() -> None:
    """The record that would lead over `maxBytes` begins the next batch."""
    consumer = subscribed(max_bytes=400)
    for _ in range(2):
        consumer.line("x" * 120)
    assert not consumer.under_way
    consumer.line("y" * 120)
    assert len(consumer.under_way[0].lines) == 2


def test_a_record_that_is_larger_than_a_batch_goes_alone() -> None:
    """Nothing is cut, and nothing is lost, for its size."""
    consumer = subscribed(max_bytes=100, timeout=0.1)
    consumer.line("x" * 500)
    consumer.line("y")
    assert len(consumer.under_way[0].lines) == 1
    consumer.answer()
    consumer.wait(0.1)
    consumer.answer()
    assert consumer.texts == ["x" * 500, "y"]


def test_only_the_types_that_were_asked_for() -> None:
    """`types` of the subscription."""
    consumer = Consumer()
    consumer.begin()
    consumer.subscribe("extension", timeout=0.1)
    consumer.line("function's")
    consumer.line("extension's", "extension")
    consumer.platform("platform.start")
    consumer.wait(0.1)
    consumer.answer()
    assert [each["record"] for each in consumer.received] == ["extension's"]


def test_a_subscriber_gets_what_was_before_it() -> None:
    """From `platform.initStart` on; lines that were printed before it subscribed, too."""
    consumer = Consumer()
    consumer.begin()
    consumer.line("early")
    consumer.subscribe(timeout=0.1)
    consumer.line("late")
    consumer.wait(0.1)
    consumer.answer()
    assert [each["type"] for each in consumer.received] == [
        "platform.initStart",
        "function",
        "function",
    ]


def test_all_of_what_was_before_arrives() -> None:
    """However many batches it makes at once: it is no sign of a slow consumer."""
    consumer = Consumer()
    consumer.begin()
    for number in range(200):
        consumer.line(f"{number}:" + "x" * 1000)
    consumer.subscribe("function", max_bytes=5000, timeout=0.1)
    consumer.line("200:")
    consumer.wait(0.1)
    while consumer.under_way:
        consumer.answer()
    assert [text.partition(":")[0] for text in consumer.texts] == [str(n) for n in range(201)]
    assert consumer.dropped == []


def test_nothing_is_kept_when_nobody_can_come_any_more() -> None:
    """After `platform.initReport` records are made for subscribers only."""
    consumer = Consumer()
    wanted = [consumer.telemetry.is_wanted]
    consumer.begin()
    wanted.append(consumer.telemetry.is_wanted)
    consumer.platform("platform.initReport")
    wanted.append(consumer.telemetry.is_wanted)
    assert wanted == [False, True, False]


def test_a_new_life_begins_without_subscribers() -> None:
    """A reset environment owes nothing to the extensions of the one before."""
    consumer = subscribed()
    consumer.line("never sent")
    consumer.telemetry.begin()
    assert consumer.telemetry.subscribers == {}
    assert consumer.telemetry.delivered("shipper", None, consumer.now) == []


def test_platform_records_wait_for_nobody_but_the_batch() -> None:
    """That they are rendered together shows in no batch: time counts from the first record."""
    consumer = subscribed("platform", max_items=1000, timeout=0.1)
    consumer.wait(0.1)
    consumer.answer()
    for number in range(150):
        consumer.platform("platform.start", str(number))
    consumer.wait(0.099)
    assert not consumer.under_way
    consumer.wait(0.001)
    assert len(consumer.under_way[0].lines) == 150
    consumer.platform("platform.start", "late")
    consumer.answer()
    consumer.wait(0.099)
    assert not consumer.under_way
    consumer.wait(0.001)
    assert b'"late"' in consumer.under_way[0].lines[0]


def test_time_counts_from_the_first_record_of_each_batch() -> None:
    """Also where the batch before turned out to be full only when its records were rendered."""
    consumer = subscribed("platform", "function", max_bytes=3300, timeout=0.1)
    consumer.wait(0.1)
    consumer.answer()
    for text in ("one", "two"):
        consumer.platform("platform.start", text + "x" * 1600)
        consumer.wait(0.03)
    assert not consumer.under_way
    consumer.line()
    assert len(consumer.under_way[0].lines) == 1
    consumer.answer()
    consumer.wait(0.069)
    assert not consumer.under_way
    consumer.wait(0.001)
    assert len(consumer.under_way[0].lines) == 2


@pytest.mark.parametrize("buffering", [{"max_items": 10}, {"max_bytes": 1000}], ids=str)
def test_platform_records_fill_a_batch_as_lines_do(buffering: dict[str, int]) -> None:
    """The record that fills a batch, or does not fit, sends it at once."""
    consumer = subscribed("platform", **buffering)
    size = len(b'{"time":"2023-11-14T22:13:20.000Z","type":"platform.start","record":{}}')
    count = 0
    while not consumer.under_way:
        consumer.platform("platform.start")
        count += 1
    # the first of all was platform.initStart
    expected = 9 if "max_items" in buffering else (1000 - size - 4) // size + 1
    assert count == expected


# --- Failures ---------------------------------------------------------------------------------


def test_a_failed_delivery_is_tried_again() -> None:
    """The same records, after a pause that grows; what comes meanwhile waits."""
    consumer = subscribed(timeout=0.025)
    consumer.line("one")
    consumer.wait(0.025)
    for pause in (0.1, 0.2, 0.4):
        consumer.answer("refused")
        consumer.wait(pause - 0.001)
        assert not consumer.under_way
        consumer.wait(0.001)
        assert len(consumer.under_way[0].lines) == 1
    consumer.answer()
    assert (consumer.texts, consumer.attempts, consumer.dropped) == (["one"], 4, [])


def test_a_delivery_that_fails_to_the_end_is_told() -> None:
    """The next batch begins with how many records and bytes were lost, and why."""
    consumer = subscribed(timeout=0.025)
    consumer.line("lost")
    consumer.wait(0.025)
    size = len(consumer.under_way[0].lines[0])
    consumer.refuse_all("http request failed with status 500 Internal Server Error: no")
    consumer.wait(0.025)
    consumer.answer()
    assert consumer.received[0]["type"] == "platform.logsDropped"
    assert consumer.dropped == [
        {
            "droppedBytes": size,
            "droppedRecords": 1,
            "reason": "could not send events: http request failed with status 500 "
            "Internal Server Error: no",
        }
    ]
    assert consumer.telemetry.is_idle


def test_a_slow_consumer_loses_what_does_not_fit() -> None:
    """Full batches wait for one under way, but not more than a few."""
    consumer = subscribed(max_items=2)
    for number in range(2 * (1 + QUEUED_BATCHES + 3)):
        consumer.line(str(number))
    while consumer.under_way:
        consumer.answer()
        consumer.wait(1.0)
    assert consumer.texts == [str(number) for number in range(2 * (1 + QUEUED_BATCHES))]
    assert sum(each["droppedRecords"] for each in consumer.dropped) == 6
    assert {each["reason"] for each in consumer.dropped} == {SLOW}


def test_a_burst_of_long_lines_is_not_too_much() -> None:
    """Lines that are batches of their own wait, up to 16 MiB: eight of them would be no queue."""
    consumer = subscribed(max_bytes=256 * 1024)
    lines = [f"{number:03}" + "x" * 200_000 for number in range(90)]
    for line in lines:
        consumer.line(line)
    while consumer.under_way:
        consumer.answer()
        consumer.wait(1.0)
    fitting = 1 + QUEUED_BYTES // 200_000 + 1
    assert consumer.texts == [*lines[:fitting], lines[-1]]  # the last was in no batch yet
    assert sum(each["droppedRecords"] for each in consumer.dropped) == len(lines) - fitting - 1


def test_losses_of_two_kinds_are_told_apart() -> None:
    """What did not fit while one batch failed to the end, and that batch, each with its reason."""
    consumer = subscribed(max_items=2)
    for number in range(2 * (1 + QUEUED_BATCHES + 2)):
        consumer.line(str(number))
    consumer.refuse_all("connection refused")
    while consumer.under_way:
        consumer.answer()
        consumer.wait(1.0)
    told = {each["reason"]: each["droppedRecords"] for each in consumer.dropped}
    assert told == {SLOW: 4, "could not send events: connection refused": 2}


def test_what_was_told_to_be_lost_is_told_again_when_the_telling_was_lost() -> None:
    """The counts of a `platform.logsDropped` that did not arrive are in the next one."""
    consumer = subscribed(timeout=0.025)
    for text in ("one", "two"):
        consumer.line(text)
        consumer.wait(0.025)
        consumer.refuse_all()
    consumer.wait(0.025)
    consumer.answer()
    assert consumer.texts == []
    assert [each["droppedRecords"] for each in consumer.dropped] == [2]


def test_a_flush_sends_what_waits() -> None:
    """Whatever its buffering; then everything has arrived."""
    consumer = subscribed(timeout=30.0)
    consumer.line("last words")
    consumer.take(consumer.telemetry.flush(consumer.now))
    idle = [consumer.telemetry.is_idle]
    consumer.answer()
    idle.append(consumer.telemetry.is_idle)
    assert (idle, consumer.texts) == ([False, True], ["last words"])


# --- The sum ----------------------------------------------------------------------------------

STEPS = st.one_of(
    st.tuples(st.just("line"), st.integers(0, 300)),
    st.tuples(st.just("platform"), st.integers(0, 300)),
    st.tuples(st.just("arrives"), st.just(0)),
    st.tuples(st.just("fails"), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([0.01, 0.025, 0.1, 0.4, 1.0])),
    st.tuples(st.just("flush"), st.just(0)),
)


@settings(max_examples=300)
@given(
    steps=st.lists(STEPS, max_size=80),
    items=st.sampled_from([1, 2, 3, 10, 1000]),
    size=st.sampled_from([100, 500, 262144]),
    timeout=st.sampled_from([0.025, 1.0]),
)
def test_what_was_produced_was_delivered_or_counted(
    steps: list[tuple[str, float]], items: int, size: int, timeout: float
) -> None:
    """For any schedule of failures: delivered once and in order, or dropped and counted once.

    So it is at every moment, what is on its way included, and for what the developer is told.
    """
    consumer = subscribed("function", "platform", max_items=items, max_bytes=size, timeout=timeout)
    produced = 1  # platform.initStart
    for step, number in steps:
        if step in ("line", "platform"):
            text = f"{produced}:" + "x" * int(number)
            if step == "line":
                consumer.line(text)
            else:
                consumer.platform("platform.start", text)
            produced += 1
        elif step == "wait":
            consumer.wait(number)
        elif step == "flush":
            consumer.take(consumer.telemetry.flush(consumer.now))
        elif consumer.under_way:
            consumer.answer(None if step == "arrives" else "refused")
        subscriber = consumer.telemetry.subscribers["shipper"]
        assert subscriber.produced == produced
        assert subscriber.delivered_records + subscriber.dropped_records <= produced
    while not consumer.telemetry.is_idle:
        consumer.wait(1.0)
        if consumer.under_way:
            consumer.answer()
    numbers = [int(text.partition(":")[0]) for text in consumer.produced_texts]
    assert numbers == sorted(set(numbers))
    told = sum(each["droppedRecords"] for each in consumer.dropped)
    assert len(numbers) + told == produced
    assert subscriber_counts(consumer) == (produced, len(numbers), told)
    assert sum(loss.records for loss in consumer.telemetry.take_losses()) == told


@given(steps=st.lists(STEPS, max_size=40), items=st.sampled_from([1, 3, 1000]))
def test_the_sum_holds_when_a_life_ends_anywhere(
    steps: list[tuple[str, float]], items: int
) -> None:
    """Nothing arrives after it: what had not arrived is dropped, and the counts add up."""
    consumer = subscribed("function", "platform", max_items=items, timeout=0.025)
    for step, number in steps:
        if step == "line":
            consumer.line("x" * int(number))
        elif step == "platform":
            consumer.platform("platform.start", "x" * int(number))
        elif step == "wait":
            consumer.wait(number)
        elif consumer.under_way:
            consumer.answer("refused" if step == "fails" else None)
    subscriber = consumer.telemetry.subscribers["shipper"]
    consumer.telemetry.end()
    assert subscriber.delivered_records + subscriber.dropped_records == subscriber.produced
    assert subscriber.is_idle
    assert subscriber.deadline is None


def subscriber_counts(consumer: Consumer) -> tuple[int, int, int]:
    subscriber = consumer.telemetry.subscribers["shipper"]
    return subscriber.produced, subscriber.delivered_records, subscriber.dropped_records


def test_what_is_given_up_is_told_to_the_developer_once() -> None:
    """Each lost batch with its counts and reason; a lost telling is no news."""
    consumer = subscribed(timeout=0.025)
    for text in ("one", "two"):
        consumer.line(text)
        consumer.wait(0.025)
        consumer.refuse_all("connection refused")
    losses = consumer.telemetry.take_losses()
    reason = "could not send events: connection refused"
    assert [(each.name, each.records, each.reason) for each in losses] == [
        ("shipper", 1, reason)
    ] * 2
    assert losses[0].size == len(
        b'{"time":"2023-11-14T22:13:20.000Z","type":"function","record":"one"}'
    )
    assert consumer.telemetry.take_losses() == []


@pytest.mark.parametrize("has_failed", [True, False])
def test_what_is_left_at_the_end_is_told_if_attempts_failed(has_failed: bool) -> None:
    """A consumer that took what came has only left; one that never took anything has lost it."""
    consumer = subscribed(timeout=0.025)
    consumer.line("first")
    consumer.wait(0.025)
    consumer.answer("connection refused" if has_failed else None)
    consumer.line("second")
    consumer.telemetry.end()
    losses = [(each.records, each.reason) for each in consumer.telemetry.take_losses()]
    assert losses == ([(2, "could not send events: connection refused")] if has_failed else [])
    assert not consumer.telemetry.is_wanted


def test_the_telling_counts_as_an_item() -> None:
    """No batch is longer than `maxItems`, the record of what was lost included."""
    consumer = subscribed(max_items=2, timeout=0.025)
    consumer.line("lost")
    consumer.wait(0.025)
    consumer.refuse_all()
    consumer.line("one")
    assert len(consumer.under_way[0].lines) == 2
