"""Asks several services at once; one client for the whole life of the process keeps connections."""

import asyncio

import httpx

from lambda_runtime import on_shutdown, request_sigterm

client = httpx.AsyncClient(timeout=2)
request_sigterm()  # without an extension Lambda would end the process without a word


@on_shutdown
async def close():
    await client.aclose()
    print("client closed")


async def handler(event, context):
    answers = await asyncio.gather(*(ask(url) for url in event["urls"]))
    return dict(zip(event["urls"], answers, strict=True))


async def ask(url):
    try:
        return (await client.get(url)).status_code
    except httpx.HTTPError as error:
        return str(error)
