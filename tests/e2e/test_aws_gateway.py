"""One endpoint for all of AWS: Lambda is ours, moto's child has everything else."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from rapid_mock import LocalLambda
from rapid_mock.errors import SetupError
from rapid_mock.triggers import embedded_aws
from tests.support.aws import Clients, clients_of, eventually
from tests.support.command_line import Serving, run, write_code
from tests.support.lambda_api import ROLE, invoke, refusal, wait_active, wait_updated, zip_of
from tests.support.processes import is_running

USES_S3 = """
import boto3, os
def handler(event, context):
    boto3.client("s3").put_object(Bucket="from-function", Key="k", Body=b"hello")
    return os.environ["AWS_ENDPOINT_URL"]
"""


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    code = write_code(tmp_path_factory.mktemp("code"), USES_S3)
    with Serving(
        "app.handler", "--code", str(code), "--aws", "embedded", "--timeout", "20"
    ) as made:
        yield made


@pytest.fixture
def aws(serving: Serving) -> Iterator[Clients]:
    with clients_of(serving.url) as clients:
        yield clients


def test_every_service_at_one_endpoint(aws: Clients) -> None:
    """An ordinary program's clients of different services share one endpoint URL."""
    url = aws("sqs").create_queue(QueueName="one-endpoint")["QueueUrl"]
    aws("sqs").send_message(QueueUrl=url, MessageBody="a")
    received = aws("sqs").receive_message(QueueUrl=url)["Messages"]
    assert [message["Body"] for message in received] == ["a"]
    assert aws("dynamodb").list_tables()["TableNames"] == []
    assert aws("sts").get_caller_identity()["Account"] == "123456789012"
    names = [each["FunctionName"] for each in aws("lambda").list_functions()["Functions"]]
    assert names == ["function"]


def test_queue_urls_lead_back(serving: Serving, aws: Clients) -> None:
    """The Host that a client used is passed on, so that a queue's URL is one at the gateway."""
    url = aws("sqs").create_queue(QueueName="leads-back")["QueueUrl"]
    assert url == f"{serving.url}/123456789012/leads-back"


def test_large_objects_pass(aws: Clients) -> None:
    """Objects go through in both directions unchanged, with their length known beforehand."""
    s3, body = aws("s3"), os.urandom(1 << 20) * 12
    s3.create_bucket(Bucket="large-objects")
    s3.put_object(Bucket="large-objects", Key="a/b c", Body=body)
    assert s3.head_object(Bucket="large-objects", Key="a/b c")["ContentLength"] == len(body)
    found = s3.get_object(Bucket="large-objects", Key="a/b c")
    assert found["ContentLength"] == len(body)
    assert found["Body"].read() == body


def test_code_and_layers_lie_in_s3(aws: Clients) -> None:
    """Functions are created and updated, layers published, from objects in a bucket."""
    s3, functions = aws("s3"), aws("lambda")
    s3.create_bucket(Bucket="code")
    for key, source, name in (
        ("one.zip", "def handler(event, context):\n    return 'one'\n", "app.py"),
        ("two.zip", "from words import WORD\ndef handler(e, c):\n    return WORD\n", "app.py"),
        ("layer.zip", "WORD = 'two'\n", "python/words.py"),
    ):
        s3.put_object(Bucket="code", Key=key, Body=zip_of(source, name))
    functions.create_function(
        FunctionName="stored",
        Runtime=f"python3.{sys.version_info[1]}",
        Role=ROLE,
        Handler="app.handler",
        Code={"S3Bucket": "code", "S3Key": "one.zip"},
    )
    wait_active(functions, "stored")
    assert invoke(functions, "stored") == "one"
    layer = functions.publish_layer_version(
        LayerName="words", Content={"S3Bucket": "code", "S3Key": "layer.zip"}
    )
    functions.update_function_configuration(
        FunctionName="stored", Layers=[layer["LayerVersionArn"]]
    )
    wait_updated(functions, "stored")
    functions.update_function_code(FunctionName="stored", S3Bucket="code", S3Key="two.zip")
    wait_updated(functions, "stored")
    assert invoke(functions, "stored") == "two"
    for bucket, key, said in (
        ("none", "k", "NoSuchBucket. S3 Error Message: The specified bucket does not exist"),
        ("code", "none", "NoSuchKey. S3 Error Message: The specified key does not exist."),
    ):
        answer = refusal(
            functions, "update_function_code", FunctionName="stored", S3Bucket=bucket, S3Key=key
        )
        assert answer == (
            400,
            "InvalidParameterValueException",
            f"Error occurred while GetObject. S3 Error Code: {said}",
        )
    functions.delete_function(FunctionName="stored")


def test_a_mapping_has_tags(aws: Clients) -> None:
    """Tags given with a mapping, and later, are listed by its ARN."""
    functions = aws("lambda")
    url = aws("sqs").create_queue(QueueName="tagged")["QueueUrl"]
    attributes = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    made = functions.create_event_source_mapping(
        FunctionName="function",
        EventSourceArn=attributes["Attributes"]["QueueArn"],
        Enabled=False,
        Tags={"a": "1"},
    )
    arn = made["EventSourceMappingArn"]
    functions.tag_resource(Resource=arn, Tags={"b": "2"})
    functions.untag_resource(Resource=arn, TagKeys=["a"])
    assert functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}


def test_presigned_url(aws: Clients) -> None:
    """A URL that was signed for S3 needs no Authorization header to be S3's."""
    s3 = aws("s3")
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="k", Body=b"hello")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "presigned", "Key": "k"})
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read() == b"hello"


