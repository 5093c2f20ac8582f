"""What a template has beside functions, as calls of the AWS beside us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rapid_mock.errors import SetupError
from rapid_mock.templates.calls import Project
from rapid_mock.templates.template import read_project

URL = "http://127.0.0.1:9000"
ARN = "arn:aws:{}:us-east-1:123456789012:{}"


def read(tmp_path: Path, resources: str, aws_url: str | None = URL) -> Project:
    path = tmp_path / "template.yaml"
    path.write_text(f"Resources:\n{resources}")
    return read_project(path, aws_url)


def calls(project: Project) -> list[tuple[str, dict[str, Any]]]:
    return [(each.operation, each.arguments) for each in project.resources]


QUEUES = """
  Orders:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 60
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 5}
      Tags: [{Key: a, Value: b}]
  Dead:
    Type: AWS::SQS::Queue
    Properties: {QueueName: dead.fifo, FifoQueue: true}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): return 1"
      Handler: index.handler
      Runtime: python3.13
      AutoPublishAlias: live
      Environment: {Variables: {URL: !Ref Orders, NAME: !GetAtt Orders.QueueName}}
      Events:
        Order:
          Type: SQS
          Properties: {Queue: !GetAtt Orders.Arn, BatchSize: 5}
        Call: {Type: HttpApi}
"""


def test_queues(tmp_path: Path) -> None:
    """A queue is made after its dead-letter queue, with its attributes as texts."""
    project = read(tmp_path, QUEUES)
    target = ARN.format("sqs", "dead.fifo")
    policy = f'{{"deadLetterTargetArn": "{target}", "maxReceiveCount": 5}}'
    attributes = {"VisibilityTimeout": "60", "RedrivePolicy": policy}
    assert calls(project) == [
        ("create_queue", {"QueueName": "dead.fifo", "Attributes": {"FifoQueue": "true"}}),
        ("create_queue", {"QueueName": "Orders", "Attributes": attributes}),
    ]
    assert project.notes == [
        "Worker: event Call (HttpApi) is not delivered here",
        "Orders: without effect here: Tags",
    ]


def test_what_functions_are_told(tmp_path: Path) -> None:
    """`Ref` of a queue is its URL at the gateway; its event is a mapping to the alias."""
    project = read(tmp_path, QUEUES)
    (function,) = [each for each in project.calls if each.operation == "CreateFunction"]
    variables = function.body["Environment"]["Variables"]
    assert variables == {"URL": f"{URL}/123456789012/Orders", "NAME": "Orders"}
    assert [each.body for each in project.mappings] == [
        {
            "FunctionName": "Worker:live",
            "EventSourceArn": ARN.format("sqs", "Orders"),
            "BatchSize": 5,
        }
    ]


def test_without_an_aws(tmp_path: Path) -> None:
    """Without an AWS nothing of it is made, and all of it is named."""
    project = read(tmp_path, QUEUES, None)
    assert (project.resources, project.mappings) == ([], [])
    assert "resources that are not made here: Orders (AWS::SQS::Queue), Dead (AWS::SQS::Queue)" in (
        project.notes
    )


def test_streams(tmp_path: Path) -> None:
    """A table's stream has its ARN once it is there; until then a placeholder stands for it."""
    project = read(
        tmp_path,
        """
  Clicks:
    Type: AWS::Kinesis::Stream
    Properties: {ShardCount: 2}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: orders
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      StreamSpecification: {StreamViewType: NEW_IMAGE}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: f
      EventSourceArn: !GetAtt Table.StreamArn
      StartingPosition: LATEST
""",
    )
    stream, create, describe = project.resources
    assert stream.arguments == {"StreamName": "Clicks", "ShardCount": 2}
    assert create.arguments["StreamSpecification"] == {
        "StreamEnabled": True,
        "StreamViewType": "NEW_IMAGE",
    }
    arn = project.mappings[0].body["EventSourceArn"]
    answer = {"Table": {"LatestStreamArn": "arn:of:the:stream"}}
    assert describe.learned(answer) == {arn: "arn:of:the:stream"}


def test_buckets(tmp_path: Path) -> None:
    """A bucket without a name of its own has its logical id's, without capitals."""
    project = read(tmp_path, "  UpLoads: {Type: AWS::S3::Bucket}\n")
    assert calls(project) == [("create_bucket", {"Bucket": "uploads"})]


LEFT_OUT = """
  Gone:
    Type: AWS::Lambda::Function
    Properties: {Code: {S3Bucket: there, S3Key: code.zip}, Handler: a.b, Runtime: python3.13}
  Here:
    Type: AWS::Lambda::Function
    Properties: {Code: {ZipFile: x}, Handler: a.b, Runtime: python3.13}
  Topic: {Type: AWS::SNS::Topic}
  Subscription:
    Type: AWS::SNS::Subscription
    Properties: {TopicArn: !Ref Topic, Protocol: lambda, Endpoint: !GetAtt Gone.Arn}
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      NotificationConfiguration:
        LambdaConfigurations: [{Function: !GetAtt Gone.Arn, Event: "s3:ObjectCreated:*"}]
  Rule:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 day)
      Targets: [{Id: a, Arn: !GetAtt Gone.Arn}, {Id: b, Arn: !GetAtt Here.Arn}]
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties: {FunctionName: !Ref Gone, EventSourceArn: "arn:aws:sqs:us-east-1:1:q"}
"""


def test_nothing_reaches_for_a_function_that_is_left_out(tmp_path: Path) -> None:
    """No mapping, subscription, notification or target: AWS would refuse what is not there."""
    project = read(tmp_path, LEFT_OUT)
    here = {"Id": "b", "Arn": ARN.format("lambda", "function:Here")}
    assert [(each.operation, each.arguments) for each in project.pushes] == [
        ("put_rule", {"Name": "Rule", "ScheduleExpression": "rate(1 day)"}),
        ("put_targets", {"Rule": "Rule", "Targets": [here]}),
    ]
    assert project.mappings == []
    assert list(project.places) == ["Here"]


def test_circle(tmp_path: Path) -> None:
    """Resources that refer to each other in a circle are refused by name."""
    text = "  {}: {{Type: AWS::SQS::Queue, Properties: {{RedrivePolicy: !Ref {}}}}}\n"
    with pytest.raises(SetupError, match=r"resources refer to each other: (A, B, A|B, A, B)"):
        read(tmp_path, text.format("A", "B") + text.format("B", "A"))
