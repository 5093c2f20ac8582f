"""What keeps one executable of a layer from starting in Lambda."""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lambda_extensions.binary import Binary, read_binary

SHELLS = ("/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash")
MAX_SHEBANG_BYTES = 255
LANGUAGES = ("python", "node", "ruby", "java", "dotnet", "perl", "php", "deno", "bun")
OLDEST_GLIBC, NEWEST_GLIBC = (2, 26), (2, 34)
"""Of Lambda's images on Amazon Linux 2 and on Amazon Linux 2023."""

_STARTS = re.compile(
    rf"^\s*(?:exec\s+)?(?:/usr/bin/env\s+)?((?:{'|'.join(LANGUAGES)})[\d.]*)\s", re.MULTILINE
)
_OPT_PATH = re.compile(r"/opt/[\w./+-]*[\w+-](?![\w./+$-])")
_BRINGS_ALONG = "start from a sh launcher and bring the interpreter along"


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


@dataclass(frozen=True)
class LayerFile:
    """A file of a layer; `mode` is unix's, 0 where the zip has none."""

    name: str
    mode: int


def findings_in(
    file: LayerFile, content: bytes, files: Mapping[str, LayerFile], arch: str | None
) -> Iterator[Finding]:
    """What keeps this file of `extensions/` from starting; `files`: all of the layer, by name."""
    if stat.S_ISLNK(file.mode):
        yield from _of_link(file, content, files)
        return
    binary = read_binary(content)
    if binary is not None or content.startswith(b"#!"):
        yield from _of_mode(file)
    if content.startswith(b"#!"):
        yield from _of_script(file.name, content, files)
    elif binary is not None:
        yield from _of_binary(file.name, binary, arch)
    elif b"#!" in content[:8]:
        reason = "has something before #!, such as a byte order mark"
        yield Finding(file.name, reason, "save it as UTF-8 without one")
    else:
        what = "is neither a script with #! nor a binary" if content else "is empty"
        mend = "move it out of extensions/, or give it a first line with #!"
        yield Finding(file.name, f"{what}, and Lambda starts every file here", mend)


def _of_mode(file: LayerFile) -> Iterator[Finding]:
    if not file.mode:
        reason = "has no unix mode (zipped on Windows?)"
        yield Finding(file.name, reason, "chmod +x and zip again where modes are kept")
    elif not file.mode & stat.S_IXOTH:
        reason = "is not executable" + (" for others" if file.mode & 0o111 else "")
        yield Finding(file.name, reason, "chmod +x and zip again where modes are kept")


def _of_link(file: LayerFile, content: bytes, files: Mapping[str, LayerFile]) -> Iterator[Finding]:
    target = content.decode("utf-8", "replace")
    place = posixpath.normpath(posixpath.join("/opt", posixpath.dirname(file.name), target))
    if place.startswith("/opt/") and place.removeprefix("/opt/") not in files:
        reason = f"is a link to {target}, which this layer does not hold"
        yield Finding(file.name, reason, "zip what it points to (zip keeps links with -y alone)")


def _of_script(place: str, content: bytes, files: Mapping[str, LayerFile]) -> Iterator[Finding]:
    line = content.partition(b"\n")[0]
    if b"\r" in line:
        yield Finding(place, "has Windows line ends after #!", "save it with \\n line ends")
    if len(line) > MAX_SHEBANG_BYTES:
        reason = f"has {len(line)} bytes after #!, and the kernel reads {MAX_SHEBANG_BYTES}"
        yield Finding(place, reason, "start from #!/bin/sh")
    words = line[2:].decode("utf-8", "replace").split() or [""]
    yield from _of_interpreter(place, words, files)
    if words[0] in SHELLS or words[-1] in ("sh", "bash"):
        yield from _of_shell(place, content.decode("utf-8", "replace"), files)


def _of_interpreter(
    place: str, words: list[str], files: Mapping[str, LayerFile]
) -> Iterator[Finding]:
    program, *arguments = words
    if program.startswith("/opt/"):
        yield from _of_opt(place, program, files)
    elif program == "/usr/bin/env":
        wanted = next((one for one in arguments if not one.startswith("-")), "nothing")
        if wanted not in ("sh", "bash"):
            yield _of_a_language(place, f"needs {wanted}")
    elif program.startswith("/var/lang/bin/"):
        yield _of_a_language(place, f"needs {program}")
    elif program not in SHELLS:
        name = program.rpartition("/")[2]
        is_language = name.startswith(LANGUAGES)
        mend = f"write #!/usr/bin/env {name}, or {_BRINGS_ALONG}" if is_language else ""
        reason = f"needs {program or 'nothing'}, which Lambda's images do not have"
        yield Finding(place, reason, mend or "start from #!/bin/sh")


def _of_opt(place: str, program: str, files: Mapping[str, LayerFile]) -> Iterator[Finding]:
    held = files.get(program.removeprefix("/opt/"))
    if held is None:
        reason = f"needs {program}, which this layer does not hold"
        yield Finding(place, reason, "add it, or name the layer that has it", is_error=False)
    elif held.mode and not held.mode & stat.S_IXOTH:
        yield Finding(held.name, f"is not executable, and {place} needs it", "chmod +x")


def _of_shell(place: str, text: str, files: Mapping[str, LayerFile]) -> Iterator[Finding]:
    for wanted in dict.fromkeys(_STARTS.findall(text)):
        yield _of_a_language(place, f"starts {wanted}")
    for path in dict.fromkeys(_OPT_PATH.findall(text.partition("\n")[2])):
        name = path.removeprefix("/opt/")
        if name not in files and not any(one.startswith(f"{name}/") for one in files):
            reason = f"names {path}, which this layer does not hold"
            yield Finding(place, reason, "add it, or name the layer that has it", is_error=False)


def _of_a_language(place: str, needs: str) -> Finding:
    reason = f"{needs}, which only functions of that language have on Lambda"
    return Finding(place, reason, _BRINGS_ALONG, is_error=False)


def _of_binary(place: str, binary: Binary, arch: str | None) -> Iterator[Finding]:
    if binary.system != "Linux":
        yield Finding(place, f"is a program for {binary.system}", "build it for Linux")
        return
    if binary.machine != (arch or binary.machine) or binary.machine == "another machine":
        wanted = arch or "x86_64 or arm64"
        yield Finding(place, f"is for {binary.machine}, not for {wanted}", f"build it for {wanted}")
    if "musl" in binary.loader:
        reason = f"needs {binary.loader}, and Lambda's images have glibc"
        yield Finding(place, reason, "link it statically, or build it for gnu")
    elif binary.loader and binary.glibc > NEWEST_GLIBC:
        reason = f"needs glibc {_spelled(binary.glibc)}, and Lambda's newest images have 2.34"
        yield Finding(place, reason, "build it on Amazon Linux 2023, or link it statically")
    elif binary.loader and binary.glibc > OLDEST_GLIBC:
        reason = f"needs glibc {_spelled(binary.glibc)}, and functions on Amazon Linux 2 have 2.26"
        mend = "build it on Amazon Linux 2, or use it on Amazon Linux 2023 alone"
        yield Finding(place, reason, mend, is_error=False)


def _spelled(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
