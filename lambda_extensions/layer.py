"""Builds the layer that ships an extension: a zip that is the same for the same input, anywhere.

    extensions/NAME      a sh launcher, 0755: finds a Python and becomes it
    NAME/main.py         the extension; beside it its modules, its requirements and this SDK
    NAME/python/         a Python to bring along, if there is one

Lambda unpacks layers to /opt, which is read-only: bytecode is compiled here, unchecked.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from lambda_extensions import launcher
from lambda_extensions.layer_content import (
    MACHINE_NAMES,
    CannotBuild,
    add_requirements,
    add_sdk,
    add_source,
    bound_libraries,
    wrong_libraries,
)

__all__ = ["ARCHITECTURES", "MAX_UNZIPPED_BYTES", "CannotBuild", "build"]

ARCHITECTURES = sorted(MACHINE_NAMES)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TAKEN = ("bin", "dotnet", "extensions", "java", "lib", "nodejs", "python", "ruby")
"""Where Lambda, or a runtime, looks for something: an extension's own directory is elsewhere."""
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
NOT_BUNDLED = shutil.ignore_patterns(
    *("__pycache__", "*.a", "config-*", "pkgconfig", "include", "share"),
    *("test", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "site-packages"),
)
"""What of a Python only its developers need: two thirds of its size."""
OF_ITSELF = ("pip", "pip-", "setuptools", "_distutils_hack", "distutils-", "README", "__pycache__")
"""What a Python has in its site-packages before anybody installs something."""

OWN_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build(
    source: Path,
    name: str,
    output: Path,
    *,
    requirements: Path | None = None,
    pythons: Sequence[str] = (),
    arch: str = "x86_64",
    bundled: Path | None = None,
) -> list[str]:
    """Write the layer to `output` and return warnings, one sentence each.

    `source`: a file, or a directory with `main.py` or `__main__.py`; `pythons`: the versions
    (`3.12`) it is for, this one's when empty; `arch`: `x86_64` or `arm64`; `bundled`: a directory
    with `bin/python3` to bring along. Raises CannotBuild.
    """
    if not NAME.fullmatch(name):
        raise CannotBuild(f"{name!r} cannot be an extension's name: letters, digits, . _ - are")
    if name in TAKEN:
        raise CannotBuild(f"{name!r} is a directory that means something in layers")
    versions = pythons or (OWN_VERSION if bundled is None else _version_of(bundled),)
    with tempfile.TemporaryDirectory(prefix="lambda-extensions-") as place:
        root = Path(place)
        code = root / name
        warnings = [*add_source(source, code, output)]
        add_sdk(code)
        if requirements is not None:
            add_requirements(requirements, code, versions, arch)
        warnings += wrong_libraries(code, versions, arch)
        if not pythons and bundled is None:
            warnings += bound_libraries(code)
        _add_launcher(root, name, versions, is_strict=bool(pythons))
        if bundled is not None:
            shutil.copytree(bundled, code / "python", symlinks=True, ignore=NOT_BUNDLED)
            warnings += _left_behind(bundled)
            warnings += _compile_with(code / "python" / "bin" / "python3", code, root)
        else:
            warnings += _compile(code, root, versions)
        warnings += _sizes(root)
        _zip(root, output)
    return warnings


def _compile(code: Path, root: Path, versions: Sequence[str]) -> Iterator[str]:
    """Bytecode for every version whose Python is here."""
    for version in versions:
        python = sys.executable if version == OWN_VERSION else shutil.which(f"python{version}")
        if python is None:
            yield f"python{version} is not here: no bytecode for it, each cold start compiles"
        else:
            yield from _compile_with(Path(python), code, root)


def _compile_with(python: Path, code: Path, root: Path) -> Iterator[str]:
    command = [str(python), "-m", "compileall", "-q", "-j", "1"]
    command += ["--invalidation-mode", "unchecked-hash", "-s", str(root), "-p", "/opt", str(code)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        problem = done.stdout.strip()[-300:] if done.returncode else ""
    except OSError as error:
        problem = str(error)
    if problem:
        yield f"not all is compiled by {python.name}, each cold start does: {problem}"


def _version_of(bundled: Path) -> str:
    python = bundled / "bin" / "python3"
    if not os.access(python, os.X_OK):
        raise CannotBuild(f"{bundled} holds no bin/python3 that can be executed")
    question = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", question], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotBuild(f"{python} does not run here, say its version with --python") from error
    return done.stdout.strip()


def _left_behind(bundled: Path) -> Iterator[str]:
    for packages in sorted(bundled.glob("lib/python3*/site-packages")):
        names = sorted(one.name for one in packages.iterdir())
        others = [name for name in names if not name.startswith(OF_ITSELF)]
        if others:
            yield (
                f"{packages} stays behind with {len(others)} entries such as {others[0]}: "
                "name what the extension needs with -r"
            )


def _add_launcher(root: Path, name: str, versions: Sequence[str], *, is_strict: bool) -> None:
    (root / "extensions").mkdir()
    path = root / "extensions" / name
    path.write_text(launcher.shell(name, versions, is_strict=is_strict), newline="\n")
    path.chmod(0o755)
    text = launcher.PYTHON.format(name=name, versions=tuple(versions) if is_strict else ())
    (root / name / launcher.FILE).write_text(text, newline="\n")


def _sizes(root: Path) -> Iterator[str]:
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir())
    if size > MAX_UNZIPPED_BYTES:
        yield f"{size >> 20} MB unzipped: all layers and the code may have 250 MB together"


def _zip(root: Path, output: Path) -> None:
    launchers = root / "extensions"
    files = sorted(path for path in root.rglob("*") if path.is_symlink() or path.is_file())
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as layer:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _EPOCH)
            entry.create_system = 3  # unix, whatever it is made on
            entry.compress_type = zipfile.ZIP_DEFLATED
            if path.is_symlink():
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                layer.writestr(entry, str(path.readlink()))
            else:
                mode = 0o755 if path.parent == launchers or _is_executable(path) else 0o644
                entry.external_attr = (stat.S_IFREG | mode) << 16
                layer.writestr(entry, path.read_bytes())


def _is_executable(path: Path, system: str = os.name) -> bool:
    """As its mode says; where there are no modes, whether it looks like a program."""
    if system == "posix":
        return bool(path.stat().st_mode & 0o100)
    with path.open("rb") as file:
        return file.read(4).startswith((b"#!", b"\x7fELF"))
