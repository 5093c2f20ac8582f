"""What `check` says of layers, whoever made them."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lambda_extensions.binary import Binary, read_binary
from lambda_extensions.layer_check import check
from tests.support.command_line import ROOT
from tests.support.layers import ELF_ARM, ELF_X86, executable, foreign


@pytest.mark.parametrize(
    ("file", "finding"),
    [
        (("extensions/x", 0o644, b"#!/bin/sh\n"), "error: extensions/x: is not executable; "),
        (
            ("extensions/x", 0, b"#!/bin/sh\n"),
            "error: extensions/x: has no unix mode (zipped on Windows?); ",
        ),
        (
            ("extensions/x", 0o755, b"#!/bin/sh\r\n"),
            "error: extensions/x: has Windows line ends after #!; ",
        ),
        (
            ("extensions/README", 0o644, b"hello"),
            "error: extensions/README: is neither a script with #! nor a binary, ",
        ),
        (("extensions/x", 0o755, ELF_ARM), "error: extensions/x: is for arm64, not for x86_64; "),
        (
            ("extensions/x", 0o754, b"#!/bin/sh\n"),
            "error: extensions/x: is not executable for others; ",
        ),
        (
            ("extensions/x", 0o755, b""),
            "error: extensions/x: is empty, and Lambda starts every file here; ",
        ),
        (
            ("extensions/x", 0o755, b"\xef\xbb\xbf#!/bin/sh\n"),
            "error: extensions/x: has something before #!, such as a byte order mark; ",
        ),
        (
            ("extensions/x", 0o755, b"#!/bin/sh" + b" x" * 200 + b"\n"),
            "error: extensions/x: has 409 bytes after #!, and the kernel reads 255; ",
        ),
        (
            ("extensions/x", 0o755, b"\xcf\xfa\xed\xfe" + bytes(60)),
            "error: extensions/x: is a program for macOS; build it for Linux",
        ),
        (
            ("extensions/x", 0o755, b"MZ" + bytes(60)),
            "error: extensions/x: is a program for Windows; build it for Linux",
        ),
        (
            ("extensions/x", 0o755, b"#!/usr/bin/python3\n"),
            "error: extensions/x: needs /usr/bin/python3, which Lambda's images do not have; "
            "write #!/usr/bin/env python3, or ",
        ),
        (
            ("extensions/x", 0o755, b"#!/var/lang/bin/node\n"),
            "warning: extensions/x: needs /var/lang/bin/node, which only functions of that ",
        ),
        (
            ("extensions/x", 0o755, b"#!/usr/bin/env bash\nexec python3 -u main.py\n"),
            "warning: extensions/x: starts python3, which only functions of that language have ",
        ),
        (
            ("extensions/x", 0o755, b'#!/bin/bash\nexec "/opt/x/run" /opt/${NAME}/y\n'),
            "warning: extensions/x: names /opt/x/run, which this layer does not hold; ",
        ),
        (
            ("extensions/sub/x", 0o755, b"#!/bin/sh\n"),
            "warning: extensions/sub/x: is never started: Lambda looks into no directory of ",
        ),
        (
            ("extensions\\x", 0o755, b"#!/bin/sh\n"),
            "error: extensions\\x: has backslashes in its name, which are no directories to Lambda",
        ),
        (
            ("data/secret", 0o600, b""),
            "error: data/secret: cannot be read by others, and Lambda runs as another user; ",
        ),
        (
            ("lib/_fast.so", 0o755, ELF_ARM),
            "warning: lib/_fast.so: is for arm64, not for x86_64; ",
        ),
        (
            ("lib/_fast.so", 0o755, b"\xcf\xfa\xed\xfe" + bytes(60)),
            "warning: lib/_fast.so: is for macOS, not for Linux; ",
        ),
        (
            ("Extensions/x", 0o755, b"#!/bin/sh\n"),
            "error: layer: holds no extension (Extensions/x is not in extensions/); ",
        ),
        (
            ("extensions/x", 0o755, b"#!/opt/py/bin/python3\n"),
            "warning: extensions/x: needs /opt/py/bin/python3, which this layer does not hold; ",
        ),
        (
            ("extensions/x", 0o755, b"#!/usr/bin/env python3\n"),
            "warning: extensions/x: needs python3, which only functions of that language have",
        ),
        (
            ("extensions/x", 0o755, b"#!/home/ada/.venv/bin/thing\n"),
            "error: extensions/x: needs /home/ada/.venv/bin/thing, which Lambda's images do not",
        ),
        (
            ("mine/extensions/x", 0o755, b"#!/bin/sh\n"),
            "error: layer: holds no extension (mine/extensions/x is too deep); ",
        ),
        (("../x", 0o644, b""), "error: ../x: leaves /opt; "),
    ],
)
def test_what_check_finds(tmp_path: Path, file: tuple[str, int, bytes], finding: str) -> None:
    """Each thing that fails in Lambda is found, with its reason and a mend."""
    good = ("extensions/good", 0o755, b"#!/bin/sh\n")
    files = [file] if "holds no extension" in finding else [good, file]
    (found,) = check(foreign(tmp_path, *files), "x86_64")
    assert str(found).startswith(finding)
    assert found.mend


GNU, MUSL = b"/lib64/ld-linux-x86-64.so.2\0", b"/lib/ld-musl-x86_64.so.1\0"


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (executable(GNU, b"GLIBC_2.2.5", b"GLIBC_2.17"), None),
        (executable(b"", b"GLIBC_2.38"), None),  # linked statically
        (
            executable(GNU, b"GLIBC_2.28", b"GLIBC_2.5"),
            "warning: extensions/x: needs glibc 2.28, and functions on Amazon Linux 2 have 2.26; ",
        ),
        (
            executable(GNU, b"GLIBC_2.4", b"GLIBC_2.38"),
            "error: extensions/x: needs glibc 2.38, and Lambda's newest images have 2.34; ",
        ),
        (
            executable(MUSL),
            "error: extensions/x: needs /lib/ld-musl-x86_64.so.1, and Lambda's images have glibc; ",
        ),
        (ELF_X86[:20], None),
        (executable(GNU)[:100], None),
        (b"\x7fELF", "error: extensions/x: is for another machine, not for x86_64 or arm64; "),
    ],
)
def test_libraries_of_a_binary(tmp_path: Path, content: bytes, finding: str | None) -> None:
    """A binary that Lambda's images cannot load is found before it is deployed."""
    found = check(foreign(tmp_path, ("extensions/x", 0o755, content)))
    assert [str(one)[: len(finding or "")] for one in found] == (
        [] if finding is None else [finding]
    )


