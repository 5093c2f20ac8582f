"""Events of Amazon SQS.

Source: "Using Lambda with Amazon SQS" and records as AWS delivers them; the digest of message
attributes: "Amazon SQS message metadata", "Calculating the MD5 message digest".
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from rapid_mock.events.received import sqs_record
from rapid_mock.events.values import ACCOUNT, REGION, Body, Event, Moment, Origin, text_of

AttributeValue = str | bytes | int | float
_STRING, _BINARY = b"\x01", b"\x02"


def sqs(
    *bodies: Body,
    queue: str = "my-queue",
    attributes: Mapping[str, AttributeValue] | None = None,
    message_ids: Sequence[str] = (),
    receive_count: int = 1,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    trace_header: str | None = None,
    sender_id: str = "AIDAIENQZJOLO23YVJ4VO",
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """A batch of one message per body, received from `queue` at `at`.

    `attributes` are the message attributes of every message: text, numbers or bytes.
    `message_ids` are given to the messages in order. With `group_id`, or a queue whose name ends
    in `.fifo`, the messages are FIFO messages with sequence numbers.
    """
    origin = Origin(seed, at, region, account)
    system: dict[str, str] = {
        "ApproximateReceiveCount": str(receive_count),
        "SentTimestamp": str(origin.milliseconds),
        "SenderId": sender_id,
        "ApproximateFirstReceiveTimestamp": str(origin.milliseconds + 1),
    }
    if trace_header is not None:
        system["AWSTraceHeader"] = trace_header
    is_fifo = group_id is not None or queue.endswith(".fifo")
    records = []
    for place, body in enumerate(bodies or ("Hello from SQS!",)):
        text = text_of(body)
        fifo = _fifo_attributes(origin, place, text, group_id, deduplication_id) if is_fifo else {}
        message = {
            "MessageId": message_ids[place] if place < len(message_ids) else origin.uuid(),
            "ReceiptHandle": origin.token(120),
            "Body": text,
            "MD5OfBody": _md5(text.encode()),
            "Attributes": system | fifo,
            **_message_attributes(attributes or {}),
        }
        records.append(sqs_record(message, origin.arn("sqs", queue)))
    return {"Records": records}


def _fifo_attributes(
    origin: Origin, place: int, body: str, group_id: str | None, deduplication_id: str | None
) -> dict[str, str]:
    content = hashlib.sha256(body.encode()).hexdigest()
    return {
        "SequenceNumber": str(18_849_496_460_467_696_128 + 256 * place),
        "MessageGroupId": group_id or origin.letters(8),
        "MessageDeduplicationId": deduplication_id or content,
    }


def _message_attributes(attributes: Mapping[str, AttributeValue]) -> dict[str, Any]:
    """Message attributes and their digest; neither is there without attributes."""
    encoded = b""
    described = {}
    for name, value in sorted(attributes.items()):
        is_binary = isinstance(value, bytes)
        kind = "Binary" if is_binary else "String" if isinstance(value, str) else "Number"
        raw = value if isinstance(value, bytes) else str(value).encode()
        encoded += _sized(name.encode()) + _sized(kind.encode())
        encoded += (_BINARY if is_binary else _STRING) + _sized(raw)
        content = {"BinaryValue": raw} if is_binary else {"StringValue": raw.decode()}
        described[name] = {**content, "DataType": kind}
    if not described:
        return {}
    return {"MessageAttributes": described, "MD5OfMessageAttributes": _md5(encoded)}


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
