"""What makes a layer's extensions fail in Lambda: each finding has a reason and a mend."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from zlib import error as BadDeflate  # noqa: N812  an exception, and named as one

from lambda_extensions.binary import HEAD_BYTES, read_binary
from lambda_extensions.extension_check import Finding, LayerFile, findings_in
from lambda_runtime import contract

MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
MAX_UPLOAD_BYTES = 50 * 1024 * 1024
DIRECTORY = "extensions"
UNDERSTOOD = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 0x1
_DAMAGED = (zipfile.BadZipFile, BadDeflate, EOFError, ValueError, NotImplementedError, RuntimeError)
"""What zipfile raises where a zip is not what its directory says."""


def check(layer: Path, arch: str | None = None) -> list[Finding]:
    """All findings in a layer's zip, ours or anybody's; raises zipfile.BadZipFile, OSError.

    `arch`: `x86_64` or `arm64`, that of the functions; None: whichever the layer is for.
    """
    with _opened(layer) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        found = [one for one in entries if one.filename.startswith(f"{DIRECTORY}/")]
        extensions = [one for one in found if one.filename.count("/") == 1]
        findings = [*_of_layer(entries, extensions), *_of_places(entries, extensions)]
        findings += _of_libraries(archive, entries, arch)
        files = {one.filename: LayerFile(one.filename, one.external_attr >> 16) for one in entries}
        for entry in extensions:
            content = _content(archive, entry)
            if isinstance(content, Finding):
                findings.append(content)
            else:
                findings += findings_in(files[entry.filename], content, files, arch)
        size = layer.stat().st_size
        if size > MAX_UPLOAD_BYTES:
            reason = f"has {size >> 20} MB zipped, and 50 MB can be uploaded directly"
            findings.append(Finding("layer", reason, "publish it from S3", is_error=False))
        return findings


def _opened(layer: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(layer)
    except (ValueError, IndexError, NotImplementedError, OverflowError) as error:
        raise zipfile.BadZipFile(f"{layer} is damaged ({error})") from error
    if not all(archive.namelist()):
        archive.close()
        raise zipfile.BadZipFile(f"{layer} is damaged (an entry has no name)")
    return archive


def _of_layer(
    entries: Sequence[zipfile.ZipInfo], extensions: Sequence[zipfile.ZipInfo]
) -> Iterator[Finding]:
    if not extensions:
        reason = f"holds no extension{_almost(entries)}"
        yield Finding("layer", reason, "put executables directly into extensions/ at the top")
    if len(extensions) > contract.MAX_EXTENSIONS:
        reason = f"holds {len(extensions)} extensions, Lambda allows {contract.MAX_EXTENSIONS}"
        yield Finding("layer", reason, "leave some out; every file in extensions/ is started")
    size = sum(entry.file_size for entry in entries)
    if size > MAX_UNZIPPED_BYTES:
        reason = f"has {size >> 20} MB unzipped"
        yield Finding("layer", reason, "all layers and the code may have 250 MB together")
    hidden = [one for one in entries if _mode(one) and not _mode(one) & stat.S_IROTH]
    if hidden:
        others = f" (and {len(hidden) - 1} others)" if len(hidden) > 1 else ""
        reason = f"cannot be read by others{others}, and Lambda runs as another user"
        yield Finding(hidden[0].filename, reason, "chmod -R o+rX and zip again")


def _almost(entries: Sequence[zipfile.ZipInfo]) -> str:
    """What was perhaps meant to be one."""
    for entry in entries:
        *parents, _ = PurePosixPath(entry.filename.replace("\\", "/")).parts
        if DIRECTORY in parents[1:]:
            return f" ({entry.filename} is too deep)"
        if parents and parents[0].lower() == DIRECTORY:
            return f" ({entry.filename} is not in {DIRECTORY}/)"
    return ""


def _of_places(
    entries: Sequence[zipfile.ZipInfo], extensions: Sequence[zipfile.ZipInfo]
) -> Iterator[Finding]:
    for entry in entries:
        parts = PurePosixPath(entry.filename).parts
        if entry.filename.startswith("/") or ".." in parts:
            yield Finding(entry.filename, "leaves /opt", "zip with relative paths")
        if "\\" in entry.orig_filename:
            reason = "has backslashes in its name, which are no directories to Lambda"
            yield Finding(entry.filename, reason, "zip again with a tool that writes /")
        if extensions and parts[0] == DIRECTORY and len(parts) > 2:
            reason = f"is never started: Lambda looks into no directory of {DIRECTORY}/"
            mend = "move it up, or out of there"
            yield Finding(entry.filename, reason, mend, is_error=False)


def _of_libraries(
    archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo], arch: str | None
) -> Iterator[Finding]:
    """Libraries that cannot be loaded by functions of this architecture, or not by any."""
    wanted = arch
    for entry in entries:
        if not entry.filename.endswith((".so", ".pyd", ".dylib")):
            continue
        content = _content(archive, entry, HEAD_BYTES)
        binary = None if isinstance(content, Finding) else read_binary(content)
        if binary is None:
            continue
        wanted = wanted or binary.machine or None
        if binary.system != "Linux":
            reason = f"is for {binary.system}, not for Linux"
        elif wanted is not None and binary.machine != wanted:
            reason = f"is for {binary.machine}, not for {wanted}"
        else:
            continue
        yield Finding(entry.filename, reason, "install it for Lambda's system", is_error=False)


def _content(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, size: int = MAX_UNZIPPED_BYTES
) -> bytes | Finding:
    if entry.flag_bits & ENCRYPTED:
        return Finding(entry.filename, "is encrypted", "zip without a password")
    if entry.compress_type not in UNDERSTOOD:
        reason = f"is compressed by method {entry.compress_type}, which Lambda does not know"
        return Finding(entry.filename, reason, "zip with deflate, the usual one")
    try:
        with archive.open(entry) as file:
            return file.read(size)
    except _DAMAGED as error:
        return Finding(entry.filename, f"is damaged ({error})", "zip again")


def _mode(entry: zipfile.ZipInfo) -> int:
    return entry.external_attr >> 16