def test_program_of_this_machine_is_read(tmp_path: Path) -> None:
    """A real executable is understood: its machine, loader and glibc."""
    content = Path(sys.executable).resolve().read_bytes()
    found = read_binary(content)
    assert found is not None
    assert found.system == {"linux": "Linux", "darwin": "macOS"}[sys.platform]
    if found.system == "Linux":
        assert found.machine == {"x86_64": "x86_64", "aarch64": "arm64"}[os.uname().machine]
        assert found.loader.startswith("/lib")
        assert read_binary(content[:64]) == Binary("Linux", found.machine)
        assert check(foreign(tmp_path, ("extensions/x", 0o755, content)), found.machine) is not None


@pytest.mark.parametrize(
    ("target", "finding"),
    [
        ("../ext/run", None),
        ("/usr/bin/thing", None),
        ("../ext/other", "error: extensions/x: is a link to ../ext/other, which this layer does "),
    ],
)
def test_links(tmp_path: Path, target: str, finding: str | None) -> None:
    """A link to what is not there is found."""
    layer = foreign(tmp_path, ("ext/run", 0o755, b"#!/bin/sh\n"))
    with zipfile.ZipFile(layer, "a") as archive:
        entry = zipfile.ZipInfo("extensions/x")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, target)
    found = check(layer)
    assert [str(one)[: len(finding or "")] for one in found] == (
        [] if finding is None else [finding]
    )


def test_interpreter_in_the_layer_must_be_executable(tmp_path: Path) -> None:
    """An interpreter that the layer brings along and that lost its mode is found."""
    layer = foreign(
        tmp_path,
        ("extensions/x", 0o755, b"#!/opt/python/bin/python3\n"),
        ("python/bin/python3", 0o644, b"\x7fELF"),
    )
    (found,) = check(layer)
    assert str(found).startswith(
        "error: python/bin/python3: is not executable, and extensions/x needs it; "
    )


@pytest.mark.parametrize(
    ("spoil", "finding"),
    [
        (lambda raw: raw.replace(b"hello", b"hullo"), "error: extensions/x: is damaged ("),
        (lambda raw: _patched(raw, 6, 1), "error: extensions/x: is encrypted; "),
        (lambda raw: _patched(raw, 8, 93), "error: extensions/x: is compressed by method 93, "),
    ],
)
def test_zip_that_cannot_be_read(
    tmp_path: Path, spoil: Callable[[bytes], bytes], finding: str
) -> None:
    """Damage, a password, and a compression that Lambda does not know are findings."""
    layer = foreign(tmp_path, ("extensions/x", 0o755, b"#!/bin/sh\nhello\n"))
    layer.write_bytes(spoil(layer.read_bytes()))
    (found,) = check(layer)
    assert str(found).startswith(finding)


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda raw: _patched(raw, 4, 131), r"is damaged \(zip file version 13\.1\)"),
        (lambda raw: raw.replace(b"extensions/x", b"\0xtensions/x"), "has no name"),
        (lambda raw: _patched(raw, 6, 0x800).replace(b"s/x", b"s/\xff"), "is damaged .'utf-8'"),
        (lambda raw: raw[:-22], "is not a zip file"),
    ],
)
def test_zip_without_a_directory_that_can_be_read(
    tmp_path: Path, spoil: Callable[[bytes], bytes], text: str
) -> None:
    """A zip of which not even the names can be read is no layer: one sentence."""
    layer = foreign(tmp_path, ("extensions/x", 0o755, b"#!/bin/sh\nhello\n"))
    layer.write_bytes(spoil(layer.read_bytes()))
    with pytest.raises(zipfile.BadZipFile, match=text):
        check(layer)


def _patched(raw: bytes, offset: int, value: int) -> bytes:
    """The zip with a 16-bit field of its one entry set: in the local and in the central header."""
    central = raw.index(b"PK\x01\x02")
    for at in (offset, central + offset + 2):
        raw = raw[:at] + struct.pack("<H", value) + raw[at + 2 :]
    return raw


def test_too_many_extensions(tmp_path: Path) -> None:
    """An eleventh extension fails the init phase."""
    files = [(f"extensions/x{number}", 0o755, b"#!/bin/sh\n") for number in range(11)]
    (found,) = check(foreign(tmp_path, *files))
    assert found.reason == "holds 11 extensions, Lambda allows 10"


def test_command_is_a_module(tmp_path: Path) -> None:
    """`python -m lambda_extensions` is the command."""
    layer = foreign(tmp_path, ("extensions/x", 0o755, b"#!/bin/sh\n"))
    command = [sys.executable, "-m", "lambda_extensions", "check", str(layer)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
