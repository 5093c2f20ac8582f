"""The referee is fair: placeholders, rules and the comparison do what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from tests.support.accounts import hand_over, take_over, tell_at_the_end, write_accounts
from tests.support.deviations import Change, repeat_init, rewrite
from tests.support.exchanges import Answer, differences
from tests.support.placeholders import Bindings
from tests.support.recorded import Expected, Request, Step, load_scenarios
from tests.support.replay_account import CONFORMANCE, Account
from tests.support.stagings import stage

ONE, TWO = "0f1e2d3c-4b5a-4968-8776-655443322110", "ffffffff-4b5a-4968-8776-655443322110"
NEXT = Request("GET", "/2018-06-01/runtime/invocation/next", [], b"")
REFUSED = Expected(403, [("Content-Type", "text/plain"), ("Content-Length", "2")], "no")


def test_a_placeholder_stands_for_one_value_in_a_scenario() -> None:
    """The same name is the same uuid, another name another one, and only a uuid is a uuid."""
    bindings = Bindings()
    assert not bindings.matches("id <uuid:1>", "id 1")
    assert bindings.matches("id <uuid:1>, again <uuid:1>", f"id {ONE}, again {ONE}")
    assert not bindings.matches("<uuid:1>", TWO)
    assert not bindings.matches("<uuid:2>", ONE)
    assert bindings.fill("{<uuid:1|upper>}") == "{" + ONE.upper() + "}"
    assert bindings.fill("<uuid:2>") is None


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (400, [("Content-Type", "text/plain"), ("Content-Length", "2")], b"no"),
        (403, [("Content-Length", "2"), ("Content-Type", "text/plain")], b"no"),
        (403, [("content-type", "text/plain"), ("Content-Length", "2")], b"no"),
        (403, [("Content-Type", "text/html"), ("Content-Length", "2")], b"no"),
        (403, [("Content-Type", "text/plain"), ("Content-Length", "3")], b"no\n"),
        (403, [("Content-Type", "text/plain"), ("Content-Length", "3")], b"no"),
        (403, [("Content-Type", "text/plain")], b"no"),
    ],
)
def test_every_part_of_an_answer_counts(
    status: int, headers: list[tuple[str, str]], body: bytes
) -> None:
    """Another status, header name, order, value, length or body is a difference."""
    same = Answer(403, [("Content-Type", "text/plain"), ("Content-Length", "2")], b"no")
    assert differences(REFUSED, same, Bindings()) == []
    assert differences(REFUSED, Answer(status, headers, body), Bindings())


def test_how_a_call_ends_counts() -> None:
    """Pending, closed and refused are three things, and none of them is an answer."""
    bindings = Bindings()
    assert differences(Expected(), None, bindings) == []
    assert differences(Expected(error="connection refused"), "connection refused", bindings) == []
    assert differences(Expected(), "connection refused", bindings)
    assert differences(Expected(error="connection refused"), None, bindings)
    assert differences(REFUSED, None, bindings)
    assert differences(Expected(), Answer(200, [], b""), bindings)


def test_a_rule_rewrites_what_it_names_and_nothing_else() -> None:
    """Status, a header in its place, and the matched part of the body."""
    change = Change(
        when={"status": 403, "body": "n(o)"},
        then={"status": 409, "set": {"Content-Type": "text/html"}, "body": r"g\1"},
    )
    rewritten = rewrite(change, Step("runtime", 1, 2, NEXT, REFUSED)).expected
    assert rewritten == Expected(
        409, [("Content-Type", "text/html"), ("Content-Length", "2")], "go"
    )


def test_a_repeated_init_has_ids_of_its_own() -> None:
    """The second life plays the same steps, before the invoker has its answer, with other uuids."""
    invoke = Step("invoker", 0, 30, replace(NEXT, method="POST"), REFUSED)
    register = Step("ext:a", 10, 11, NEXT, Expected(200, [("Id", "<uuid:1>")]))
    steps = repeat_init([invoke, register, Step("ext:a", 20, action="exit", detail=1)])
    assert [(step.actor, step.at) for step in steps[3:]] == [("ext:a", 21), ("ext:a", 31)]
    assert steps[3].expected.headers == [("Id", "<uuid:1.again>")]
    assert steps[0].completed == 41


def test_every_rule_says_why_and_whence() -> None:
    """A rule without a reason or a source is an excuse."""
    account = Account()
    assert all(rule.reason and rule.source and rule.changes for rule in account.deviations.rules)
    names = [rule.name for rule in account.deviations.rules]
    assert len(set(names)) == len(names)


def test_all_recordings_are_here() -> None:
    """Nothing of the recording is left out by how it is read."""
    scenarios = list(load_scenarios(CONFORMANCE / "vectors"))
    recorded = [scenario for scenario in scenarios if scenario.source == "recorded"]
    exchanges = [s for scenario in recorded for s in scenario.steps if s.request is not None]
    assert (len(scenarios), len(recorded), len(exchanges)) == (147, 130, 692)


def test_what_was_read_is_staged_whole() -> None:
    """Each exchange that was read is among those of its scenario, with its request and answer."""
    group = json.loads((CONFORMANCE / "vectors" / "30_read_only.json").read_text())
    for read in group["scenarios"]:
        staged = stage(read)["steps"]
        for step in read["steps"]:
            assert any(_is_in(step, each) for each in staged), read["name"]


def _is_in(step: dict[str, Any], staged: dict[str, Any]) -> bool:
    request, response = step.get("request"), step.get("response", {})
    given = staged.get("response", {})
    return (
        (request, step.get("event")) == (staged.get("request"), staged.get("event"))
        and all(response.get(name) == given.get(name) for name in ("status", "body", "trailers"))
        and all(header in given.get("headers", []) for header in response.get("headers", []))
    )


class _Side:
    """One side of pytest-xdist, as far as accounts go."""

    def __init__(self, workeroutput: dict[str, Any] | None = None) -> None:
        self.stash = pytest.Stash()
        if workeroutput is not None:
            self.workeroutput = workeroutput
        self.told: list[str] = []

    section = write_line = lambda self, text: self.told.append(text)


def test_the_account_of_a_worker_is_printed() -> None:
    """Workers of pytest-xdist hand their lines to the process that prints."""
    output: dict[str, Any] = {}
    worker, controller = cast("Any", _Side(output)), cast("Any", _Side())
    tell_at_the_end(worker, "title", lambda: ["line"])
    hand_over(worker)
    take_over(controller, output)
    write_accounts(controller, controller)
    assert controller.told == ["title", "line"]
