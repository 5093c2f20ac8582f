"""A chat that answers while it thinks, behind a Function URL with InvokeMode RESPONSE_STREAM.

With MODEL_ID set the words come from that model on Amazon Bedrock; without it from an echo, so
that it runs anywhere.
"""

import base64
import json
import os

from lambda_runtime import HttpResponse

TEXT = {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}


def handler(event, context):
    prompt = read_prompt(event)
    if not prompt:
        yield HttpResponse(400, TEXT)
        yield 'send JSON: {"prompt": "..."}\n'
        return
    yield HttpResponse(200, TEXT)
    yield from ask_model(prompt) if "MODEL_ID" in os.environ else echo(prompt)


def read_prompt(event):
    body = event.get("body") or "{}"
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body)
    try:
        return json.loads(body).get("prompt")
    except (ValueError, AttributeError):
        return None


def ask_model(prompt):
    import boto3

    answer = boto3.client("bedrock-runtime").converse_stream(
        modelId=os.environ["MODEL_ID"],
        messages=[{"role": "user", "content": [{"text": prompt}]}],
    )
    for event in answer["stream"]:
        if "contentBlockDelta" in event:
            yield event["contentBlockDelta"]["delta"].get("text", "")


def echo(prompt):
    yield "You said: "
    for word in prompt.split():
        yield f"{word} "
