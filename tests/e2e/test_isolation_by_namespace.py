"""`--isolation namespace`: the file system that a function has in Lambda, on this machine."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rapid_mock import LocalLambda
from rapid_mock.errors import SetupError
from rapid_mock.host import namespace
from rapid_mock.host.namespace import OWN_MOUNTS, OWN_MOUNTS_AND_USER, unshare_options
from tests.support.command_line import run, write_code, write_executable

HANDLER = """
import errno, os, socket

def handler(event, context):
    seen = {
        "cwd": os.getcwd(),
        "file": __file__,
        "task": os.environ["LAMBDA_TASK_ROOT"],
        "layer": os.path.exists("/opt/tool/data"),
        "extensions": sorted(os.listdir("/opt/extensions")) if event.get("layer") else [],
        "host": socket.gethostbyname("sandbox.localdomain"),
        "tmp_mb": os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize >> 20,
        "before": sorted(name for name in os.listdir("/tmp") if name.startswith("trace-")),
        "TMPDIR": os.environ.get("TMPDIR"),
        "read_only": [],
    }
    for place in ("/var/task", "/opt", "/", "/usr", "/var", *event.get("places", [])):
        try:
            open(place + "/new", "w").close()
        except OSError as error:
            seen["read_only"] += [place] if error.errno == errno.EROFS else []
    open("/tmp/trace-" + event.get("name", "x"), "w").close()
    if event.get("die"):
        os._exit(3)
    return seen
"""
TIDIES = """
import os, shutil

def handler(event, context):
    was_there = os.path.exists(event["place"] + "/bin/python")
    shutil.rmtree("/tmp", ignore_errors=True)
    return was_there
"""
EXTENSION = f"""#!/bin/sh
exec {sys.executable} /opt/tool/main.py
"""
MAIN = """
import http.client, json, os

data = open("/opt/tool/data").read()
open("/tmp/trace-extension", "w").close()
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
api.request("POST", "/2020-01-01/extension/register", '{"events": ["INVOKE"]}',
            {"Lambda-Extension-Name": "tool"})
answer = api.getresponse()
answer.read()
me = {"Lambda-Extension-Identifier": answer.headers["Lambda-Extension-Identifier"]}
while True:
    api.request("GET", "/2020-01-01/extension/event/next", headers=me)
    api.getresponse().read()
"""


def _is_possible(options: tuple[str, ...]) -> bool:
    try:
        return unshare_options() in (options, OWN_MOUNTS)
    except SetupError:
        return False


@pytest.fixture(
    params=[
        pytest.param(
            options,
            marks=pytest.mark.skipif(not _is_possible(options), reason="not run: " + why),
            id=name,
        )
        for options, name, why in (
            (OWN_MOUNTS, "root", "we are not root, or have no namespaces"),
            (OWN_MOUNTS_AND_USER, "user", "there are no user namespaces here"),
        )
    ]
)
def local(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalLambda]:
    """A local Lambda with each kind of namespace."""
    monkeypatch.setattr(namespace, "unshare_options", lambda: request.param)
    with LocalLambda(log_stream=io.BytesIO()) as running:
        yield running


def _layer(directory: Path) -> Path:
    write_code(directory / "layer/tool", MAIN, "main.py")
    write_code(directory / "layer/tool", "", "data")
    return write_executable(directory / "layer/extensions/tool", EXTENSION).parent


def test_function_sees_lambdas_directories(local: LocalLambda, tmp_path: Path) -> None:
    """/var/task, /opt and /tmp are as in Lambda, and `sandbox.localdomain` is this machine."""
    code = write_code(tmp_path / "code", HANDLER)
    function = local.create_function(
        "f",
        handler="app.handler",
        code=code,
        extensions=[_layer(tmp_path)],
        isolation="namespace",
        ephemeral_storage=64,
    )
    assert function.invoke({"layer": True}).payload == {
        "cwd": "/var/task",
        "file": "/var/task/app.py",
        "task": "/var/task",
        "layer": True,
        "extensions": ["tool"],
        "host": "127.0.0.1",
        "tmp_mb": 64,
        "before": ["trace-extension"],
        "TMPDIR": None,
        "read_only": ["/var/task", "/opt", "/", "/usr", "/var"],
    }
    assert not (code / "new").exists()
    assert not Path("/tmp/trace-extension").exists()


def test_what_of_this_machine_is_shown_in_tmp_cannot_be_emptied(
    local: LocalLambda, tmp_path: Path
) -> None:
    """A Python that lies in /tmp is seen there, and is left whole by a function that tidies up."""
    code = write_code(tmp_path / "code", TIDIES)
    venv = Path("/tmp", f"venv-{tmp_path.name}-{os.getpid()}")
    try:
        python = write_executable(venv / "bin/python", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        function = local.create_function(
            "f", handler="app.handler", code=code, isolation="namespace", python=python
        )
        assert function.invoke({"place": str(venv)}).payload is True
        assert python.exists()
    finally:
        shutil.rmtree(venv)


def test_tmp_belongs_to_one_environment(local: LocalLambda, tmp_path: Path) -> None:
    """What is in /tmp outlives a crash of the runtime, and no other function sees it."""
    code = write_code(tmp_path / "code", HANDLER)
    one, other = (
        local.create_function(name, handler="app.handler", code=code, isolation="namespace")
        for name in ("one", "other")
    )
    crashed = one.invoke({"name": "first", "die": True})
    assert crashed.payload["errorType"] == "Runtime.ExitError"
    assert one.invoke({"name": "second"}).payload["before"] == ["trace-first"]
    assert other.invoke({}).payload["before"] == []


@pytest.mark.parametrize(
    ("mode", "message"), [(None, "no such file or directory"), (0o644, "permission denied")]
)
def test_missing_bootstrap_is_told_as_ever(
    local: LocalLambda, tmp_path: Path, mode: int | None, message: str
) -> None:
    """A runtime that cannot be started is `Runtime.InvalidEntrypoint`, as without isolation."""
    if mode is not None:
        write_executable(tmp_path / "bootstrap", "#!/bin/sh\n").chmod(mode)
    if mode is not None and os.geteuid() == 0 and os.access(tmp_path / "bootstrap", os.X_OK):
        pytest.skip("not run: here root may execute anything")
    function = local.create_function(
        "f", runtime=["./bootstrap"], code=tmp_path, isolation="namespace"
    )
    error = function.invoke({}).payload
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert error["errorMessage"].endswith(f"Error: fork/exec ./bootstrap: {message}")


def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the local Lambda ends, so does what held the namespace, and its directory is gone."""
    if not _is_possible(OWN_MOUNTS_AND_USER):
        pytest.skip("not run: there are no namespaces here")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "scratch").mkdir()
    code = write_code(tmp_path / "code", HANDLER)
    with LocalLambda(log_stream=io.BytesIO()) as local:
        function = local.create_function(
            "f", handler="app.handler", code=code, isolation="namespace"
        )
        assert function.invoke({}).function_error is None
        assert len(list((tmp_path / "scratch").iterdir())) >= 1
    assert list((tmp_path / "scratch").iterdir()) == []


