"""Records on their way to a handler: order, room, failures, the end."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from lambda_extensions.delivery import Delivery
from lambda_extensions.flush import FlushPolicy
from lambda_extensions.records import TelemetryRecord, record_of
from lambda_extensions.telemetry import TelemetryHandler
from tests.support.processes import eventually

if TYPE_CHECKING:
    from lambda_extensions.telemetry import BatchHandler, OnFailure


def lines(*texts: str, kind: str = "function") -> list[TelemetryRecord]:
    return [record_of({"time": "t", "type": kind, "record": text}) for text in texts]


def texts(records: list[TelemetryRecord]) -> list[Any]:
    return [record.record for record in records]


@contextmanager
def delivering(
    handler: BatchHandler,
    policy: FlushPolicy | None = None,
    *,
    types: tuple[str, ...] = ("function",),
    on_failure: OnFailure = "retry",
    dead_letter: BatchHandler | None = None,
    give_up: Callable[[BaseException], None] = lambda _: None,
    capacity: int = 100,
) -> Iterator[Delivery]:
    wish = TelemetryHandler(
        handler, types, policy or FlushPolicy.continuous(), on_failure, dead_letter
    )
    delivery = Delivery(wish, call=lambda f, x: f(x), give_up=give_up, capacity=capacity)
    delivery.start()
    try:
        yield delivery
    finally:
        delivery.close(5.0)


def test_records_arrive_in_order_and_are_counted() -> None:
    """Every accepted record reaches the handler once, in order; the rest of it is counted."""
    seen: list[TelemetryRecord] = []
    with delivering(seen.extend) as delivery:
        for number in range(100):
            delivery.add(lines(f"{number}a", f"{number}b"), 2)
    assert texts(seen) == [f"{number}{letter}" for number in range(100) for letter in "ab"]
    assert repr(delivery.counters) == "received 200, delivered 200, retried 0, dropped 0"


def test_only_the_wanted_types_arrive_and_those_of_no_type() -> None:
    """A handler gets its own types, and what no version of us knows the type of."""
    seen: list[TelemetryRecord] = []
    with delivering(seen.extend, types=("platform", "extension")) as delivery:
        batch = [
            *lines("a"),
            *lines("b", kind="platform.tomorrow"),
            *lines("c", kind="extension"),
            record_of({"type": "news", "record": "d"}),
            record_of("no record"),
        ]
        delivery.add(batch, 5)
    assert [record.record for record in seen] == ["b", "c", "d", None]


def test_room_is_bounded_by_bytes() -> None:
    """A full backlog has no room for a batch; an empty one takes a batch of any size."""
    gate = threading.Event()
    policy = FlushPolicy.on_shutdown()
    with delivering(lambda _: gate.wait(5), policy) as delivery:
        assert delivery.has_room(10_000)
        delivery.add(lines("a"), 40)
        assert delivery.has_room(60)
        assert not delivery.has_room(61)
        gate.set()


def test_failing_handler_gets_the_same_records_again_before_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With retry a failed list comes again, first, until it is taken; each list is told once."""
    seen: list[Any] = []
    failures = iter([True, True, False, True, False, False])

    def flaky(records: list[TelemetryRecord]) -> None:
        if next(failures, False):
            raise ConnectionError("500")
        seen.extend(texts(records))

    with delivering(flaky) as delivery:
        delivery.add(lines("1"), 1)
        eventually(lambda: seen == ["1"], "the first record")
        delivery.add(lines("2"), 1)
        eventually(lambda: seen == ["1", "2"], "the second record")
    assert (delivery.counters.retried, delivery.counters.dropped) == (3, 0)
    again = "lambda_extensions: 1 telemetry records will be delivered again: ConnectionError: 500\n"
    assert capsys.readouterr().err == again * 2


