"""The Lambda API as boto3 calls it: clients, deployment packages, refusals."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::123456789012:role/lambda-role"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:"


def client_of(url: str, **options: Any) -> closing[Any]:
    """A client that tries once and gives back its connections at the end of the block."""
    made = boto3.client(
        "lambda",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, **options),
    )
    return closing(made)


def zip_of(source: str, name: str = "app.py") -> bytes:
    """A deployment package with one module; always the same bytes for the same source."""
    data, entry = io.BytesIO(), zipfile.ZipInfo(name)
    entry.external_attr = 0o600 << 16
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(entry, source)
    return data.getvalue()


def create(client: Any, name: str, source: str, **options: Any) -> Any:
    """Create a function whose handler is `app.handler`; returns once it is active."""
    settings = {"Runtime": "python3.11", "Role": ROLE, "Handler": "app.handler", **options}
    made = client.create_function(FunctionName=name, Code={"ZipFile": zip_of(source)}, **settings)
    wait_active(client, name)
    return made


def wait_active(client: Any, name: str) -> None:
    waiter = client.get_waiter("function_active_v2")
    waiter.wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})


def wait_updated(client: Any, name: str) -> None:
    waiter = client.get_waiter("function_updated_v2")
    waiter.wait(FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200})


def wait_published(client: Any, name: str, version: str) -> None:
    waiter = client.get_waiter("published_version_active")
    waiter.wait(
        FunctionName=name, Qualifier=version, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
    )


def publish(client: Any, name: str) -> str:
    """Publish a version and wait until it can be invoked; returns its number."""
    version = client.publish_version(FunctionName=name)["Version"]
    wait_published(client, name, version)
    return str(version)


def invoke(client: Any, name: str, event: Any = None, **options: Any) -> Any:
    """The function's result; its error is an assertion here."""
    answer = client.invoke(FunctionName=name, Payload=json.dumps(event).encode(), **options)
    payload = answer["Payload"].read()
    assert "FunctionError" not in answer, payload
    return json.loads(payload)


def refusal(client: Any, operation: str, **arguments: Any) -> tuple[int, str, str]:
    """Status, error code and message of a call that must be refused."""
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**arguments)
    answer = refused.value.response
    error = answer["Error"]
    return answer["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]
