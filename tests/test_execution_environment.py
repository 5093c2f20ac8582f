"""An execution environment in which a test plays all processes."""

from __future__ import annotations

import http.client
import json
import socket
import threading

import pytest

from rapid_mock import ApiError, ExecutionEnvironment
from rapid_mock.errors import SetupError


def test_a_whole_invocation(execution_environment: ExecutionEnvironment) -> None:
    """Register, poll, be told, respond, poll again: then there is a REPORT."""
    env = execution_environment
    shipper = env.extension("shipper")
    env.init()
    shipper.register("INVOKE", "SHUTDOWN")
    event, poll = shipper.next(), env.runtime.next()
    assert (event.is_parked, poll.is_parked, env.phase) == (True, True, "idle")
    invocation = env.invoke({"name": "Ada"}, request_id="r1", tenant_id="t")
    told = poll.event
    assert (told.request_id, told.payload, told.tenant_id) == ("r1", {"name": "Ada"}, "t")
    assert event.event["requestId"] == "r1"
    env.runtime.print("working\n")
    env.advance(0.25)
    env.runtime.respond("r1", {"hello": "Ada"})
    assert invocation.is_answered
    env.runtime.next()
    shipper.next()
    result = invocation.result()
    assert (result.payload, result.report.duration_ms) == ({"hello": "Ada"}, 250.0)
    assert "working\nEND RequestId: r1\n" in result.logs
    assert env.processes == ["shipper", "runtime"]


def test_a_runtime_that_dies(execution_environment: ExecutionEnvironment) -> None:
    """An exit is a process's end as any; the invocation fails with its code."""
    env = execution_environment
    env.init()
    env.runtime.next()
    invocation = env.invoke()
    env.runtime.exit(3)
    assert invocation.result().payload["errorType"] == "Runtime.ExitError"
    assert "exit status 3" in env.log


def test_a_refusal_is_an_error_of_its_own(execution_environment: ExecutionEnvironment) -> None:
    """Status, type and text as the API says them."""
    execution_environment.init()
    with pytest.raises(ApiError, match="Invalid request ID") as refused:
        execution_environment.runtime.respond("nobody's", 1)
    assert (refused.value.status, refused.value.error_type) == (400, "InvalidRequestID")


def test_an_extension_named_later_is_internal(execution_environment: ExecutionEnvironment) -> None:
    """It has no process, and cannot register for SHUTDOWN."""
    env = execution_environment
    env.init()
    inner = env.extension("inner")
    with pytest.raises(ApiError, match="ShutdownEventNotSupportedForInternalExtension"):
        inner.register("SHUTDOWN")
    assert inner.register("INVOKE").identifier


def test_a_handler_and_an_init_that_fail(execution_environment: ExecutionEnvironment) -> None:
    """`error` and `init/error` carry type and message to the invoker."""
    env = execution_environment
    env.init()
    env.runtime.next()
    invocation = env.invoke(request_id="r1")
    env.runtime.fail("r1", "Function.Oops", "no luck")
    env.runtime.next()
    assert invocation.result().payload["errorMessage"] == "no luck"
    with pytest.raises(ApiError, match="InvalidStateTransition"):
        env.runtime.init_error()


def test_a_shutdown_with_its_budget(execution_environment: ExecutionEnvironment) -> None:
    """SIGTERM for the runtime, SHUTDOWN for the extension, SIGKILL after two seconds."""
    env = execution_environment
    stubborn = env.extension("stubborn")
    env.init()
    stubborn.register("SHUTDOWN")
    last = stubborn.next()
    env.runtime.next()
    env.runtime.ignore_sigterm()
    env.shut_down()
    env.advance(0.6)
    assert env.signals == [("runtime", "SIGTERM"), ("runtime", "SIGKILL")]
    assert last.event["shutdownReason"] == "spindown"
    env.advance(1.4)
    assert env.signals[2:] == [("stubborn", "SIGKILL")]
    assert env.phase == "gone"


