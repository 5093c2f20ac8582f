"""What a compiled file says of itself: for which system and machine it is, and what it needs.

Source: System V ABI, "Object Files", and its supplements for the two processors of Lambda.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}
HEAD_BYTES, SEGMENT_BYTES = 64, 56
"""Of a 64-bit file; the head alone tells the machine."""

_MACH_O = (b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xca\xfe\xba\xbe")
_LOADER_SEGMENT = 3
_SYMBOL_VERSION = re.compile(rb"GLIBC_(\d+)\.(\d+)")


@dataclass(frozen=True)
class Binary:
    """`system`: `Linux`, `macOS` or `Windows`; `machine`: `x86_64`, `arm64` or empty.

    `loader`: the dynamic loader that an executable names; `glibc`: the newest version of which it
    uses something, (0, 0) for none.
    """

    system: str
    machine: str = ""
    loader: str = ""
    glibc: tuple[int, int] = (0, 0)


def read_binary(content: bytes) -> Binary | None:
    """Read the head of a file, or all of it, for only that tells the glibc; None: no binary."""
    if content.startswith(b"\x7fELF"):
        return _read_elf(content)
    if content.startswith(_MACH_O):
        return Binary("macOS")
    return Binary("Windows") if content.startswith(b"MZ") else None


def _read_elf(content: bytes) -> Binary:
    order = ">" if content[5:6] == b"\x02" else "<"
    versions = [(int(one), int(two)) for one, two in _SYMBOL_VERSION.findall(content)]
    machine = int.from_bytes(content[18:20], "big" if order == ">" else "little")
    return Binary(
        "Linux",
        MACHINES.get(machine, "another machine"),
        _loader(content, order),
        max(versions, default=(0, 0)),
    )


def _loader(content: bytes, order: str) -> str:
    """The interpreter segment of a 64-bit file, for Lambda runs no others; empty without one."""
    if content[4:5] != b"\x02" or len(content) < HEAD_BYTES:
        return ""
    (table,) = struct.unpack_from(f"{order}Q", content, 32)
    size, count = struct.unpack_from(f"{order}HH", content, 54)
    for number in range(count):
        segment = content[table + number * size :][:SEGMENT_BYTES]
        if len(segment) < SEGMENT_BYTES:
            return ""
        (kind, start, length) = struct.unpack(f"{order}I4xQ16xQ16x", segment)
        if kind == _LOADER_SEGMENT:
            return content[start : start + length].rstrip(b"\0").decode("utf-8", "replace")
    return ""
