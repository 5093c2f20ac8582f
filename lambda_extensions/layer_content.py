"""What goes into a layer beside the launcher: the author's code, its requirements, this SDK."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lambda_extensions.binary import HEAD_BYTES, read_binary
from lambda_extensions.errors import LambdaExtensionsError
from lambda_runtime import contract

ENTRY_POINTS = ("main.py", "__main__.py")
LEFT_OUT = ("__pycache__", "*.pyc", ".git", ".venv", "venv", ".mypy_cache", ".ruff_cache")
STRAY = {
    **dict.fromkeys((".env", ".env.*", "*.pem", "*.key", "id_rsa", ".aws"), "a secret?"),
    **dict.fromkeys(("*.zip", "*.whl", "*.tar.gz", "node_modules"), "of no use in Lambda"),
    **dict.fromkeys((".DS_Store", "Thumbs.db", ".idea", ".vscode"), "of this machine alone"),
    **dict.fromkeys(("tests", "test_*.py", "conftest.py"), "of no use in Lambda"),
    "extensions": "Lambda looks for extensions at the top of the layer alone",
}
"""What is copied and most likely does not belong there."""

MACHINE_NAMES = {"x86_64": "x86_64", "arm64": "aarch64"}
GLIBC = {"old": (17, 26), "new": (17, 26, 28, 34)}
"""Minor versions of the manylinux platforms that run on Amazon Linux 2 and on 2023."""

_SDK = Path(__file__).parent
_RUNTIME = Path(contract.__file__).parent
_BUILDS_ONLY = (
    *("cli.py", "__main__.py", "layer*.py", "launcher.py"),
    *("binary.py", "extension_check.py", "testing.py"),
)
_RUNTIME_PARTS = ("__init__.py", "contract.py", "errors.py", "replies.py", "transport.py")
_TAG = re.compile(r"\.cpython-3(\d+)-")


class CannotBuild(LambdaExtensionsError):
    """Raised when a layer cannot be made of what was given; the text says why."""


def add_source(source: Path, code: Path, output: Path) -> Iterator[str]:
    """Copy the author's code, but not the layer of the time before; yield what looks stray."""
    if source.is_file():
        code.mkdir()
        shutil.copyfile(source, code / "main.py")
        return
    entry = next((one for one in ENTRY_POINTS if (source / one).is_file()), None)
    if entry is None:
        raise CannotBuild(f"{source} is neither a file nor a directory with {ENTRY_POINTS[0]}")
    ignore = shutil.ignore_patterns(*LEFT_OUT)

    def left_out(directory: str, names: list[str]) -> set[str]:
        place = Path(directory).resolve()
        previous = {one for one in names if place / one == output.resolve()}
        return ignore(directory, names) | previous

    shutil.copytree(source, code, ignore=left_out)
    (code / entry).rename(code / "main.py")
    for pattern, reason in STRAY.items():
        for path in sorted(code.rglob(pattern)):
            yield f"{path.relative_to(code)} goes into the layer: {reason}"


def add_sdk(code: Path) -> None:
    """Copy what runs in Lambda of this package, and what it needs of `lambda_runtime`."""
    ignore = shutil.ignore_patterns(*LEFT_OUT, *_BUILDS_ONLY)
    shutil.copytree(_SDK, code / _SDK.name, ignore=ignore)
    (code / _RUNTIME.name).mkdir()
    for name in _RUNTIME_PARTS:
        shutil.copyfile(_RUNTIME / name, code / _RUNTIME.name / name)


def add_requirements(requirements: Path, code: Path, versions: Sequence[str], arch: str) -> None:
    """Install beside the code, for Lambda's system and the first of the versions."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(code)]
    command += ["--disable-pip-version-check", "--only-binary=:all:", "--no-compile"]
    for platform in (*_platforms(versions, arch), "any"):
        command += ["--platform", platform]
    command += ["--python-version", versions[0], "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(f"pip cannot install {requirements}: {done.stderr.strip()[-500:]}")
    shutil.rmtree(code / "bin", ignore_errors=True)


def _platforms(versions: Sequence[str], arch: str) -> list[str]:
    """Functions in Python 3.12 and later run on Amazon Linux 2023, with its newer glibc."""
    image = "new" if all(int(one.partition(".")[2]) >= 12 for one in versions) else "old"
    names = [f"manylinux_2_{minor}_{MACHINE_NAMES[arch]}" for minor in GLIBC[image]]
    return [f"manylinux2014_{MACHINE_NAMES[arch]}", *names]


def wrong_libraries(code: Path, versions: Sequence[str], arch: str) -> Iterator[str]:
    """Compiled modules that will not be importable, one sentence each."""
    for path in sorted((*code.rglob("*.so"), *code.rglob("*.pyd"), *code.rglob("*.dylib"))):
        place = path.relative_to(code)
        with path.open("rb") as file:
            binary = read_binary(file.read(HEAD_BYTES))
        if binary is not None and binary.system != "Linux":
            yield f"{place} is for {binary.system} and not for Linux"
        elif binary is not None and binary.machine != arch:
            yield f"{place} is for {binary.machine} and not for {arch}"
        found = _TAG.search(path.name)
        missing = [one for one in versions if found is not None and one != f"3.{found[1]}"]
        if missing and found is not None:
            yield f"{place} is for Python 3.{found[1]} and not for {', '.join(missing)}"


def bound_libraries(code: Path) -> Iterator[str]:
    """Compiled modules that only one version of Python can import, where any may come."""
    bound = [path for path in sorted(code.rglob("*.so")) if _TAG.search(path.name)]
    if bound:
        yield (
            f"{len(bound)} compiled modules such as {bound[0].relative_to(code)} are for one "
            "version of Python: name the functions' with --python, or bring one along with "
            "--bundle-python"
        )
