"""Records made of what boto3 returns, against the records of AWS."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rapid_mock import events
from rapid_mock.events.received import (
    dynamodb_record,
    kinesis_record,
    s3_event,
    sns_event,
    sqs_record,
)
from tests.support.event_texts import Like

QUEUE = "arn:aws:sqs:eu-west-1:123456789012:orders"


def test_sqs_message() -> None:
    """A received message becomes a record, its binary attributes in base64."""
    message = {
        "MessageId": "m-1",
        "ReceiptHandle": "handle",
        "MD5OfBody": "098f6bcd4621d373cade4e832627b4f6",
        "Body": "test",
        "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
        "MD5OfMessageAttributes": "303881fbe35186cb4295d718cb53265b",
        "MessageAttributes": {
            "kind": {"StringValue": "order", "DataType": "String"},
            "raw": {"BinaryValue": b"\x00\x01", "DataType": "Binary"},
        },
    }
    assert sqs_record(message, QUEUE) == {
        "messageId": "m-1",
        "receiptHandle": "handle",
        "body": "test",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183"},
        "messageAttributes": {
            "kind": {
                "stringValue": "order",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            },
            "raw": {
                "binaryValue": "AAE=",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "Binary",
            },
        },
        "md5OfMessageAttributes": "303881fbe35186cb4295d718cb53265b",
        "md5OfBody": "098f6bcd4621d373cade4e832627b4f6",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders",
        "awsRegion": "eu-west-1",
    }


@pytest.mark.parametrize("group", [{}, {"MessageGroupId": "g"}])
def test_sqs_message_without_attributes(group: dict[str, str]) -> None:
    """The digest of no attributes is null, and absent from FIFO messages, as in the factory."""
    message = {"MessageId": "1", "ReceiptHandle": "h", "Body": "b", "MD5OfBody": "m"}
    record = sqs_record({**message, "Attributes": group}, QUEUE)
    made = events.sqs("b", group_id=group.get("MessageGroupId"))["Records"][0]
    assert list(record) == list(made)


def test_kinesis_record() -> None:
    """A record that was read has the factory's shape, its arrival in seconds with milliseconds."""
    record = kinesis_record(
        {
            "SequenceNumber": "495903",
            "ApproximateArrivalTimestamp": datetime(2018, 12, 17, 22, 10, 50, 987_123, tzinfo=UTC),
            "Data": b"Hello, this is a test.",
            "PartitionKey": "1",
        },
        "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
        "shardId-000000000006",
        "arn:aws:iam::123456789012:role/lambda-role",
    )
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "1",
            "sequenceNumber": "495903",
            "data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",
            "approximateArrivalTimestamp": 1545084650.987,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000006:495903",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "awsRegion": "us-east-2",
        "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
    }


def test_dynamodb_record() -> None:
    """A change that was read has version 1.1, whole seconds, bytes in base64 and JSON only."""
    stream = "arn:aws:dynamodb:us-east-2:123456789012:table/t/stream/2026-01-01T00:00:00.000"
    record = dynamodb_record(
        {
            "eventID": "1" * 32,
            "eventName": "REMOVE",
            "eventVersion": "1.0",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": datetime(2015, 4, 9, 12, 34, 56, tzinfo=UTC),
                "Keys": {"Id": {"N": "101"}},
                "OldImage": {
                    "Id": {"N": "101"},
                    "raw": {"M": {"parts": {"BS": [b"\x00\x01"]}, "all": {"L": [{"B": b"a"}]}}},
                },
                "SequenceNumber": "111",
                "SizeBytes": 26,
                "StreamViewType": "OLD_IMAGE",
            },
            "userIdentity": {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"},
        },
        stream,
    )
    assert record == {
        "eventID": "1" * 32,
        "eventName": "REMOVE",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-2",
        "dynamodb": {
            "ApproximateCreationDateTime": 1428582896,
            "Keys": {"Id": {"N": "101"}},
            "OldImage": {
                "Id": {"N": "101"},
                "raw": {"M": {"parts": {"BS": ["AAE="]}, "all": {"L": [{"B": "YQ=="}]}}},
            },
            "SequenceNumber": "111",
            "SizeBytes": 26,
            "StreamViewType": "OLD_IMAGE",
        },
        "eventSourceARN": stream,
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
    }
    assert json.loads(json.dumps(record)) == record


