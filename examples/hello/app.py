"""Greets whoever calls: behind an HTTP API (API Gateway payload 2.0) or a Function URL."""

import json


def handler(event, context):
    name = (event.get("queryStringParameters") or {}).get("name", "world")
    print(f"{event['requestContext']['http']['method']} {event['rawPath']} for {name}")
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": f"Hello, {name}!", "function": context.function_name}),
    }
