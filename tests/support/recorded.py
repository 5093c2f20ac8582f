"""Recorded exchanges: scenarios as data, and what a placeholder in them stands for."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.stagings import stage

Pairs = list[tuple[str, str]]

END = float("inf")
SIGNAL_MS = 100
"""How soon after a signal a call must have ended that ended because of it."""
INVOKE_PATH = "/2015-03-31/functions/function/invocations"
DIRECT_INVOKE_PATH = "/invoke/<reservation>"
"""How Lambda itself asks an environment for an invocation, as far as it could be read."""
ANYTHING = "<any>"
CAUSE_TYPE = "application/vnd.aws.lambda.error.cause+json"


@dataclass(frozen=True)
class Request:
    """A request as recorded, without Host and Content-Length."""

    method: str
    path: str
    headers: Pairs
    body: bytes
    chunks: list[bytes] | None = None
    trailers: Pairs = field(default_factory=list)
    content_length: int | None = None
    half_close_after: float | None = None
    then_send: list[tuple[float, bytes]] = field(default_factory=list)
    """Chunks that follow after so many seconds."""


@dataclass(frozen=True)
class Expected:
    """What came back: an answer, `error` (how the connection ended), or neither: it is pending."""

    status: int | None = None
    headers: Pairs = field(default_factory=list)
    body: str | bytes = ""
    error: str | None = None
    trailers: Pairs = field(default_factory=list)

    @property
    def is_pending(self) -> bool:
        return self.status is None and self.error is None


@dataclass(frozen=True)
class Step:
    """One exchange, or one action of an actor; times in ms of the recording."""

    actor: str
    at: float
    completed: float | None = None
    request: Request | None = None
    expected: Expected = Expected()
    action: str = ""
    detail: Any = None
    facts: dict[str, str] = field(default_factory=dict)
    """What is known of the invocation of an exchange, for the rules: see `add_context`."""
    may_be_early: bool = False
    elapsed: float | None = None
    """For calls that ended by a timeout: how many ms they took."""


@dataclass(frozen=True)
class Scenario:
    """One recorded story."""

    name: str
    mode: str
    source: str
    env: dict[str, str]
    external: list[str]
    not_executable: list[str]
    bootstrap_args: list[str]
    rie_args: list[str]
    steps: list[Step]
    init_limit: float | None = None
    """Seconds after which the init phase, or the restore, ends, if not 10."""
    layer_files: list[str] = field(default_factory=list)
    """Files in the root of the layer that the extensions lie in."""

    @property
    def is_eager(self) -> bool:
        """Whether an environment starts before it is invoked."""
        return self.mode == "managed-instances"


def load_scenarios(directory: Path) -> Iterator[Scenario]:
    """Every scenario of every group; named `group/scenario`.

    What was only read has nothing around it: a staging adds that.
    """
    for path in sorted(directory.glob("*.json")):
        for scenario in json.loads(path.read_text())["scenarios"]:
            is_recorded = scenario["source"] == "recorded"
            yield _scenario(path.stem, scenario if is_recorded else stage(scenario))


def _scenario(group: str, scenario: dict[str, Any]) -> Scenario:
    lines = scenario.get("rie_platform_stdout")
    started = re.findall(r"START RequestId: (\S+)", "\n".join(lines or ()))
    return Scenario(
        f"{group}/{scenario['name']}",
        scenario["mode"],
        scenario["source"],
        scenario["env"],
        scenario.get("external_extensions", []),
        scenario.get("non_executable_files_in_extensions_dir", []),
        scenario.get("bootstrap_args", []),
        scenario.get("rie_args", []),
        [
            *add_context(list(_with_prints(scenario)), scenario.get("started", started)),
            *_process_steps(scenario.get("facts", {})),
            *_telemetry_steps(_telemetry(scenario)),
            Step(
                "rie", END, action="lines", detail=ANYTHING if lines is None else "\n".join(lines)
            ),
        ],
        layer_files=scenario.get("layer_files", []),
    )


def _steps(steps: list[dict[str, Any]]) -> Iterator[Step]:
    """One step each; where no time was written down, when its actor's last call ended."""
    ends: dict[str, float] = {}
    for step in steps:
        actor = step["actor"]
        yield _step(step, step.get("at_ms", ends.get(actor, 0.0)))
        ends[actor] = step.get("completed_at_ms", ends.get(actor, 0.0))


