"""Events of CloudWatch Logs subscription filters.

Source: "Using CloudWatch Logs subscription filters", example 2: AWS Lambda.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence

from rapid_mock.events.values import ACCOUNT, REGION, Event, Moment, Origin

_FIRST_EVENT_ID = 31953106606966983378809025079804211143289615424298221568


def cloudwatch_logs(
    *messages: str,
    log_group: str = "my-log-group",
    log_stream: str = "my-log-stream",
    filters: Sequence[str] = ("my-filter",),
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """One log event per message, gzipped and in base64 as the filter delivers them."""
    origin = Origin(seed, at, region, account)
    data = {
        "messageType": "DATA_MESSAGE",
        "owner": account,
        "logGroup": log_group,
        "logStream": log_stream,
        "subscriptionFilters": list(filters),
        "logEvents": [
            {"id": str(_FIRST_EVENT_ID + place), "timestamp": origin.milliseconds, "message": text}
            for place, text in enumerate(messages or ("Hello from CloudWatch Logs!",))
        ],
    }
    packed = gzip.compress(json.dumps(data).encode(), mtime=0)
    return {"awslogs": {"data": base64.b64encode(packed).decode()}}
