"""Functions that write down what a mapping hands over, and the mappings, through the API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.aws import Clients, eventually
from tests.support.lambda_api import create

WRITES_RECORDS_DOWN = """
import base64, json, os

def handler(event, context):
    lines = [told(record) for record in event["Records"]]
    with open(os.environ["BOOK"], "a") as book:
        book.write("".join(json.dumps(line) + "\\n" for line in lines))
    if any(data == "poison" for _, data, _ in lines):
        raise ValueError("poison")

def told(record):
    kinesis = record["kinesis"]
    return kinesis["partitionKey"], base64.b64decode(kinesis["data"]).decode(), record["eventID"]
"""


class Book:
    """What a function wrote: a line for each record, in the order of invocations."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()

    def lines(self) -> list[tuple[str, str]]:
        """Keys and data; a line that is being written does not count."""
        whole = self.path.read_text().rpartition("\n")[0].splitlines()
        return [(key, data) for key, data, _ in map(json.loads, whole)]

    def data(self) -> set[str]:
        return {data for _, data in self.lines()}


def create_writer(clients: Clients, name: str, book: Book) -> None:
    """A function that writes down the records it gets."""
    environment = {"Variables": {"BOOK": str(book.path)}}
    create(clients("lambda"), name, WRITES_RECORDS_DOWN, Timeout=20, Environment=environment)


def map_source(clients: Clients, function: str, arn: str, **members: Any) -> str:
    """Create a mapping and wait until it polls; returns its UUID."""
    made = clients("lambda").create_event_source_mapping(
        FunctionName=function, EventSourceArn=arn, **members
    )
    wait_for_state(clients, made["UUID"], "Enabled")
    return str(made["UUID"])


def wait_for_state(clients: Clients, mapping_id: str, state: str) -> None:
    eventually(
        lambda: clients("lambda").get_event_source_mapping(UUID=mapping_id)["State"] == state,
        f"the state {state} of a mapping",
    )


def delete_all(clients: Clients) -> None:
    """Delete every mapping, wait until nothing is polled, and delete every function."""
    of_lambda = clients("lambda")
    for mapping in of_lambda.list_event_source_mappings()["EventSourceMappings"]:
        if mapping["State"] in {"Enabled", "Disabled"}:
            of_lambda.delete_event_source_mapping(UUID=mapping["UUID"])
    eventually(lambda: not of_lambda.list_event_source_mappings()["EventSourceMappings"])
    for function in of_lambda.list_functions()["Functions"]:
        of_lambda.delete_function(FunctionName=function["FunctionName"])


def create_stream(clients: Clients, name: str, shards: int = 1) -> str:
    """A Kinesis stream; returns its ARN."""
    clients("kinesis").create_stream(StreamName=name, ShardCount=shards)
    described = clients("kinesis").describe_stream_summary(StreamName=name)
    return str(described["StreamDescriptionSummary"]["StreamARN"])


def put_numbers(clients: Clients, stream: str, first: int, end: int, keys: int = 50) -> None:
    """Put one record for each number; those of a key come in rising order."""
    for start in range(first, end, 500):
        records = [
            {"Data": str(number).encode(), "PartitionKey": f"key-{number % keys}"}
            for number in range(start, min(start + 500, end))
        ]
        clients("kinesis").put_records(StreamName=stream, Records=records)
