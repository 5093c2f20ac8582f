"""A stream of 64 KiB chunks; the first says when it was made (CLOCK_MONOTONIC, nanoseconds)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES = 64 * 1024


def handler(event: dict[str, int], context: object) -> Iterator[bytes]:  # noqa: ARG001  the handler's signature
    """Yield `event["bytes"]` bytes."""
    chunk = bytes(CHUNK_BYTES)
    yield b"%020d" % time.monotonic_ns() + chunk[20:]
    for _ in range(event["bytes"] // CHUNK_BYTES - 1):
        yield chunk
