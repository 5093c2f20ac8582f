"""What is started: the runtime's command and the extensions' executables."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambda_runtime import contract
from rapid_mock.errors import SetupError
from rapid_mock.host.launch import (
    Launch,
    RuntimePackage,
    are_extensions_off,
    find_extensions,
    image_extensions,
    runtime_launch,
)


@pytest.fixture
def package() -> Iterator[RuntimePackage]:
    package = RuntimePackage()
    yield package
    package.close()


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that has nothing installed."""
    directory = tmp_path_factory.mktemp("venv")
    venv.create(directory, with_pip=False, symlinks=True)
    return str(directory / "bin" / "python")


def answer_of(launched: Launch, program: str) -> object:
    """What `program` prints (JSON) in the interpreter, directory and variables of a launch."""
    argv = [launched.argv[0], "-c", program]
    answer = subprocess.run(
        argv, cwd=launched.cwd, env=dict(launched.env), capture_output=True, timeout=30, check=True
    )
    return json.loads(answer.stdout)


def test_runtime_is_python_in_the_code_directory(package: RuntimePackage, tmp_path: Path) -> None:
    """The runtime is this Python, running lambda_runtime with the handler, where the code is."""
    launched = runtime_launch("app.handler", code_directory=str(tmp_path), env={}, package=package)
    assert launched.argv == (sys.executable, "-m", "lambda_runtime", "app.handler")
    assert launched.cwd == str(tmp_path)


def test_given_command_is_run_as_it_stands(package: RuntimePackage) -> None:
    """A runtime command replaces Python, and its environment is left alone."""
    launched = runtime_launch(
        "app.handler",
        code_directory="/code",
        env={"A": "1"},
        package=package,
        command=["node", "runtime.mjs"],
    )
    assert launched == Launch(("node", "runtime.mjs"), "/code", {"A": "1"})


def test_empty_command_is_refused(package: RuntimePackage) -> None:
    """A runtime command without a word is a set-up error."""
    with pytest.raises(SetupError, match=r"^the runtime command is empty$"):
        runtime_launch("", code_directory="/", env={}, package=package, command=[])


def test_values_of_variables_are_in_no_representation(package: RuntimePackage) -> None:
    """A launch that is printed shows no environment."""
    launched = runtime_launch("a.b", code_directory="/", env={"KEY": "hidden"}, package=package)
    assert "hidden" not in repr(launched)


@pytest.mark.parametrize("can_link", [True, False])
def test_python_that_lacks_the_runtime_gets_it_and_nothing_else(
    bare_python: str,
    package: RuntimePackage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    can_link: bool,
) -> None:
    """A bare Python finds lambda_runtime, but neither rapid_mock nor what we have installed."""
    if not can_link:

        def refuse(*_arguments: object, **_options: object) -> None:
            raise OSError("symbolic links are not permitted")

        monkeypatch.setattr(Path, "symlink_to", refuse)
    launched = runtime_launch(
        "app.handler", code_directory=str(tmp_path), env={}, package=package, python=bare_python
    )
    program = (
        "import importlib.util, json, lambda_runtime.contract;"
        " print(json.dumps([bool(importlib.util.find_spec(name)) for name in"
        " ('lambda_runtime', 'lambda_extensions', 'rapid_mock', 'pytest', 'tests')]))"
    )
    assert answer_of(launched, program) == [True, False, False, False, False]


def test_user_path_follows_that_of_the_runtime(
    bare_python: str, package: RuntimePackage, tmp_path: Path
) -> None:
    """A PYTHONPATH of the user's stays, behind the runtime's directory."""
    launched = runtime_launch(
        "app.handler",
        code_directory=str(tmp_path),
        env={"PYTHONPATH": "/mine:/yours"},
        package=package,
        python=bare_python,
    )
    first, *others = launched.env["PYTHONPATH"].split(os.pathsep)
    assert Path(first, "lambda_runtime", "contract.py").exists()
    assert others == ["/mine", "/yours"]


def test_python_that_has_the_runtime_is_left_alone(
    bare_python: str, package: RuntimePackage, tmp_path: Path
) -> None:
    """Where lambda_runtime is installed, PYTHONPATH is not touched."""
    program = "import json, sysconfig; print(json.dumps(sysconfig.get_path('purelib')))"
    site = Path(str(answer_of(Launch((bare_python,), "/", {}), program)))
    installed = site / "lambda_runtime"
    installed.symlink_to(Path(contract.__file__).parent)
    try:
        launched = runtime_launch(
            "a.b", code_directory=str(tmp_path), env={}, package=package, python=bare_python
        )
    finally:
        installed.unlink()
    assert launched.env == {}


def test_own_python_is_not_asked(package: RuntimePackage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether this Python has lambda_runtime is known without starting it."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "run", refuse)
    package.python_path(sys.executable)


def test_other_python_is_asked_once(
    bare_python: str, package: RuntimePackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another Python lacks is found out once, however often it is started."""
    first = package.python_path(bare_python)
    monkeypatch.setattr(subprocess, "run", None)
    assert package.python_path(bare_python) == first


def test_python_that_does_not_start_is_no_matter_here(package: RuntimePackage) -> None:
    """A Python that does not exist is reported by its start, not by the preparation."""
    launched = runtime_launch(
        "a.b", code_directory="/", env={}, package=package, python="/nowhere/python"
    )
    assert launched.argv[0] == "/nowhere/python"


def test_close_removes_the_directory_and_not_the_package(
    bare_python: str, package: RuntimePackage
) -> None:
    """Closing removes the temporary directory, without following its link."""
    directory = package.python_path(bare_python)
    assert directory is not None
    package.close()
    package.close()
    assert not Path(directory).exists()
    assert Path(contract.__file__).exists()


def test_extensions_of_a_directory_are_sorted_files(tmp_path: Path) -> None:
    """A directory stands for its non-directories by name, executable or not, links included."""
    for name in ("b", "a", "C"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    assert find_extensions([tmp_path]) == [tmp_path / name for name in ("C", "a", "b", "link")]


def test_extensions_keep_the_order_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files and directories come in the order given, as absolute paths."""
    (tmp_path / "z").touch()
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a").touch()
    monkeypatch.chdir(tmp_path)
    assert find_extensions(["./z", "more"]) == [tmp_path / "z", tmp_path / "more" / "a"]
    assert find_extensions([]) == []


def test_missing_extension_is_refused(tmp_path: Path) -> None:
    """A path that does not exist is a set-up error that names it."""
    with pytest.raises(SetupError, match=rf"^there is no extension at {tmp_path}/shipper$"):
        find_extensions([tmp_path / "shipper"])


def test_two_extensions_of_one_name_are_refused(tmp_path: Path) -> None:
    """Extensions register by file name, so two of one name are a set-up error."""
    for directory in ("one", "two"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "shipper").touch()
    with pytest.raises(SetupError, match=r'^2 extensions are named "shipper"'):
        find_extensions([tmp_path / "one", tmp_path / "two"])


def test_extensions_of_an_image(tmp_path: Path) -> None:
    """They lie in /opt/extensions, if anywhere."""
    assert image_extensions(tmp_path) == []
    (tmp_path / "extensions").mkdir()
    assert image_extensions(tmp_path) == [tmp_path / "extensions"]


def test_one_file_turns_extensions_off(tmp_path: Path) -> None:
    """It lies in one of the directories that make /opt."""
    layers = [tmp_path / name for name in ("one", "two")]
    for layer in layers:
        layer.mkdir()
    assert not are_extensions_off(layers)
    (layers[1] / "disable-extensions-jwigqn8j").touch()
    assert are_extensions_off(layers)