def test_dropped_records_are_counted_named_and_buried(capsys: pytest.CaptureFixture[str]) -> None:
    """With drop a failed list is lost: counted, told on stderr, given to the dead-letter."""
    buried: list[TelemetryRecord] = []

    def broken(_: list[TelemetryRecord]) -> None:
        raise ConnectionError("500")

    with delivering(broken, on_failure="drop", dead_letter=buried.extend) as delivery:
        delivery.add(lines("1", "2"), 1)
    assert texts(buried) == ["1", "2"]
    assert repr(delivery.counters) == "received 2, delivered 0, retried 0, dropped 2"
    error = capsys.readouterr().err
    assert error.startswith(
        "lambda_extensions: 2 telemetry records are lost: the telemetry handler failed\nTraceback"
    )


def test_failing_dead_letter_stops_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A dead-letter that raises is told, and the next list is still delivered."""
    seen: list[str] = []

    def once(records: list[TelemetryRecord]) -> None:
        seen.append(records[0].record)
        if records[0].record == "1":
            raise ConnectionError("500")

    def broken(_: list[TelemetryRecord]) -> None:
        raise OSError("disk full")

    with delivering(once, on_failure="drop", dead_letter=broken) as delivery:
        delivery.add(lines("1"), 1)
        eventually(lambda: delivery.counters.dropped == 1, "the drop")
        delivery.add(lines("2"), 1)
    assert seen == ["1", "2"]
    assert "OSError: disk full" in capsys.readouterr().err


def test_exit_gives_up() -> None:
    """With exit the first failure ends the extension, from which giving up does not return."""
    reasons: list[str] = []
    gate = threading.Event()

    def broken(_: list[TelemetryRecord]) -> None:
        if not gate.is_set():
            raise ConnectionError("500")

    def give_up(error: BaseException) -> None:
        reasons.append(str(error))
        gate.wait(5)

    with delivering(broken, on_failure="exit", give_up=give_up) as delivery:
        delivery.add(lines("1"), 1)
        eventually(lambda: reasons == ["500"], "giving up")
        assert repr(delivery.counters) == "received 1, delivered 0, retried 0, dropped 1"
        gate.set()


def test_flush_waits_until_all_is_delivered() -> None:
    """flush delivers what the policy would keep, and tells whether that was done in time."""
    seen: list[TelemetryRecord] = []
    with delivering(seen.extend, FlushPolicy.on_shutdown()) as delivery:
        delivery.add(lines("1"), 1)
        assert not seen
        assert delivery.flush(5.0)
        assert texts(seen) == ["1"]
        assert delivery.flush(5.0)


def test_flush_does_not_wait_for_a_handler_that_never_returns() -> None:
    """A handler that hangs holds nobody longer than the caller is willing to wait."""
    gate = threading.Event()
    with delivering(lambda _: gate.wait(5)) as delivery:
        delivery.add(lines("1"), 1)
        assert not delivery.flush(0.01)
        gate.set()


def test_handler_that_never_returns_is_named_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What a hanging handler has, and what waits behind it, is counted as dropped and named."""
    gate, entered = threading.Event(), threading.Event()

    def hanging(_: list[TelemetryRecord]) -> None:
        entered.set()
        gate.wait(10)

    with delivering(hanging) as delivery:
        delivery.add(lines("1"), 1)
        assert entered.wait(5)
        delivery.add(lines("2", "3"), 1)
        delivery.close(0.01)
        assert delivery.counters.dropped == 3
        gate.set()
    error = capsys.readouterr().err
    assert "the telemetry handler did not return: 1 records may be lost\n" in error
    assert "2 telemetry records are lost: the execution environment ends\n" in error


def test_late_success_changes_no_count() -> None:
    """What was given up at the end stays dropped, also when the handler returns after all: the
    counters add up, and the dead-letter has had it.
    """
    gate, entered = threading.Event(), threading.Event()
    buried: list[TelemetryRecord] = []

    def slow(_: list[TelemetryRecord]) -> None:
        entered.set()
        assert gate.wait(10)

    with delivering(slow, dead_letter=buried.extend) as delivery:
        delivery.add(lines("1"), 1)
        assert entered.wait(5)
        delivery.add(lines("2"), 1)
        delivery.close(0.01)
        gate.set()
    assert repr(delivery.counters) == "received 2, delivered 0, retried 0, dropped 2"
    assert texts(buried) == ["1", "2"]


