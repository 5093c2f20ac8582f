"""A handler that answers only when as many invocations as it is told are at work at once."""

from __future__ import annotations

SOURCE = """
import asyncio
import os
import pathlib
import time

def meet(event, context):
    here = pathlib.Path(event["meet_in"])
    (here / context.aws_request_id).touch()
    deadline = time.monotonic() + 8
    while len(list(here.iterdir())) < event["count"] and time.monotonic() < deadline:
        yield
    yield [len(list(here.iterdir())), os.getpid(), event["n"]]

def handler(event, context):
    if event == "pid":
        return os.getpid()
    if event == "hang":
        time.sleep(60)
    if event == "crash":
        os._exit(9)
    for answer in meet(event, context):
        time.sleep(0.002)
    return answer

async def coroutine(event, context):
    if event == "pid":
        return os.getpid()
    if event == "crash":
        os._exit(9)
    for answer in meet(event, context):
        await asyncio.sleep(0.002)
    return answer
"""
FORMS = {
    "process": ("app.handler", 16),
    "preload": ("app.handler", 16),
    "thread": ("app.handler", 1),
    "async": ("app.coroutine", 1),
}
"""How several invocations at once are handled: the handler, and how many processes sixteen take."""
