"""The public names as a type checker sees them, and as the interpreter does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import lambda_extensions
import lambda_runtime

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def checked(program: Path, cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(cache), str(program)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.timeout(120)
def test_a_typed_program_is_accepted(tmp_path: Path) -> None:
    """Every public name, used as documented, has types that fit."""
    assert checked(HERE / "api.py", tmp_path).startswith("Success")


@pytest.mark.timeout(120)
def test_mistakes_are_found(tmp_path: Path) -> None:
    """Names that do not exist, and values that may be None, are errors where they stand."""
    program = tmp_path / "refused.py"
    program.write_text((HERE / "refused.txt").read_text())
    found = re.findall(r"refused\.py:(\d+): error: .*\[([\w-]+)\]", checked(program, tmp_path))
    lines = enumerate(program.read_text().splitlines(), 1)
    expected = [
        (str(number), line.split("# error: ")[1]) for number, line in lines if "# error: " in line
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("package", "name"),
    [(one, name) for one in (lambda_runtime, lambda_extensions) for name in one.__all__],
)
def test_a_public_name_exists_at_run_time(package: ModuleType, name: str) -> None:
    """What the type checker knows can be imported."""
    assert getattr(package, name) is not None


def test_another_name_does_not_exist() -> None:
    """A name that is not public is an AttributeError that says so."""
    with pytest.raises(AttributeError, match="'lambda_runtime' has no attribute 'nope'"):
        lambda_runtime.nope  # type: ignore[attr-defined]  # noqa: B018  this is the test
