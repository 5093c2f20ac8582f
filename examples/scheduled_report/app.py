"""Every working morning: how many orders came in the day before, published to a topic."""

import os
from datetime import datetime, timedelta

import boto3

s3 = boto3.client("s3")
sns = boto3.client("sns")


def handler(event, context):
    # The instant that the schedule meant: a retry an hour later reports on the same day.
    day = datetime.fromisoformat(event["time"]).date() - timedelta(days=1)
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=os.environ["BUCKET"], Prefix=f"orders/{day:%Y/%m/%d}/"
    )
    sizes = [found["Size"] for page in pages for found in page.get("Contents", [])]
    report = f"{day:%A, %d %B %Y}: {len(sizes)} orders, {sum(sizes)} bytes"
    sns.publish(TopicArn=os.environ["TOPIC_ARN"], Subject="Orders", Message=report)
    print(report)
    return {"day": f"{day}", "orders": len(sizes)}
