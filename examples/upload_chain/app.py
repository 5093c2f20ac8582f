"""Each CSV that is uploaded gets a summary beside it: bucket -> topic -> queue -> this function.

The topic lets others hear of uploads too, the queue keeps them while the function is busy or fails.
"""

import csv
import io
import json
from urllib.parse import unquote_plus

import boto3

s3 = boto3.client("s3")


def handler(event, context):
    failures = []
    for message in event["Records"]:
        try:
            for bucket, key in uploads(message):
                summarise(bucket, key)
        except Exception as error:  # noqa: BLE001  whatever it is, the others are done
            print(f"{message['messageId']} is tried again: {error!r}")
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def uploads(message):
    """The objects that a message of the queue is about; S3's test message is about none."""
    notification = json.loads(message["body"])  # as SNS wrapped it
    for record in json.loads(notification["Message"]).get("Records", []):
        found = record["s3"]
        yield found["bucket"]["name"], unquote_plus(found["object"]["key"])


def summarise(bucket, key):
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    rows = list(csv.DictReader(io.StringIO(body)))
    summary = {"key": key, "rows": len(rows), "columns": list(rows[0]) if rows else []}
    s3.put_object(
        Bucket=bucket,
        Key=f"summaries/{key}.json",
        Body=json.dumps(summary).encode(),
        ContentType="application/json",
    )
    print(f"{key}: {len(rows)} rows")
