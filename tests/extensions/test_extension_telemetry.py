"""An extension that receives telemetry: subscription, holding invocations, the end."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lambda_extensions import Extension
from lambda_extensions.events import InvokeEvent, ShutdownEvent
from lambda_extensions.flush import FlushPolicy
from lambda_extensions.records import TelemetryRecord
from lambda_extensions.telemetry import Buffering
from tests.support.processes import eventually
from tests.support.scripted_api import HANG_UP, Scripted, ScriptedApi, body_of, head_of, reply
from tests.support.telemetry_platform import SUBSCRIBED, Platform, invoke, record, shutdown

ROOT = Path(__file__).resolve().parents[2]
IDENTIFIER = "0f2a7cf2-9e5f-4d0c-9c1c-2f1f0a6f7e11"
REGISTERED = reply("200 OK", f"Lambda-Extension-Identifier: {IDENTIFIER}", body="{}")
ACCEPTED = reply("202 Accepted", body='{"status":"OK"}\n')
NOT_SUPPORTED = reply(
    "202 Accepted",
    body='{"errorMessage":"Telemetry API is not supported","errorType":"Telemetry.NotSupported"}\n',
)


DONE = record("platform.runtimeDone", {"requestId": "r-1", "status": "success"})


def run(monkeypatch: pytest.MonkeyPatch, extension: Extension, *replies: Scripted) -> ScriptedApi:
    with ScriptedApi(*replies) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        extension.run()
    return api


def test_subscription_says_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """The subscription comes before the first next: latest schema, types, every buffering value."""
    extension = Extension("shipper")

    @extension.on_telemetry(
        "function",
        "platform",
        buffering=Buffering(max_items=2000, max_bytes=300_000, timeout_ms=100),
        flush=FlushPolicy.every(5),
    )
    def ship(batch: list[TelemetryRecord]) -> None:
        raise AssertionError(batch)

    platform = Platform()
    api = run(monkeypatch, extension, REGISTERED, platform.subscribe, shutdown)
    assert body_of(api.requests[0]) == b'{"events":["SHUTDOWN"]}'
    line, headers = head_of(api.requests[1])
    assert line == "PUT /2022-07-01/telemetry HTTP/1.1"
    assert headers["lambda-extension-identifier"] == IDENTIFIER
    assert json.loads(body_of(api.requests[1])) == {
        "schemaVersion": "2025-01-29",
        "types": ["platform", "function"],
        "buffering": {"maxItems": 2000, "maxBytes": 300_000, "timeoutMs": 100},
        "destination": {
            "protocol": "HTTP",
            "URI": f"http://sandbox.localdomain:{platform.port}/",
        },
    }
    assert head_of(api.requests[2])[0] == "GET /2020-01-01/extension/event/next HTTP/1.1"


def test_tcp_subscription(monkeypatch: pytest.MonkeyPatch) -> None:
    """With TCP the destination is a port, and there is no URI."""
    extension = Extension("shipper", protocol="TCP")
    extension.on_telemetry("function", flush=FlushPolicy.continuous())(print)
    api = run(monkeypatch, extension, REGISTERED, SUBSCRIBED, shutdown)
    destination = json.loads(body_of(api.requests[1]))["destination"]
    assert destination.pop("port") > 0
    assert destination == {"protocol": "TCP"}


def test_invocation_is_held_until_its_records_are_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """end_of_invoke asks for the next event after runtimeDone came and all was delivered."""
    extension = Extension("shipper")
    seen: list[Any] = []

    @extension.on_telemetry("function", flush=FlushPolicy.end_of_invoke(max_wait=5))
    def ship(batch: list[TelemetryRecord]) -> None:
        seen.extend(one.record for one in batch)

    platform = Platform()
    at_next: list[list[Any]] = []

    def then_shutdown(request: bytes) -> bytes:
        at_next.append(list(seen))
        return shutdown(request)

    began = time.monotonic()
    api = run(
        monkeypatch,
        extension,
        REGISTERED,
        platform.subscribe,
        platform.posting(invoke, record("function", "one"), record("function", "two"), DONE),
        then_shutdown,
    )
    for thread in platform.threads:
        thread.join()
    assert body_of(api.requests[0]) == b'{"events":["INVOKE","SHUTDOWN"]}'
    subscription = json.loads(body_of(api.requests[1]))
    assert subscription["types"] == ["platform", "function"]
    assert subscription["buffering"]["timeoutMs"] == 25
    assert at_next == [["one", "two"]]
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("is_done", [True, False])
def test_invocation_is_held_no_longer_than_the_policy_says(
    monkeypatch: pytest.MonkeyPatch, is_done: bool
) -> None:
    """Neither a handler that hangs nor a runtimeDone that never comes holds it past max_wait."""
    extension = Extension("shipper")
    gate = threading.Event()

    @extension.on_telemetry("function", flush=FlushPolicy.end_of_invoke(max_wait=0.2))
    def hanging(_: list[TelemetryRecord]) -> None:
        gate.wait(10)

    def then_shutdown(request: bytes) -> bytes:
        gate.set()
        return shutdown(request)

    platform = Platform()
    records = [record("function", "one"), *([DONE] if is_done else [])]
    replies = (platform.subscribe, platform.posting(invoke, *records), then_shutdown)
    began = time.monotonic()
    run(monkeypatch, extension, REGISTERED, *replies)
    for thread in platform.threads:
        thread.join()
    assert 0.2 <= time.monotonic() - began < 3


def test_everything_acknowledged_is_delivered_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """At SHUTDOWN what is kept is delivered before the shutdown handlers run."""
    extension = Extension("shipper")
    seen: list[Any] = []

    @extension.on_telemetry("function", flush=FlushPolicy.on_shutdown())
    def ship(batch: list[TelemetryRecord]) -> None:
        seen.append([one.record for one in batch])

    extension.on_shutdown(lambda event: seen.append(event.reason))
    platform = Platform()

    def post_then_shutdown(request: bytes) -> bytes:
        platform.post(record("function", "one"))
        platform.post(record("function", "two"))
        assert seen == []
        return shutdown(request)

    run(monkeypatch, extension, REGISTERED, platform.subscribe, post_then_shutdown)
    assert seen == [["one", "two"], "spindown"]


@pytest.mark.parametrize("deadline", ['"deadlineMs":99999999999999,', ""])
def test_shutdown_without_a_sensible_deadline(
    monkeypatch: pytest.MonkeyPatch, deadline: str
) -> None:
    """Where SHUTDOWN names no deadline, or one in a far year, Lambda's two seconds count."""
    extension = Extension("shipper")
    gate = threading.Event()
    seen: list[TelemetryRecord] = []

    @extension.on_telemetry("function", flush=FlushPolicy.on_shutdown())
    def slow(batch: list[TelemetryRecord]) -> None:
        seen.extend(batch)
        gate.wait(10)

    platform = Platform()

    def post_then_shutdown(_: bytes) -> bytes:
        platform.post(record("function", "one"))
        body = f'{{"eventType":"SHUTDOWN",{deadline}"shutdownReason":"spindown"}}'
        return reply("200 OK", body=body)

    began = time.monotonic()
    run(monkeypatch, extension, REGISTERED, platform.subscribe, post_then_shutdown)
    gate.set()
    assert [one.record for one in seen] == ["one"]
    assert 1.0 < time.monotonic() - began < 3.0


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            NOT_SUPPORTED,
            "there is no Telemetry API: the subscription was refused with status 202: "
            "Telemetry API is not supported (Telemetry.NotSupported)",
        ),
        (
            reply("404 Not Found", body="404 page not found\n"),
            "there is no Telemetry API: the subscription was refused with status 404: "
            "404 page not found",
        ),
        (
            reply("400 Bad Request", body='{"errorType":"ValidationError","errorMessage":"no"}'),
            "the subscription was refused with status 400: no (ValidationError)",
        ),
    ],
)
def test_without_telemetry_it_runs_on(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: bytes,
    text: str,
) -> None:
    """Where telemetry is not to be had, one line says so, and events still come."""
    extension = Extension("shipper")
    extension.on_telemetry("function", flush=FlushPolicy.end_of_invoke(5))(print)
    seen: list[str] = []
    extension.on_invoke(lambda event: seen.append(event.request_id))
    began = time.monotonic()
    run(monkeypatch, extension, REGISTERED, answer, invoke, shutdown)
    assert time.monotonic() - began < 2
    assert seen == ["r-1"]
    assert f"lambda_extensions: running without telemetry: {text}\n" in capsys.readouterr().err


