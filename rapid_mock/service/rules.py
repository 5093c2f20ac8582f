"""Rules with a schedule: when which of them fires; no clock.

    rules.put(rule, now)                 # PutRule, EnableRule, DisableRule, as the rule is now
    rules.deadline                       # epoch seconds of the next firing, None without one
    firings = rules.handle_timeout(now)  # what is due, in the order of the instants

Times are epoch seconds. An instant that nobody looked at in time is told late, once: of a rule's
instants that have passed only the last one fires, as a service that was off fires none of them.
Source: "Creating a rule that runs on a schedule", EventBridge User Guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from rapid_mock.service.schedule import Schedule, parse_schedule


@dataclass(frozen=True, slots=True)
class ScheduledRule:
    """A rule as PutRule made it; `expression` is its ScheduleExpression."""

    arn: str
    expression: str
    is_enabled: bool = True


class Firing(NamedTuple):
    """A rule fires, for one instant of its schedule."""

    rule: ScheduledRule
    instant: int


@dataclass(slots=True)
class _Entry:
    rule: ScheduledRule
    schedule: Schedule
    due: int | None


class ScheduledRules:
    """The rules of one account, by ARN."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def put(self, rule: ScheduledRule, now: float) -> None:
        """A new rule, or one that was changed; raises InvalidSchedule.

        A rate counts from the moment its expression was given, an unchanged one is not disturbed.
        """
        before = self._entries.get(rule.arn)
        if before is not None and before.rule.expression == rule.expression:
            schedule = before.schedule
        else:
            schedule = parse_schedule(rule.expression, int(now))
        due = schedule.next_after(now) if rule.is_enabled else None
        self._entries[rule.arn] = _Entry(rule, schedule, due)

    def forget(self, arn: str) -> None:
        """The rule was deleted, or has no schedule any more."""
        self._entries.pop(arn, None)

    @property
    def deadline(self) -> int | None:
        return min(
            (each.due for each in self._entries.values() if each.due is not None), default=None
        )

    def handle_timeout(self, now: float) -> list[Firing]:
        """Let what is due fire; afterwards `deadline` lies ahead."""
        fired = []
        for entry in self._entries.values():
            instant = entry.due
            if instant is None or instant > now:
                continue
            while (following := entry.schedule.next_after(instant)) is not None:
                if following > now:
                    break
                instant = following
            entry.due = following
            fired.append(Firing(entry.rule, instant))
        return sorted(fired, key=lambda firing: firing.instant)
