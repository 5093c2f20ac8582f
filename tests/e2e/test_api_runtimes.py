"""What the runtimes of the Lambda API run as here, and what their layers are."""

from __future__ import annotations

import io
import os
import sys
import zipfile
from pathlib import Path

import pytest

from rapid_mock.errors import SetupError
from rapid_mock.host.namespace import unshare_options
from tests.support.command_line import Serving, write_executable
from tests.support.lambda_api import (
    ROLE,
    client_of,
    create,
    invoke,
    refusal,
    wait_active,
    wait_updated,
    zip_of,
)

OWN = f"python3.{sys.version_info[1]}"
OTHER = "python3.14" if OWN != "python3.14" else "python3.13"
SOURCE = """
import os
def handler(event, context):
    return os.environ.get("FOUND_ON_PATH")
"""
RUNTIME = """
import http.client, os
while True:
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    event.read()
    name = event.headers["Lambda-Runtime-Aws-Request-Id"]
    path = f"/2018-06-01/runtime/invocation/{name}/response"
    api.request("POST", path, f'"{os.environ["_HANDLER"]}"')
    api.getresponse().read()
"""
LAUNCHER = """#!/bin/sh
exec cat /opt/tool/data
"""
READS = """
import os
def handler(event, context):
    found = []
    for root, _, files in os.walk("/opt"):
        found += [os.path.join(root, file) for file in files]
    return sorted(found), open("/opt/tool/data").read()
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all there is on PATH, beside what a shell needs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.defpath]))
    return folder


def test_another_python_on_path_runs_its_version(path: Path) -> None:
    """A function of another version runs by the Python of that name, if it is on PATH."""
    with Serving() as serving, client_of(serving.url) as client:
        arguments = {
            "FunctionName": "f",
            "Runtime": OTHER,
            "Role": ROLE,
            "Handler": "app.handler",
            "Code": {"ZipFile": zip_of(SOURCE)},
        }
        if not any(Path(folder, OTHER).exists() for folder in os.defpath.split(os.pathsep)):
            assert refusal(client, "create_function", **arguments) == (
                400,
                "InvalidParameterValueException",
                f"The runtime {OTHER} does not run here: it is not on PATH.",
            )
        write_executable(
            path / OTHER, f'#!/bin/sh\nFOUND_ON_PATH=yes exec "{sys.executable}" "$@"\n'
        )
        client.create_function(**arguments)
        wait_active(client, "f")
        assert invoke(client, "f") == "yes"


def test_a_python_that_does_not_start_fails_the_function(path: Path) -> None:
    """A version manager's stand-in that leads nowhere: the state is Failed, and says so."""
    write_executable(path / OTHER, "#!/bin/sh\nexit 1\n")
    with Serving() as serving, client_of(serving.url) as client:
        with pytest.raises(Exception, match="terminal failure state"):
            create(client, "f", SOURCE, Runtime=OTHER)
        now = client.get_function_configuration(FunctionName="f")
        assert (now["State"], now["StateReasonCode"]) == ("Failed", "InvalidRuntime")
        assert now["StateReason"] == f"{path / OTHER} does not start"


def test_any_other_runtime_by_a_configured_command() -> None:
    """With --runtime a function of any runtime runs, in its code, by this command."""
    with (
        Serving("--runtime", f"{sys.executable} runtime.py") as serving,
        client_of(serving.url) as client,
    ):
        client.create_function(
            FunctionName="f",
            Runtime="ruby3.4",
            Role=ROLE,
            Handler="app.rb",
            Code={"ZipFile": zip_of(RUNTIME, "runtime.py")},
        )
        wait_active(client, "f")
        assert invoke(client, "f") == "app.rb"
        create(client, "g", "def handler(event, context):\n    return 'python'\n", Runtime=OWN)
        assert invoke(client, "g") == "python"


USES_TOOLS = """
import os, subprocess

def handler(event, context):
    told = subprocess.run("greet || true", shell=True, capture_output=True, text=True).stdout
    paths = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    return [told, any(os.path.exists(path + "/libgreet.so") for path in paths)]
"""


def layer() -> bytes:
    """A layer with data, and an extension whose launcher reads it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        launcher = zipfile.ZipInfo("extensions/tool")
        launcher.external_attr = 0o100755 << 16
        archive.writestr(launcher, LAUNCHER)
        archive.writestr("tool/data", "from the layer")
    return data.getvalue()


def is_isolation_possible() -> bool:
    try:
        unshare_options()
    except SetupError:
        return False
    return True


@pytest.mark.linux
@pytest.mark.skipif(not is_isolation_possible(), reason="no mount namespaces here")
def test_layers_are_opt_under_isolation() -> None:
    """With --isolation namespace the content of a function's layers is its /opt."""
    with Serving("--isolation", "namespace") as serving, client_of(serving.url) as client:
        arns = [
            client.publish_layer_version(LayerName=name, Content={"ZipFile": content})[
                "LayerVersionArn"
            ]
            for name, content in (
                ("one", zip_of("first", "tool/data")),
                ("two", zip_of("second", "tool/data")),
                ("three", zip_of("", "python/words.py")),
            )
        ]
        create(client, "f", READS, Runtime=OWN, Layers=arns)
        assert invoke(client, "f") == [["/opt/python/words.py", "/opt/tool/data"], "second"]


def test_without_isolation_layers_are_directories() -> None:
    """That is told once of a function, and which of their scripts name something in /opt."""
    with Serving() as serving, client_of(serving.url) as client:
        made = client.publish_layer_version(LayerName="tool", Content={"ZipFile": layer()})
        create(client, "f", SOURCE, Runtime=OWN, Layers=[made["LayerVersionArn"]])
        client.update_function_configuration(FunctionName="f", Timeout=9)
        wait_updated(client, "f")
        create(client, "without", SOURCE, Runtime=OWN)
        log = serving.wait_for("tool names something in /opt that is not there")
        assert "with --isolation namespace its layer is" in log
        sentence = (
            "rapid-mock: the layers of f are directories on its search paths; "
            "with --isolation namespace they are its /opt\n"
        )
        assert serving.log.count(sentence) == 1
        assert "the layers of without" not in serving.log


def tools() -> bytes:
    """A layer with a command, and a directory for shared libraries."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, mode in (("bin/greet", 0o100755), ("lib/libgreet.so", 0o100644)):
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, "#!/bin/sh\necho hello from a layer\n")
    return data.getvalue()


@pytest.mark.linux
@pytest.mark.parametrize("isolation", ["none", "namespace"])
def test_commands_and_libraries_of_a_layer_are_found(isolation: str) -> None:
    """`bin` is on PATH and `lib` on LD_LIBRARY_PATH, as "Packaging your layer content" says."""
    if isolation == "namespace" and not is_isolation_possible():
        pytest.skip("no mount namespaces here")
    with Serving("--isolation", isolation) as serving, client_of(serving.url) as client:
        made = client.publish_layer_version(LayerName="tools", Content={"ZipFile": tools()})
        create(client, "f", USES_TOOLS, Runtime=OWN, Layers=[made["LayerVersionArn"]])
        create(client, "g", USES_TOOLS, Runtime=OWN)
        assert invoke(client, "f") == ["hello from a layer\n", True]
        assert invoke(client, "g") == ["", False]
