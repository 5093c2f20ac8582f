"""Layers of other people, and binaries as far as anybody reads them."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

ELF_ARM = b"\x7fELF\x02\x01" + bytes(12) + b"\xb7\0" + bytes(44)
ELF_X86 = b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\0" + bytes(44)


def foreign(tmp_path: Path, *files: tuple[str, int, bytes]) -> Path:
    path = tmp_path / "foreign.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode, content in files:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFREG | mode) << 16 if mode else 0x20  # DOS: archive
            archive.writestr(entry, content)
    return path


def executable(loader: bytes, *symbols: bytes) -> bytes:
    """An x86-64 ELF executable: its loader, and the versions of the symbols that it uses."""
    table, size = 64, 56
    start = table + size
    ident = b"\x7fELF\x02\x01\x01"
    head = struct.pack(
        "<16sHHIQQQIHHHHHH", ident, 2, 0x3E, 1, 0, table, 0, 0, table, size, 1, 0, 0, 0
    )
    kind = 3 if loader else 1
    segment = struct.pack("<IIQQQQQQ", kind, 4, start, 0, 0, len(loader), len(loader), 1)
    return head + segment + loader + b"\0".join((b"", *symbols))


def wheel(directory: Path, name: str, files: Mapping[str, str | bytes]) -> None:
    """A minimal wheel."""
    info = f"{name}-1.0.dist-info"
    metadata = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, *metadata, f"{info}/RECORD"])
    directory.mkdir(exist_ok=True)
    with zipfile.ZipFile(directory / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, content in {**files, **metadata, f"{info}/RECORD": record}.items():
            archive.writestr(path, content)