def _step(step: dict[str, Any], at: float) -> Step:
    if "action" in step:
        detail = step.get("what", step.get("code", step.get("signal")))
        if "event" in step:
            detail = json.dumps(step["event"]).replace('"<int>"', "<ms>")
        return Step(step["actor"], at, action=step["action"], detail=detail)
    request, response = step["request"], step["response"]
    return Step(
        step["actor"],
        at,
        step.get("completed_at_ms", _assumed_end(at, response)),
        Request(
            request["method"],
            request["path"],
            _pairs(request["headers"]),
            _bytes(request["body"]),
            [_bytes(chunk) for chunk in request["chunks"]] if "chunks" in request else None,
            _pairs(request.get("trailers", [])),
            request.get("content_length_override"),
            request.get("half_close_after_s"),
            [(delay, _bytes(chunk)) for delay, chunk in request.get("then_send", [])],
        ),
        Expected(
            response.get("status"),
            _pairs(response.get("headers", [])),
            _text(response.get("body")),
            response.get("error"),
            _pairs(response.get("trailers", [])),
        ),
        elapsed=_long(response.get("elapsed_ms_approx")),
    )


def _long(elapsed: float | None) -> float | None:
    """Shorter waits were the recorder's own."""
    return elapsed if elapsed is not None and elapsed > 1000 else None


def _telemetry(scenario: dict[str, Any]) -> list[dict[str, Any]]:
    """What a subscriber was sent."""
    batches = scenario.get("facts", {}).get("delivered_batches", [])
    return [event for batch in batches for event in batch["events"]]


def _with_prints(scenario: dict[str, Any]) -> Iterator[Step]:
    """The steps, and ahead of the first invocation the lines that a subscriber got of them."""
    prints = [
        Step(actor, 0.0, action="print", detail=event["record"])
        for event in _telemetry(scenario)
        for kind, actor in (("function", "runtime"), ("extension", "ext:ext-a"))
        if event["type"] == kind
    ]
    signals = [each["at_ms"] for each in scenario["steps"] if each.get("action") == "signal"]
    for recorded in _steps(scenario["steps"]):
        ended_by_signal = any(0 <= (recorded.completed or 0) - at < SIGNAL_MS for at in signals)
        step = replace(recorded, elapsed=None if ended_by_signal else recorded.elapsed)
        if is_invoke(step):
            yield from (replace(each, at=step.at) for each in prints)
            prints = []
        yield step


def _telemetry_steps(events: list[dict[str, Any]]) -> Iterator[Step]:
    """At the end: what was delivered, an event a line; durations are what differs."""
    if events:
        lines = "\n".join(json.dumps(event) for event in events)
        detail = re.sub('"durationMs": [0-9.]+', '"durationMs": <ms>', lines)
        yield Step("rie", END, action="telemetry", detail=detail)


def _process_steps(facts: dict[str, Any]) -> Iterator[Step]:
    """What was seen of processes at the end: their variables and the runtime's arguments."""
    for actor, variables in (("runtime", "runtime_env"), ("ext:ext-a", "extension_env")):
        if variables in facts:
            yield Step(actor, END, action="variables", detail=facts[variables])
    if "runtime_argv" in facts:
        yield Step("runtime", END, action="arguments", detail=str(facts["runtime_argv"][1:]))


def _assumed_end(at: float, response: dict[str, Any]) -> float | None:
    """Calls whose end was not written down: refusals came at once, closed connections late."""
    if "status" not in response:
        return None
    return at + float(response.get("elapsed_ms_approx", 0))


def _pairs(pairs: list[list[str]]) -> Pairs:
    return [(name, value) for name, value in pairs]


def _bytes(body: str | dict[str, Any] | None) -> bytes:
    text = _text(body)
    return text if isinstance(text, bytes) else text.encode()


def _text(body: str | dict[str, Any] | None) -> str | bytes:
    if body is None or isinstance(body, str):
        return body or ""
    if "base64" in body:
        return base64.b64decode(body["base64"])
    return _whole(body)


def _whole(body: dict[str, Any]) -> bytes:
    """A long body, of which the ends are recorded: its middle is one byte over and over."""
    head: bytes = body["head"].encode()
    tail: bytes = body["tail"].encode()
    missing: int = body["length"] - len(head) - len(tail)
    whole = head + head[-1:] * missing + tail
    if hashlib.sha256(whole).hexdigest() != body["sha256"]:
        raise ValueError("the middle of this body is not known")
    return whole


