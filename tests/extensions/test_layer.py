"""The layer that `build` makes, what `check` says of layers, and `run`."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import shutil
import stat
import sys
import zipfile
from pathlib import Path

import pytest

from lambda_extensions.cli import main, unpack
from lambda_extensions.layer import CannotBuild, _is_executable, build
from lambda_extensions.layer_check import check
from rapid_mock import LocalLambda
from tests.support.command_line import ROOT, write_code, write_executable
from tests.support.layers import ELF_ARM, ELF_X86, foreign, wheel

EXTENSION = """
import sys
import helper
from lambda_extensions import Extension

extension = Extension()

@extension.on_invoke
def invoked(event):
    print(helper.WORD, "from", extension.name, "in", sys.flags.no_site, flush=True)

if __name__ == "__main__":
    extension.run()
"""
EXAMPLES = ROOT / "examples"
BASH_INVOKES = int(os.environ.get("BASH_INVOKES", "20"))
"""Each of them starts curl twice, and more."""
OWN_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_code(tmp_path / "src", EXTENSION, "main.py")
    write_code(tmp_path / "src", "WORD = 'hello'\n", "helper.py")
    write_code(tmp_path / "src" / "__pycache__", "junk", "stale.py")
    return tmp_path / "src"


@pytest.fixture
def bare_python(tmp_path: Path) -> Path:
    """A Python to bundle that has no site-packages, and so none of our packages."""
    text = f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n'
    write_executable(tmp_path / "bare" / "bin" / "python3.x", text)
    (tmp_path / "bare" / "bin" / "python3").symlink_to("python3.x")
    return tmp_path / "bare"


def entries(layer: Path) -> dict[str, int]:
    with zipfile.ZipFile(layer) as archive:
        return {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}


def test_layer_has_launcher_code_and_sdk(source: Path, tmp_path: Path) -> None:
    """extensions/ holds the launcher alone, executable; code, SDK and bytecode are beside it."""
    assert build(source, "shipper", tmp_path / "layer.zip") == []
    found = entries(tmp_path / "layer.zip")
    assert [name for name in found if name.startswith("extensions/")] == ["extensions/shipper"]
    assert found["extensions/shipper"] == stat.S_IFREG | 0o755
    assert found["shipper/main.py"] == stat.S_IFREG | 0o644
    assert "shipper/helper.py" in found
    assert "shipper/lambda_extensions/extension.py" in found
    assert "shipper/lambda_runtime/transport.py" in found
    tag = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
    assert f"shipper/__pycache__/main.{tag}.pyc" in found
    assert not [name for name in found if "stale" in name or "rapid_mock" in name]


def test_bytecode_is_not_compared_with_its_source(source: Path, tmp_path: Path) -> None:
    """Bytecode is unchecked-hash: /opt is read-only and its times are those of the zip."""
    build(source, "shipper", tmp_path / "layer.zip")
    with zipfile.ZipFile(tmp_path / "layer.zip") as archive:
        codes = [archive.read(name) for name in archive.namelist() if name.endswith(".pyc")]
    assert len(codes) > 20
    assert {code[4:8] for code in codes} == {b"\x01\0\0\0"}


def test_same_input_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    """Time, place and umask leave no trace in the zip."""
    digests = set()
    for number in range(2):
        before = os.umask(0o077 if number else 0o022)
        try:
            os.utime(source / "helper.py", (number * 10**9, number * 10**9))
            build(source, "shipper", tmp_path / f"{number}.zip")
        finally:
            os.umask(before)
        digests.add(hashlib.sha256((tmp_path / f"{number}.zip").read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("content", "is_program"), [(b"#!/bin/sh\n", True), (ELF_ARM, True), (b"text", False)]
)
def test_modes_where_files_have_none(tmp_path: Path, content: bytes, is_program: bool) -> None:
    """Built on Windows, what looks like a program becomes executable, and nothing else."""
    (tmp_path / "file").write_bytes(content)
    assert _is_executable(tmp_path / "file", "nt") == is_program
    assert not _is_executable(tmp_path / "file", "posix")


def test_file_that_is_named_launch_is_the_authors(source: Path, tmp_path: Path) -> None:
    """What starts the extension has a name of its own, and takes none from the author."""
    write_code(source, "WORD = 'mine'\n", "launch.py")
    build(source, "shipper", tmp_path / "layer.zip")
    with zipfile.ZipFile(tmp_path / "layer.zip") as archive:
        assert archive.read("shipper/launch.py") == b"WORD = 'mine'\n"


def test_layer_runs_without_any_package_of_ours(
    source: Path, bare_python: Path, tmp_path: Path
) -> None:
    """Unzipped somewhere, with a bundled bare Python, the extension works under its file's name."""
    layer = tmp_path / "layer.zip"
    packages = bare_python / "lib" / "python3.11" / "site-packages"
    (packages / "pip").mkdir(parents=True)
    assert build(source, "shipper", layer, bundled=bare_python) == []
    assert entries(layer)["shipper/python/bin/python3"] == stat.S_IFLNK | 0o777
    (packages / "numpy").mkdir()
    assert build(source, "shipper", layer, bundled=bare_python) == [
        f"{packages} stays behind with 1 entries such as numpy: name what the extension needs with "
        "-r",
    ]
    unpack(layer, tmp_path / "opt")
    assert run(tmp_path) == "hello from shipper in 1"


