"""`rapid-mock start -- CMD ARGS` as an image's entry point, in RIE's place: /opt is the image's."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import COMMAND, ROOT, write_code, write_executable
from tests.support.live_recording import NAMESPACE, OVER_OPT
from tests.support.processes import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLER = """
import http.client, os

def handler(event, context):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request("POST", "/2020-01-01/extension/register", b"{}", {"Lambda-Extension-Name": "late"})
    answer = api.getresponse()
    return [answer.status, answer.read().decode(), sorted(os.listdir("/opt"))]
"""
EXTENSION = f"""#!{sys.executable}
import sys
sys.path.insert(0, {str(ROOT)!r})
from lambda_extensions import ExtensionClient
client = ExtensionClient()
client.register("witness", ["SHUTDOWN"])
print("told", client.next().reason, flush=True)
"""
RUNTIME = (sys.executable, "-m", "lambda_runtime", "app.handler")
CURL = ("curl", "-sS", "--max-time", "20", "-XPOST", "-d", "{}")
"""As RIE is documented: the type that curl gives its data is not the event's."""


class Image:
    """A container as far as it matters: processes with an /opt of their own."""

    def __init__(self, directory: Path) -> None:
        self.opt = directory / "opt"
        self._log = directory / "log"
        (self.opt / "extensions").mkdir(parents=True)
        write_executable(self.opt / "extensions" / "witness", EXTENSION)
        command = [*NAMESPACE, OVER_OPT, str(self.opt), *COMMAND, "start", "--port", "0", "--"]
        self._command = [*command, *RUNTIME]
        self._cwd = write_code(directory / "code", HANDLER)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Start it; returns its address."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                cwd=self._cwd,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            )
        eventually(lambda: "listening on " in self.log, "the address")
        return self.log.partition("listening on ")[2].split()[0]

    @property
    def log(self) -> str:
        return self._log.read_text()

    def stop(self) -> int:
        """SIGTERM, as a container is stopped; returns the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Image]:
    command = [*NAMESPACE, "true"]
    if shutil.which(command[0]) is None or subprocess.run(command, check=False).returncode:
        pytest.skip("no mount namespace: a container's /opt cannot be had")
    if shutil.which("curl") is None:
        pytest.skip("curl is not here")
    image = Image(tmp_path)
    yield image
    image.close()


def invoke(address: str) -> str:
    url = f"{address}/2015-03-31/functions/function/invocations"
    return subprocess.run([*CURL, url], capture_output=True, text=True, check=True).stdout


def test_extensions_of_the_image_live_and_are_told_of_its_end(image: Image) -> None:
    """They are found in /opt/extensions; SIGTERM is the shutdown phase, and then exit 0."""
    answer = invoke(image.start())
    assert "Extension registration closed already" in answer
    assert image.stop() == 0
    assert "EXTENSION\tName: witness\tState: Ready\tEvents: [SHUTDOWN]\n" in image.log
    assert "told spindown\n" in image.log


def test_one_file_turns_them_off(image: Image) -> None:
    """With it no extension is started, and there is no Extensions API."""
    (image.opt / "disable-extensions-jwigqn8j").touch()
    answer = invoke(image.start())
    assert answer == '[404, "", ["disable-extensions-jwigqn8j", "extensions"]]'
    assert image.stop() == 0
    assert "EXTENSION" not in image.log
