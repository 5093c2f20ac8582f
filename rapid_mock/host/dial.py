"""Connections to consumers of telemetry on this machine."""

from __future__ import annotations

import asyncio
import os

HOST = "127.0.0.1"


class Undelivered(Exception):
    """Raised for a batch that did not arrive, or a connection that could not be made; says why."""


class Connection:
    """An open one; whoever is given it may `take` it, and closes it then."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._is_taken = False

    def take(self) -> Connection:
        self._is_taken = True
        return self

    def close_unless_taken(self) -> None:
        if not self._is_taken:
            self.writer.close()

    def abort(self) -> None:
        """Drop it at once."""
        self.writer.transport.abort()


async def dial(port: int) -> Connection:
    """Connect to a port of this machine. Raises Undelivered, in RIE's words."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError as error:
        words = os.strerror(error.errno).lower() if error.errno else str(error)
        raise Undelivered(f"dial tcp {HOST}:{port}: connect: {words}") from error
    writer.transport.set_write_buffer_limits(0)
    return Connection(reader, writer)