def test_layer_runs_on_the_python_of_the_function(source: Path, tmp_path: Path) -> None:
    """Without a bundled Python the launcher takes the one on PATH."""
    build(source, "shipper", tmp_path / "layer.zip")
    unpack(tmp_path / "layer.zip", tmp_path / "opt")
    assert run(tmp_path) == "hello from shipper in 0"


def run(tmp_path: Path, environment: dict[str, str] | None = None) -> str:
    """Invoke a function with the unpacked layer's extensions; returns the extension's line."""
    code = write_code(tmp_path / "code", "def handler(event, context):\n    return event\n")
    with LocalLambda(log_stream=io.BytesIO()) as local:
        function = local.create_function(
            "f",
            handler="app.handler",
            code=code,
            extensions=[tmp_path / "opt" / "extensions"],
            environment=environment or {},
        )
        logs = function.invoke({"a": 1}).logs
    return next((line for line in logs.splitlines() if line.startswith("hello")), logs)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the bash runtime needs curl")
@pytest.mark.parametrize("freeze", [False, True], ids=["running on", "frozen between"])
def test_layer_beside_a_runtime_in_bash(bare_python: Path, tmp_path: Path, freeze: bool) -> None:
    """The example: a layer with its own Python serves a function that has none, at each of its
    invocations, in order.
    """
    build(EXAMPLES / "extension_hello" / "hello", "hello", tmp_path / "l.zip", bundled=bare_python)
    assert check(tmp_path / "l.zip") == []
    unpack(tmp_path / "l.zip", tmp_path / "opt")
    with LocalLambda(log_stream=io.BytesIO()) as local:
        function = local.create_function(
            "f",
            handler="echo",
            code=EXAMPLES / "extension_layer",
            runtime=["./bootstrap"],
            extensions=[tmp_path / "opt" / "extensions"],
            freeze=freeze,
        )
        for number in range(BASH_INVOKES):
            result = function.invoke({"number": number})
            assert result.payload == {"bash got": {"number": number}}
            assert f"invocation {result.request_id}\n" in result.logs


def test_python_of_another_version_is_refused_with_a_sentence(source: Path, tmp_path: Path) -> None:
    """A layer for certain versions says so when the function has another."""
    warnings = build(source, "shipper", tmp_path / "layer.zip", pythons=["3.99"])
    assert warnings == [
        "python3.99 is not here: no bytecode for it, each cold start compiles",
    ]
    unpack(tmp_path / "layer.zip", tmp_path / "opt")
    log = io.BytesIO()
    code = write_code(tmp_path / "code", "def handler(event, context):\n    return event\n")
    with LocalLambda(log_stream=log) as local:
        local.create_function(
            "f", handler="app.handler", code=code, extensions=[tmp_path / "opt" / "extensions"]
        ).invoke({})
    sentence = f'extension "shipper" needs Python 3.99, this is {OWN_VERSION}'
    assert f"lambda_extensions: {sentence}\n" in log.getvalue().decode()


def test_function_without_python_is_told(source: Path, tmp_path: Path) -> None:
    """Where there is no Python at all the launcher says what to do, and exits with 1."""
    build(source, "shipper", tmp_path / "layer.zip")
    unpack(tmp_path / "layer.zip", tmp_path / "opt")
    if Path("/var/lang/bin/python3").exists():
        pytest.skip("this is a Lambda image, which has a Python")
    log = io.BytesIO()
    code = write_code(tmp_path / "code", "def handler(event, context):\n    return event\n")
    with LocalLambda(log_stream=log) as local:
        local.create_function(
            "f",
            handler="app.handler",
            code=code,
            extensions=[tmp_path / "opt" / "extensions"],
            environment={"PATH": "/nowhere"},
        ).invoke({})
    assert 'extension "shipper" needs a Python, and this function has none' in (
        log.getvalue().decode()
    )


