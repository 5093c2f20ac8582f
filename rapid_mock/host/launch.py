"""What to start: the runtime's command line, and the executables of external extensions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lambda_runtime import contract
from rapid_mock.errors import SetupError

PROBE_SECONDS = 10.0
_PACKAGE = Path(contract.__file__).parent
_SHELL = "/bin/sh"


@dataclass(frozen=True, slots=True)
class Launch:
    """One process to start: `Supervisor.spawn(token, argv, env=env, cwd=cwd)`.

    `log_variable` names the variable that has the number of a descriptor for log frames, if any.
    """

    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str] = field(repr=False)
    log_variable: str = ""


class RuntimePackage:
    """Brings `lambda_runtime`, and nothing else of ours, to a Python that lacks it.

    A temporary directory with a link to the package; made when first needed, removed by `close`.
    """

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._lacking: dict[str, bool] = {}

    def python_path(self, python: str) -> str | None:
        """What `python` needs on its PYTHONPATH, or None when it has `lambda_runtime` installed.

        Another Python than ours is asked once, which starts it and waits for it.
        """
        if python not in self._lacking:
            self._lacking[python] = _lacks_runtime(python)
        return str(self._make()) if self._lacking[python] else None

    def close(self) -> None:
        directory, self._directory = self._directory, None
        if directory is not None:
            shutil.rmtree(directory, ignore_errors=True)

    def _make(self) -> Path:
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="rapid-mock-"))
            place = self._directory / _PACKAGE.name
            try:
                place.symlink_to(_PACKAGE, target_is_directory=True)
            except (OSError, NotImplementedError):
                shutil.copytree(_PACKAGE, place, ignore=shutil.ignore_patterns("__pycache__"))
        return self._directory


def runtime_launch(
    handler: str,
    *,
    code_directory: str,
    env: Mapping[str, str],
    package: RuntimePackage,
    python: str = sys.executable,
    command: Sequence[str] | None = None,
    wrapper: str | None = None,
) -> Launch:
    """How to start the runtime: `python -m lambda_runtime handler`, or `command` as it stands.

    It starts in the code directory, which `-m` puts first on `sys.path`. A `wrapper` is given the
    runtime's command line, as managed runtimes do with AWS_LAMBDA_EXEC_WRAPPER ("Modifying the
    runtime environment"), by a shell, whose status is 127 when it is not there. Raises SetupError
    when `command` is empty.
    """
    if command is not None:
        if not command:
            raise SetupError("the runtime command is empty")
        return Launch(tuple(command), code_directory, env)
    needed = package.python_path(python)
    if needed is not None:
        own = env.get("PYTHONPATH")
        env = {**env, "PYTHONPATH": needed if not own else f"{needed}{os.pathsep}{own}"}
    argv = (python, "-m", _PACKAGE.name, handler)
    wrapping = (_SHELL, "-c", 'exec "$0" "$@"', wrapper) if wrapper else ()
    return Launch((*wrapping, *argv), code_directory, env)


def find_extensions(paths: Iterable[str | Path]) -> list[Path]:
    """The executables of external extensions, in the order in which they start.

    A directory stands for its non-directories, sorted by name; whether they can be executed shows
    when they are (as in RIE). Raises SetupError when a path does not exist, or when two have one
    file name, by which extensions register.
    """
    found = [executable for path in paths for executable in _executables(Path(path))]
    for name, times in Counter(executable.name for executable in found).items():
        if times > 1:
            raise SetupError(f'{times} extensions are named "{name}"; file names must differ')
    return found


def image_extensions(opt: Path = Path("/opt")) -> list[Path]:
    """Where an image has its extensions, if it has any."""
    directory = opt / "extensions"
    return [directory] if directory.is_dir() else []


def are_extensions_off(roots: Iterable[Path]) -> bool:
    """Whether one of the directories that make /opt has the file that turns extensions off (RIE).

    There is no Extensions API then, and no telemetry.
    """
    name = os.path.basename(contract.DISABLE_EXTENSIONS_FILE)  # noqa: PTH119  a name, not a place
    return any((root / name).exists() for root in roots)


def _executables(path: Path) -> list[Path]:
    path = path.absolute()
    if not path.exists():
        raise SetupError(f"there is no extension at {path}")
    if not path.is_dir():
        return [path]
    with os.scandir(path) as entries:
        names = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    return [path / name for name in sorted(names)]


def _lacks_runtime(python: str) -> bool:
    if python == sys.executable:
        installed = {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
        return _PACKAGE.parent not in installed
    try:
        answer = subprocess.run(
            [python, "-c", f"import {_PACKAGE.name}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False  # it will not start either, and that is said better then
    return answer.returncode != 0