def test_telemetry_reaches_a_real_socket(execution_environment: ExecutionEnvironment) -> None:
    """What is due by the environment's clock is sent over a real connection."""
    env = execution_environment
    received: list[str] = []
    came = threading.Event()

    def take(listener: socket.socket) -> None:
        wire, _ = listener.accept()
        with wire, wire.makefile("rb") as stream:
            head = b"".join(iter(stream.readline, b"\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].split()[0])
            received.extend(record["type"] for record in json.loads(stream.read(length)))
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        came.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        consumer = threading.Thread(target=take, args=(listener,))
        consumer.start()
        shipper = env.extension("shipper")
        env.init()
        shipper.register("SHUTDOWN")
        shipper.subscribe(f"http://sandbox:{listener.getsockname()[1]}", "platform")
        env.advance(1.0)
        assert came.wait(10)
        consumer.join()
    assert received == ["platform.initStart", "platform.telemetrySubscription"]


def test_a_client_of_ones_own(execution_environment: ExecutionEnvironment) -> None:
    """Anything that speaks HTTP to `runtime_api` is as good as the played processes."""
    env = execution_environment
    env.init()
    connection = http.client.HTTPConnection(env.runtime_api)
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    invocation = env.invoke(request_id="r1")
    assert connection.getresponse().read() == b"{}"
    connection.request("POST", "/2018-06-01/runtime/invocation/r1/response", b"1")
    assert connection.getresponse().read() == b'{"status":"OK"}\n'
    connection.close()
    env.runtime.next()
    assert invocation.result().payload == 1


@pytest.mark.execution_environment(max_concurrency=2)
def test_managed_instances(execution_environment: ExecutionEnvironment) -> None:
    """Two invocations at once in one environment."""
    env = execution_environment
    env.init()
    polls = [env.runtime.next(), env.runtime.next()]
    invocations = [env.invoke(number, request_id=f"r{number}") for number in (1, 2)]
    assert [poll.event.payload for poll in polls] == [1, 2]
    for number in (2, 1):
        env.runtime.respond(f"r{number}", number)
    assert [invocation.result().payload for invocation in invocations] == [1, 2]


def test_a_restore() -> None:
    """The poll for the restore is parked at the snapshot; an hour later it is released."""
    with ExecutionEnvironment(snapstart=True) as env:
        env.init()
        released = env.runtime.restore_next()
        assert (env.phase, released.is_parked) == ("snapshot", True)
        env.advance(3600)
        env.restore()
        assert (released.answer().status, released.answer().body) == (200, b"")
        assert env.phase == "restore"
        env.advance(0.5)
        poll = env.runtime.next()
        assert env.phase == "idle"
        invocation = env.invoke(request_id="r1")
        assert poll.event.request_id == "r1"
        env.runtime.respond("r1")
        env.runtime.next()
        assert invocation.result().report.restore_ms == 500.0


def test_a_restore_that_takes_too_long() -> None:
    """Ten seconds, which take no time here."""
    with ExecutionEnvironment(snapstart=True) as env:
        env.init()
        env.runtime.restore_next()
        invocation = env.invoke()
        env.advance(10)
        assert invocation.result().report.error_type == "Runtime.RestoreHookUserTimeout"


def test_a_hook_that_fails_after_the_restore() -> None:
    """What is reported is refused before the restore, and taken in it."""
    with ExecutionEnvironment(snapstart=True) as env:
        env.init()
        with pytest.raises(ApiError, match="from Started to RuntimeRestoreErrorState"):
            env.runtime.restore_error()
        env.runtime.restore_next()
        invocation = env.invoke()
        assert env.runtime.restore_error(message="no network").status == 202
        env.runtime.exit(65)
        assert invocation.result().payload["errorMessage"] == "no network"


@pytest.mark.execution_environment(log_format="json")
def test_platform_lines_in_json(execution_environment: ExecutionEnvironment) -> None:
    """The log format is called as everywhere else; another one is refused in one sentence."""
    env = execution_environment
    env.init()
    env.runtime.next()
    env.invoke(request_id="r1")
    assert json.loads(env.log)["type"] == "platform.start"
    with pytest.raises(SetupError, match="the log format is text or json, not JSON"):
        ExecutionEnvironment(log_format="JSON")


def test_managed_instances_are_not_restored() -> None:
    """One sentence for what Lambda does not have."""
    with pytest.raises(SetupError, match="managed instances are not restored from snapshots"):
        ExecutionEnvironment(snapstart=True, max_concurrency=2)
