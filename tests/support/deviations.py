"""Named rules: where AWS does otherwise than its emulator, and what is expected instead.

A rule has a `name`, a `reason`, a `source` and changes, each a condition `when` and a rewriting
`then`. All changes are tried, in order, on each step; several may rewrite one.

`when`, of which every key must hold: `scenario`, `actor`, `action`, `detail`, `method`, `path`,
`error` and the facts of the invocation (`delivered`,
`outcome`, `posted_type`, `trace`, `type`) are regular
expressions for the whole text; `body` is looked for in the expected body; `header` is the name of
an expected header, `request_header` of a sent one; `status` is a number, `pending` is true.

`then`: `status`, `error`, `pending`, `detail` replace what is expected; `body` replaces what
`when.body` matched (`\\1`: its groups), or else all. `headers` replaces all but Content-Length;
`set` gives headers new values in their places, `drop` takes them away, `add` puts them in by name
as the emulator sorts them, `insert` after another; `framing` adds what comes last. `{request_id}`
and the other facts may stand in bodies and headers. `early` lets the call end before steps that it
outlasted in the recording. `actor`, `path` and `sent` replace who sends the request, where to and
its body, `sent_bytes` makes one of so many bytes; `trailers` replaces those of the answer.
`shorten` takes bytes out of the middle of the bodies, `dropped` leaves the step out. `lines` are
substitutions in the log's lines. `variables` changes the variables of a process (`-`: it has none
of that name). `repeat` plays the processes' part of a failed init once more, `init_limit` shortens
init and restore to so many seconds. `invoked` begins the scenario with an invocation that stays
open; `polls` gives the answers of polls that were sent in the same moment the order of their
request ids.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.support.recorded import INVOKE_PATH, Expected, Pairs, Request, Scenario, Step

FRAMING = ("Content-Length", "Transfer-Encoding", "Connection")
WITHHELD = "-"
SCRIPT_KEYS = {"repeat", "init_limit", "invoked", "polls"}


@dataclass(frozen=True)
class Change:
    """One condition and what is expected where it holds."""

    when: dict[str, Any]
    then: dict[str, Any]

    def fits(self, scenario: Scenario, step: Step) -> bool:
        return all(_holds(key, wanted, scenario, step) for key, wanted in self.when.items())


@dataclass(frozen=True)
class Rule:
    """One deviation."""

    name: str
    reason: str
    source: str
    changes: list[Change]


class Deviations:
    """All rules, and how often each of their changes was used."""

    def __init__(self, path: Path) -> None:
        tables = tomllib.loads(path.read_text())["rule"]
        self.rules = [
            Rule(t["name"], t["reason"], t["source"], [Change(**change) for change in t["change"]])
            for t in tables
        ]
        self.uses = {rule.name: [0] * len(rule.changes) for rule in self.rules}

    def apply(self, scenario: Scenario) -> Scenario:
        """The scenario as AWS would have played it."""
        for uses, number, change in self._changes(is_script=True):
            if any(change.fits(scenario, step) for step in scenario.steps):
                uses[number] += 1
                scenario = restage(change, scenario)
        rewritten = [self._rewritten(scenario, step) for step in scenario.steps]
        return replace(scenario, steps=[step for step in rewritten if step is not None])

    def unused(self) -> list[str]:
        """The changes that were never used, by the names of their rules."""
        return [
            f"{name}: change {number + 1}"
            for name, uses in self.uses.items()
            for number, times in enumerate(uses)
            if times == 0
        ]

    def _rewritten(self, scenario: Scenario, step: Step) -> Step | None:
        for uses, number, change in self._changes(is_script=False):
            if change.fits(scenario, step):
                uses[number] += 1
                if change.then.get("dropped"):
                    return None
                step = rewrite(change, step)
        return step

    def _changes(self, *, is_script: bool) -> Iterator[tuple[list[int], int, Change]]:
        for rule in self.rules:
            for number, change in enumerate(rule.changes):
                if bool(change.then.keys() & SCRIPT_KEYS) is is_script:
                    yield self.uses[rule.name], number, change


def _holds(key: str, wanted: Any, scenario: Scenario, step: Step) -> bool:
    """Whether one key of a condition holds; the keys of exchanges never do for an action."""
    texts = {"scenario": scenario.name, "actor": step.actor, "action": step.action}
    texts["detail"] = str(step.detail)
    if key in texts:
        return re.fullmatch(wanted, texts[key], re.DOTALL) is not None
    if step.request is None:
        return False
    return _exchange_holds(key, wanted, step.request, step)


def _exchange_holds(key: str, wanted: Any, request: Request, step: Step) -> bool:
    expected = step.expected
    if key in ("status", "pending"):
        return bool(wanted == (expected.status if key == "status" else expected.is_pending))
    if key in ("header", "request_header"):
        pairs = expected.headers if key == "header" else request.headers
        return any(re.fullmatch(wanted, name) for name, _ in pairs)
    if key == "body":
        return isinstance(expected.body, str) and re.search(wanted, expected.body) is not None
    texts = {"method": request.method, "path": request.path, "error": expected.error}
    found = (texts | step.facts).get(key)
    return found is not None and re.fullmatch(wanted, found) is not None


def rewrite(change: Change, step: Step) -> Step:
    """The step as the rule expects it."""
    then = change.then
    if "detail" in then:
        return replace(step, detail=then["detail"])
    if "lines" in then:
        return replace(step, detail=_with_lines(step.detail, then["lines"]))
    if "variables" in then:
        changed: dict[str, str] = {**step.detail, **then["variables"]}
        kept = {name: value for name, value in changed.items() if value != WITHHELD}
        return replace(step, detail=kept)
    step = _resent(step, then)
    if then.get("early"):
        step = replace(step, may_be_early=True)
    if then.get("pending"):
        return replace(step, expected=Expected(), completed=None)
    expected = step.expected
    if "error" in then:
        expected = Expected(error=then["error"])
    elif "status" in then:
        expected = replace(expected, status=then["status"], error=None)
    if "trailers" in then:
        expected = replace(expected, trailers=_pairs(then["trailers"]))
    if "body" in then:
        expected = replace(expected, body=_body(change, expected.body, step.facts))
    headers = _headers(expected.headers, then, step.facts)
    step = replace(step, expected=replace(expected, headers=headers))
    return shortened(step, then["shorten"]) if "shorten" in then else step


def _resent(step: Step, then: dict[str, Any]) -> Step:
    """The step with what the rule says of its request."""
    request = step.request
    if request is None:
        return step
    if "sent" in then:
        request = replace(request, body=then["sent"].encode())
    if "sent_bytes" in then:
        request = replace(request, body=b"x" * then["sent_bytes"])
    if "path" in then:
        request = replace(request, path=then["path"])
    return replace(step, request=request, actor=then.get("actor", step.actor))


def shortened(step: Step, size: int) -> Step:
    """Without so many bytes from the middle of the request's body and of the answer's."""
    request, expected = step.request, step.expected
    if request is not None and len(request.body) > size:
        request = replace(request, body=request.body[: -size - 1] + request.body[-1:])
    if isinstance(expected.body, bytes):
        expected = replace(expected, body=expected.body[: -size - 1] + expected.body[-1:])
    return replace(step, request=request, expected=expected)


def _pairs(pairs: list[list[str]]) -> Pairs:
    return [(name, value) for name, value in pairs]


def _with_lines(text: str, substitutions: list[list[str]]) -> str:
    for pattern, template in substitutions:
        text = re.sub(pattern, template, text, flags=re.MULTILINE)
    return text


def _body(change: Change, body: str | bytes, facts: dict[str, str]) -> str:
    template = _filled(change.then["body"], facts)
    if "body" not in change.when or isinstance(body, bytes):
        return template
    return re.sub(change.when["body"], template, body)


def _headers(headers: Pairs, then: dict[str, Any], facts: dict[str, str]) -> Pairs:
    framing = [pair for pair in headers if pair[0] in FRAMING]
    own = [pair for pair in headers if pair[0] not in FRAMING]
    if "headers" in then:
        own = _pairs(then["headers"])
        framing = [("Content-Length", "")]
    framing += then.get("framing", {}).items()
    changed: dict[str, str] = then.get("set", {})
    own = [(n, changed.get(n, v)) for n, v in own if n not in then.get("drop", ())]
    if "add" in then:
        own = sorted((dict(own) | then["add"]).items())
    if "insert" in then:
        where = next(i for i, (name, _) in enumerate(own) if name == then["insert"]["after"])
        own.insert(where + 1, (then["insert"]["name"], then["insert"]["value"]))
    framing = [pair for pair in framing if pair[0] not in then.get("drop", ())]
    return [(name, _filled(value, facts)) for name, value in own] + framing


def _filled(text: str, facts: dict[str, str]) -> str:
    for name, value in facts.items():
        text = text.replace("{" + name + "}", value)
    return text


# --- Scripts ------------------------------------------------------------------------------------


def restage(change: Change, scenario: Scenario) -> Scenario:
    """The scenario with another script."""
    if "init_limit" in change.then:
        return replace(scenario, init_limit=change.then["init_limit"])
    if "invoked" in change.then:
        request = Request("POST", INVOKE_PATH, [], b"{}")
        return replace(scenario, steps=[Step("invoker", -1, request=request), *scenario.steps])
    if "polls" in change.then:
        return replace(scenario, steps=in_order(scenario.steps))
    return replace(scenario, steps=repeat_init(scenario.steps))


def in_order(steps: list[Step]) -> list[Step]:
    """The polls that stand before any invocation, answered by request id."""
    count = next(i for i, step in enumerate(steps) if step.actor.startswith("invoker"))
    answers = sorted(
        steps[:count],
        key=lambda poll: dict(poll.expected.headers)["Lambda-Runtime-Aws-Request-Id"],
    )
    polls = [
        replace(poll, expected=answered.expected, facts=answered.facts)
        for poll, answered in zip(steps[:count], answers, strict=True)
    ]
    return [*polls, *steps[count:]]


def repeat_init(steps: list[Step]) -> list[Step]:
    """The part of the processes up to the exits that failed the init, twice; with other uuids."""
    exits = [i for i, step in enumerate(steps) if step.action == "exit"]
    if not exits:
        return steps  # what did not start does nothing, again
    last = exits[0]
    while last + 1 < len(steps) and steps[last + 1].action == "exit":
        last += 1
    played = [step for step in steps[: last + 1] if step.actor.partition(":")[0] in _PROCESSES]
    cut = steps[last].at
    delay = cut - played[0].at + 1
    before = [_later(step, delay, cut) for step in steps[: last + 1]]
    after = [_later(step, delay, cut) for step in steps[last + 1 :]]
    return [*before, *(_again(step, delay) for step in played), *after]


_PROCESSES = ("runtime", "ext", "int")


def _later(step: Step, delay: float, cut: float) -> Step:
    """What came after the cut comes later by what is played again there."""
    completed = step.completed
    if completed is not None and completed > cut:
        completed += delay
    return replace(step, at=step.at + delay * (step.at > cut), completed=completed)


def _again(step: Step, delay: float) -> Step:
    def other(text: str) -> str:
        return re.sub(r"<uuid:(\d+)", r"<uuid:\1.again", text)

    request, expected = step.request, step.expected
    if request is not None:
        pairs = [(name, other(value)) for name, value in request.headers]
        request = replace(request, path=other(request.path), headers=pairs)
        body = other(expected.body) if isinstance(expected.body, str) else expected.body
        pairs = [(name, other(value)) for name, value in expected.headers]
        expected = replace(expected, headers=pairs, body=body)
    completed = None if step.completed is None else step.completed + delay
    return replace(
        step, at=step.at + delay, completed=completed, request=request, expected=expected
    )
