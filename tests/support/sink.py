"""A subscriber's end of the Telemetry API: takes batches, and keeps their events."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from tests.support.placeholders import Bindings
from tests.support.recorded import Scenario

PORT = b"<sink_port>"
WAIT_SECONDS = 2.0


class Sink:
    """Listens on one port, answers 200 to everything, unless it is told to wait."""

    def __init__(self) -> None:
        self.port = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.paths: set[str] = set()
        self._events: list[Any] = []
        self._came = asyncio.Condition()

    def fill(self, scenario: Scenario) -> Scenario:
        """The scenario with this sink's port in its requests."""
        steps = [
            replace(
                step,
                request=replace(
                    step.request, body=step.request.body.replace(PORT, str(self.port).encode())
                ),
            )
            if step.request
            else step
            for step in scenario.steps
        ]
        return replace(scenario, steps=steps)

    async def differences(self, expected: str, bindings: Bindings) -> list[str]:
        """Which events are not what was expected, or did not come, one sentence each."""
        lines = expected.splitlines()
        with contextlib.suppress(TimeoutError):
            async with self._came, asyncio.timeout(WAIT_SECONDS):
                await self._came.wait_for(lambda: len(self._events) >= len(lines))
        found = self._events
        seen = [re.sub('"durationMs": [0-9.]+', '"durationMs": 0.0', json.dumps(e)) for e in found]
        wrong = [
            f"event {number}: {line}, expected {wanted}"
            for number, (wanted, line) in enumerate(zip(lines, seen, strict=False), 1)
            if not bindings.matches(wanted, line)
        ]
        if len(seen) != len(lines):
            wrong.append(f"{len(seen)} events came, expected {len(lines)}: {seen}")
        return wrong

    async def first(self, kind: str) -> str:
        """The first event of this type, when it has come; empty when it does not."""

        def found() -> list[Any]:
            return [event for event in self._events if event["type"] == kind]

        with contextlib.suppress(TimeoutError):
            async with self._came, asyncio.timeout(WAIT_SECONDS):
                await self._came.wait_for(found)
        return json.dumps(found()[0]) if found() else ""

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._take(reader)
                await self.answers.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _take(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(re.findall(r"^([\w-]+): (.*)\r$", head, re.MULTILINE))
        body = await reader.readexactly(int(headers["Content-Length"]))
        assert headers["Content-Type"] == "application/json"
        digest = hashlib.sha256(body).digest()
        assert headers["Sequence-Id"] == base64.b64encode(digest).decode()
        self.paths.add(head.split()[1])
        async with self._came:
            self._events += json.loads(body)
            self._came.notify_all()


@asynccontextmanager
async def open_sink() -> AsyncIterator[Sink]:
    """A sink that listens on a free port of loopback."""
    sink = Sink()
    server = await asyncio.start_server(sink.accept, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
        await server.wait_closed()
