"""What is known of the engine's rules, and their schedules, which the engine never lets fire.

The engine is the truth: each change of a rule is followed by a look at what became of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rapid_mock.errors import RequestError
from rapid_mock.host.clock import Cancellable, Clock
from rapid_mock.service.event_pattern import EventPattern
from rapid_mock.service.rules import Firing, ScheduledRule, ScheduledRules
from rapid_mock.triggers.poller import Calls

LOOK_SECONDS = 30.0
"""A machine that slept notices so much later what it slept through."""


class _Rule(NamedTuple):
    pattern: EventPattern | None
    is_enabled: bool


class Rules:
    """The rules of one region; `on_firing` is told what a schedule lets fire.

    Make it inside the running loop; `clock` says how fast schedules pass.
    """

    def __init__(
        self,
        calls: Calls,
        clock: Clock,
        *,
        on_firing: Callable[[Firing], None],
        explain: Callable[[str], None],
    ) -> None:
        self._calls = calls
        self._clock = clock
        self._on_firing = on_firing
        self._explain = explain
        self._rules: dict[str, _Rule] = {}
        self._scheduled = ScheduledRules()
        self._timer: Cancellable | None = None

    async def learn(self, name: str, bus: str | None = None) -> None:
        """Look at a rule that was made or changed."""
        on_bus = {"EventBusName": bus} if bus else {}
        self._take(await self._calls.call("events", "describe_rule", Name=name, **on_bus))
        self._arm()

    def forget(self, arn: str) -> None:
        """A rule was deleted."""
        self._rules.pop(arn, None)
        self._scheduled.forget(arn)
        self._arm()

    def takes(self, arn: str, event: Mapping[str, Any]) -> bool:
        """Whether a rule lets an event through.

        The engine lets them all through a rule without a pattern, and through a disabled one.
        """
        rule = self._rules.get(arn)
        if rule is None or rule.pattern is None:
            return False
        return rule.is_enabled and rule.pattern.matches(event)

    async def restore(self) -> None:
        """Learn every rule that the engine has."""
        buses = await self._calls.call("events", "list_event_buses")
        for bus in buses["EventBuses"]:
            found: dict[str, Any] = {"NextToken": None}
            while "NextToken" in found:
                after = {"NextToken": found["NextToken"]} if found["NextToken"] else {}
                found = await self._calls.call(
                    "events", "list_rules", EventBusName=bus["Name"], **after
                )
                for rule in found["Rules"]:
                    self._take(rule)
        self._arm()

    def close(self) -> None:
        """Let nothing fire any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _take(self, rule: Mapping[str, Any]) -> None:
        arn, is_enabled = rule["Arn"], rule["State"] != "DISABLED"
        text, expression = rule.get("EventPattern"), rule.get("ScheduleExpression")
        try:
            self._rules[arn] = _Rule(EventPattern(text) if text else None, is_enabled)
            if expression:
                moment = self._clock.now().wall
                self._scheduled.put(ScheduledRule(arn, expression, is_enabled), moment)
            else:
                self._scheduled.forget(arn)
        except RequestError as refusal:
            self._explain(f"the rule {arn} has no effect here: {refusal}")

    # --- Time -------------------------------------------------------------------------------

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._scheduled.deadline
        if deadline is not None:
            monotonic, wall = self._clock.now()
            wait = min(max(deadline - wall, 0.0), LOOK_SECONDS)
            self._timer = self._clock.call_at(monotonic + wait, self._look)

    def _look(self) -> None:
        self._timer = None
        for firing in self._scheduled.handle_timeout(self._clock.now().wall):
            self._on_firing(firing)
        self._arm()