def test_dead_letter_that_hangs_keeps_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """At the end the dead-letter gets a part of the time, and no more."""
    gate = threading.Event()

    def hanging(_: list[TelemetryRecord]) -> None:
        gate.wait(10)

    with delivering(hanging, FlushPolicy.on_shutdown(), dead_letter=hanging) as delivery:
        delivery.add(lines("1"), 1)
        began = time.monotonic()
        delivery.close(0.2)
        assert time.monotonic() - began < 1.0
        gate.set()
    assert delivery.counters.dropped == 1
    assert (
        "the telemetry handler did not return: 1 records may be lost\n" in capsys.readouterr().err
    )


def test_time_is_left_for_the_dead_letter() -> None:
    """A handler that fails to the end is tried for three quarters of the time where somebody else
    may take the records.
    """
    buried: list[float] = []

    def broken(_: list[TelemetryRecord]) -> None:
        raise ConnectionError("500")

    with delivering(
        broken, FlushPolicy.on_shutdown(), dead_letter=lambda _: buried.append(time.monotonic())
    ) as delivery:
        delivery.add(lines("1"), 1)
        until = time.monotonic() + 2.0
        delivery.close(2.0)
    assert buried[0] < until - 0.2


def test_list_belongs_to_the_handler() -> None:
    """A handler may empty its list and fail: the next attempt has all records again."""
    seen: list[Any] = []
    failures = iter([True, False])

    def emptying(records: list[TelemetryRecord]) -> None:
        while records:
            seen.append(records.pop(0).record)
        if next(failures):
            raise ConnectionError("500")

    with delivering(emptying) as delivery:
        delivery.add(lines("1", "2"), 1)
    assert seen == ["1", "2"] * 2
    assert repr(delivery.counters) == "received 2, delivered 2, retried 2, dropped 0"


def test_retries_end_with_the_environment(capsys: pytest.CaptureFixture[str]) -> None:
    """At the end a failing handler is tried as long as there is time, then its records drop."""
    attempts: list[int] = []

    def broken(records: list[TelemetryRecord]) -> None:
        attempts.append(len(records))
        raise ConnectionError("500")

    with delivering(broken, FlushPolicy.on_shutdown()) as delivery:
        delivery.add(lines("1"), 1)
        delivery.close(0.3)
        assert delivery.counters.dropped == 1
    assert len(attempts) >= 2
    assert "1 telemetry records are lost: the telemetry handler failed" in capsys.readouterr().err


def test_handler_that_exits_its_thread_is_a_failure() -> None:
    """sys.exit() in a handler is a failure like others: its records come again."""
    seen: list[TelemetryRecord] = []
    exits = iter([True])

    def leaving(records: list[TelemetryRecord]) -> None:
        if next(exits, False):
            raise SystemExit(3)
        seen.extend(records)

    with delivering(leaving) as delivery:
        delivery.add(lines("1"), 1)
        assert delivery.flush(5.0)
    assert texts(seen) == ["1"]


def test_flaky_consumer_gets_everything_in_order() -> None:
    """1,000 batches, a handler that fails three times in ten, a small backlog: all, in order."""
    seen: list[Any] = []
    dice = random.Random(1)

    def flaky(records: list[TelemetryRecord]) -> None:
        if dice.random() < 0.3:
            raise ConnectionError("500")
        seen.extend(texts(records))

    with delivering(flaky, capacity=20_000) as delivery:
        for number in range(1000):
            eventually(lambda: delivery.has_room(100), "room")
            delivery.add(lines(f"{number}a", f"{number}b", f"{number}c"), 100)
    assert seen == [f"{number}{letter}" for number in range(1000) for letter in "abc"]
    assert delivery.counters.delivered == 3000
    assert delivery.counters.dropped == 0
