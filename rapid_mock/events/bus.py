"""Events of Amazon EventBridge: of a bus, and of a rule with a schedule.

Source: "AWS service event metadata" and "Creating a rule that runs on a schedule", Amazon
EventBridge User Guide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapid_mock.events.values import ACCOUNT, REGION, Event, Moment, Origin


def eventbridge(
    detail: Mapping[str, Any] | None = None,
    *,
    detail_type: str = "Something happened",
    source: str = "my.application",
    resources: Sequence[str] = (),
    event_id: str | None = None,
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """An event as a rule hands it to its targets; `resources` are ARNs."""
    origin = Origin(seed, at, region, account)
    return {
        "version": "0",
        "id": event_id or origin.uuid(),
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": origin.stamp("seconds"),
        "region": region,
        "resources": list(resources),
        "detail": dict(detail or {}),
    }


def scheduled(
    rule: str = "my-schedule",
    *,
    event_id: str | None = None,
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """What the rule named `rule` sends when its schedule fires."""
    return eventbridge(
        detail_type="Scheduled Event",
        source="aws.events",
        resources=[f"arn:aws:events:{region}:{account}:rule/{rule}"],
        event_id=event_id,
        region=region,
        account=account,
        at=at,
        seed=seed,
    )
