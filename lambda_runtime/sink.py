"""Where log records go: standard output, or frames on the descriptor that Lambda hands us.

A frame is a type word, a length and a time stamp in microseconds, all big-endian, then the UTF-8
text. Layout and type words: AWS's Python runtime interface client.
"""

from __future__ import annotations

import os
import sys
from os import environ

from lambda_runtime import contract

NOTSET, ERROR, CRITICAL = 0, 40, 50  # the numbers of `logging`, which is not loaded for them

_FRAME_TYPE = 0xA55A0002
_TEXT_BIT = 1
_LEVEL_STEP = 4

_framed: int | None = None


def open_sink() -> None:
    """Take over the descriptor of `_LAMBDA_TELEMETRY_LOG_FD`; children must not see it.

    A descriptor that is none is named on standard error, and standard output serves.
    """
    global _framed  # noqa: PLW0603  a process has one sink
    text = environ.pop(contract.ENV_TELEMETRY_LOG_FD, "")
    if not text:
        return
    try:
        os.fstat(int(text))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"lambda_runtime: {contract.ENV_TELEMETRY_LOG_FD} is useless: {error}\n")
        return
    _framed = int(text)


def is_framed() -> bool:
    """Whether records go out as frames."""
    return _framed is not None


def is_json() -> bool:
    """Whether records are JSON: AWS_LAMBDA_LOG_FORMAT says so, in whatever case."""
    return environ.get(contract.ENV_LOG_FORMAT, "").lower() == contract.LOG_FORMAT_JSON.lower()


def write(text: str, *, level: int = NOTSET) -> None:
    """Write one record, line break included."""
    if _framed is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        _write_all(_framed, _frame(text, _frame_type(level)))


def write_error(text: str) -> None:
    """Write the record of a failure, line break included, which its frame leaves out.

    Its frame has the level ERROR whether AWS_LAMBDA_LOG_LEVEL is set or not.
    """
    if _framed is None:
        write(text)
    else:
        _write_all(_framed, _frame(text.removesuffix("\n"), _type_word(ERROR // 10)))


def _frame(text: str, type_word: int) -> bytes:
    from time import time_ns

    data = text.encode("utf-8", "backslashreplace")
    head = type_word.to_bytes(4, "big") + len(data).to_bytes(4, "big")
    return head + (time_ns() // 1000).to_bytes(8, "big") + data


def _frame_type(level: int) -> int:
    """Levels go down to their decade; text carries one only when AWS_LAMBDA_LOG_LEVEL is set."""
    decade = max(NOTSET, min(level, CRITICAL)) // 10
    if not is_json() and not environ.get(contract.ENV_LOG_LEVEL):
        decade = 0
    return _type_word(decade)


def _type_word(decade: int) -> int:
    level = _LEVEL_STEP * (decade + 1) if decade else 0
    return _FRAME_TYPE + level + (0 if is_json() else _TEXT_BIT)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
