"""Events of Amazon SNS: always one record, with `Url` spelled as functions get it.

Source: "Using Lambda with Amazon SNS".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

from rapid_mock.events.values import ACCOUNT, REGION, Body, Event, Moment, Origin, text_of


def sns(
    message: Body = "Hello from SNS!",
    *,
    subject: str | None = None,
    topic: str = "my-topic",
    attributes: Mapping[str, str | bytes | int | float] | None = None,
    message_id: str | None = None,
    region: str = REGION,
    account: str = ACCOUNT,
    at: Moment = None,
    seed: int | None = None,
) -> Event:
    """A notification published to `topic`; `attributes` are its message attributes."""
    origin = Origin(seed, at, region, account)
    topic_arn = origin.arn("sns", topic)
    subscription_arn = f"{topic_arn}:{origin.uuid()}"
    endpoint = f"https://sns.{region}.amazonaws.com"
    notification = {
        "SignatureVersion": "1",
        "Timestamp": origin.stamp(),
        "Signature": origin.token(256),
        "SigningCertUrl": f"{endpoint}/SimpleNotificationService-{origin.hexadecimal(32)}.pem",
        "MessageId": message_id or origin.uuid(),
        "Message": text_of(message),
        "MessageAttributes": {
            name: _message_attribute(value) for name, value in (attributes or {}).items()
        },
        "Type": "Notification",
        "UnsubscribeUrl": f"{endpoint}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}",
        "TopicArn": topic_arn,
        "Subject": subject,
    }
    record = {
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "EventSource": "aws:sns",
        "Sns": notification,
    }
    return {"Records": [record]}


def _message_attribute(value: str | bytes | float) -> dict[str, str]:
    if isinstance(value, bytes):
        return {"Type": "Binary", "Value": base64.b64encode(value).decode()}
    return {"Type": "String" if isinstance(value, str) else "Number", "Value": str(value)}
