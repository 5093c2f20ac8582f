"""`rapid-mock start --config`: SAM templates and rapid_mock.toml, as a user starts them."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from tests.support.command_line import Serving, run, write_code

TEMPLATE = """\
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: dev}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Globals:
  Function:
    Runtime: RUNTIME
    Timeout: 7
    Environment:
      Variables: {STAGE: !Ref Stage, DEBUG: true}
Resources:
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layer, CompatibleRuntimes: [RUNTIME]}
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {TableName: !Sub "orders-${Stage}"}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: hello
      Handler: app.handler
      Layers: [!Ref Shared]
      MemorySize: 256
      Environment:
        Variables: {TABLE: !Ref Table, OTHER: !GetAtt Plain.Arn}
      Policies: [AWSLambdaBasicExecutionRole]
      AutoPublishAlias: live
      Events:
        Get: {Type: HttpApi, Properties: {Path: /, Method: get}}
  Web:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Join ["-", [web, !Ref Stage]]
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 200, "body": context.function_name}
      Handler: index.handler
      FunctionUrlConfig: {AuthType: NONE}
  Plain:
    Type: AWS::Lambda::Function
    Properties:
      Code: {ZipFile: "def handler(event, context):\\n    return event\\n"}
      Handler: index.handler
      Runtime: RUNTIME
      Role: !Sub "arn:aws:iam::${AWS::AccountId}:role/x"
  Never:
    Type: AWS::Serverless::Function
    Condition: IsProd
    Properties: {CodeUri: nowhere, Handler: app.handler}
"""
HELLO = """
import os, shared
def handler(event, context):
    names = ("STAGE", "DEBUG", "TABLE", "OTHER")
    return [shared.VALUE, context.memory_limit_in_mb, *(os.environ[name] for name in names)]
"""


def runtime() -> str:
    import sys

    return f"python3.{sys.version_info[1]}"


def invoke(serving: Serving, name: str) -> Any:
    url = f"{serving.url}/2015-03-31/functions/{name}/invocations"
    with urlopen(Request(url, b"{}"), timeout=20) as answer:
        return json.loads(answer.read())


def client_of(serving: Serving) -> closing[Any]:
    return closing(
        boto3.client(
            "lambda",
            endpoint_url=serving.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_code(tmp_path / "hello", HELLO)
    (tmp_path / "layer" / "python").mkdir(parents=True)
    (tmp_path / "layer" / "python" / "shared.py").write_text("VALUE = 1\n")
    template = tmp_path / "template.yaml"
    template.write_text(TEMPLATE.replace("RUNTIME", runtime()))
    return template


def test_a_sam_project_is_served_and_edited_live(project: Path) -> None:
    """Three functions and a layer by one command; an edit of either is live at once."""
    with Serving("--config", str(project), "--watch") as serving:
        arn = "arn:aws:lambda:us-east-1:123456789012:function:Plain"
        assert invoke(serving, "Hello") == [1, "256", "dev", "true", "orders-dev", arn]
        assert invoke(serving, "Hello:live")[0] == 1
        assert invoke(serving, "Plain") == {}
        url = serving.log.partition("function URL of web-dev: ")[2].split()[0]
        with urlopen(url, timeout=20) as answer:
            assert answer.read() == b"web-dev"
        (project.parent / "layer" / "python" / "shared.py").write_text("VALUE = 22\n")
        serving.wait_for("shared.py changed: the next invocation of Hello runs it")
        assert invoke(serving, "Hello")[0] == 22
        (project.parent / "hello" / "app.py").write_text(
            "def handler(event, context):\n    return 3\n"
        )
        serving.wait_for("app.py changed: the next invocation of Hello runs it")
        assert invoke(serving, "Hello") == 3
        assert serving.stop() == 0
    for note in (
        "template.yaml: Hello: without effect here: Policies",
        "template.yaml: Hello: event Get (HttpApi) is not delivered here",
        "template.yaml: Plain: without effect here: Role",
        "template.yaml: resources that are not made here: Table (AWS::DynamoDB::Table)",
        "template.yaml: functions Hello",
    ):
        assert f"rapid-mock: {note}" in serving.log


EVENTS = """Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {Runtime: RUNTIME, Handler: index.handler}
Resources:
  Fails:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): raise RuntimeError('no')"
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig:
          OnFailure: {Type: Lambda, Destination: !GetAtt Told.Arn}
          OnSuccess: {Type: SQS}
  FailsToo:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): raise RuntimeError('no')"
      AutoPublishAlias: live
      EventInvokeConfig: {MaximumRetryAttempts: 1}
  Told:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context): print('told', event['requestContext'])"
  Config:
    Type: AWS::Lambda::EventInvokeConfig
    Properties:
      FunctionName: !Ref Told
      Qualifier: $LATEST
      MaximumEventAgeInSeconds: "60"
