"""Typical lives of an execution environment, step by step, and everything that may happen next.

A life is a generator over a `Script`; a test can stop it after any step and go on by itself. The
matrix tries every event after every step, the random walks begin somewhere inside a life.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import partial

from rapid_mock.lifecycle.effects import Spawn
from rapid_mock.lifecycle.events import (
    Ending,
    ExchangeVanished,
    MemoryExceeded,
    ProcessExited,
    RuntimeResponseBegun,
    RuntimeResponseEnded,
    SpawnFailed,
    TelemetryFlushed,
)
from rapid_mock.lifecycle.modes import CLASSIC, SNAP_START, Mode, managed_instances
from tests.support.lifecycle_script import FAULTY, Script

Life = Callable[[Script], Iterator[object]]

RUNTIME_STATES = frozenset(
    {
        ("ABSENT", None),
        ("STARTED", None),
        ("READY", None),
        ("INIT_ERROR", None),
        ("ABSENT", "PENDING"),
        ("STARTED", "PENDING"),
        ("READY", "PENDING"),
        ("INIT_ERROR", "PENDING"),
        ("READY", "DELIVERED"),
        ("READY", "RESPONDING"),
        ("READY", "RESPONDED"),
        ("READY", "RETURNED"),
        ("ABSENT", "FAILED"),
        ("STARTED", "FAILED"),
        ("READY", "FAILED"),
        ("INIT_ERROR", "FAILED"),
    }
)
"""Every state that a runtime and its invocation can be in together."""

CONCURRENT_STATES = frozenset(
    {
        ("ABSENT", None),
        ("STARTED", None),
        ("READY", None),
        ("INIT_ERROR", None),
        ("READY", "PENDING"),
        ("READY", "DELIVERED"),
        ("READY", "RESPONDING"),
        ("INIT_ERROR", "PENDING"),
        ("INIT_ERROR", "DELIVERED"),
        ("INIT_ERROR", "RESPONDING"),
        ("ABSENT", "FAILED"),
        ("STARTED", "FAILED"),
        ("READY", "FAILED"),
        ("INIT_ERROR", "FAILED"),
    }
)
"""The same where a runtime works on several at once: of the oldest of them."""


RESTORED_STATES = RUNTIME_STATES | {
    (runtime, invocation)
    for runtime in ("RESTORE_READY", "RESTORING", "RESTORE_ERROR")
    for invocation in (None, "PENDING", "FAILED")
}
"""The same where an environment is restored from a snapshot."""


def alone(script: Script) -> Iterator[object]:
    """No extension: two invocations, the second one fails; an idle end."""
    yield script.invoke("r1")
    yield script.runtime_next()
    call = script.begin_response("r1")
    yield call
    yield script.end_response(call, "r1")
    yield script.runtime_next()
    yield script.invoke("r2")
    yield script.report_error("r2")
    yield script.runtime_next()
    yield script.runtime_next()
    yield script.shut_down()
    yield script.exit("runtime", signal="killed")


def accompanied(script: Script) -> Iterator[object]:
    """One extension for INVOKE and SHUTDOWN, started ahead of the first invocation."""
    yield script.init()
    yield script.register("shipper", "INVOKE", "SHUTDOWN")
    yield script.extension_next("shipper")
    yield script.runtime_next()
    yield script.invoke("r1")
    yield script.extension_next("shipper")
    yield script.respond("r1")
    yield script.runtime_next()
    yield script.invoke("r2")
    yield script.respond("r2")
    yield script.runtime_next()
    yield script.extension_next("shipper")
    yield script.shut_down()
    yield script.exit("runtime", signal="terminated")
    yield script.exit("shipper", 0)


def with_all_kinds(script: Script) -> Iterator[object]:
    """Two external extensions and an internal one; a queue; a shutdown in the middle of work."""
    yield script.invoke("r1")
    yield script.register("shipper", "INVOKE")
    yield script.register("watcher", "SHUTDOWN")
    yield script.register("inner", "INVOKE")
    yield script.extension_next("inner")
    yield script.invoke("r2")
    yield script.runtime_next()
    yield script.extension_next("watcher")
    yield script.extension_next("shipper")
    yield script.begin_response("r1")
    yield script.shut_down()
    yield script.exit("runtime", 0)


def failing_init(script: Script) -> Iterator[object]:
    """Init fails, is repeated inside the invocation and fails again."""
    yield script.invoke("r1")
    yield script.register("shipper", "SHUTDOWN")
    yield script.report_init_error()
    yield script.exit("runtime", 1)
    yield script.extension_next("shipper")
    yield script.exit("shipper", 0)
    yield script.register("shipper", "SHUTDOWN")
    yield script.report_init_error()
    yield script.advance(3.0)
    yield script.exit("runtime", 1)
    yield script.exit("shipper", 0)
    yield script.init()
    yield script.register("shipper", "INVOKE")


def slow_init(script: Script) -> Iterator[object]:
    """Init runs out of time, then succeeds inside the invocation."""
    yield script.invoke("r1")
    yield script.register("shipper", "INVOKE", "SHUTDOWN")
    yield script.advance(10.0)
    yield script.exit("runtime", signal="terminated")
    yield script.extension_next("shipper")
    yield script.exit("shipper", 0)
    yield script.register("shipper", "INVOKE", "SHUTDOWN")
    yield script.runtime_next()
    yield script.extension_next("shipper")
    yield script.respond("r1")


def timed_out(script: Script) -> Iterator[object]:
    """A response that never ends; the extension ignores SHUTDOWN; the next invocation succeeds."""
    yield script.invoke("r1")
    yield script.register("shipper", "INVOKE", "SHUTDOWN")
    yield script.runtime_next()
    yield script.extension_next("shipper")
    yield script.begin_response("r1")
    yield script.advance(3.0)
    yield script.advance(0.6)
    yield script.exit("runtime", signal="killed")
    yield script.advance(1.4)
    yield script.exit("shipper", signal="killed")
    yield script.invoke("r2")
    yield script.register("shipper")
    yield script.runtime_next()
    yield script.extension_next("shipper")
    yield script.respond("r2")
    yield script.runtime_next()
    yield script.shut_down()
    yield script.exit("runtime", signal="terminated")
    yield script.exit("shipper", signal="killed")


def crashed(script: Script) -> Iterator[object]:
    """The runtime dies at work, then the extension does, then the runtime does while idle."""
    yield script.invoke("r1")
    yield script.register("inner", "INVOKE")
    yield script.register("shipper", "INVOKE", "SHUTDOWN")
    yield script.runtime_next()
    yield script.extension_next("shipper")
    yield script.exit("runtime", 3)
    yield script.exit("shipper", 0)
    yield script.invoke("r2")
    yield script.register("shipper", "INVOKE")
    yield script.runtime_next()
    yield script.extension_next("shipper")
    yield script.exit("shipper", 4)
    yield script.exit("runtime", signal="terminated")
    yield script.init()
    yield script.register("shipper")
    yield script.runtime_next()
    yield script.extension_next("shipper")
    yield script.exit("runtime", 5)


def vanishing(script: Script) -> Iterator[object]:
    """Clients of parked polls go away and come back."""
    yield script.init()
    yield script.register("shipper", "INVOKE")
    poll = script.runtime_next()
    event = script.extension_next("shipper")
    yield event
    yield script.vanish(poll)
    yield script.vanish(event)
    yield script.invoke("r1")
    yield script.extension_next("shipper")
    yield script.runtime_next()
    yield script.respond("r1")
    event = script.extension_next("shipper")
    yield event
    poll = script.runtime_next()
    yield poll
    yield script.vanish(poll)
    yield script.runtime_next()
    yield script.extension_exit_error("shipper")
    yield script.vanish(event)
    yield script.invoke("r2")


def listening(script: Script) -> Iterator[object]:
    """Subscriptions to telemetry, one of them refused; the shutdown waits for the rest of it."""
    yield script.init()
    yield script.register("shipper", "INVOKE", "SHUTDOWN")
    yield script.subscribe("shipper")
    yield script.register("inner", "INVOKE")
    yield script.subscribe("inner", FAULTY)
    yield script.extension_next("inner")
    yield script.extension_next("shipper")
    yield script.runtime_next()
    yield script.shut_down()
    yield script.exit("runtime", signal="terminated")
    yield script.tell(TelemetryFlushed())
    yield script.exit("shipper", 0)


def overlapping(script: Script) -> Iterator[object]:
    """Two at once, a third that waits; answers out of order, one of them streamed."""
    yield script.invoke("r1")
    yield script.register("shipper", "SHUTDOWN")
    yield script.register("inner")
    yield script.extension_next("inner")
    yield script.invoke("r2")
    yield script.invoke("r3")
    yield script.runtime_next()
    yield script.extension_next("shipper")
    yield script.runtime_next()
    call = script.begin_response("r1", mode="streaming")
    yield call
    yield script.report_error("r2")
    yield script.runtime_next()
    yield script.end_response(call, "r1")
    yield script.respond("r3", invocation_id=script.ledger.deliveries["r3"])
    yield script.runtime_next()
    yield script.shut_down()
    yield script.exit("runtime", signal="terminated")
    yield script.exit("shipper", 0)


def overdue(script: Script) -> Iterator[object]:
    """One invocation times out while another goes on; its answers come late; a worker vanishes."""
    yield script.init()
    poll = script.runtime_next()
    yield poll
    yield script.runtime_next()
    yield script.vanish(poll)
    yield script.runtime_next()
    yield script.invoke("r1")
    yield script.advance(2.0)
    yield script.invoke("r2")
    call = script.begin_response("r2")
    yield call
    yield script.advance(1.0)
    yield script.respond("r1")
    yield script.report_error("r1")
    yield script.end_response(call, "r2")
    yield script.invoke("r3")
    yield script.advance(3.0)
    yield script.exit("runtime", 0)


def breaking(script: Script) -> Iterator[object]:
    """A worker reports an init error when others are at work; then the extension dies."""
    yield script.init()
    yield script.register("shipper", "SHUTDOWN")
    yield script.extension_next("shipper")
    yield script.runtime_next()
    yield script.invoke("r1")
    yield script.report_init_error()
    yield script.runtime_next()
    yield script.invoke("r2")
    yield script.begin_response("r1")
    yield script.invoke("r3")
    yield script.exit("shipper", 2)
    yield script.exit("runtime", signal="killed")


def never_ready(script: Script) -> Iterator[object]:
    """Init fails for everybody who waits for it, and is not repeated."""
    yield script.invoke("r1")
    yield script.invoke("r2")
    yield script.register("shipper", "SHUTDOWN")
    yield script.invoke("r3")
    yield script.report_init_error()
    yield script.exit("runtime", 1)
    yield script.extension_next("shipper")
    yield script.exit("shipper", 0)
    yield script.invoke("r4")


def restored(script: Script) -> Iterator[object]:
    """An invocation restores; the next one crashes; the third begins anew and fails to restore."""
    yield script.init()
    yield script.register("shipper", "INVOKE", "SHUTDOWN")
    yield script.restore_next()
    yield script.extension_next("shipper")
    yield script.invoke("r1")
    yield script.runtime_next()
    yield script.respond("r1")
    yield script.runtime_next()
    yield script.extension_next("shipper")
    yield script.invoke("r2")
    yield script.exit("runtime", 1)
    yield script.exit("shipper", 0)
    yield script.invoke("r3")
    yield script.register("shipper", "INVOKE", "SHUTDOWN")
    yield script.restore_next()
    yield script.extension_next("shipper")
    yield script.report_restore_error()
    yield script.exit("runtime", 65)
    yield script.extension_next("shipper")
    yield script.exit("shipper", 0)


def slowly_restored(script: Script) -> Iterator[object]:
    """Restored ahead of any work, first by a runtime without hooks, then never."""
    yield script.init()
    yield script.runtime_next()
    yield script.restore()
    yield script.invoke("r1")
    yield script.begin_response("r1")
    yield script.exit("runtime", 1)
    yield script.init()
    poll = script.restore_next()
    yield poll
    yield script.vanish(poll)
    yield script.restore()
    yield script.advance(10.0)
    yield script.exit("runtime", signal="killed")


LIVES: dict[str, tuple[tuple[str, ...], Life]] = {
    "alone": ((), alone),
    "accompanied": (("shipper",), accompanied),
    "with all kinds": (("shipper", "watcher"), with_all_kinds),
    "failing init": (("shipper",), failing_init),
    "slow init": (("shipper",), slow_init),
    "timed out": (("shipper",), timed_out),
    "crashed": (("shipper",), crashed),
    "vanishing": (("shipper",), vanishing),
    "listening": (("shipper",), listening),
    "restored": (("shipper",), restored),
    "slowly restored": ((), slowly_restored),
    "overlapping": (("shipper",), overlapping),
    "overdue": ((), overdue),
    "breaking": (("shipper",), breaking),
    "never ready": (("shipper",), never_ready),
}
MODES: dict[str, Mode] = {
    "restored": SNAP_START,
    "slowly restored": SNAP_START,
    "overlapping": managed_instances(2),
    "overdue": managed_instances(2),
    "breaking": managed_instances(2),
    "never ready": managed_instances(3),
}
"""Of the lives that are not classic."""


def length(name: str) -> int:
    """How many steps a life has: a life is a straight line with one `yield` for each."""
    return inspect.getsource(LIVES[name][1]).count("    yield ")


def live(name: str, steps: int) -> Script:
    """The environment after that many steps of a life."""
    extensions, life = LIVES[name]
    script = Script(*extensions, mode=MODES.get(name, CLASSIC))
    for _ in zip(range(steps), life(script), strict=False):
        pass
    return script


# --- What may happen next -------------------------------------------------------------------

Happening = Callable[[Script], object]


def happenings(script: Script) -> dict[str, Happening]:
    """Everything that can happen now, by name; every event class, known and unknown parties."""
    return {
        **_service_happenings(),
        **_process_happenings(script),
        **_exchange_happenings(script),
        **_runtime_happenings(script),
        **_extension_happenings(),
    }


def _service_happenings() -> dict[str, Happening]:
    return {
        "init requested": Script.init,
        "restore requested": Script.restore,
        "invoke": lambda s: s.invoke(f"r{len(s.events) + 10}"),
        "shutdown": Script.shut_down,
        "memory": lambda s: s.sample_memory(64),
        "telemetry flushed": lambda s: s.tell(TelemetryFlushed()),
        "deadline": lambda s: s.advance(s.time_left or 0.0),
    }


def _process_happenings(script: Script) -> dict[str, Happening]:
    found: dict[str, Happening] = {
        "a stranger exits": lambda s: s.tell(ProcessExited(99, 0)),
        "a stranger does not start": lambda s: s.tell(SpawnFailed(99, "fork/exec /x: too late")),
    }
    for process in sorted(script.ledger.alive | {99}):
        outgrown = MemoryExceeded(process)
        found[f"process {process} outgrows"] = partial(Script.tell, event=outgrown)
    for process in sorted(script.ledger.alive):
        event = ProcessExited(process, 1)
        found[f"process {process} exits"] = partial(Script.tell, event=event)
    for process in sorted(fresh_processes(script)):
        failure = SpawnFailed(process, "fork/exec /x: no such file or directory")
        found[f"process {process} does not start"] = partial(Script.tell, event=failure)
    return found


def fresh_processes(script: Script) -> set[int]:
    """Those spawned in the last step: only they can turn out not to have started."""
    return script.ledger.alive & {
        effect.process for effect in script.last_effects if isinstance(effect, Spawn)
    }


def _exchange_happenings(script: Script) -> dict[str, Happening]:
    found: dict[str, Happening] = {"nobody vanishes": lambda s: s.tell(ExchangeVanished(9999))}
    for number, event in script.ledger.open.items():
        if isinstance(event, RuntimeResponseBegun):
            for ending in Ending:
                end = RuntimeResponseEnded(number, event.request_id, b"late", ending=ending)
                found[f"response {number} {ending.value}"] = partial(Script.tell, event=end)
        else:
            gone = ExchangeVanished(number)
            found[f"exchange {number} vanishes"] = partial(Script.tell, event=gone)
    return found


def _runtime_happenings(script: Script) -> dict[str, Happening]:
    found: dict[str, Happening] = {
        "next": Script.runtime_next,
        "init error": Script.report_init_error,
        "restore next": Script.restore_next,
        "restore error": Script.report_restore_error,
    }
    for request_id in sorted({"r1", *script.ledger.unfinished}):
        head = partial(Script.begin_response, request_id=request_id)
        found[f"head of a response to {request_id}"] = partial(head, mode="streaming")
        found[f"response to {request_id} in a bad mode"] = partial(head, mode="buffered")
        found[f"response to {request_id}"] = partial(Script.respond, request_id=request_id)
        found[f"error of {request_id}"] = partial(Script.report_error, request_id=request_id)
        stray = partial(Script.respond, request_id=request_id, invocation_id="another")
        found[f"response to another delivery of {request_id}"] = stray
    return found


def _extension_happenings() -> dict[str, Happening]:
    found: dict[str, Happening] = {
        "shipper registers": lambda s: s.register("shipper", "INVOKE", "SHUTDOWN"),
        "watcher registers": lambda s: s.register("watcher", "SHUTDOWN"),
        "inner registers": lambda s: s.register("inner", "INVOKE"),
        "inner registers badly": lambda s: s.register("inner", "SHUTDOWN"),
    }
    for name in ("shipper", "watcher", "inner", "stranger"):
        found[f"subscription of {name}"] = partial(Script.subscribe, name=name)
        found[f"next of {name}"] = partial(Script.extension_next, name=name)
        found[f"init error of {name}"] = partial(Script.extension_init_error, name=name)
        found[f"exit error of {name}"] = partial(Script.extension_exit_error, name=name)
    return found
