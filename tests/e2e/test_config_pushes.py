"""`rapid-mock start --config template.yaml --aws embedded`: what pushes events at its functions."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.aws import Clients, clients_of, eventually
from tests.support.command_line import Serving, run

pytestmark = pytest.mark.timeout(120)
TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: RUNTIME, Handler: index.handler}
Resources:
  Told:
    Type: AWS::SNS::Topic
    Properties:
      TopicName: told
      Subscription: [{Protocol: lambda, Endpoint: !GetAtt Plain.Arn}]
  Uploads:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: uploads
      NotificationConfiguration:
        TopicConfigurations:
          - {Event: "s3:ObjectRemoved:*", Topic: !Ref Told}
  Plain:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: plain
      InlineCode: &code |
        import json
        def handler(event, context):
            print("SEEN", context.function_name, json.dumps(event))
  Pushed:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: pushed
      AutoPublishAlias: live
      InlineCode: *code
      Events:
        Often: {Type: Schedule, Properties: {Schedule: rate(1 minute), Input: '{"tick": 1}'}}
        Never: {Type: Schedule, Properties: {Schedule: rate(1 minute), Enabled: false}}
        Order: {Type: EventBridgeRule, Properties: {Pattern: {source: [shop]}, InputPath: $.detail}}
        New:
          Type: SNS
          Properties: {Topic: !Ref Told, FilterPolicy: {kind: [new]}}
        Upload:
          Type: S3
          Properties:
            Bucket: !Ref Uploads
            Events: ["s3:ObjectCreated:*"]
            Filter: {S3Key: {Rules: [{Name: prefix, Value: in/}]}}
        Page: {Type: HttpApi, Properties: {Path: /, Method: get}}
  Nightly:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [warehouse]}
      Targets: [{Id: one, Arn: !GetAtt Plain.Arn}]
"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    place = tmp_path_factory.mktemp("template") / "template.yaml"
    place.write_text(TEMPLATE.replace("RUNTIME", f"python3.{sys.version_info[1]}"))
    options = ("--config", str(place), "--aws", "embedded", "--time-scale", "600")
    with Serving(*options) as started:
        yield started.keep_reading()


@pytest.fixture
def aws(serving: Serving) -> Iterator[Clients]:
    with clients_of(serving.url) as clients:
        yield clients


def await_seen(serving: Serving, function: str, part: str) -> None:
    eventually(
        lambda: any(
            line.startswith(f"SEEN {function} ") and part in line
            for line in serving.log.splitlines()
        ),
        f"{part} at {function}",
    )


def test_a_schedule_of_a_function_fires(serving: Serving, aws: Clients) -> None:
    """With its input, at the alias; a disabled one is made and does not."""
    await_seen(serving, "pushed", '{"tick": 1}')
    rules = {rule["Name"]: rule for rule in aws("events").list_rules()["Rules"]}
    assert rules["pushed-Often"]["State"] == "ENABLED"
    assert rules["pushed-Never"]["State"] == "DISABLED"
    (target,) = aws("events").list_targets_by_rule(Rule="pushed-Often")["Targets"]
    assert target["Arn"].endswith(":function:pushed:live")
    assert '"Scheduled Event"' not in serving.log


def test_events_reach_the_functions_of_rules(serving: Serving, aws: Clients) -> None:
    """A function's own rule and one of CloudFormation's, each with what it fits."""
    entry = {"DetailType": "d", "Detail": json.dumps({"order": 7})}
    for source in ("shop", "warehouse"):
        aws("events").put_events(Entries=[{"Source": source, **entry}])
    await_seen(serving, "pushed", '{"order": 7}')
    await_seen(serving, "plain", '"source": "warehouse"')


def test_messages_reach_the_subscribers_of_a_topic(serving: Serving, aws: Clients) -> None:
    """Through a filter, or without one."""
    for kind in ("old", "new"):
        attribute = {"DataType": "String", "StringValue": kind}
        aws("sns").publish(
            TopicArn="arn:aws:sns:us-east-1:123456789012:told",
            Message=f"a {kind} one",
            MessageAttributes={"kind": attribute},
        )
    await_seen(serving, "plain", "a old one")
    await_seen(serving, "plain", "a new one")
    await_seen(serving, "pushed", "a new one")
    assert "SEEN pushed" not in "".join(
        line for line in serving.log.splitlines() if "a old one" in line
    )


def test_a_bucket_notifies_a_function_and_a_topic(serving: Serving, aws: Clients) -> None:
    """What the bucket says and what the function's event says of it are one configuration."""
    shown = aws("s3").get_bucket_notification_configuration(Bucket="uploads")
    assert len(shown["LambdaFunctionConfigurations"]) == len(shown["TopicConfigurations"]) == 1
    for key in ("out/a", "in/b"):
        aws("s3").put_object(Bucket="uploads", Key=key, Body=b"")
    await_seen(serving, "pushed", '"key": "in/b"')
    aws("s3").delete_object(Bucket="uploads", Key="out/a")
    await_seen(serving, "plain", "ObjectRemoved:Delete")
    assert '"key": "out/a"' not in serving.log.replace("\\", "").split("ObjectRemoved")[0]


def test_what_is_not_delivered_is_named(serving: Serving) -> None:
    """Events of API Gateway stay what they were."""
    assert "template.yaml: pushed: event Page (HttpApi) is not delivered here" in serving.log


def test_a_rule_that_is_refused_is_named_with_the_file(tmp_path: Path) -> None:
    """The service does not start; one sentence says which call AWS refuses and why."""
    template = tmp_path / "template.yaml"
    template.write_text(
        "Resources:\n"
        "  Wrong:\n"
        "    Type: AWS::Events::Rule\n"
        "    Properties: {ScheduleExpression: daily}\n"
    )
    done = run("start", "--config", str(template), "--aws", "embedded", "--port", "0")
    assert done.returncode == 2
    assert (
        f"{template}: events put_rule: ValidationException: "
        "Parameter ScheduleExpression is not valid." in done.stderr
    )