"""


def test_events_are_handled_as_the_template_says(tmp_path: Path) -> None:
    """EventInvokeConfig of a function, of its alias, and as a resource; SAM's own queues are not.

    The destination may stand behind the function in the template.
    """
    template = tmp_path / "template.yaml"
    template.write_text(EVENTS.replace("RUNTIME", runtime()))
    with Serving("--config", str(template)) as serving:
        with client_of(serving) as client:
            get = client.get_function_event_invoke_config
            alias = get(FunctionName="FailsToo", Qualifier="live")
            assert alias["MaximumRetryAttempts"] == 1
            assert get(FunctionName="Told")["MaximumEventAgeInSeconds"] == 60
            client.invoke(FunctionName="Fails", InvocationType="Event", Payload=b"{}")
        serving.wait_for("was given up after 1 attempts: RetriesExhausted")
        serving.wait_for("told {'requestId': ")
        assert serving.stop() == 0
    assert "rapid-mock: template.yaml: Fails: no destination is made for OnSuccess (SQS)" in (
        serving.log
    )


QUALIFIERS = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String}
  Zones: {Type: CommaDelimitedList, Default: "a, b"}
Globals:
  Function: {Runtime: RUNTIME, Handler: index.handler}
  HttpApi: {FailOnWarnings: true}
Resources:
  F:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "import os\\ndef handler(event, context): return dict(os.environ)"
      Environment:
        Variables:
          STAGE: !Ref Stage
          ZONE: !Select [1, !Ref Zones]
          ALIAS: !Ref Alias
          NUMBER: !GetAtt One.Version
          VERSION: !Ref One
          API: !Sub "https://${ServerlessHttpApi}/"
          URL: !GetAtt FUrl.FunctionUrl
  Alias:
    Type: AWS::Lambda::Alias
    Properties:
      FunctionName: !Ref F
      Name: live
      FunctionVersion: !GetAtt One.Version
      ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 1}
      Strange: 1
  One:
    Type: AWS::Lambda::Version
    Properties: {FunctionName: !GetAtt F.Arn, Description: first}
  Url:
    Type: AWS::Lambda::Url
    Properties: {TargetFunctionArn: !GetAtt F.Arn, Qualifier: live, AuthType: NONE}
"""


def test_versions_aliases_and_what_sam_makes(tmp_path: Path) -> None:
    """The code is version 1, an alias may have provisioned concurrency, a parameter be given.

    What SAM makes beside a template is named, and so is every member without effect.
    """
    template = tmp_path / "template.yaml"
    template.write_text(QUALIFIERS.replace("RUNTIME", runtime()))
    with Serving("--config", str(template), "--parameter", "Stage=prod") as serving:
        found = invoke(serving, "F")
        arn = "arn:aws:lambda:us-east-1:123456789012:function:F"
        assert [found[name] for name in ("STAGE", "ZONE", "NUMBER")] == ["prod", "b", "1"]
        assert (found["ALIAS"], found["VERSION"]) == (f"{arn}:live", f"{arn}:1")
        with client_of(serving) as client:
            alias = client.get_alias(FunctionName="F", Name="live")
        assert (alias["FunctionVersion"], alias["AliasArn"]) == ("1", f"{arn}:live")
        assert serving.stop() == 0
    for note in (
        "Globals: without effect here: HttpApi",
        "Alias: without effect here: Strange",
        "ServerlessHttpApi, which SAM would make, is not known here",
        "FUrl, which SAM would make, is not known here",
    ):
        assert f"rapid-mock: template.yaml: {note}\n" in serving.log
    assert "rapid-mock: function URL of F:live: http://127.0.0.1:" in serving.log


