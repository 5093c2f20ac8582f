"""The C programs beside this file, compiled on the spot and kept in `.cache/`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.benchmarks.report import LeftOut
from tests.support.peers import CACHE

HERE = Path(__file__).resolve().parent


def has_compiler() -> bool:
    return shutil.which("cc") is not None or shutil.which("gcc") is not None


def compiled(name: str) -> Path:
    """The executable of `name`.c; raises `LeftOut` where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise LeftOut("no C compiler (cc or gcc)")
    sources = (HERE / f"{name}.c").read_bytes() + (HERE / "http.h").read_bytes()
    target = CACHE / "benchmarks" / f"{name}-{hashlib.sha256(sources).hexdigest()[:12]}"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        staged = Path(scratch) / name
        subprocess.run([compiler, "-O2", "-o", staged, HERE / f"{name}.c"], check=True)
        staged.replace(target)  # two sessions may compile at once
    return target
