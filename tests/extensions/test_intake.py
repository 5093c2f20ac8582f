"""Several handlers of one extension: none waits for another, and the counters add up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from lambda_extensions import Extension
from lambda_extensions.client import ExtensionClient
from lambda_extensions.delivery import Delivery
from lambda_extensions.events import InvokeEvent, ShutdownEvent
from lambda_extensions.flush import FlushPolicy
from lambda_extensions.intake import Intake
from lambda_extensions.records import TelemetryRecord, record_of
from lambda_extensions.telemetry import TelemetryHandler
from tests.support.processes import eventually
from tests.support.scripted_api import ScriptedApi, reply
from tests.support.telemetry_platform import SUBSCRIBED, now_ms

REGISTERED = reply("200 OK", "Lambda-Extension-Identifier: x", body="{}")


def batch(*texts: str, kind: str = "function") -> list[TelemetryRecord]:
    return [record_of({"time": "t", "type": kind, "record": text}) for text in texts]


def done(request_id: str) -> list[TelemetryRecord]:
    content = {"requestId": request_id, "status": "success"}
    return [record_of({"time": "t", "type": "platform.runtimeDone", "record": content})]


def invoke(request_id: str, seconds: float = 30.0) -> InvokeEvent:
    deadline = now_ms() + int(seconds * 1000)
    return InvokeEvent({"eventType": "INVOKE", "deadlineMs": deadline, "requestId": request_id})


def shutdown(seconds: float) -> ShutdownEvent:
    deadline = now_ms() + int(seconds * 1000)
    return ShutdownEvent({"eventType": "SHUTDOWN", "deadlineMs": deadline})


@contextmanager
def taking_in(*wishes: TelemetryHandler, capacity: int = 100) -> Iterator[Intake]:
    """An intake for these handlers, subscribed at a scripted Lambda."""
    deliveries = [
        Delivery(wish, call=lambda f, x: f(x), give_up=print, capacity=capacity) for wish in wishes
    ]
    intake = Intake(deliveries)
    with ScriptedApi(REGISTERED, SUBSCRIBED) as api, ExtensionClient(api.address) as client:
        client.register("x", [])
        intake.begin(client)
    try:
        yield intake
    finally:
        intake.end(shutdown(2.0))


def wish(
    handler: Any, policy: FlushPolicy, types: Sequence[str] = ("platform", "function")
) -> TelemetryHandler:
    return TelemetryHandler(handler, types, policy)


def test_handler_that_hangs_takes_no_time_from_others_at_the_end() -> None:
    """At shutdown all deliver at once: the records of the healthy one arrive beside one that
    hangs.
    """
    gate = threading.Event()
    slow_send: list[Any] = []

    def healthy(records: list[TelemetryRecord]) -> None:
        assert not gate.wait(0.3)  # as long as a request takes
        slow_send.extend(records)

    hanging = wish(lambda _: gate.wait(10), FlushPolicy.on_shutdown())
    good = wish(healthy, FlushPolicy.on_shutdown())
    with taking_in(hanging, good) as intake:
        assert intake.accept(batch("a"), 1)
        intake.end(shutdown(2.0))
        gate.set()
    assert [record.record for record in slow_send] == ["a"]
    assert (good.counters.delivered, hanging.counters.dropped) == (1, 1)


def test_each_policy_holds_for_its_own_time() -> None:
    """A handler that hangs holds an invocation for its own max_wait, not for another's."""
    gate = threading.Event()
    quick: list[Any] = []
    with taking_in(
        wish(lambda _: gate.wait(10), FlushPolicy.end_of_invoke(0.1)),
        wish(quick.extend, FlushPolicy.end_of_invoke(5.0)),
    ) as intake:
        intake.accept([*batch("a"), *done("r")], 1)
        began = time.monotonic()
        intake.hold(invoke("r"), 0.0)
        assert time.monotonic() - began < 2.0
        assert len(quick) == 2
        gate.set()


def test_retry_with_the_same_id_is_held_for_its_own_end() -> None:
    """An asynchronous invocation that is tried again keeps its id; each attempt has its end."""
    seen: list[Any] = []
    with taking_in(wish(seen.extend, FlushPolicy.end_of_invoke(0.3))) as intake:
        intake.accept(done("r"), 1)
        intake.hold(invoke("r"), 0.0)
        assert len(seen) == 1
        began = time.monotonic()
        intake.hold(invoke("r"), 0.0)
        assert time.monotonic() - began >= 0.3
        intake.accept(done("r"), 1)
        eventually(lambda: len(seen) == 2, "the end of the second attempt")


