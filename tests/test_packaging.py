"""The wheel, built and installed bare into a fresh venv: what a function's package gets."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.support.peers import REPOSITORY, require_network

PACKAGES = ("lambda_runtime", "lambda_extensions", "rapid_mock")
MAX_RUNTIME_BYTES = 250_000

pytestmark = [pytest.mark.network, pytest.mark.timeout(240)]


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run to the end with nothing inherited but PATH."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pip(python: Path | str, *arguments: object) -> None:
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built in isolation (which fetches the build backend)."""
    require_network()
    directory = tmp_path_factory.mktemp("wheel")
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", directory, REPOSITORY)
    (found,) = directory.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a venv with the wheel and pytest, and no other library."""
    venv = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=60)
    python = venv / "bin" / "python"
    pip(python, "install", "--no-index", wheel)
    pip(python, "install", "pytest")
    return venv / "bin"


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    """Pure Python for any platform: three typed packages, the licence, no tests, no C."""
    names = zipfile.ZipFile(wheel).namelist()
    distribution = f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info"
    assert wheel.name == "lambda_runtime_sdk-0.1.0-py3-none-any.whl"
    assert {name.partition("/")[0] for name in names} == {*PACKAGES, distribution}
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert f"{distribution}/licenses/LICENSE" in names
    assert {Path(name).suffix for name in names if not name.startswith(distribution)} == {
        ".py",
        ".typed",
    }


def test_a_base_install_requires_nothing(wheel: Path) -> None:
    """Every requirement belongs to an extra."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = message_from_bytes(archive.read(name))
    required = metadata.get_all("Requires-Dist")
    assert required
    assert [line for line in required if "extra ==" not in line] == []
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_runtime_is_small(wheel: Path) -> None:
    """What goes into a function is at most 250 kB, bytecode not counted."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = [
            member.file_size
            for member in archive.infolist()
            if member.filename.startswith("lambda_runtime/")
        ]
    assert 0 < sum(sizes) <= MAX_RUNTIME_BYTES


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_importable_bare(bare: Path, tmp_path: Path, package: str) -> None:
    """No package needs a third-party library to be imported, nor warns."""
    done = run(bare / "python", "-W", "error", "-c", f"import {package}", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_runtime_says_what_it_misses(bare: Path, tmp_path: Path) -> None:
    """Without AWS_LAMBDA_RUNTIME_API: one sentence on stderr, no traceback, not exit code 0."""
    done = run(bare / "python", "-m", "lambda_runtime", "app.handler", cwd=tmp_path)
    assert done.returncode != 0
    assert "AWS_LAMBDA_RUNTIME_API" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("command", [["rapid-mock"], ["python", "-m", "rapid_mock"]])
@pytest.mark.parametrize("arguments", [["invoke", "x.y"], ["start", "x.y"]])
def test_the_mock_names_the_extra_it_needs(
    bare: Path, tmp_path: Path, command: list[str], arguments: list[str]
) -> None:
    """Without its libraries `rapid-mock` says how to install them and exits 2."""
    done = run(bare / command[0], *command[1:], *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "pip install 'lambda-runtime-sdk[mock]'" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_an_empty_pytest_run_stays_silent(bare: Path, tmp_path: Path) -> None:
    """Where the wheel is installed bare, pytest neither fails nor warns."""
    done = run(bare / "python", "-W", "error", "-m", "pytest", "-q", "-W", "error", cwd=tmp_path)
    assert done.returncode == 5, done.stdout
    assert done.stdout.strip().startswith("no tests ran")
    assert done.stderr == ""
