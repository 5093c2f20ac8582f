"""When rules with a schedule fire, over simulated time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid_mock.errors import InvalidSchedule
from rapid_mock.service.rules import ScheduledRule, ScheduledRules

ARN = "arn:aws:events:us-east-1:123456789012:rule/"
WEEK = 7 * 86_400


def moment(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


MONDAY = moment("2026-11-23 00:00")


def rule(expression: str, name: str = "r", *, is_enabled: bool = True) -> ScheduledRule:
    return ScheduledRule(f"{ARN}{name}", expression, is_enabled)


def live(rules: ScheduledRules, until: float) -> list[tuple[str, str]]:
    """Wake at each deadline; every firing as name and instant."""
    fired = []
    while (deadline := rules.deadline) is not None and deadline <= until:
        for firing in rules.handle_timeout(deadline):
            instant = datetime.fromtimestamp(firing.instant, UTC)
            fired.append((firing.rule.arn.rpartition("/")[2], f"{instant:%a %d %H:%M}"))
    return fired


@pytest.mark.parametrize(
    ("expression", "instants"),
    [
        ("rate(2 days)", ["Wed 25 00:00", "Fri 27 00:00", "Sun 29 00:00"]),
        ("cron(0 18 ? * MON-FRI *)", [f"{day} 18:00" for day in ("Mon 23", "Tue 24", "Wed 25")]),
        ("cron(30 6 ? * SUN,WED *)", ["Wed 25 06:30", "Sun 29 06:30"]),
        ("cron(15 10 L * ? *)", []),
        ("cron(0 9 ? * 5L *)", ["Thu 26 09:00"]),
        ("cron(0 9 ? * 2#4 *)", ["Mon 23 09:00"]),
        ("cron(0 12 28W * ? *)", ["Fri 27 12:00"]),
        ("cron(0 0 24/3 11 ? 2026)", ["Tue 24 00:00", "Fri 27 00:00"]),
        ("cron(59 23 29 * ? 2026)", ["Sun 29 23:59"]),
    ],
)
def test_a_schedule_fires_on_its_instants_over_a_week(expression: str, instants: list[str]) -> None:
    """From a Monday to the next, each instant once and nothing else."""
    rules = ScheduledRules()
    rules.put(rule(expression), MONDAY)
    fired = [instant for _, instant in live(rules, MONDAY + WEEK - 1)]
    assert fired[: len(instants)] == instants
    if "MON-FRI" not in expression:
        assert len(fired) == len(instants)


def test_every_minute_of_a_week_is_told_once() -> None:
    """10,080 firings, in order."""
    rules = ScheduledRules()
    rules.put(rule("cron(* * * * ? *)"), MONDAY - 1)
    fired = live(rules, MONDAY + WEEK - 1)
    assert len(fired) == len(set(fired)) == WEEK // 60


def test_a_disabled_rule_is_silent_until_it_is_enabled_again() -> None:
    """A rate goes on in its old rhythm, for its expression did not change."""
    rules = ScheduledRules()
    rules.put(rule("rate(1 hour)"), MONDAY)
    assert live(rules, MONDAY + 3600) == [("r", "Mon 23 01:00")]
    rules.put(rule("rate(1 hour)", is_enabled=False), MONDAY + 3700)
    assert rules.deadline is None
    rules.put(rule("rate(1 hour)"), MONDAY + 3 * 3600 + 10)
    assert live(rules, MONDAY + 4 * 3600) == [("r", "Mon 23 04:00")]


def test_a_new_rate_counts_from_the_moment_it_was_given() -> None:
    """Changing the expression starts the rhythm again."""
    rules = ScheduledRules()
    rules.put(rule("rate(1 hour)"), MONDAY)
    rules.put(rule("rate(5 minutes)"), MONDAY + 60)
    assert rules.deadline == MONDAY + 360


def test_rules_that_fire_together_are_told_together() -> None:
    """In the order of their instants, whatever the order they were made in."""
    rules = ScheduledRules()
    rules.put(rule("cron(10 0 * * ? *)", "late"), MONDAY)
    rules.put(rule("cron(5 0 * * ? *)", "early"), MONDAY)
    fired = rules.handle_timeout(MONDAY + 3600)
    assert [firing.rule.arn for firing in fired] == [f"{ARN}early", f"{ARN}late"]


def test_instants_that_were_slept_through_are_told_once() -> None:
    """A machine that was suspended for a night gets one firing, of the last instant."""
    rules = ScheduledRules()
    rules.put(rule("rate(5 minutes)"), MONDAY)
    (firing,) = rules.handle_timeout(MONDAY + 8 * 3600 + 30)
    assert firing.instant == MONDAY + 8 * 3600
    assert rules.deadline == MONDAY + 8 * 3600 + 300


def test_a_deleted_rule_fires_no_more() -> None:
    """Deleting one leaves the others alone."""
    rules = ScheduledRules()
    rules.put(rule("rate(5 minutes)", "a"), MONDAY)
    rules.put(rule("rate(7 minutes)", "b"), MONDAY)
    rules.forget(f"{ARN}a")
    rules.forget(f"{ARN}none")
    assert live(rules, MONDAY + 600) == [("b", "Mon 23 00:07")]


def test_what_is_no_schedule_is_refused_and_changes_nothing() -> None:
    """The rule stays as it was."""
    rules = ScheduledRules()
    rules.put(rule("rate(5 minutes)"), MONDAY)
    with pytest.raises(InvalidSchedule):
        rules.put(rule("every day"), MONDAY)
    assert rules.deadline == MONDAY + 300


@given(
    st.lists(
        st.sampled_from(["rate(7 minutes)", "cron(0/10 * * * ? *)", "rate(1 hour)"]), max_size=4
    ),
    st.lists(st.floats(0, 5000), max_size=30),
)
def test_the_deadline_always_lies_ahead(expressions: list[str], waits: list[float]) -> None:
    """However late anybody looks, nothing due is left behind and nothing fires before its time."""
    rules, now = ScheduledRules(), float(MONDAY)
    for number, expression in enumerate(expressions):
        rules.put(rule(expression, str(number)), now)
    for wait in waits:
        now += wait
        for firing in rules.handle_timeout(now):
            assert now - 3600 < firing.instant <= now
        assert rules.deadline is None or rules.deadline > now
