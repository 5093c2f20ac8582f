"""Log messages in frames, as runtimes write them to the descriptor `_LAMBDA_TELEMETRY_LOG_FD`.

A frame is a type word (0xA55A and the level), a length (32 bits each), a time (64 bits), all
big-endian, and a message without a terminator. Source: AWS's open-source runtime clients.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEAD = struct.Struct(">HHIQ")
MAGIC = 0xA55A
MAX_FRAME_BYTES = 1024 * 1024
"""A longer message is none: what writes such a head does not write frames."""


class FrameDecoder:
    """Takes bytes as they come and gives whole messages.

    Bytes that are no frame are handed out as they are, as one message: nothing is lost.
    """

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The messages that have become whole."""
        self._data += data
        while len(self._data) >= _HEAD.size:
            magic, _, length, _ = _HEAD.unpack_from(self._data)
            if magic != MAGIC or length > MAX_FRAME_BYTES:
                yield self.rest()
                return
            end = _HEAD.size + length
            if len(self._data) < end:
                return
            message, self._data = self._data[_HEAD.size : end], self._data[end:]
            yield message

    def rest(self) -> bytes:
        """What is left of a frame that will not become whole."""
        data, self._data = self._data, b""
        return data
