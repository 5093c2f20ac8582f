"""What pushes events at a function, or another target of a rule, and the queue that carries them.

A subscription of a topic, a notification of a bucket and a target of a rule are one thing here: the
engine delivers to a queue of ours, and what arrives there becomes an event. The queue's tag says
whose it is, so that a service that starts again finds what it had.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

QUEUE_PREFIX = "rapid-mock-trigger-"
QUEUE_ARN = re.compile(rf"arn:aws[a-z-]*:sqs:[a-z0-9-]*:\d*:{QUEUE_PREFIX}[0-9a-f]+")
TAG = "rapid-mock-trigger"
SNS, S3, RULE = "sns", "s3", "events"


@dataclass(frozen=True, slots=True)
class PushTrigger:
    """One way from a source to a target.

    `kind` is SNS, S3 or RULE; `source_arn` of the topic, bucket or rule; `name` tells it from
    others of its source: the function's ARN, the notification's Id, the target's Id. `members` are
    what is known of it beside: a target as it was put, a subscription's ARN.
    """

    kind: str
    source_arn: str
    name: str
    target_arn: str
    members: Mapping[str, Any] = field(default_factory=dict)

    @property
    def queue_name(self) -> str:
        """The same for the same source and name, whatever the target."""
        identity = json.dumps([self.kind, self.source_arn, self.name])
        return QUEUE_PREFIX + hashlib.sha256(identity.encode()).hexdigest()[:32]

    def to_tag(self) -> str:
        return json.dumps(
            {
                "kind": self.kind,
                "source": self.source_arn,
                "name": self.name,
                "target": self.target_arn,
                "members": dict(self.members),
            }
        )


def from_tag(text: str) -> PushTrigger | None:
    """The trigger that a tag tells of; None for a tag that is none of ours."""
    try:
        told = json.loads(text)
        return PushTrigger(
            told["kind"], told["source"], told["name"], told["target"], told["members"]
        )
    except (ValueError, TypeError, KeyError):
        return None
