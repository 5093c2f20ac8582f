"""Events that carry records, against the literals of AWS's guides and recordings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rapid_mock import events
from tests.support.event_texts import UUID, Like

APRIL_2015 = datetime(2015, 4, 9, 12, 34, 56, tzinfo=UTC)
APRIL_2015_SECONDS = 1428582896


def only_record(event: events.Event) -> dict[str, Any]:
    assert list(event) == ["Records"]
    (record,) = event["Records"]
    assert isinstance(record, dict)
    return record


def test_sqs_message() -> None:
    """A plain SQS message has every field that AWS delivers, in its order and spelling."""
    event = events.sqs(
        "Test message.",
        message_ids=["059f36b4-87a3-44ab-83d2-661975830a7d"],
        sender_id="AIDAIENQZJOLO23YVJ4VO",
        region="us-east-2",
        at=1545082649.183,
    )
    record = only_record(event)
    assert record == {
        "messageId": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "receiptHandle": Like("[A-Za-z0-9+/]{160}"),
        "body": "Test message.",
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1545082649183",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1545082649184",
        },
        "messageAttributes": {},
        "md5OfMessageAttributes": None,
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:my-queue",
        "awsRegion": "us-east-2",
    }
    assert list(record)[:4] == ["messageId", "receiptHandle", "body", "attributes"]


def test_sqs_message_attributes() -> None:
    """Message attributes come as text, number or base64 bytes, with the digest SQS computes."""
    record = only_record(
        events.sqs("Hi", attributes={"count": 7, "kind": "order", "raw": b"\x00\x01"})
    )
    assert record["messageAttributes"] == {
        "count": {
            "stringValue": "7",
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "Number",
        },
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
    }
    assert record["md5OfMessageAttributes"] == "303881fbe35186cb4295d718cb53265b"


def test_sqs_fifo_message() -> None:
    """A FIFO message has group, deduplication id and rising sequence numbers, all of them text."""
    event = events.sqs(
        "Test message.", "second", queue="fifo.fifo", group_id="1", deduplication_id="1", at=0
    )
    first, second = event["Records"]
    assert first["attributes"] == {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "0",
        "SenderId": "AIDAIENQZJOLO23YVJ4VO",
        "ApproximateFirstReceiveTimestamp": "1",
        "SequenceNumber": "18849496460467696128",
        "MessageGroupId": "1",
        "MessageDeduplicationId": "1",
    }
    assert second["attributes"]["SequenceNumber"] == "18849496460467696384"
    assert "md5OfMessageAttributes" not in first
    assert first["eventSourceARN"].endswith(":fifo.fifo")


def test_sqs_queue_name_makes_the_message_fifo() -> None:
    """Without a group id, a queue named `.fifo` still sends FIFO messages."""
    attributes = only_record(events.sqs("x", queue="orders.fifo"))["attributes"]
    assert attributes["MessageGroupId"] == Like("[a-z0-9]{8}")
    # The digest that content-based deduplication takes: SHA-256 of the body.
    assert attributes["MessageDeduplicationId"] == (
        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    )


def test_sqs_batch() -> None:
    """Several bodies are one batch; given ids go to the first messages, JSON becomes text."""
    event = events.sqs("a", {"n": 1}, b"c", message_ids=["1", "2"], receive_count=4)
    assert [record["body"] for record in event["Records"]] == ["a", '{"n": 1}', "c"]
    assert [record["messageId"] for record in event["Records"]] == ["1", "2", Like(UUID)]
    counts = {record["attributes"]["ApproximateReceiveCount"] for record in event["Records"]}
    assert counts == {"4"}


def test_sqs_trace_header() -> None:
    """A traced message carries its header among the attributes."""
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
    record = only_record(events.sqs("a", trace_header=header))
    assert record["attributes"]["AWSTraceHeader"] == header


def test_sns_notification() -> None:
    """A notification has AWS's fields, with `Url` in SigningCertUrl and UnsubscribeUrl."""
    event = events.sns(
        "Hello from SNS!",
        subject="TestInvoke",
        topic="sns-lambda",
        attributes={"Test": "TestString", "TestBinary": b"TestBinary"},
        message_id="95df01b4-ee98-5cb9-9903-4c221d41eb5e",
        at=datetime(2019, 1, 2, 12, 45, 7, tzinfo=UTC),
    )
    subscription = f"arn:aws:sns:us-east-1:123456789012:sns-lambda:{UUID}"
    assert only_record(event) == {
        "EventVersion": "1.0",
        "EventSubscriptionArn": Like(subscription),
        "EventSource": "aws:sns",
        "Sns": {
            "SignatureVersion": "1",
            "Timestamp": "2019-01-02T12:45:07.000Z",
            "Signature": Like("[A-Za-z0-9+/=]{344}"),
            "SigningCertUrl": Like(
                r"https://sns\.us-east-1\.amazonaws\.com/"
                r"SimpleNotificationService-[0-9a-f]{32}\.pem"
            ),
            "MessageId": "95df01b4-ee98-5cb9-9903-4c221d41eb5e",
            "Message": "Hello from SNS!",
            "MessageAttributes": {
                "Test": {"Type": "String", "Value": "TestString"},
                "TestBinary": {"Type": "Binary", "Value": "VGVzdEJpbmFyeQ=="},
            },
            "Type": "Notification",
            "UnsubscribeUrl": Like(
                r"https://sns\.us-east-1\.amazonaws\.com/\?Action=Unsubscribe&SubscriptionArn="
                + subscription
            ),
            "TopicArn": "arn:aws:sns:us-east-1:123456789012:sns-lambda",
            "Subject": "TestInvoke",
        },
    }