def test_requirements_are_in_the_layer(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """-r installs beside the code; a wheel for another Python or machine is warned of."""
    files: dict[str, str | bytes] = {
        "sender.py": "",
        "_fast.cpython-37-x86_64-linux-gnu.so": ELF_X86,
        "_other.abi3.so": ELF_X86,
        "_right.abi3.so": ELF_ARM,
        "_fruit.cpython-37-darwin.so": b"\xcf\xfa\xed\xfe" + bytes(60),
    }
    wheel(tmp_path / "wheels", "sender", files)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    (tmp_path / "requirements.txt").write_text("sender\n")
    layer = tmp_path / "layer.zip"
    warnings = build(
        source, "shipper", layer, requirements=tmp_path / "requirements.txt", arch="arm64"
    )
    assert "shipper/sender.py" in entries(layer)
    assert warnings == [
        "_fast.cpython-37-x86_64-linux-gnu.so is for x86_64 and not for arm64",
        f"_fast.cpython-37-x86_64-linux-gnu.so is for Python 3.7 and not for {OWN_VERSION}",
        "_fruit.cpython-37-darwin.so is for macOS and not for Linux",
        f"_fruit.cpython-37-darwin.so is for Python 3.7 and not for {OWN_VERSION}",
        "_other.abi3.so is for x86_64 and not for arm64",
        "2 compiled modules such as _fast.cpython-37-x86_64-linux-gnu.so are for one version of "
        "Python: name the functions' with --python, or bring one along with --bundle-python",
    ]
    (tmp_path / "requirements.txt").write_text("nobody-has-this\n")
    with pytest.raises(CannotBuild, match=r"^pip cannot install .*nobody-has-this"):
        build(source, "shipper", layer, requirements=tmp_path / "requirements.txt")


@pytest.mark.parametrize(
    ("name", "what", "text"),
    [
        ("a/b", "src", "'a/b' cannot be an extension's name"),
        ("", "src", "'' cannot be an extension's name"),
        ("extensions", "src", "'extensions' is a directory that means something in layers"),
        ("python", "src", "'python' is a directory that means something in layers"),
        ("fine", "nowhere", "is neither a file nor a directory with main.py"),
        ("fine", "src/__pycache__", "is neither a file nor a directory with main.py"),
    ],
)
def test_what_cannot_be_built(
    source: Path, tmp_path: Path, name: str, what: str, text: str
) -> None:
    """A name that is none and a source without an entry are refused with a sentence."""
    assert source.exists()
    with pytest.raises(CannotBuild, match=text):
        build(tmp_path / what, name, tmp_path / "layer.zip")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "holds no bin/python3 that can be executed$"),
        ("\x7fELF of another machine", "does not run here, say its version with --python$"),
    ],
)
def test_python_that_cannot_be_bundled(
    source: Path, tmp_path: Path, content: str | None, text: str
) -> None:
    """A directory without a Python, or with one of another machine, is refused with a sentence."""
    if content is not None:
        write_executable(tmp_path / "python" / "bin" / "python3", content)
    with pytest.raises(CannotBuild, match=text):
        build(source, "shipper", tmp_path / "layer.zip", bundled=tmp_path / "python")


def test_layer_does_not_hold_the_one_before(source: Path, tmp_path: Path) -> None:
    """A layer that is written into the source's own directory is not part of the next one."""
    for _ in range(2):
        build(source, "shipper", source / "layer.zip")
    build(source, "shipper", tmp_path / "layer.zip")
    assert (source / "layer.zip").read_bytes() != (tmp_path / "layer.zip").read_bytes()
    (source / "layer.zip").rename(tmp_path / "first.zip")
    build(source, "shipper", source / "layer.zip")
    assert (source / "layer.zip").read_bytes() == (tmp_path / "first.zip").read_bytes()


