"""How the benchmarks count: order of the rounds, ratios of one round, verdicts and exit codes."""

from __future__ import annotations

import sys

import pytest

from tests.benchmarks import __main__ as command
from tests.benchmarks.clients import json_event
from tests.benchmarks.report import LeftOut, Options, Sample, Target, interleave, median, ratio


def test_the_subjects_take_turns() -> None:
    """A B A B: a drift of the machine meets both."""
    order = []

    def measure(name: str) -> Sample:
        order.append(name)
        return {"us": float(len(order))}

    samples = interleave({"a": lambda: measure("a"), "b": lambda: measure("b")}, 2)
    assert order == ["a", "b", "a", "b"]
    assert samples == {"a": [{"us": 1.0}, {"us": 3.0}], "b": [{"us": 2.0}, {"us": 4.0}]}


def test_a_ratio_is_the_median_of_the_ratios_of_each_round() -> None:
    """It is not the ratio of the medians, which a slow round would bend."""
    samples = {
        "ours": [{"us": 1.0}, {"us": 30.0}, {"us": 4.0}],
        "theirs": [{"us": 4.0}, {"us": 60.0}, {"us": 5.0}],
    }
    assert ratio(samples, "ours", "theirs", "us") == 0.5
    assert median(samples, "ours", "us") == 4.0


@pytest.mark.parametrize(
    ("target", "is_met"),
    [
        (Target("t", 0.40, 0.40), True),
        (Target("t", 0.41, 0.40), False),
        (Target("t", 1.5, 1.5, at_most=False), True),
        (Target("t", 1.4, 1.5, at_most=False), False),
    ],
)
def test_a_target_is_met_at_its_limit(target: Target, *, is_met: bool) -> None:
    """At most, or at least; the limit itself is met."""
    assert target.is_met is is_met
    assert str(target).endswith("MISSED") is not is_met


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["good"], 0),
        (["bad"], 0),
        (["good", "--check"], 0),
        (["bad", "--check"], 1),
        (["bad", "--smoke"], 0),
        (["absent", "--check"], 0),
    ],
)
def test_only_check_turns_a_missed_target_into_a_failure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    status: int,
) -> None:
    """Exit code 1 for a missed target with --check; a member left out is named with its reason."""

    def absent(_: Options) -> list[Target]:
        raise LeftOut("no C compiler")

    members = {
        "good": lambda _: [Target("t", 1, 2)],
        "bad": lambda _: [Target("t", 3, 2)],
        "absent": absent,
    }
    monkeypatch.setattr(command, "MEMBERS", members)
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    assert command.main() == status
    left_out = "absent: left out, no C compiler" in capsys.readouterr().out
    assert left_out is (arguments[0] == "absent")


@pytest.mark.parametrize("size", [99, 10_000])
def test_an_event_has_the_size_it_is_named_by(size: int) -> None:
    """An event of n bytes is n bytes of JSON."""
    assert len(json_event(size)) == size
