"""Records as functions get them, from what boto3 and notification queues give a poller.

The pollers' counterpart of the factories beside it. What an embedded AWS leaves out of its
notifications is completed to AWS's shape.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from rapid_mock.events.objects import s3
from rapid_mock.events.values import Event


def sqs_record(message: Mapping[str, Any], queue_arn: str) -> dict[str, Any]:
    """A message of `ReceiveMessage`, received with all attributes."""
    system = message.get("Attributes", {})
    attributes = message.get("MessageAttributes", {})
    digest = {"md5OfMessageAttributes": message.get("MD5OfMessageAttributes")}
    is_plain_fifo = "MessageGroupId" in system and not attributes
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(system),
        "messageAttributes": {
            name: _message_attribute(attribute) for name, attribute in attributes.items()
        },
        **({} if is_plain_fifo else digest),
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": _region(queue_arn),
    }


def _message_attribute(attribute: Mapping[str, Any]) -> dict[str, Any]:
    value = (
        {"binaryValue": base64.b64encode(attribute["BinaryValue"]).decode()}
        if "BinaryValue" in attribute
        else {"stringValue": attribute["StringValue"]}
    )
    return {
        **value,
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": attribute["DataType"],
    }


def kinesis_record(
    record: Mapping[str, Any], stream_arn: str, shard_id: str, role_arn: str
) -> dict[str, Any]:
    """A record of `GetRecords`; `role_arn` is the function's execution role."""
    number = record["SequenceNumber"]
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": number,
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": epoch_seconds(record["ApproximateArrivalTimestamp"]),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": role_arn,
        "awsRegion": _region(stream_arn),
        "eventSourceARN": stream_arn,
    }


def dynamodb_record(record: Mapping[str, Any], stream_arn: str) -> dict[str, Any]:
    """A record of DynamoDB Streams' `GetRecords`."""
    change = {name: _encoded(value) for name, value in record["dynamodb"].items()}
    change["ApproximateCreationDateTime"] = int(
        epoch_seconds(record["dynamodb"]["ApproximateCreationDateTime"])
    )
    identity = record.get("userIdentity")
    return {
        "eventID": record["eventID"],
        "eventName": record["eventName"],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": _region(stream_arn),
        "dynamodb": change,
        "eventSourceARN": stream_arn,
        **({} if identity is None else {"userIdentity": _identity(identity)}),
    }


def _identity(identity: Mapping[str, str]) -> dict[str, str]:
    """boto3 capitalises the members that events have in lower case."""
    return {name[0].lower() + name[1:]: value for name, value in identity.items()}


def _encoded(value: Any) -> Any:
    """Attribute values with their bytes in base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return {name: _encoded(one) for name, one in value.items()}
    return [_encoded(one) for one in value] if isinstance(value, list) else value


def sns_event(notification: Mapping[str, Any], subscription_arn: str) -> Event:
    """The event of a notification as SNS sends it to queues and HTTP endpoints.

    The link to unsubscribe is that of this subscription.
    """
    renamed = {"SigningCertURL": "SigningCertUrl", "UnsubscribeURL": "UnsubscribeUrl"}
    body = {renamed.get(name, name): value for name, value in notification.items()}
    link, named, _ = str(body.get("UnsubscribeUrl", "")).partition("SubscriptionArn=")
    if named:
        body["UnsubscribeUrl"] = link + named + subscription_arn
    record = {
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "EventSource": "aws:sns",
        "Sns": {"MessageAttributes": {}, "Subject": None, **body},
    }
    return {"Records": [record]}


def s3_event(notification: Mapping[str, Any]) -> Event:
    """The event of a notification from which identities, request ids or the sequencer lack."""
    return {"Records": [_s3_record(record) for record in notification["Records"]]}


def _s3_record(record: Mapping[str, Any]) -> dict[str, Any]:
    found, bucket = record["s3"]["object"], record["s3"]["bucket"]
    (complete,) = s3(
        unquote_plus(found["key"]),
        bucket=bucket["name"],
        event_name=record["eventName"],
        size=found.get("size", 0),
        etag=found.get("eTag"),
        version_id=found.get("versionId"),
        configuration_id=record["s3"]["configurationId"],
        region=record["awsRegion"],
        at=datetime.fromisoformat(record["eventTime"]),
    )["Records"]
    kept = {name: value for name, value in record.items() if name != "s3"}
    objects = {**complete["s3"]["object"], **_only(found, "sequencer")}
    buckets = {**complete["s3"]["bucket"], **bucket}
    return {**complete, **kept, "s3": {**complete["s3"], "bucket": buckets, "object": objects}}


def bus_event(event: Mapping[str, Any], account: str) -> Event:
    """The event of a rule, complete and in EventBridge's order."""
    complete = {"account": account, **event}
    names = ("version", "id", "detail-type", "source", "account", "time", "region", "resources")
    return {**_only(complete, *names), "detail": complete.get("detail", {})}


def _only(members: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: members[name] for name in names if name in members}


def epoch_seconds(moment: datetime) -> float:
    """Epoch seconds with milliseconds, the precision that events have."""
    return round(moment.timestamp(), 3)


def _region(arn: str) -> str:
    return arn.split(":")[3]