def test_strict_extension_fails_without_telemetry(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With strict the missing Telemetry API is an init error."""
    extension = Extension("shipper", strict=True)
    extension.on_telemetry("function")(print)
    with ScriptedApi(REGISTERED, NOT_SUPPORTED, ACCEPTED) as api:
        monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", api.address)
        with pytest.raises(SystemExit):
            extension.run()
    line, headers = head_of(api.requests[2])
    assert line == "POST /2020-01-01/extension/init/error HTTP/1.1"
    assert headers["lambda-extension-function-error-type"] == "Extension.TelemetryUnsupported"
    assert "cannot initialise" in capsys.readouterr().err


def test_managed_instances_have_no_invoke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On managed instances SHUTDOWN alone is registered; one line says what is not called."""
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")
    extension = Extension("shipper")
    extension.on_invoke(print)
    seen: list[TelemetryRecord] = []
    extension.on_telemetry("function", flush=FlushPolicy.end_of_invoke())(seen.extend)
    platform = Platform()

    def wait_then_shutdown(request: bytes) -> bytes:
        platform.post(record("function", "one"))
        deadline = time.monotonic() + 5
        while not seen and time.monotonic() < deadline:
            time.sleep(0.01)
        return shutdown(request)

    api = run(monkeypatch, extension, REGISTERED, platform.subscribe, wait_then_shutdown)
    assert body_of(api.requests[0]) == b'{"events":["SHUTDOWN"]}'
    assert [one.record for one in seen] == ["one"]
    assert capsys.readouterr().err.count("managed instances have no INVOKE event") == 1


def test_coroutine_functions_are_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every handler may be a coroutine function; all run in one event loop."""
    extension = Extension("shipper")
    seen: list[str] = []
    loops: set[int] = set()

    async def handle(what: object) -> None:
        await asyncio.sleep(0)
        loops.add(id(asyncio.get_running_loop()))
        seen.append(type(what).__name__)

    extension.on_init(handle)
    extension.on_invoke(handle)
    extension.on_shutdown(handle)
    extension.on_telemetry("function", flush=FlushPolicy.on_shutdown())(handle)
    platform = Platform()

    def post_then_shutdown(request: bytes) -> bytes:
        platform.post(record("function", "one"))
        return shutdown(request)

    run(monkeypatch, extension, REGISTERED, platform.subscribe, invoke, post_then_shutdown)
    assert seen == ["Registration", "InvokeEvent", "list", "ShutdownEvent"]
    assert len(loops) == 1


def test_extension_as_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subclass's methods are its handlers, and decide what is registered."""
    seen: list[str] = []

    class Shipper(Extension):
        types = ("function",)
        flush = FlushPolicy.on_shutdown()

        def invoke(self, event: InvokeEvent) -> None:
            seen.append(event.request_id)

        def records(self, batch: list[TelemetryRecord]) -> None:
            seen.append(batch[0].record)

        def shutdown(self, event: ShutdownEvent) -> None:
            seen.append(event.reason)

    platform = Platform()

    def post_then_shutdown(request: bytes) -> bytes:
        platform.post(record("function", "one"))
        return shutdown(request)

    replies = (platform.subscribe, invoke, post_then_shutdown)
    api = run(monkeypatch, Shipper("shipper"), REGISTERED, *replies)
    assert seen == ["r-1", "one", "spindown"]
    assert body_of(api.requests[0]) == b'{"events":["INVOKE","SHUTDOWN"]}'


def test_telemetry_handler_that_shall_exit() -> None:
    """With on_failure="exit" a failing telemetry handler reports /exit/error and exits with 1,
    although the main thread waits for the next event; every record it leaves behind is named.
    """
    program = (
        "import time\nfrom lambda_extensions import *\n"
        "extension = Extension('shipper')\n"
        "@extension.on_telemetry('function', flush=FlushPolicy.continuous(), on_failure='exit')\n"
        "def ship(batch):\n"
        "    while extension.counters.received < 3:\n        time.sleep(0.01)\n"
        "    raise LookupError('no credentials')\n"
        "print('lost?')\nextension.run()\n"
    )
    platform = Platform()
    reported = threading.Event()

    def park(_: bytes) -> bytes:
        platform.post(record("function", "one"))
        platform.post(record("function", "two"), record("function", "three"))
        assert reported.wait(10)
        return HANG_UP

    def take_report(_: bytes) -> bytes:
        reported.set()
        return ACCEPTED

    with ScriptedApi(REGISTERED, platform.subscribe, park, take_report) as api:
        child = subprocess.run(
            [sys.executable, "-c", program],
            env={"AWS_LAMBDA_RUNTIME_API": api.address, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=20,
            check=False,
        )
    line, headers = head_of(api.requests[3])
    assert line == "POST /2020-01-01/extension/exit/error HTTP/1.1"
    assert headers["lambda-extension-identifier"] == IDENTIFIER
    assert headers["lambda-extension-function-error-type"] == "Extension.LookupError"
    assert child.returncode == 1
    assert child.stdout == b"lost?\n"
    assert b'extension "shipper" failed at telemetry\nTraceback' in child.stderr
    lost = re.findall(rb"(\d+) telemetry records are lost", child.stderr)
    assert sum(map(int, lost)) == 3


def test_rest_comes_before_a_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a rest the on_thaw handler comes before records are delivered: connections that were
    kept are dropped before they are used.
    """
    clock = [1e9]
    monkeypatch.setattr("lambda_extensions.thaw.time", SimpleNamespace(time=lambda: clock[0]))
    extension = Extension("shipper")
    seen: list[Any] = []

    @extension.on_thaw
    async def drop_connections(_: float) -> None:
        seen.append("thaw")

    @extension.on_telemetry("function", flush=FlushPolicy.continuous())
    def ship(batch: list[TelemetryRecord]) -> None:
        seen.extend(one.record for one in batch)

    platform = Platform()

    def post_and_rest(request: bytes) -> bytes:
        platform.post(record("function", "one"))
        eventually(lambda: extension.counters.delivered == 1, "the first record")
        clock[0] += 3600  # frozen
        platform.post(record("function", "two"))
        eventually(lambda: seen == ["one", "thaw", "two"], "the second record")
        return shutdown(request)

    run(monkeypatch, extension, REGISTERED, platform.subscribe, post_and_rest)
    assert seen == ["one", "thaw", "two"]


@pytest.mark.parametrize("types", [(), ("logs",), ("function", "Platform")])
def test_types_that_are_none_are_refused(types: tuple[str, ...]) -> None:
    """Types are checked where they are written."""
    with pytest.raises(ValueError, match="platform, function, extension"):
        Extension("shipper").on_telemetry(*types)


def test_failures_have_three_words() -> None:
    """What is to be done with a failing handler is checked where it is written."""
    with pytest.raises(ValueError, match="on_failure is drop, retry or exit, not ignore"):
        Extension("shipper").on_telemetry("function", on_failure="ignore")(print)  # type: ignore[arg-type]


def test_there_is_one_buffering() -> None:
    """A second buffering contradicts the first: there is one subscription."""
    extension = Extension("shipper")
    extension.on_telemetry("function", buffering=Buffering())(print)
    with pytest.raises(ValueError, match="one subscription"):
        extension.on_telemetry("platform", buffering=Buffering(timeout_ms=25))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"max_items": 999}, "max_items must be 1000 to 10000, not 999"),
        ({"max_bytes": 1048577}, "max_bytes must be 262144 to 1048576, not 1048577"),
        ({"timeout_ms": 24}, "timeout_ms must be 25 to 30000, not 24"),
    ],
)
def test_buffering_is_checked_before_lambda_does(values: dict[str, int], text: str) -> None:
    """A buffering out of Lambda's ranges is refused with the range."""
    with pytest.raises(ValueError, match=text):
        Buffering(**values)