def test_wait_without_a_limit_ends_with_the_records() -> None:
    """max_wait may be infinite, and the deadline of a far year: it is held until all is there."""
    seen: list[Any] = []
    with taking_in(wish(seen.extend, FlushPolicy.end_of_invoke(float("inf")))) as intake:
        intake.accept([*batch("a"), *done("r")], 1)
        intake.hold(invoke("r", 1e11), 0.0)
        assert len(seen) == 2


def test_stuck_handler_holds_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that has been at one list for long does not cost each invocation its max_wait."""
    monkeypatch.setattr("lambda_extensions.delivery.STUCK_SECONDS", 0.0)
    gate, entered = threading.Event(), threading.Event()

    def hang(_: list[TelemetryRecord]) -> None:
        entered.set()
        gate.wait(10)

    with taking_in(wish(hang, FlushPolicy(items=1, max_wait=5.0))) as intake:
        intake.accept(batch("a"), 1)
        assert entered.wait(5)
        began = time.monotonic()
        intake.hold(invoke("r"), 0.0)
        assert time.monotonic() - began < 2.0
        gate.set()


def test_late_end_of_a_runtime_delivers_when_it_comes() -> None:
    """A function that outlasts max_wait is not waited for, and its records go when it is done."""
    seen: list[Any] = []
    with taking_in(wish(seen.extend, FlushPolicy.end_of_invoke(0.05))) as intake:
        intake.accept(batch("a"), 1)
        intake.hold(invoke("r"), 0.0)
        assert seen == []
        intake.accept(done("r"), 1)
        eventually(lambda: len(seen) == 2, "the records of the invocation")


def test_full_backlog_of_a_stuck_handler_stops_only_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While one handler is slow, batches are refused; once it is stuck, it alone loses them."""
    gate, entered = threading.Event(), threading.Event()
    seen: list[Any] = []

    def hang(_: list[TelemetryRecord]) -> None:
        entered.set()
        gate.wait(10)

    buried: list[Any] = []
    stuck = wish(hang, FlushPolicy.continuous())
    stuck.dead_letter = buried.extend
    with taking_in(stuck, wish(seen.extend, FlushPolicy.continuous())) as intake:
        assert intake.accept(batch("a"), 60)
        assert entered.wait(5)
        eventually(lambda: len(seen) == 1, "the first record")
        assert intake.accept(batch("b"), 60)
        eventually(lambda: len(seen) == 2, "the second record")
        assert not intake.accept(batch("c"), 60)
        monkeypatch.setattr("lambda_extensions.delivery.STUCK_SECONDS", 0.0)
        assert intake.accept(batch("c"), 60)
        eventually(lambda: [record.record for record in seen] == ["a", "b", "c"], "all records")
        assert stuck.counters.received == 3
        assert stuck.counters.dropped == 1
        assert [record.record for record in buried] == ["c"]
        gate.set()
    assert "1 telemetry records are lost: the telemetry handler is stuck\n" in (
        capsys.readouterr().err
    )
    assert repr(stuck.counters) == "received 3, delivered 2, retried 0, dropped 1"


def test_one_handler_alone_is_never_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """With nobody else to serve, Lambda is told that there is no room, and counts what it drops."""
    monkeypatch.setattr("lambda_extensions.delivery.STUCK_SECONDS", 0.0)
    gate, entered = threading.Event(), threading.Event()

    def hang(_: list[TelemetryRecord]) -> None:
        entered.set()
        gate.wait(10)

    with taking_in(wish(hang, FlushPolicy.continuous())) as intake:
        assert intake.accept(batch("a"), 60)
        assert entered.wait(5)
        assert intake.accept(batch("b"), 60)
        assert not intake.accept(batch("c"), 60)
        gate.set()


def test_counters_of_an_extension_are_those_of_all_its_handlers() -> None:
    """`counters` adds up what the handlers have received, delivered, retried and dropped."""
    extension = Extension("x")
    for _ in range(2):
        extension.on_telemetry("function")(print)
    assert repr(extension.counters) == "received 0, delivered 0, retried 0, dropped 0"
    for number, one in enumerate(extension._telemetry_handlers, 1):
        one.counters.received, one.counters.delivered, one.counters.dropped = number, number, 0
    assert repr(extension.counters) == "received 3, delivered 3, retried 0, dropped 0"
