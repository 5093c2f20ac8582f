"""Sixteen invocations at once in one process: they share a cache, and wait for each other's fetch.

Logs, context and trace id are each invocation's own. A plain `def handler` would be served by
sixteen worker processes instead.
"""

import asyncio
import logging

from lambda_runtime import current_context

logger = logging.getLogger()
logger.setLevel(logging.INFO)
fetches: dict[str, asyncio.Task[str]] = {}


async def fetch(key):
    await asyncio.sleep(0.2)  # a database, a model, another service
    return f"value of {key}"


async def handler(event, context):
    key = event["key"]
    if key not in fetches:
        logger.info("fetching %s", key)
        fetches[key] = asyncio.create_task(fetch(key))
    value = await asyncio.shield(fetches[key])
    return {"value": value, "request_id": current_context().aws_request_id}