def test_functions_reach_the_gateway(serving: Serving, aws: Clients) -> None:
    """A function's own clients, made without an endpoint, find the same AWS."""
    aws("s3").create_bucket(Bucket="from-function")
    answer = aws("lambda").invoke(FunctionName="function")
    assert json.loads(answer["Payload"].read()) == serving.url
    found = aws("s3").get_object(Bucket="from-function", Key="k")
    assert found["Body"].read() == b"hello"


def test_unsigned_invocation(serving: Serving) -> None:
    """Without a signature the path tells: what curl sends to the Invoke API is Lambda's."""
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{serving.url}/2015-03-31/functions/none/invocations", b"{}")


def test_a_lambda_call_of_nothing_we_serve(aws: Clients) -> None:
    """A call that is signed for Lambda never goes to the other AWS, which has a Lambda too."""
    with pytest.raises(ClientError) as refused:
        aws("lambda").list_code_signing_configs()
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_long_poll_and_other_requests(aws: Clients) -> None:
    """A long poll holds up nobody, and a message that is sent meanwhile ends it at once."""
    sqs = aws("sqs")
    attributes = {"ReceiveMessageWaitTimeSeconds": "20"}
    url = sqs.create_queue(QueueName="long-poll", Attributes=attributes)["QueueUrl"]
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(sqs.receive_message, QueueUrl=url)
        assert sqs.list_queues(QueueNamePrefix="long-poll")["QueueUrls"] == [url]
        sqs.send_message(QueueUrl=url, MessageBody="soon")
        assert [message["Body"] for message in poll.result(10)["Messages"]] == ["soon"]


def test_an_aws_that_does_not_answer(tmp_path: Path) -> None:
    """What is for an AWS that is not there gets 502 with a sentence; Lambda works."""
    write_code(tmp_path, "def handler(event, context): return 1")
    with Serving("app.handler", "--code", str(tmp_path), "--aws", "http://127.0.0.1:1") as serving:
        assert serving.invoke(b"{}") == 200
        with pytest.raises(urllib.error.HTTPError) as failed:
            urllib.request.urlopen(f"{serving.url}/bucket/key", timeout=10)
        assert failed.value.code == 502
        assert failed.value.read() == (
            b"rapid-mock: http://127.0.0.1:1 does not answer: Connection refused\n"
        )


@pytest.mark.linux
def test_killed_with_everything() -> None:
    """kill -9 of the service takes the embedded AWS along."""
    with Serving("--aws", "embedded") as serving:
        (child,) = (pid for pid in children_of(serving.pid) if is_embedded(pid))
        serving.stop(signal.SIGKILL)
    eventually(lambda: not is_running(child))


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_embedded(pid: int) -> bool:
    return b"embedded_aws" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_no_such_aws() -> None:
    """What is neither the embedded AWS nor a URL is refused in one sentence."""
    done = run("start", "--aws", "elsewhere")
    assert (done.returncode, done.stderr) == (
        2,
        "rapid-mock: --aws is embedded or a URL, not elsewhere\n",
    )


def test_own_endpoint_wins(tmp_path: Path) -> None:
    """A function's own AWS_ENDPOINT_URL is not overridden."""
    code = write_code(tmp_path, USES_S3.replace("    boto3", "    #"))
    with LocalLambda(aws="http://127.0.0.1:1") as local:
        variables = {"AWS_ENDPOINT_URL": "http://elsewhere"}
        made = local.create_function(
            "f", handler="app.handler", code=code, environment=variables, timeout=20
        )
        assert made.invoke().payload == "http://elsewhere"


def test_local_lambda() -> None:
    """`LocalLambda(aws="embedded")` gives clients of every service at its own endpoint."""
    with LocalLambda(aws="embedded") as local:
        sqs = local.client("sqs")
        assert sqs.create_queue(QueueName="q")["QueueUrl"].startswith(local.endpoint_url)
        sqs.close()


OTHER_MOTO = """
import sys
sys.path.insert(0, {folder!r})
import embedded_aws_child

def unknown(path):
    if path.endswith("embedded_shards.py"):
        raise ImportError("cannot import name 'Shard'")
    return {{"tell_changes_once": lambda: None}}

embedded_aws_child.run_path = unknown
embedded_aws_child.main()
"""


def test_a_moto_that_is_not_known_serves_and_is_told_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What cannot be made to do as AWS does is said in a sentence; all else works."""
    program = tmp_path / "child.py"
    program.write_text(OTHER_MOTO.format(folder=str(Path(embedded_aws.__file__).parent)))
    monkeypatch.setattr(embedded_aws, "_PROGRAM", program)
    log = io.BytesIO()
    with LocalLambda(aws="embedded", log_stream=log) as local, closing(local.client("s3")) as s3:
        s3.create_bucket(Bucket="works")
    assert log.getvalue().decode() == (
        f"rapid-mock: the embedded AWS: moto {version('moto')} is unknown here, so that shards "
        "that are split or merged do not close (cannot import name 'Shard')\n"
    )


def test_local_lambda_without_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where moto is not installed one sentence says what to install."""
    monkeypatch.setattr("rapid_mock.triggers.embedded_aws.find_spec", lambda _name: None)
    with pytest.raises(SetupError, match=r"pip install 'lambda-runtime-sdk\[embedded\]'"):
        LocalLambda(aws="embedded").__enter__()
