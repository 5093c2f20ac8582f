"""EventInvokeConfig as templates have it: of a SAM function, and a resource of its own.

Source: "EventInvokeConfiguration", AWS SAM Developer Guide; "AWS::Lambda::EventInvokeConfig".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SETTINGS = ("MaximumEventAgeInSeconds", "MaximumRetryAttempts")


def event_invoke_body(said: Mapping[str, Any]) -> dict[str, Any]:
    """The body of PutFunctionEventInvokeConfig; numbers may be texts, as in any template."""
    body: dict[str, Any] = {name: int(said[name]) for name in _SETTINGS if name in said}
    targets = {
        member: {"Destination": target["Destination"]}
        for member, target in (said.get("DestinationConfig") or {}).items()
        if "Destination" in target
    }
    return body | ({"DestinationConfig": targets} if targets else {})


def made_by_sam(said: Mapping[str, Any]) -> list[str]:
    """Destinations without an ARN, for which SAM makes a queue or a topic of its own."""
    return [
        f"{member} ({target.get('Type')})"
        for member, target in (said.get("DestinationConfig") or {}).items()
        if "Destination" not in target
    ]