def test_a_parameter_without_a_value_is_named(tmp_path: Path) -> None:
    """It is empty, and said to be."""
    template = tmp_path / "template.yaml"
    template.write_text("Parameters: {Stage: {Type: String}}\nResources: {}\n")
    with Serving("--config", str(template)) as serving:
        assert serving.stop() == 0
    note = "parameter Stage has no default and no --parameter: it is empty"
    assert f"rapid-mock: template.yaml: {note}\n" in serving.log


IMAGE = """Transform: AWS::Serverless-2016-10-31
Resources:
  Image:
    Type: AWS::Serverless::Function
    Metadata: {DockerContext: code, Dockerfile: Dockerfile}
    Properties: {PackageType: Image}
  Other:
    Type: AWS::Serverless::Function
    Metadata: {DockerContext: code}
    Properties: {PackageType: Image, ImageConfig: {Command: [app.other]}}
"""


def test_an_image_runs_without_one(tmp_path: Path) -> None:
    """The code of its context, with the handler of its Dockerfile's command or of its own."""
    source = "def handler(event, context): return 1\ndef other(event, context): return 2\n"
    code = write_code(tmp_path / "code", source)
    (code / "Dockerfile").write_text('FROM scratch\nCMD ["app.nothing"]\nCMD ["app.handler"]\n')
    (tmp_path / "template.yaml").write_text(IMAGE)
    with Serving("--config", str(tmp_path / "template.yaml")) as serving:
        assert [invoke(serving, name) for name in ("Image", "Other")] == [1, 2]
        assert serving.stop() == 0
    note = "rapid-mock: template.yaml: Image: no image is built: code runs on this Python as it is"
    assert note in serving.log


MIXED = """{
  "Resources": {
    "Python": {
      "Type": "AWS::Lambda::Function",
      "Metadata": {"aws:asset:path": "asset.1", "aws:asset:property": "Code"},
      "Properties": {
        "Code": {"S3Bucket": {"Fn::Sub": "cdk-assets-${AWS::AccountId}"}, "S3Key": "1.zip"},
        "Handler": "app.handler",
        "Runtime": "RUNTIME",
        "Layers": [{"Ref": "Layer"}]
      }
    },
    "Layer": {
      "Type": "AWS::Lambda::LayerVersion",
      "Metadata": {"aws:asset:path": "asset.2", "aws:asset:property": "Content"},
      "Properties": {"Content": {"S3Bucket": "cdk-assets", "S3Key": "2.zip"}}
    },
    "Node": {
      "Type": "AWS::Lambda::Function",
      "Properties": {
        "Code": {"ZipFile": "exports.handler = async () => 1"},
        "Handler": "index.handler",
        "Runtime": "nodejs22.x"
      }
    },
    "Version": {"Type": "AWS::Lambda::Version", "Properties": {"FunctionName": {"Ref": "Node"}}},
    "Url": {
      "Type": "AWS::Lambda::Url",
      "Properties": {"TargetFunctionArn": {"Fn::GetAtt": ["Node", "Arn"]}, "AuthType": "NONE"}
    },
    "Elsewhere": {
      "Type": "AWS::Serverless::Function",
      "Properties": {
        "CodeUri": "s3://bucket/key",
        "EventInvokeConfig": {"MaximumRetryAttempts": 0},
        "Events": {"Daily": {"Type": "Schedule", "Properties": {"Schedule": "rate(1 day)"}}}
      }
    }
  }
}
"""


