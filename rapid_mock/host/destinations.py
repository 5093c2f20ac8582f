"""Where the records of asynchronous invocations go: functions, URLs, files, Python callables.

A destination is the ARN of a function here, of a queue, a topic or an event bus, `http://...` (a
POST), `file:///...` (a line of JSON each), or a name that a callable was given. Source: "Capturing
records of Lambda asynchronous invocations", AWS Lambda Developer Guide.
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lambda_runtime import contract
from rapid_mock.console import Console
from rapid_mock.errors import CallFailed, ServiceError, SetupError
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer

POST_SECONDS = 10.0
_LAMBDA, _SERVICE = "arn:aws:lambda:", "arn:aws:"
CALLABLE = "callable:"


class Destinations:
    """Delivers records; a failure is told in one sentence, and is the record's end.

    `tell` takes those for other services of AWS, and raises CallFailed or SetupError.
    """

    def __init__(
        self,
        invoke: Callable[[InvokeRequest, OnAnswer], None],
        tell: Callable[[str, Any], Awaitable[None]],
        console: Console,
    ) -> None:
        self._invoke = invoke
        self._tell = tell
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
        task = asyncio.get_running_loop().create_task(self.deliver(destination, record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def deliver(self, destination: str, record: Any) -> None:
        """Returns when the destination has the record, or has refused it; raises nothing."""
        try:
            if destination.startswith(_LAMBDA):
                await self._invoke_function(destination, record)
            elif destination.startswith(_SERVICE):
                await self._tell(destination, record)
            else:
                await asyncio.to_thread(self._local(destination), record)
        except Exception as error:  # noqa: BLE001  whatever a callable or a library raises
            code = error.code if isinstance(error, CallFailed) else type(error).__name__
            is_said = isinstance(error, ServiceError | SetupError)
            why = str(error) if is_said else f"{code}: {error}"
            self._console.explain(f"destination {destination} did not take a record: {why}")

    async def close(self) -> None:
        """Wait for what is being delivered."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    async def _invoke_function(self, arn: str, record: Any) -> None:
        answered: asyncio.Future[InvokeAnswer] = asyncio.get_running_loop().create_future()

        def take(answer: InvokeAnswer | ServiceError) -> None:
            if isinstance(answer, ServiceError):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)

        payload = json.dumps(record).encode()
        event = contract.INVOCATION_EVENT
        self._invoke(InvokeRequest(str(uuid.uuid4()), arn, payload, invocation_type=event), take)
        await answered

    def _local(self, destination: str) -> Callable[[Any], object]:
        """What takes the record in a thread."""
        if destination.startswith(CALLABLE):
            return self._callables[destination]
        if destination.startswith(("http://", "https://")):
            return partial(_post, destination)
        if destination.startswith("file://"):
            return partial(self._append, destination)
        raise SetupError("there is no such service here")

    def _append(self, destination: str, record: Any) -> None:
        with self._file, Path(unquote(urlsplit(destination).path)).open("a") as lines:
            lines.write(json.dumps(record) + "\n")


def _post(url: str, record: Any) -> None:
    import requests

    requests.post(url, json=record, timeout=POST_SECONDS).raise_for_status()
