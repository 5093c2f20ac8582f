"""Handlers for several invocations at once, with the imports of an ordinary function."""

from __future__ import annotations

import asyncio
import decimal
import email.message
import http.client
import json
import logging
import ssl
import time
import urllib.request

USED = (decimal, email.message, http.client, json, logging, ssl, urllib.request)
WAIT_SECONDS = 0.01


def echo(event: object, context: object) -> object:  # noqa: ARG001  the handler's signature
    return event


def wait(event: object, context: object) -> object:  # noqa: ARG001  the handler's signature
    time.sleep(WAIT_SECONDS)
    return event


async def echo_async(event: object, context: object) -> object:  # noqa: ARG001  the handler's signature
    return event


async def wait_async(event: object, context: object) -> object:  # noqa: ARG001  the handler's signature
    await asyncio.sleep(WAIT_SECONDS)
    return event