def test_what_cannot_run_keeps_no_other_from_it(tmp_path: Path) -> None:
    """Of the CDK's template: code where its metadata says; the rest is left out, and named."""
    write_code(tmp_path / "asset.1", "import shared\ndef handler(e, c): return shared.VALUE\n")
    write_code(tmp_path / "asset.2" / "python", "VALUE = 'layer'\n", "shared.py")
    (tmp_path / "stack.template.json").write_text(MIXED.replace("RUNTIME", runtime()))
    with Serving("--config", str(tmp_path / "stack.template.json")) as serving:
        assert invoke(serving, "Python") == "layer"
        assert serving.stop() == 0
    left_out = "it is left out, with what belongs to it"
    for note in (
        f"function Node: The runtime nodejs22.x does not run here; give its command with "
        f"--runtime; {left_out}",
        f"function Elsewhere: its code is not on this machine, but at s3://bucket/key; {left_out}",
        "functions Python",
    ):
        assert f"rapid-mock: stack.template.json: {note}\n" in serving.log


def test_a_project_file_is_served(tmp_path: Path) -> None:
    """Defaults below each function's own; paths are relative to the file."""
    write_code(tmp_path / "src", "import os\ndef handler(e, c):\n    return os.environ['STAGE']\n")
    (tmp_path / "rapid_mock.toml").write_text(
        '[defaults]\nhandler = "app.handler"\ncode = "src"\n'
        '[functions.one]\nenvironment = { STAGE = "a" }\nurl = true\n'
        '[functions.two]\nenvironment = { STAGE = "b" }\ntimeout = 9\nsnapstart = true\n'
    )
    with Serving("--config", str(tmp_path / "rapid_mock.toml")) as serving:
        assert [invoke(serving, name) for name in ("one", "two")] == ["a", "b"]
        assert "function URL of one: http://127.0.0.1:" in serving.log
        assert serving.stop() == 0
    assert serving.log.count("RESTORE_REPORT") == 1


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.yaml", "Resources: [", "a.yaml is not YAML: "),
        ("a.yaml", "x: 1", "a.yaml has no Resources: it is no template"),
        (
            "a.yaml",
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: nowhere}}}",
            "F: there is no directory ",
        ),
        (
            "a.yaml",
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: "
            "{InlineCode: x, Handler: a.b, Runtime: nodejs22.x}}}",
            "a.yaml: function F: The runtime nodejs22.x does not run here; give its command with ",
        ),
        (
            "a.yaml",
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: {CodeUri: !Ref X}}}",
            "a.yaml: F.CodeUri: there is no parameter or resource X",
        ),
        (
            "a.yaml",
            "Resources: {F: {Type: AWS::Serverless::Function, Condition: Big}}",
            "a.yaml: F: there is no condition Big",
        ),
        (
            "a.yaml",
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Environment: "
            "{Variables: {ONE: !Select [1, [a]]}}}}}",
            "a.yaml: F.Environment.Variables.ONE: Fn::Select cannot be resolved with [1, ['a']]",
        ),
        (
            "a.yaml",
            "Resources: {F: {Type: AWS::Serverless::Function, Properties: "
            "{PackageType: Image, ImageUri: elsewhere}}}",
            "function F: its code is in an image that is not built from here",
        ),
        (
            "a.yaml",
            "Resources: {F: {Type: AWS::Serverless::Function, Metadata: {DockerContext: .}, "
            "Properties: {PackageType: Image}}}",
            "function F: neither ImageConfig nor its Dockerfile has a command",
        ),
        ("a.toml", "x", "a.toml: "),
        ("a.toml", "[functions.f]\nhandle = 1", "function f: unknown: handle; known: code, "),
        ("a.toml", "[functions.f]\nhandler = 1", "function f: handler cannot be 1"),
        ("a.toml", "[functions.f]\nurl = 'x'", "url is true, buffered or stream, not 'x'"),
        ("a.toml", "", "a.toml has no [functions.NAME]"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    """One sentence, exit code 2, nothing is served."""
    (tmp_path / name).write_text(text)
    done = run("start", "--config", str(tmp_path / name), "--port", "0")
    assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


def test_a_missing_file(tmp_path: Path) -> None:
    """Is named."""
    done = run("start", "--config", str(tmp_path / "gone.yaml"), "--port", "0")
    assert done.returncode == 2
    assert f"there is no file {tmp_path / 'gone.yaml'}" in done.stderr
