"""Programs from the package index, each in a venv of its own that is kept in `.cache/`."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.support.peers import CACHE, PeerUnavailable

INSTALL_SECONDS = 280


def tool_venv(name: str, *requirements: str, cache: Path = CACHE) -> Path:
    """The `bin` folder of a venv with `requirements`, from `cache` or installed there.

    Two sessions may ask for it at once. A venv that has been moved runs modules and binaries; its
    scripts name the interpreter that was.
    """
    wanted = "\n".join([*requirements, sys.version]).encode()
    target = cache / f"{name}-{hashlib.sha256(wanted).hexdigest()[:12]}"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            staged = Path(scratch) / "venv"
            venv.create(staged, with_pip=True)
            _install(staged, requirements)
            with contextlib.suppress(OSError):  # another session was quicker
                staged.rename(target)
    return target / "bin"


def _install(staged: Path, requirements: tuple[str, ...]) -> None:
    command = [str(staged / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
    )
    if done.returncode:
        names = " ".join(requirements)
        raise PeerUnavailable(f"pip could not install {names}: {done.stderr.strip()}")