def test_mount_that_fails_is_one_sentence(tmp_path: Path, local: LocalLambda) -> None:
    """An environment whose file system cannot be built answers the invocation with the reason."""
    code = write_code(tmp_path / "code", HANDLER)
    function = local.create_function("f", handler="app.handler", code=code, isolation="namespace")
    (code / "app.py").unlink()
    code.rmdir()
    with pytest.raises(Exception, match="file system could not be set up: mount: "):
        function.invoke({})


def test_machine_without_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no namespaces, one sentence says what is missing."""
    monkeypatch.setenv("PATH", "/nowhere")
    unshare_options.cache_clear()
    try:
        with (
            LocalLambda(log_stream=io.BytesIO()) as local,
            pytest.raises(SetupError, match="--isolation namespace needs Linux with util-linux"),
        ):
            local.create_function("f", handler="a.b", code=tmp_path, isolation="namespace")
    finally:
        unshare_options.cache_clear()


def test_namespaces_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel refuses, its own words are in the sentence."""
    for tool in namespace.TOOLS:
        refusing = "#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n"
        write_executable(tmp_path / "bin" / tool, refusing)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    unshare_options.cache_clear()
    try:
        with pytest.raises(SetupError, match=r"here: unshare failed: Operation not permitted$"):
            unshare_options()
    finally:
        unshare_options.cache_clear()


def test_launcher_that_names_opt_is_warned_of(tmp_path: Path) -> None:
    """Without isolation, one sentence says that a launcher will not find its layer."""
    code = write_code(tmp_path / "code", "def handler(event, context):\n    return 1\n")
    extension = _layer(tmp_path) / "tool"
    done = run("invoke", "app.handler", "--code", str(code), "--extension", str(extension))
    sentence = "rapid-mock: tool names something in /opt that is not there: with --isolation"
    assert done.stderr.count(sentence) == 1
    options = ("--isolation", "namespace", "--extension", str(extension))
    if _is_possible(OWN_MOUNTS_AND_USER):
        isolated = run("invoke", "app.handler", "--code", str(code), *options)
        assert isolated.returncode == 0
        assert sentence not in isolated.stderr


def test_runtime_that_is_attached_cannot_be_isolated(tmp_path: Path) -> None:
    """What we do not start we cannot put anywhere."""
    with (
        LocalLambda(log_stream=io.BytesIO()) as local,
        pytest.raises(SetupError, match="that you start yourself cannot be isolated"),
    ):
        local.create_function("f", code=tmp_path, isolation="namespace", attach=True)