def test_stray_files_are_warned_of(source: Path, tmp_path: Path) -> None:
    """What most likely does not belong into a layer is named, with the reason."""
    for name in (".env", "old.zip", "test_helper.py", "extensions/another"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("")
    assert build(source, "shipper", tmp_path / "layer.zip") == [
        ".env goes into the layer: a secret?",
        "old.zip goes into the layer: of no use in Lambda",
        "test_helper.py goes into the layer: of no use in Lambda",
        "extensions goes into the layer: Lambda looks for extensions at the top of the layer alone",
    ]


def test_only_what_runs_in_lambda_is_in_the_layer(source: Path, tmp_path: Path) -> None:
    """What builds layers, and most of the runtime, stays at home."""
    build(source, "shipper", tmp_path / "layer.zip")
    found = entries(tmp_path / "layer.zip")
    for name in (
        "lambda_extensions/layer.py",
        "lambda_extensions/cli.py",
        "lambda_runtime/loop.py",
    ):
        assert f"shipper/{name}" not in found
    assert (tmp_path / "layer.zip").stat().st_size < 200_000


@pytest.mark.parametrize(
    ("pythons", "wanted"),
    [
        (("3.13", "3.12"), ["manylinux2014", *(f"manylinux_2_{n}" for n in (17, 26, 28, 34))]),
        (("3.12", "3.11"), ["manylinux2014", "manylinux_2_17", "manylinux_2_26"]),
    ],
)
def test_wheels_are_those_of_the_functions_image(
    pythons: tuple[str, ...],
    wanted: list[str],
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pip is asked for wheels that the glibc of Lambda's image can load, and for no newer ones."""
    pip = write_executable(tmp_path / "pip", f'#!/bin/sh\necho "$@" > {tmp_path}/asked\nexit 1\n')
    monkeypatch.setattr(sys, "executable", str(pip))
    with pytest.raises(CannotBuild, match="pip cannot install"):
        build(
            source,
            "shipper",
            tmp_path / "layer.zip",
            requirements=tmp_path / "none",
            pythons=pythons,
            arch="arm64",
        )
    words = (tmp_path / "asked").read_text().split()
    asked = [after for word, after in itertools.pairwise(words) if word == "--platform"]
    assert asked == [*(f"{name}_aarch64" for name in wanted), "any"]
    assert words[words.index("--python-version") + 1] == pythons[0]


def test_launcher_passes_over_a_python_that_does_not_suit(source: Path, tmp_path: Path) -> None:
    """A function's python3 of another version is no obstacle where a suitable one is beside it."""
    build(source, "shipper", tmp_path / "layer.zip", pythons=[OWN_VERSION])
    unpack(tmp_path / "layer.zip", tmp_path / "opt")
    write_executable(tmp_path / "bin" / "python3", "#!/bin/sh\necho wrong one\nexit 1\n")
    (tmp_path / "bin" / f"python{OWN_VERSION}").symlink_to(sys.executable)
    log = run(tmp_path, {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"})
    assert log == "hello from shipper in 0"


def test_command_line(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """build writes the zip, and check finds nothing in it; what cannot be is exit code 2."""
    layer = str(tmp_path / "layer.zip")
    assert main(["build", str(source), "--name", "shipper", "-o", layer]) == 0
    assert main(["check", layer]) == 0
    assert capsys.readouterr().out == ""
    bad = foreign(tmp_path, ("extensions/x", 0o644, b"#!/bin/sh\n"))
    assert main(["check", str(bad)]) == 1
    assert capsys.readouterr().out.startswith("error: extensions/x: is not executable; chmod +x")
    assert main(["check", str(tmp_path / "nowhere.zip")]) == 2
    assert main(["build", str(tmp_path / "nowhere")]) == 2
    assert main(["check", str(source / "main.py")]) == 2
    assert "lambda_extensions: File is not a zip file\n" in capsys.readouterr().err


def test_run(source: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """run starts the extension beside a stub function, as a layer would."""
    assert main(["run", str(source), "--name", "shipper", "-e", '{"a": 1}']) == 0
    captured = capfd.readouterr()
    assert captured.out.strip() == '{"a": 1}'
    assert "hello from shipper in 0\n" in captured.err


@pytest.mark.parametrize(
    ("version", "text"),
    [
        *((one, "is no version such as 3.12") for one in ("2.7", "3", "3.x", "3.12;3.13")),
        ("3.12,3.9", "3.9 is too old: an extension needs Python 3.11 or later"),
    ],
)
def test_python_that_is_no_version(
    source: Path, version: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--python takes versions such as 3.12,3.13; anything else is a usage error."""
    with pytest.raises(SystemExit) as caught:
        main(["build", str(source), "--python", version])
    assert caught.value.code == 2
    assert text in capsys.readouterr().err
