"""The hands that hold the puppets: a stage on which real processes do what a test tells them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from tests.support.command_line import write_executable
from tests.support.puppet import FRAME

PROGRAM = Path(__file__).with_name("puppet.py")
READ_LIMIT = 16 * 1024 * 1024


class Wire(Protocol):
    """One connection to a server, whoever holds it."""

    reader: asyncio.StreamReader

    async def send(self, data: bytes) -> None: ...

    async def half_close(self) -> None: ...

    def close(self) -> None: ...


class Speaker(Protocol):
    """Who opens connections to one server."""

    async def open(self) -> Wire: ...


class DirectWire:
    """A connection of the test's own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # its end shows when reading
            self._writer.write(data)
            await self._writer.drain()

    async def half_close(self) -> None:
        self._writer.write_eof()

    def close(self) -> None:
        self._writer.close()


class Direct:
    """Speaks to a server from the test's own process."""

    def __init__(self, address: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._wires: list[DirectWire] = []

    async def open(self) -> DirectWire:
        wire = DirectWire(*await asyncio.open_connection(self._host, self._port, limit=READ_LIMIT))
        self._wires.append(wire)
        return wire

    def close(self) -> None:
        for wire in self._wires:
            wire.close()


class PuppetWire:
    """A connection that a puppet holds."""

    def __init__(self, puppet: Puppet, number: int) -> None:
        self.reader = asyncio.StreamReader(limit=READ_LIMIT)
        self._puppet = puppet
        self._number = number

    async def send(self, data: bytes) -> None:
        await self._puppet.order(b"s", self._number, data)

    async def half_close(self) -> None:
        await self._puppet.order(b"h", self._number)

    def close(self) -> None:
        self._puppet.order_soon(b"c", self._number)


class Puppet:
    """One process on the stage. `signals` and `gone_at` carry the loop's time of each."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._wires: dict[int, PuppetWire] = {}
        self.name = ""
        self.pid = 0
        self.cwd = ""
        self.arguments: list[str] = []
        self.env: dict[str, str] = {}
        self.ignores_sigterm = False
        self.signals: list[tuple[str, float]] = []
        self.gone = asyncio.Event()
        self.gone_at = 0.0

    @property
    def is_gone(self) -> bool:
        return self.gone.is_set()

    @property
    def runtime_api(self) -> str:
        return self.env["AWS_LAMBDA_RUNTIME_API"]

    async def open(self) -> PuppetWire:
        wire = PuppetWire(self, len(self._wires))
        self._wires[len(self._wires)] = wire
        await self.order(b"o", len(self._wires) - 1)
        return wire

    async def exit(self, status: int) -> None:
        """Make it exit, and wait until it has."""
        self.order_soon(b"x", status)
        await self.gone.wait()

    async def kill(self) -> None:
        """Make it die by SIGKILL, and wait until it has."""
        self.order_soon(b"k", 0)
        await self.gone.wait()

    async def order(self, kind: bytes, number: int, data: bytes = b"") -> None:
        self.order_soon(kind, number, data)
        with contextlib.suppress(ConnectionError):  # dead: `gone` says so
            await self._writer.drain()

    def order_soon(self, kind: bytes, number: int, data: bytes = b"") -> None:
        self._writer.write(FRAME.pack(kind, number, len(data)) + data)

    def told(self, kind: bytes, number: int, data: bytes) -> None:
        """News from the process."""
        if kind == b"H":
            hello = json.loads(data)
            self.name, self.pid, self.cwd = hello["name"], hello["pid"], hello["cwd"]
            self.arguments, self.env = hello["arguments"], hello["env"]
        elif kind == b"d":
            self._wires[number].reader.feed_data(data)
        elif kind == b"e":
            self._wires[number].reader.feed_eof()
        elif kind == b"S":
            now = asyncio.get_running_loop().time()
            self.signals.append((signal.Signals(number).name, now))
            if not self.ignores_sigterm:
                self.order_soon(b"x", 0)

    def lost(self) -> None:
        """The process has ended."""
        for wire in self._wires.values():
            wire.reader.feed_eof()
        self.gone_at = asyncio.get_running_loop().time()
        self.gone.set()
        self._writer.close()


class Stage:
    """All puppets of one scenario, in order of their appearance."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._port = 0
        self._changed = asyncio.Condition()
        self.puppets: list[Puppet] = []
        self.ignores_sigterm = False

    def write_program(self, name: str, place: str = "") -> Path:
        """An executable that becomes the puppet `name`."""
        words = [sys.executable, "-I", "-S", str(PROGRAM), str(self._port), name]
        source = f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n'
        return write_executable(self._directory / place / name, source)

    def find(self, name: str) -> Puppet | None:
        """The living puppet of this name."""
        for puppet in reversed(self.puppets):
            if puppet.name == name:
                return None if puppet.is_gone else puppet
        return None

    async def entrance(self, name: str) -> Puppet:
        """Wait until a puppet of this name lives."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.find(name) is not None)
        puppet = self.find(name)
        assert puppet is not None
        return puppet

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        puppet = Puppet(writer)
        puppet.ignores_sigterm = self.ignores_sigterm
        try:
            while True:
                kind, number, length = FRAME.unpack(await reader.readexactly(FRAME.size))
                puppet.told(kind, number, await reader.readexactly(length))
                if kind == b"H":
                    async with self._changed:
                        self.puppets.append(puppet)
                        self._changed.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            puppet.lost()

    def serve_on(self, port: int) -> None:
        self._port = port


@asynccontextmanager
async def open_stage(directory: Path) -> AsyncIterator[Stage]:
    """A stage; every puppet must have gone when it is left."""
    stage = Stage(directory)
    server = await asyncio.start_server(stage.accept, "127.0.0.1", 0, limit=READ_LIMIT)
    stage.serve_on(server.sockets[0].getsockname()[1])
    try:
        yield stage
    finally:
        server.close()
        await asyncio.gather(*(puppet.gone.wait() for puppet in stage.puppets))
        await server.wait_closed()