# --- Which exchange belongs to which invocation -------------------------------------------------


def add_context(steps: list[Step], started: list[str]) -> list[Step]:
    """Give each exchange of an invocation its facts, texts that rules may ask for and use.

    `delivered` (`yes`, `no`), `request_id` and `trace` (placeholders, unless the invoker chose
    them), `type` (of the invoker's content), `outcome` (`response`, `error`, `oversized`, or
    empty: the runtime posted nothing that was accepted), `posted` and `posted_type` (its body and
    content type). `started` are the ids of the START lines, one for each invocation.
    """
    invokes = [step for step in steps if is_invoke(step)]
    found: list[tuple[Step, dict[str, str]]] = []
    for number, invoke in enumerate(invokes):
        chosen = dict(invoke.request.headers if invoke.request else ()).get("X-Amzn-RequestId")
        known = started[number] if number < len(started) else f"<uuid:invoke{number}>"
        request_id = known if chosen is None or known == chosen.lower() else chosen
        facts = _facts(invoke, number, request_id, was_delivered=_tells(steps, request_id))
        found.append((invoke, facts | _outcome(steps, invoke, request_id)))
    return [replace(step, facts=_facts_of(step, found)) for step in steps]


def is_invoke(step: Step) -> bool:
    return step.request is not None and step.request.path in (INVOKE_PATH, DIRECT_INVOKE_PATH)


def _facts(invoke: Step, number: int, request_id: str, *, was_delivered: bool) -> dict[str, str]:
    assert invoke.request is not None
    headers = dict(invoke.request.headers)
    return {
        "delivered": "yes" if was_delivered else "no",
        "request_id": request_id,
        "trace": headers.get("X-Amzn-Trace-Id", f"<trace:{number}>"),
        "type": headers.get("Content-Type", "application/json"),
    }


def _tells(steps: list[Step], request_id: str) -> bool:
    """Whether an event with this id reached a runtime."""
    return any(("Lambda-Runtime-Aws-Request-Id", request_id) in s.expected.headers for s in steps)


def _outcome(steps: list[Step], invoke: Step, request_id: str) -> dict[str, str]:
    """What the runtime posted for an invocation and was accepted, or refused for its size."""
    for step in steps:
        request = step.request
        path = "" if request is None else request.path.partition("?")[0]
        kind = path.rpartition("/")[2]
        is_post = request_id in path and kind in ("response", "error") and step.at >= invoke.at
        if request is not None and is_post and step.expected.status in (202, 413):
            body = request.body if request.chunks is None else b"".join(request.chunks)
            posted = body.decode("latin-1") if len(body) < 4000 else ""
            posted_type = dict(request.headers).get("Content-Type", "application/json")
            if kind == "error" and posted_type == CAUSE_TYPE:
                posted, posted_type = _without_cause(posted)
            return {
                "outcome": kind if step.expected.status == 202 else "oversized",
                "posted": posted,
                "posted_type": posted_type,
            }
    return {"outcome": "", "posted": "", "posted_type": ""}


def _without_cause(posted: str) -> tuple[str, str]:
    """An error that carries its cause, as the invoker gets it, and the type of that."""
    try:
        told = json.loads(posted)
        error = {name: told.get(name, "") for name in ("errorMessage", "errorType")}
    except (ValueError, AttributeError):
        return '"Invalid error body"', "application/octet-stream"
    if not all(isinstance(value, str) for value in error.values()):
        return '"Invalid error body"', "application/octet-stream"
    error |= {"stackTrace": told["stackTrace"]} if told.get("stackTrace") else {}
    text = json.dumps(error, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text, "application/json"


def _end(step: Step) -> float:
    return END if step.completed is None else step.completed


def _facts_of(step: Step, found: list[tuple[Step, dict[str, str]]]) -> dict[str, str]:
    """The facts of an invocation, for its own exchange and for the events that tell of it."""
    values = [value for _, value in step.expected.headers]
    told = "".join([*values, step.expected.body if isinstance(step.expected.body, str) else ""])
    mine = [
        facts
        for invoke, facts in found
        if invoke is step
        or (not is_invoke(step) and facts["request_id"] in told and invoke.at <= _end(step))
    ]
    return mine[-1] if mine else {}