def test_sns_without_subject() -> None:
    """A notification without a subject has a null one."""
    assert only_record(events.sns({"n": 1}))["Sns"]["Subject"] is None


def test_s3_put() -> None:
    """An object's creation has AWS's fields; its key is URL-encoded, with slashes kept."""
    event = events.s3(
        "Happy Face/ü+.jpg",
        bucket="amzn-s3-demo-bucket",
        etag="b21b84d653bb07b05b1e6b33684dc11b",
        version_id="096fKKXTRTtl3on89fVO.nfljtsv6qko",
        configuration_id="828aa6fc-f7b5-4305-8584-487c791949c1",
        source_ip="205.255.255.255",
        at=APRIL_2015,
    )
    assert only_record(event) == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2015-04-09T12:34:56.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": Like("AWS:A[A-Z0-9]{13}")},
        "requestParameters": {"sourceIPAddress": "205.255.255.255"},
        "responseElements": {
            "x-amz-request-id": Like("[0-9A-F]{16}"),
            "x-amz-id-2": Like("[A-Za-z0-9+/]{76}"),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "828aa6fc-f7b5-4305-8584-487c791949c1",
            "bucket": {
                "name": "amzn-s3-demo-bucket",
                "ownerIdentity": {"principalId": Like("A[A-Z0-9]{13}")},
                "arn": "arn:aws:s3:::amzn-s3-demo-bucket",
            },
            "object": {
                "key": "Happy+Face/%C3%BC%2B.jpg",
                "size": 1024,
                "eTag": "b21b84d653bb07b05b1e6b33684dc11b",
                "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                "sequencer": Like("[0-9A-F]{18}"),
            },
        },
    }


def test_s3_removal() -> None:
    """A removal says neither size nor eTag."""
    record = only_record(events.s3("gone", event_name="ObjectRemoved:Delete"))
    assert record["s3"]["object"] == {"key": "gone", "sequencer": Like("[0-9A-F]{18}")}


def test_kinesis_record() -> None:
    """A Kinesis record is that of the Lambda guide, field by field."""
    event = events.kinesis(
        "Hello, this is a test.",
        stream="lambda-stream",
        sequence_numbers=["49590338271490256608559692538361571095921575989136588898"],
        region="us-east-2",
        at=1545084650.987,
    )
    assert only_record(event) == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "1",
            "sequenceNumber": "49590338271490256608559692538361571095921575989136588898",
            "data": "SGVsbG8sIHRoaXMgaXMgYSB0ZXN0Lg==",
            "approximateArrivalTimestamp": 1545084650.987,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": (
            "shardId-000000000006:49590338271490256608559692538361571095921575989136588898"
        ),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "awsRegion": "us-east-2",
        "eventSourceARN": "arn:aws:kinesis:us-east-2:123456789012:stream/lambda-stream",
    }


