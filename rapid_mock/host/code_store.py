"""Deployment packages: checked when they come, unpacked when a version is deployed.

Source: "Lambda quotas" and "Working with .zip file archives", AWS Lambda Developer Guide; texts of
refusals as recorded from AWS.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import shutil
import stat
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path, PurePosixPath

from rapid_mock.errors import EntityTooLarge, InvalidParameterValue, SerializationFailed
from rapid_mock.service.versions import Code

MAX_ZIPPED_BYTES = 52_428_800
MAX_UNZIPPED_BYTES = 262_144_000
LOCAL_BUCKET = "hot-reload"
"""An S3 bucket of this name means a directory here, whose path is the key (as in LocalStack)."""

_ARCHIVE, _CONTENT = "archive.zip", "content"


class CodeStore:
    """Keeps archives in a temporary directory, which `close` removes."""

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._stored = 0

    def add_archive(self, encoded: str) -> Code:
        """Keep a zip archive in base64; raises what AWS answers to one that it does not take."""
        try:
            data = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SerializationFailed("The archive is not base64") from error
        if len(data) > MAX_ZIPPED_BYTES:
            raise EntityTooLarge(f"Zipped size must be smaller than {MAX_ZIPPED_BYTES} bytes")
        unzipped = check_archive(data)
        place = self._new_place()
        (place / _ARCHIVE).write_bytes(data)
        sha256 = base64.b64encode(hashlib.sha256(data).digest()).decode()
        return Code(sha256, len(data), str(place), unzipped)

    def add_directory(self, path: str, revision_id: str) -> Code:
        """Use a directory where it is; a new revision counts as new code, whatever is in it.

        Raises InvalidParameterValue when there is none.
        """
        if not Path(path).is_dir():
            raise InvalidParameterValue(f"There is no directory {path}.")
        digest = hashlib.sha256(f"{path}\n{revision_id}".encode()).digest()
        return Code(base64.b64encode(digest).decode(), 0, path)

    def archive(self, code: Code) -> Path | None:
        """The archive as it came; None for a directory used in place."""
        path = Path(code.place) / _ARCHIVE
        return path if self._is_stored(code) and path.exists() else None

    def unpack(self, code: Code) -> str:
        """The directory with the code, unpacked if it was not yet.

        Raises ValueError for a damaged archive, OSError where it cannot be written.
        """
        if not self._is_stored(code):
            return code.place
        place = Path(code.place)
        content = place / _CONTENT
        if not content.exists():
            partial = place / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            extract(place / _ARCHIVE, partial)
            partial.rename(content)
        return str(content)

    def discard(self, code: Code) -> None:
        """Remove what was kept for code that nobody uses any more."""
        if self._is_stored(code):
            shutil.rmtree(code.place, ignore_errors=True)

    def close(self) -> None:
        directory, self._directory = self._directory, None
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def _is_stored(self, code: Code) -> bool:
        return self._directory is not None and Path(code.place).parent == self._directory

    def _new_place(self) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="rapid-mock-code-"))
        self._stored += 1
        place = self._directory / str(self._stored)
        place.mkdir()
        return place


def check_archive(data: bytes) -> int:
    """The bytes in it; raises InvalidParameterValue for what AWS does not take.

    That is what is no zip archive, empty, too large inside, or leaves its directory. Links count
    as leaving: what they point to would be read as the function's own.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _unreadable() from error
    if not entries:
        raise InvalidParameterValue("Uploaded file must be a non-empty zip")
    if any(not _is_safe(entry) for entry in entries):
        raise _unreadable()
    unzipped = sum(entry.file_size for entry in entries)
    if unzipped >= MAX_UNZIPPED_BYTES:
        raise InvalidParameterValue(
            f"Unzipped size must be smaller than {MAX_UNZIPPED_BYTES} bytes"
        )
    return unzipped


def extract(archive: Path, directory: Path) -> None:
    """Unpack a checked archive with its permissions; raises ValueError when it is damaged."""
    try:
        with zipfile.ZipFile(archive) as opened:
            for entry in opened.infolist():
                path = Path(opened.extract(entry, directory))
                mode = stat.S_IMODE(entry.external_attr >> 16)
                if mode and not entry.is_dir():
                    path.chmod(mode | stat.S_IRUSR)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError("the archive is damaged") from error


def _is_safe(entry: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(entry.filename)
    leaves = path.is_absolute() or ".." in path.parts or "\\" in entry.filename
    is_link = stat.S_ISLNK(entry.external_attr >> 16)
    is_encrypted = bool(entry.flag_bits & 1)
    return not (leaves or is_link or is_encrypted)


def _unreadable() -> InvalidParameterValue:
    return InvalidParameterValue(
        "Could not unzip uploaded file. Please check your file, then try to upload again."
    )
