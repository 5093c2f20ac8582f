"""Delivers what a schedule lets fire to every target of its rule.

Source: "Creating a rule that runs on a schedule", Amazon EventBridge User Guide.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from rapid_mock.errors import CallFailed, ServiceError
from rapid_mock.events import scheduled
from rapid_mock.service.names import Place
from rapid_mock.service.push_triggers import RULE
from rapid_mock.service.rule_input import reserved_variables, target_input
from rapid_mock.service.rules import Firing
from rapid_mock.triggers.push import Deliver, PushTriggers


class FiringDelivery:
    """Tells the targets of a rule that fires; whom it does not reach is explained."""

    def __init__(
        self,
        triggers: PushTriggers,
        place: Place,
        *,
        deliver: Deliver,
        explain: Callable[[str], None],
    ) -> None:
        self._triggers = triggers
        self._place = place
        self._deliver = deliver
        self._explain = explain

    async def deliver(self, firing: Firing) -> None:
        """One event for all of them."""
        arn, (region, account) = firing.rule.arn, self._place
        name = arn.rpartition("/")[2]
        event = scheduled(name, region=region, account=account, at=firing.instant)
        variables = reserved_variables(arn, stamp(firing.instant))
        for trigger in self._triggers.of(RULE, arn):
            try:
                await self._deliver(trigger, target_input(trigger.members, event, variables))
            except (CallFailed, ServiceError) as error:
                self._explain(f"the schedule of {name} did not reach {trigger.target_arn}: {error}")


def stamp(moment: float) -> str:
    """Epoch seconds as EventBridge writes them."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
