"""Orders from a queue: each is booked on its own, and one that fails comes again on its own.

rapid-mock start --config examples/sqs_worker/template.yaml --aws embedded
"""

import json
import os

import boto3

bookings = boto3.resource("dynamodb").Table(os.environ["BOOKINGS_TABLE"])


def handler(event, context):
    """Tell SQS which messages were not booked; all others are deleted."""
    failed = [record["messageId"] for record in event["Records"] if not is_booked(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def is_booked(record):
    """Book an order; a message may come twice, so that its id is the key."""
    try:
        order = json.loads(record["body"])
        item = {"id": record["messageId"], "customer": order["customer"]}
        item["count"] = positive(order["count"])
    except (KeyError, TypeError, ValueError) as error:
        received = record["attributes"]["ApproximateReceiveCount"]
        print(f"message {record['messageId']} failed, time {received}: {error!r}")
        return False
    bookings.put_item(Item=item)
    return True


def positive(count):
    if count <= 0:
        raise ValueError(f"the count is {count}")
    return count
