"""Keeps a second table equal to the first, by the stream of its changes.

Records may come again after a failure, never out of order: what is applied twice ends the same.
"""

import base64
import os

import boto3

dynamodb = boto3.client("dynamodb")
VIEW = os.environ["VIEW_TABLE"]


def handler(event, context):
    for record in event["Records"]:
        try:
            apply(record["eventName"], record["dynamodb"])
        except dynamodb.exceptions.ClientError as error:
            print(f"{record['eventID']} waits: {error}")
            return failed(record)
    return {"batchItemFailures": []}


def apply(name, change):
    if name == "REMOVE":
        dynamodb.delete_item(TableName=VIEW, Key=attributes(change["Keys"]))
    else:
        dynamodb.put_item(TableName=VIEW, Item=attributes(change["NewImage"]))


def failed(record):
    """Lambda goes on with this record, and does not repeat those before it."""
    number = record["dynamodb"]["SequenceNumber"]
    return {"batchItemFailures": [{"itemIdentifier": number}]}


def attributes(image):
    return {name: typed(value) for name, value in image.items()}


def typed(value):
    """A value of an event as boto3 takes it: events have bytes in base64."""
    ((kind, content),) = value.items()
    if kind == "B":
        content = base64.b64decode(content)
    elif kind == "BS":
        content = [base64.b64decode(one) for one in content]
    elif kind == "L":
        content = [typed(one) for one in content]
    elif kind == "M":
        content = attributes(content)
    return {kind: content}
