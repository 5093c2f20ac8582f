"""What all shapes of events share: ids, moments, bodies."""

from __future__ import annotations

import base64
import json
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Event = dict[str, Any]
"""An event, ready for `json.dumps`."""

Moment = datetime | float | None
"""A datetime (UTC if it names no zone) or epoch seconds; None: now, with a seed 2026 begins."""

Body = str | bytes | Mapping[str, Any] | Sequence[Any]
"""Text as it is, bytes, or what is sent as its JSON text."""

REGION = "us-east-1"
ACCOUNT = "123456789012"

_MOMENT_OF_SEEDED_EVENTS = 1_767_225_600.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Origin:
    """Where an event comes from: its account and region, its moment, and the ids not given.

    `now` is in epoch seconds. Equal seeds throw equal ids.
    """

    def __init__(self, seed: int | None, at: Moment, region: str, account: str) -> None:
        self.region = region
        self.account = account
        self.now = _epoch_seconds(at, seed)
        self._dice = random.Random(seed)

    @property
    def milliseconds(self) -> int:
        """The moment in epoch milliseconds."""
        return round(self.now * 1000)

    @property
    def moment(self) -> datetime:
        """The moment as a UTC datetime with milliseconds."""
        return datetime.fromtimestamp(self.milliseconds / 1000, UTC)

    def arn(self, service: str, resource: str) -> str:
        """`arn:aws:<service>:<region>:<account>:<resource>`."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._dice.getrandbits(128), version=4))

    def hexadecimal(self, digits: int) -> str:
        return f"{self._dice.getrandbits(4 * digits):0{digits}x}"

    def letters(self, count: int, alphabet: str = "abcdefghijklmnopqrstuvwxyz0123456789") -> str:
        return "".join(self._dice.choices(alphabet, k=count))

    def token(self, size: int) -> str:
        """Base64 text of `size` random bytes."""
        return base64.b64encode(self._dice.randbytes(size)).decode()

    def stamp(self, timespec: str = "milliseconds") -> str:
        """The moment as `2026-01-01T00:00:00.000Z`; `timespec` as of `datetime.isoformat`."""
        return self.moment.isoformat(timespec=timespec).replace("+00:00", "Z")

    def request_time(self) -> str:
        """The moment as access logs write it: `09/Apr/2015:12:34:56 +0000`, in any locale."""
        moment = self.moment
        return f"{moment:%d}/{_MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0000"


def merge(*events: Event) -> Event:
    """One event with the `Records` of all, in their order.

    Raises ValueError when an event has no records.
    """
    if not all("Records" in event for event in events):
        raise ValueError("only events with Records can be merged")
    return {"Records": [record for event in events for record in event["Records"]]}


def text_of(body: Body) -> str:
    """A body as text: JSON for what is neither text nor bytes; bytes must be UTF-8."""
    if isinstance(body, str):
        return body
    if isinstance(body, bytes):
        return body.decode()
    return json.dumps(body)


def bytes_of(body: Body) -> bytes:
    return body if isinstance(body, bytes) else text_of(body).encode()


def _epoch_seconds(at: Moment, seed: int | None) -> float:
    if at is None:
        return time.time() if seed is None else _MOMENT_OF_SEEDED_EVENTS
    if not isinstance(at, datetime):
        return float(at)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
