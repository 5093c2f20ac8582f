"""What makes a layer's extensions fail in Lambda: each finding has a reason and a mend."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lambda_runtime import contract

MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
DIRECTORY = "extensions"
MACHINES = {0x3E: "x86_64", 0xB7: "arm64"}
SHELLS = ("/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash")
HEAD_BYTES = 512


@dataclass(frozen=True)
class Finding:
    """`is_error`: Lambda fails because of it; otherwise it fails for some functions, or later."""

    place: str
    reason: str
    mend: str
    is_error: bool = True

    def __str__(self) -> str:
        word = "error" if self.is_error else "warning"
        return f"{word}: {self.place}: {self.reason}; {self.mend}"


def check(layer: Path, arch: str | None = None) -> list[Finding]:
    """All findings in a layer's zip, ours or anybody's; raises zipfile.BadZipFile, OSError."""
    with zipfile.ZipFile(layer) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        extensions = [
            one for one in entries if PurePosixPath(one.filename).parent.name == DIRECTORY
        ]
        found = [one for one in extensions if len(PurePosixPath(one.filename).parts) == 2]
        findings = [*_of_layer(entries, extensions, found)]
        for entry in found:
            with archive.open(entry) as file:
                head = file.read(HEAD_BYTES)
            findings += _of_extension(entry, head, {one.filename for one in entries}, arch)
        return findings


def _of_layer(
    entries: list[zipfile.ZipInfo], extensions: list[zipfile.ZipInfo], found: list[zipfile.ZipInfo]
) -> Iterator[Finding]:
    if not found:
        deeper = f" ({extensions[0].filename} is too deep)" if extensions else ""
        reason = f"holds no extension{deeper}"
        yield Finding("layer", reason, "put executables directly into extensions/ at the top")
    if len(found) > contract.MAX_EXTENSIONS:
        reason = f"holds {len(found)} extensions, Lambda allows {contract.MAX_EXTENSIONS}"
        yield Finding("layer", reason, "leave some out; every file in extensions/ is started")
    size = sum(entry.file_size for entry in entries)
    if size > MAX_UNZIPPED_BYTES:
        reason = f"has {size >> 20} MB unzipped"
        yield Finding("layer", reason, "all layers and the code may have 250 MB together")
    for entry in entries:
        if entry.filename.startswith("/") or ".." in PurePosixPath(entry.filename).parts:
            yield Finding(entry.filename, "leaves /opt", "zip with relative paths")


def _of_extension(
    entry: zipfile.ZipInfo, head: bytes, names: set[str], arch: str | None
) -> Iterator[Finding]:
    place, mode = entry.filename, entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        return
    if not mode & 0o111:
        reason = "is not executable" if mode else "has no unix mode (zipped on Windows?)"
        yield Finding(place, reason, "chmod +x and zip again where modes are kept")
    if head.startswith(b"#!"):
        yield from _of_script(place, head, names)
    elif head.startswith(b"\x7fELF"):
        yield from _of_binary(place, head, arch)
    else:
        reason = "is neither a script with #! nor a binary, and Lambda starts every file here"
        yield Finding(place, reason, "move it out of extensions/, or give it a first line with #!")


def _of_script(place: str, head: bytes, names: set[str]) -> Iterator[Finding]:
    line = head.partition(b"\n")[0]
    if line.endswith(b"\r"):
        yield Finding(place, "has Windows line ends after #!", "save it with \\n line ends")
    words = line[2:].decode("utf-8", "replace").split()
    program = words[0] if words else ""
    if program.startswith("/opt/") and program.removeprefix("/opt/") not in names:
        reason = f"needs {program}, which this layer does not hold"
        yield Finding(place, reason, "add it, or name the layer that has it", is_error=False)
    elif program.endswith("/env") or "python" in program or "node" in program:
        wanted = " ".join(words[1:]) if program.endswith("/env") else program
        reason = f"needs {wanted}, which only functions of that language have on Lambda"
        mend = "start from a sh launcher and bring the interpreter along"
        yield Finding(place, reason, mend, is_error=False)
    elif program not in SHELLS and not program.startswith("/opt/"):
        reason = f"needs {program or 'nothing'}, which Lambda's images do not have"
        yield Finding(place, reason, "start from #!/bin/sh")


def _of_binary(place: str, head: bytes, arch: str | None) -> Iterator[Finding]:
    machine = MACHINES.get(int.from_bytes(head[18:20], "little"), "another machine")
    if arch is not None and machine != arch:
        yield Finding(place, f"is for {machine}, not for {arch}", f"build it for {arch}")