NOTIFICATION = {
    "Type": "Notification",
    "MessageId": "m-1",
    "TopicArn": "arn:aws:sns:us-east-1:123456789012:topic",
    "Message": "Hello from SNS!",
    "Timestamp": "2019-01-02T12:45:07.000Z",
    "SignatureVersion": "1",
    "Signature": "c2lnbmF0dXJl",
    "SigningCertURL": "https://sns.us-east-1.amazonaws.com/x.pem",
    "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
}


@pytest.mark.parametrize(
    ("more", "subject", "attributes"),
    [
        ({}, None, {}),
        (
            {"Subject": "s", "MessageAttributes": {"k": {"Type": "String", "Value": "v"}}},
            "s",
            {"k": {"Type": "String", "Value": "v"}},
        ),
    ],
)
def test_sns_notification(
    more: dict[str, Any], subject: str | None, attributes: dict[str, Any]
) -> None:
    """A notification becomes an event with `Url` spelled as functions get it, and all members."""
    event = sns_event({**NOTIFICATION, **more}, "arn:aws:sns:us-east-1:123456789012:topic:sub")
    assert event == {
        "Records": [
            {
                "EventVersion": "1.0",
                "EventSubscriptionArn": "arn:aws:sns:us-east-1:123456789012:topic:sub",
                "EventSource": "aws:sns",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": "m-1",
                    "TopicArn": "arn:aws:sns:us-east-1:123456789012:topic",
                    "Message": "Hello from SNS!",
                    "Timestamp": "2019-01-02T12:45:07.000Z",
                    "SignatureVersion": "1",
                    "Signature": "c2lnbmF0dXJl",
                    "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/x.pem",
                    "UnsubscribeUrl": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
                    "Subject": subject,
                    "MessageAttributes": attributes,
                },
            }
        ]
    }
    assert set(event["Records"][0]["Sns"]) == set(events.sns()["Records"][0]["Sns"])


def bare_notification(event_name: str) -> dict[str, Any]:
    """What an embedded S3 notifies: no identities, no request ids, no sequencer, `/` encoded."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2015-04-09T12:34:56.789Z",
        "eventName": event_name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "c",
            "bucket": {"name": "b", "arn": "arn:aws:s3:::b"},
            "object": {"key": "Happy+Face%2F%C3%BC.jpg", "size": 7, "eTag": "e"},
        },
    }
    return {"Records": [record]}


def test_s3_notification_is_completed() -> None:
    """What was said is kept, what lacks is filled in, and the key keeps its slashes."""
    (record,) = s3_event(bare_notification("ObjectCreated:Put"))["Records"]
    (made,) = events.s3("k")["Records"]
    assert list(record) == list(made)
    assert record["eventTime"] == "2015-04-09T12:34:56.789Z"
    assert record["awsRegion"] == "eu-west-1"
    assert record["requestParameters"] == {"sourceIPAddress": "127.0.0.1"}
    assert record["s3"] == {
        "s3SchemaVersion": "1.0",
        "configurationId": "c",
        "bucket": {
            "name": "b",
            "ownerIdentity": {"principalId": Like("A[A-Z0-9]{13}")},
            "arn": "arn:aws:s3:::b",
        },
        "object": {
            "key": "Happy+Face/%C3%BC.jpg",
            "size": 7,
            "eTag": "e",
            "sequencer": Like("[0-9A-F]{18}"),
        },
    }


def test_s3_removal_is_completed() -> None:
    """A removal loses the size and eTag that AWS does not send."""
    (record,) = s3_event(bare_notification("ObjectRemoved:Delete"))["Records"]
    assert set(record["s3"]["object"]) == {"key", "sequencer"}


def test_complete_s3_notification_is_kept() -> None:
    """A notification that lacks nothing stays as it is."""
    event = events.s3("a/b c", version_id="v", seed=1)
    assert s3_event(event) == event
