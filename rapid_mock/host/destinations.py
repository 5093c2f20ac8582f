"""Where the records of asynchronous invocations go: functions, URLs, files, Python callables.

A destination is the ARN of a function here, `http://...` (a POST), `file:///...` (a line of JSON
each), or a name that a callable was given. Source: "Capturing records of Lambda asynchronous
invocations", AWS Lambda Developer Guide.
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lambda_runtime import contract
from rapid_mock.console import Console
from rapid_mock.errors import ServiceError
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer

POST_SECONDS = 10.0
_LAMBDA = "arn:aws:lambda:"
CALLABLE = "callable:"


class Destinations:
    """Delivers records; a failure is told in one sentence, and is the record's end."""

    def __init__(self, invoke: Callable[[InvokeRequest, OnAnswer], None], console: Console) -> None:
        self._invoke = invoke
        self._console = console
        self._callables: dict[str, Callable[[Any], object]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._file = threading.Lock()

    def name_of(self, function: Callable[[Any], object]) -> str:
        """A destination for a Python callable; it is called with the record, in a thread."""
        name = f"{CALLABLE}{uuid.uuid4()}"
        self._callables[name] = function
        return name

    def send(self, destination: str, record: Any) -> None:
        """Deliver soon."""
        if destination.startswith(_LAMBDA):
            self._send_to_function(destination, record)
        elif destination.startswith(CALLABLE):
            self._start(destination, partial(self._callables[destination], record))
        elif destination.startswith(("http://", "https://")):
            self._start(destination, partial(_post, destination, record))
        elif destination.startswith("file://"):
            self._start(destination, partial(self._append, destination, record))
        else:
            self._failed(destination, "there is no such service here")

    async def close(self) -> None:
        """Wait for what is being delivered."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    def _send_to_function(self, arn: str, record: Any) -> None:
        request = InvokeRequest(
            str(uuid.uuid4()),
            arn,
            json.dumps(record).encode(),
            invocation_type=contract.INVOCATION_EVENT,
        )
        self._invoke(request, partial(self._accepted, arn))

    def _accepted(self, arn: str, answer: InvokeAnswer | ServiceError) -> None:
        if isinstance(answer, ServiceError):
            self._failed(arn, str(answer))

    def _append(self, destination: str, record: Any) -> None:
        with self._file, Path(unquote(urlsplit(destination).path)).open("a") as lines:
            lines.write(json.dumps(record) + "\n")

    def _start(self, destination: str, deliver: Callable[[], object]) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(destination, deliver))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, destination: str, deliver: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(deliver)
        except Exception as error:  # noqa: BLE001  whatever a callable or a library raises
            self._failed(destination, f"{type(error).__name__}: {error}")

    def _failed(self, destination: str, why: str) -> None:
        self._console.explain(f"destination {destination} did not take a record: {why}")


def _post(url: str, record: Any) -> None:
    import requests

    requests.post(url, json=record, timeout=POST_SECONDS).raise_for_status()
