"""What has come into a bucket, and how much of it."""

from urllib.parse import unquote_plus


def handler(event, context):
    objects = [record["s3"]["object"] for record in event["Records"]]
    for each in objects:
        print(f"{unquote_plus(each['key'])}: {each['size']} bytes")
    return sum(each["size"] for each in objects)
