"""Framed log messages: the decoder, and a process that writes them."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rapid_mock.host.log_frames import FrameDecoder
from rapid_mock.host.supervisor import ExitStatus, Supervisor

INFO = b"\xa5\x5a\x00\x0f\x00\x00\x00\x05\x00\x06\x12\x34\x56\x78\x9a\xbchello"


def test_a_frame_as_aws_writes_it() -> None:
    """Type word, length, time in microseconds, message; all big-endian, no terminator."""
    assert list(FrameDecoder().feed(INFO)) == [b"hello"]


@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(1, 50))
def test_frames_may_come_in_any_pieces(messages: list[bytes], size: int) -> None:
    """Whatever the reads, the messages come whole and in order."""
    heads = (b"\xa5\x5a\x00\x03" + len(m).to_bytes(4, "big") + bytes(8) for m in messages)
    data = b"".join(head + message for head, message in zip(heads, messages, strict=True))
    decoder = FrameDecoder()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [message for piece in pieces for message in decoder.feed(piece)] == messages
    assert decoder.rest() == b""


@given(st.binary(max_size=200))
def test_nothing_is_lost(data: bytes) -> None:
    """What is no frame is handed out as it is; a frame that broke off is the rest."""
    decoder = FrameDecoder()
    found = b"".join(decoder.feed(data)) + decoder.rest()
    assert data.endswith(found[-1:])
    if not data.startswith(b"\xa5\x5a"):
        assert found == data


def test_a_process_is_told_its_descriptor(tmp_path: Path) -> None:
    """The variable has its number; messages and output come through different callbacks."""
    program = (
        "import os, sys; fd = int(os.environ['FD'])\n"
        "head = b'\\xa5\\x5a\\x00\\x03\\x00\\x00\\x00\\x09' + bytes(8)\n"
        "os.write(fd, head + b'one\\ntwo\\n\\n')\n"
        "os.write(fd, head + b'cut off')\n"
        "print('plain')\n"
    )

    async def run() -> tuple[list[bytes], list[bytes]]:
        output: list[bytes] = []
        messages: list[bytes] = []
        ended: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        home = Supervisor(
            on_output=lambda _token, data: output.append(data),
            on_message=lambda _token, data: messages.append(data),
            on_exit=lambda _token, status: ended.set_result(status),
        )
        home.spawn(1, [sys.executable, "-c", program], env={}, cwd=str(tmp_path), log_variable="FD")
        await asyncio.wait_for(ended, 10)
        await home.close()
        return output, messages

    output, messages = asyncio.run(run())
    assert b"".join(output) == b"plain\n"
    assert messages[0] == b"one\ntwo\n\n"
    assert messages[1].endswith(b"cut off")
