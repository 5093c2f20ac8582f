"""examples/table_projector on one endpoint: a table, its stream, a function, the view it keeps."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from rapid_mock import LocalLambda
from tests.support.aws import Clients, clients_of, eventually
from tests.support.command_line import ROOT, Serving
from tests.support.lambda_api import ROLE, wait_active
from tests.support.mapped_functions import map_source

WRITES = int(os.environ.get("TABLE_WRITES", "200"))
EXAMPLE = ROOT / "examples" / "table_projector"
KEY = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


@pytest.fixture
def aws() -> Iterator[Clients]:
    with LocalLambda(aws="embedded") as local, clients_of(local.endpoint_url) as clients:
        yield clients


def create_tables(aws: Clients) -> str:
    """The tables of the template; returns the ARN of the stream."""
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    made = aws("dynamodb").create_table(TableName="orders", StreamSpecification=stream, **KEY)
    aws("dynamodb").create_table(TableName="view", **KEY)
    return str(made["TableDescription"]["LatestStreamArn"])


def create_projector(aws: Clients) -> None:
    aws("lambda").create_function(
        FunctionName="projector",
        Runtime=f"python3.{sys.version_info.minor}",
        Handler="app.handler",
        Role=ROLE,
        Timeout=30,
        Environment={"Variables": {"VIEW_TABLE": "view"}},
        Code={"S3Bucket": "hot-reload", "S3Key": str(EXAMPLE)},
    )
    wait_active(aws("lambda"), "projector")


def items(aws: Clients, table: str) -> dict[str, Any]:
    pages = aws("dynamodb").get_paginator("scan").paginate(TableName=table)
    return {item["id"]["S"]: item for page in pages for item in page["Items"]}


def write_at_random(aws: Clients, count: int) -> None:
    """Put, change, remove and write together; items of every type that can be in a document."""
    table, dice = aws("dynamodb"), random.Random(7)
    for number in range(count):
        key = {"id": {"S": f"order-{dice.randrange(60)}"}}
        attributes = {
            "amount": {"N": str(number)},
            "raw": {"B": bytes([number % 256])},
            "parts": {"L": [{"M": {"blobs": {"BS": [b"\x00", b"\xff"]}}}, {"NULL": True}]},
        }
        match dice.randrange(8):
            case 0 | 1 | 2:
                table.put_item(TableName="orders", Item={**key, **attributes})
            case 3 | 4:
                table.update_item(
                    TableName="orders",
                    Key=key,
                    UpdateExpression="SET note = :n ADD amount :n",
                    ExpressionAttributeValues={":n": {"N": str(number)}},
                )
            case 5 | 6:
                table.delete_item(TableName="orders", Key=key)
            case _:
                put = {"PutRequest": {"Item": {"id": {"S": f"batch-{number % 9}"}, **attributes}}}
                table.batch_write_item(RequestItems={"orders": [put]})


def test_view_equals_its_table(aws: Clients) -> None:
    """After many mixed writes the view has what the table has."""
    stream = create_tables(aws)
    create_projector(aws)
    map_source(
        aws,
        "projector",
        stream,
        StartingPosition="TRIM_HORIZON",
        BatchSize=100,
        ParallelizationFactor=5,
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    write_at_random(aws, WRITES)
    aws("dynamodb").put_item(TableName="orders", Item={"id": {"S": "last"}})
    expected = items(aws, "orders")
    eventually(lambda: items(aws, "view") == expected, "a view that equals its table")


def test_the_project_of_the_template() -> None:
    """Tables, queue, function and mapping are made of the template, with one command."""
    template = ("--config", str(EXAMPLE / "template.yaml"))
    with (
        Serving(*template, "--aws", "embedded", "--python", sys.executable) as serving,
        clients_of(serving.url) as aws,
    ):
        (mapping,) = aws("lambda").list_event_source_mappings()["EventSourceMappings"]
        destination = {"Destination": "arn:aws:sqs:us-east-1:123456789012:GivenUp"}
        assert mapping["DestinationConfig"] == {"OnFailure": destination}
        assert mapping["ParallelizationFactor"] == 5
        aws("dynamodb").put_item(TableName="Orders", Item={"id": {"S": "7"}})
        eventually(lambda: items(aws, "View") == {"7": {"id": {"S": "7"}}})


def test_view_that_is_missing_for_a_while(aws: Clients) -> None:
    """What cannot be applied is reported, and comes again until it can."""
    stream = create_tables(aws)
    create_projector(aws)
    aws("dynamodb").delete_table(TableName="view")
    aws("dynamodb").put_item(TableName="orders", Item={"id": {"S": "a"}})
    mapping = map_source(
        aws,
        "projector",
        stream,
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    of_lambda = aws("lambda")
    eventually(lambda: "OK" in of_lambda.get_event_source_mapping(UUID=mapping).values())
    aws("dynamodb").create_table(TableName="view", **KEY)
    eventually(lambda: items(aws, "view").keys() == {"a"})


def test_handler_reports_the_first_failure(aws: Clients) -> None:
    """Its response names the record that failed, and none that came before."""
    create_tables(aws)
    create_projector(aws)
    good = {"Keys": {"id": {"S": "a"}}, "NewImage": {"id": {"S": "a"}}, "SequenceNumber": "1"}
    bad = {"Keys": {}, "NewImage": {"other": {"S": "b"}}, "SequenceNumber": "2"}
    records = [
        {"eventID": str(place), "eventName": "INSERT", "dynamodb": change}
        for place, change in enumerate((good, bad, good))
    ]
    answer = aws("lambda").invoke(
        FunctionName="projector", Payload=json.dumps({"Records": records}).encode()
    )
    failures = json.loads(answer["Payload"].read())
    assert failures == {"batchItemFailures": [{"itemIdentifier": "2"}]}
