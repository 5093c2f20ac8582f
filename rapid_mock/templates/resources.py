"""Queues, topics, streams, tables and buckets of a template, as calls of the AWS beside us.

Source: the resources' pages of the AWS CloudFormation User Guide: what `Ref` and `GetAtt` give, and
properties, which are those of the services' own APIs but for what is said here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from rapid_mock.errors import SetupError
from rapid_mock.templates.intrinsics import ACCOUNT, REGION

Properties = Mapping[str, Any]

EXISTS = frozenset({"ResourceInUseException", "BucketAlreadyOwnedByYou"})
_QUEUE_ATTRIBUTES = (
    *("DelaySeconds", "MaximumMessageSize", "MessageRetentionPeriod", "VisibilityTimeout"),
    *("ReceiveMessageWaitTimeSeconds", "RedrivePolicy", "FifoQueue"),
    "ContentBasedDeduplication",
)
_TABLE = (
    *("AttributeDefinitions", "KeySchema", "BillingMode", "ProvisionedThroughput"),
    *("GlobalSecondaryIndexes", "LocalSecondaryIndexes"),
)
_SUBSCRIPTION = ("FilterPolicy", "FilterPolicyScope", "RawMessageDelivery")
_QUEUE, _TOPIC = "AWS::SQS::Queue", "AWS::SNS::Topic"
_STREAM, _DYNAMODB, _BUCKET = "AWS::Kinesis::Stream", "AWS::DynamoDB::Table", "AWS::S3::Bucket"


@dataclass(frozen=True, slots=True)
class AwsCall:
    """One call of boto3's; `learned` picks from its answer what stands for placeholders."""

    service: str
    operation: str
    arguments: dict[str, Any]
    learned: Callable[[Mapping[str, Any]], dict[str, str]] = field(default=lambda _answer: {})


def known_of(kind: str, name: str, base_url: str) -> dict[str, str]:
    """What `Ref` and `GetAtt` give for a resource; empty for one that cannot be made.

    A table's stream has its ARN only once it is there: a placeholder stands for it.
    """
    match kind:
        case "AWS::SQS::Queue":
            url = f"{base_url}/{ACCOUNT}/{name}"
            arn = _arn("sqs", name)
            return {"Ref": url, "Arn": arn, "QueueName": name, "QueueUrl": url}
        case "AWS::SNS::Topic":
            arn = _arn("sns", name)
            return {"Ref": arn, "TopicArn": arn, "TopicName": name}
        case "AWS::Kinesis::Stream":
            return {"Ref": name, "Arn": _arn("kinesis", f"stream/{name}")}
        case "AWS::DynamoDB::Table":
            arn = _arn("dynamodb", f"table/{name}")
            return {"Ref": name, "Arn": arn, "StreamArn": stream_placeholder(name)}
        case "AWS::S3::Bucket":
            return {"Ref": name, "Arn": f"arn:aws:s3:::{name}"}
    return {}


def calls_to_make(kind: str, name: str, properties: Properties) -> list[AwsCall]:
    """How a resource of a kind that `known_of` knows is made."""
    return list(_MAKERS[kind](name, properties))


def stream_placeholder(table: str) -> str:
    return f"<the stream of {table}>"


def in_order(resources: Mapping[str, Properties]) -> list[str]:
    """Logical ids so that each comes after those it refers to; raises SetupError for a circle."""
    graph = {
        logical_id: {name for name in _references(resource) if name in resources}
        for logical_id, resource in resources.items()
    }
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        raise SetupError(f"resources refer to each other: {', '.join(circle.args[1])}") from circle


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, said in value.items():
            if name == "Ref":
                yield str(said)
            elif name == "Fn::GetAtt":
                yield said.split(".")[0] if isinstance(said, str) else str(said[0])
            else:
                yield from _references(said)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def _queue(name: str, said: Properties) -> Iterator[AwsCall]:
    attributes = {key: _text(said[key]) for key in _QUEUE_ATTRIBUTES if key in said}
    yield AwsCall("sqs", "create_queue", {"QueueName": name, "Attributes": attributes})


def _topic(name: str, said: Properties) -> Iterator[AwsCall]:
    yield AwsCall("sns", "create_topic", {"Name": name})
    for each in said.get("Subscription", ()):
        yield subscribe({"TopicArn": _arn("sns", name), **each})


def subscribe(said: Properties) -> AwsCall:
    """A subscription, of whatever protocol."""
    wanted = ("TopicArn", "Protocol", "Endpoint")
    attributes = {key: _text(said[key]) for key in _SUBSCRIPTION if key in said}
    arguments = {**{key: said[key] for key in wanted if key in said}, "Attributes": attributes}
    return AwsCall("sns", "subscribe", arguments)


def _subscription(_name: str, said: Properties) -> Iterator[AwsCall]:
    yield subscribe(said)


def _kinesis_stream(name: str, said: Properties) -> Iterator[AwsCall]:
    count = int(said.get("ShardCount", 1))
    yield AwsCall("kinesis", "create_stream", {"StreamName": name, "ShardCount": count})


def _table(name: str, said: Properties) -> Iterator[AwsCall]:
    arguments: dict[str, Any] = {key: said[key] for key in _TABLE if key in said}
    if "StreamSpecification" in said:
        specification = {"StreamEnabled": True, **said["StreamSpecification"]}
        arguments["StreamSpecification"] = specification

    def learned(answer: Mapping[str, Any]) -> dict[str, str]:
        return {stream_placeholder(name): str(answer["Table"].get("LatestStreamArn", ""))}

    yield AwsCall("dynamodb", "create_table", {"TableName": name, **arguments})
    yield AwsCall("dynamodb", "describe_table", {"TableName": name}, learned)


def _bucket(name: str, _said: Properties) -> Iterator[AwsCall]:
    yield AwsCall("s3", "create_bucket", {"Bucket": name})


_MAKERS: dict[str, Callable[[str, Properties], Iterator[AwsCall]]] = {
    _QUEUE: _queue,
    _TOPIC: _topic,
    "AWS::SNS::Subscription": _subscription,
    _STREAM: _kinesis_stream,
    _DYNAMODB: _table,
    _BUCKET: _bucket,
}
KINDS = {
    _QUEUE: frozenset({"QueueName", *_QUEUE_ATTRIBUTES}),
    _TOPIC: frozenset({"TopicName", "Subscription"}),
    "AWS::SNS::Subscription": frozenset({"TopicArn", "Protocol", "Endpoint", *_SUBSCRIPTION}),
    _STREAM: frozenset({"Name", "ShardCount"}),
    _DYNAMODB: frozenset({"TableName", "StreamSpecification", *_TABLE}),
    _BUCKET: frozenset({"BucketName", "NotificationConfiguration"}),
}
"""What can be made, and which properties of it have an effect."""


def _text(value: Any) -> str:
    """An attribute's value as the services' APIs take it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)