def test_kinesis_sequence_numbers_count_up() -> None:
    """Records of one batch are in the order of their sequence numbers."""
    records = events.kinesis("a", b"\xff", {"n": 1})["Records"]
    numbers = [int(record["kinesis"]["sequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))
    assert [record["kinesis"]["data"] for record in records] == ["YQ==", "/w==", "eyJuIjogMX0="]


NEW_ITEM = {"Message": "New item!", "Id": 101}
CHANGED_ITEM = {"Message": "This item has changed", "Id": 101}


@pytest.mark.parametrize(
    ("old", "new", "name", "images", "size"),
    [
        (
            None,
            NEW_ITEM,
            "INSERT",
            {"NewImage": {"Message": {"S": "New item!"}, "Id": {"N": "101"}}},
            26,
        ),
        (
            NEW_ITEM,
            CHANGED_ITEM,
            "MODIFY",
            {
                "NewImage": {"Message": {"S": "This item has changed"}, "Id": {"N": "101"}},
                "OldImage": {"Message": {"S": "New item!"}, "Id": {"N": "101"}},
            },
            59,
        ),
        (
            CHANGED_ITEM,
            None,
            "REMOVE",
            {"OldImage": {"Message": {"S": "This item has changed"}, "Id": {"N": "101"}}},
            38,
        ),
    ],
)
def test_dynamodb_change(
    old: dict[str, Any], new: dict[str, Any], name: str, images: dict[str, Any], size: int
) -> None:
    """The three kinds of change are those of the DynamoDB guide, their sizes in bytes included."""
    event = events.dynamodb(
        new, old, keys=["Id"], sequence_number="111", event_id="1" * 32, at=APRIL_2015
    )
    assert only_record(event) == {
        "eventID": "1" * 32,
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": APRIL_2015_SECONDS,
            "Keys": {"Id": {"N": "101"}},
            **images,
            "SequenceNumber": "111",
            "SizeBytes": size,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": (
            "arn:aws:dynamodb:us-east-1:123456789012:table/my-table/stream/2015-04-09T12:34:56.000"
        ),
    }


@pytest.mark.parametrize(
    ("view_type", "shown"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_dynamodb_view_types(view_type: str, shown: set[str]) -> None:
    """The stream's view type says which images are there; the keys always are."""
    event = events.dynamodb({"id": "1"}, {"id": "1"}, view_type=view_type)
    change = only_record(event)["dynamodb"]
    assert {name for name in change if name.endswith("Image")} == shown
    assert change["Keys"] == {"id": {"S": "1"}}


def test_dynamodb_expired_item() -> None:
    """A removal by time to live names DynamoDB itself as the user."""
    record = only_record(events.dynamodb(old={"id": "1"}, expired=True))
    assert record["userIdentity"] == {
        "type": "Service",
        "principalId": "dynamodb.amazonaws.com",
    }


def test_dynamodb_values() -> None:
    """Plain values become DynamoDB's JSON: bytes in base64, numbers as text, sets by their type."""
    item = {
        "id": "1",
        "raw": b"\x00\x01",
        "price": 12.50,
        "big": 1e20,
        "yes": True,
        "none": None,
        "list": [1, "a"],
        "map": {"n": {"deep": 1}},
        "tags": {"b", "a"},
        "numbers": {2},
    }
    assert only_record(events.dynamodb(item))["dynamodb"]["NewImage"] == {
        "id": {"S": "1"},
        "raw": {"B": "AAE="},
        "price": {"N": "12.5"},
        "big": {"N": "100000000000000000000"},
        "yes": {"BOOL": True},
        "none": {"NULL": True},
        "list": {"L": [{"N": "1"}, {"S": "a"}]},
        "map": {"M": {"n": {"M": {"deep": {"N": "1"}}}}},
        "tags": {"SS": ["a", "b"]},
        "numbers": {"NS": ["2"]},
    }


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"new": {"name": "x"}}, "the item has no key attribute id"),
        ({"new": {"id": float("nan")}}, "DynamoDB has no number nan"),
        ({"new": {"id": object()}}, "DynamoDB has no type for object"),
        ({"new": {"id": "1", "s": {1, "a"}}}, "a set holds values of one type, and at least one"),
        ({"view_type": "ALL"}, "unknown stream view type: ALL"),
    ],
)
def test_dynamodb_refusals(fields: dict[str, Any], sentence: str) -> None:
    """What no stream could carry is refused in one sentence."""
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        events.dynamodb(**fields)


def test_merge() -> None:
    """The records of several events make one batch; an event without records is refused."""
    merged = events.merge(events.dynamodb({"id": "1"}), events.dynamodb(old={"id": "2"}))
    assert [record["eventName"] for record in merged["Records"]] == ["INSERT", "REMOVE"]
    with pytest.raises(ValueError, match="only events with Records can be merged"):
        events.merge(events.eventbridge({}))


@pytest.mark.parametrize("name", sorted(set(events.__all__) - {"Event", "merge"}))
def test_a_seed_makes_the_event_the_same(name: str) -> None:
    """Equal seeds throw equal events, other seeds other ids; every event is JSON."""
    factory = getattr(events, name)
    assert factory(seed=1) == factory(seed=1)
    assert json.loads(json.dumps(factory(seed=1))) == factory(seed=1)
    if name not in {"cloudwatch_logs", "kinesis"}:
        assert factory(seed=1) != factory(seed=2)
    assert factory(seed=1) != factory(seed=1, at=0)


def test_later_s3_events_have_greater_sequencers() -> None:
    """The sequencers of one key order its events."""
    first, second = (events.s3("k", at=moment)["Records"][0] for moment in (1.0, 2.0))
    assert first["s3"]["object"]["sequencer"] < second["s3"]["object"]["sequencer"]
