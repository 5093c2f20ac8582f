"""Extensions under AWS's own emulator, which knows /opt/extensions and no telemetry.

RIE looks at the real /opt: it runs in a mount namespace of its own, where /opt is a directory of
the test. Where such namespaces are not allowed these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from lambda_extensions.cli import unpack
from lambda_extensions.layer import build
from tests.support.command_line import write_code, write_executable
from tests.support.peers import REPOSITORY, RuntimeInterfaceEmulator

NAMESPACE = ("unshare", "--map-root-user", "--mount", "sh", "-c")
OVER_OPT = 'mount --bind "$0" /opt && exec "$@"'

SHIPPER = """
from lambda_extensions import Extension, FlushPolicy

extension = Extension()

@extension.on_init
def begin(registration):
    print("registered for", registration.function_name, registration.account_id, flush=True)

@extension.on_telemetry("platform", "function", flush=FlushPolicy.end_of_invoke(max_wait=1))
def ship(batch):
    print("shipped", len(batch), flush=True)

@extension.on_invoke
def invoked(event):
    print("invoked", event.request_id, event.trace_id, flush=True)

extension.run()
"""


@pytest.fixture
def emulated(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[Path], RuntimeInterfaceEmulator]:
    """RIE over a directory that it takes for /opt, with a function that returns its event."""
    _require_namespaces(tmp_path)
    rie_binary: Path = request.getfixturevalue("rie_binary")
    code = write_code(tmp_path / "code", "def handler(event, context):\n    return event\n")

    def emulate(opt: Path) -> RuntimeInterfaceEmulator:
        return RuntimeInterfaceEmulator(
            rie_binary,
            [sys.executable, "-m", "lambda_runtime", "app.handler"],
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "PYTHONPATH": str(REPOSITORY),
                "AWS_LAMBDA_FUNCTION_NAME": "hello",
            },
            cwd=code,
            prefix=[*NAMESPACE, OVER_OPT, str(opt)],
        )

    return emulate


def _require_namespaces(directory: Path) -> None:
    if shutil.which(NAMESPACE[0]) is None:
        pytest.skip("no mount namespace: unshare is missing")
    command = [*NAMESPACE, OVER_OPT, str(directory), "true"]
    probe = subprocess.run(command, capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"no mount namespace: {probe.stderr.strip()}")


@contextmanager
def session() -> Iterator[requests.Session]:
    with requests.Session() as made:
        made.trust_env = False
        yield made


def test_hello_under_rie(
    emulated: Callable[[Path], RuntimeInterfaceEmulator], tmp_path: Path
) -> None:
    """The example sees INVOKE, and SHUTDOWN with a reason of RIE's own and as text/plain."""
    opt = tmp_path / "opt"
    (opt / "extensions").mkdir(parents=True)
    shutil.copy(REPOSITORY / "examples" / "extension_hello" / "hello", opt / "extensions")
    with emulated(opt) as rie, session() as http:
        assert http.post(rie.url, data=b'{"a":1}').json() == {"a": 1}
        assert http.post(rie.url, data=b'{"a":2}').json() == {"a": 2}
        rie.stop()
        output = rie.stdout() + rie.stderr()
    assert output.count("invocation ") == 2
    assert "shutdown: SandboxTerminated\n" in output


def test_telemetry_under_rie(
    emulated: Callable[[Path], RuntimeInterfaceEmulator], tmp_path: Path
) -> None:
    """Where telemetry is not supported an extension says so once and lets invocations pass."""
    opt = tmp_path / "opt"
    write_executable(opt / "extensions" / "shipper", f"#!/usr/bin/env python3\n{SHIPPER}")
    with emulated(opt) as rie, session() as http:
        for number in range(3):
            assert http.post(rie.url, json=number).json() == number
        rie.stop()
        output = rie.stdout() + rie.stderr()
    assert "registered for hello None\n" in output
    assert output.count("running without telemetry: there is no Telemetry API") == 1
    assert output.count("invoked ") == 3
    assert "shipped" not in output


def test_built_layer_under_rie(
    emulated: Callable[[Path], RuntimeInterfaceEmulator], tmp_path: Path
) -> None:
    """A layer as `build` makes it, unpacked to /opt, is an extension that works."""
    source = write_code(tmp_path, SHIPPER, "shipper.py") / "shipper.py"
    build(source, "shipper", tmp_path / "layer.zip")
    unpack(tmp_path / "layer.zip", tmp_path / "opt")
    with emulated(tmp_path / "opt") as rie, session() as http:
        assert http.post(rie.url, data=b"{}").json() == {}
        rie.stop()
        output = rie.stdout() + rie.stderr()
    assert output.count("invoked ") == 1
