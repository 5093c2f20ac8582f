"""Extensions under AWS's own emulator, which knows /opt/extensions and no telemetry.

RIE looks at the real /opt: it runs in a mount namespace of its own, where /opt is a directory of
the test. Where such namespaces are not allowed these tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests

from lambda_extensions.cli import unpack
from lambda_extensions.layer import build
from tests.support.command_line import write_code, write_executable
from tests.support.managed_rie import managed_rie, require_managed_rie
from tests.support.peers import REPOSITORY, RuntimeInterfaceEmulator
from tests.support.processes import eventually

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

    def emulate(
        opt: Path, command: Sequence[str] = (sys.executable, "-m", "lambda_runtime", "app.handler")
    ) -> RuntimeInterfaceEmulator:
        return RuntimeInterfaceEmulator(
            rie_binary,
            [*command],
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


EXAMPLES = {
    "extension_log_shipper/shipper": "shipper: received 0, delivered 0, retried 0, dropped 0\n",
    "extension_metrics/metrics": "running without telemetry: there is no Telemetry API",
    "extension_hello/hello": "shutdown: SandboxTerminated\n",
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_under_rie(
    emulated: Callable[[Path], RuntimeInterfaceEmulator], tmp_path: Path, example: str
) -> None:
    """Without telemetry an example lets invocations pass, says so once, and ends as it should."""
    opt = tmp_path / "opt"
    (opt / "extensions").mkdir(parents=True)
    shutil.copy(REPOSITORY / "examples" / example, opt / "extensions")
    with emulated(opt) as rie, session() as http:
        for number in range(5):
            assert http.post(rie.url, json=number).json() == number
        rie.stop()
        output = rie.stdout() + rie.stderr()
    assert output.count(EXAMPLES[example]) == 1
    assert output.count("running without telemetry") == (0 if "hello" in example else 1)
    assert "Traceback" not in output


def test_internal_example_under_rie(rie_binary: Path) -> None:
    """The internal extension of a function's own process works after each response there too."""
    rie = RuntimeInterfaceEmulator(
        rie_binary,
        [sys.executable, "-m", "lambda_runtime", "app.handler"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        cwd=REPOSITORY / "examples" / "internal_extension",
    )
    with rie, session() as http:
        for number in range(5):
            assert http.post(rie.url, json={"items": number}).json() == {"collected": number}
        rie.stop()
        output = rie.stdout() + rie.stderr()
    assert [f"flushing {number} measurements" in output for number in range(5)] == [True] * 5


def test_layer_beside_bash_under_rie(
    emulated: Callable[..., RuntimeInterfaceEmulator], tmp_path: Path
) -> None:
    """The layer with a Python of its own beside the example's runtime in bash."""
    if shutil.which("curl") is None:
        pytest.skip("the bash runtime needs curl")
    python = f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n'
    write_executable(tmp_path / "bare" / "bin" / "python3", python)
    hello = REPOSITORY / "examples" / "extension_hello" / "hello"
    build(hello, "hello", tmp_path / "layer.zip", bundled=tmp_path / "bare")
    unpack(tmp_path / "layer.zip", tmp_path / "opt")
    bootstrap = REPOSITORY / "examples" / "extension_layer" / "bootstrap"
    with emulated(tmp_path / "opt", [str(bootstrap)]) as rie, session() as http:
        for number in range(5):
            assert http.post(rie.url, json=number).json() == {"bash got": number}
        rie.stop()
        output = rie.stdout() + rie.stderr()
    assert output.count("invocation ") == 5


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


# --- Managed instances: RIE's engine with a real Telemetry API ---------------------------------

MANAGED = """#!/usr/bin/env python3
import json
from lambda_extensions import Extension, FlushPolicy

extension = Extension(accept_account_id=True)

@extension.on_init
def begin(registration):
    print("account", registration.account_id, flush=True)

@extension.on_invoke
def never(event):
    print("never", flush=True)

@extension.on_telemetry("platform", "function", flush=FlushPolicy.adaptive())
def ship(batch):
    for record in batch:
        print("record", record.type, json.dumps(record.record), type(record).__name__, flush=True)

@extension.on_shutdown
def end(event):
    print("end", event.reason, flush=True)

extension.run()
"""


@pytest.fixture
def managed(request: pytest.FixtureRequest, tmp_path: Path) -> RuntimeInterfaceEmulator:
    """RIE as managed instances: the extension above, and a function that prints its event."""
    opt, task = tmp_path / "opt", tmp_path / "task"
    write_executable(opt / "extensions" / "managed", MANAGED)
    write_code(task, "def handler(event, context):\n    print('line', event)\n    return event\n")
    require_managed_rie(opt, task)
    rie: Path = request.getfixturevalue("rie_binary")
    return managed_rie(rie, tmp_path, opt, task, AWS_LAMBDA_LOG_FORMAT="text")


def _is_answered(http: requests.Session, url: str, event: int) -> bool:
    """Whether the answer is the event; 400 says that the runtime is not back at next."""
    answer = http.post(url, json=event)
    assert answer.status_code == 400 or answer.json() == event
    return answer.status_code == 200


def test_records_of_the_real_telemetry_api(managed: RuntimeInterfaceEmulator) -> None:
    """AWS's own Telemetry API delivers every record, in order, to the end; INVOKE is not asked."""
    with managed as rie, session() as http:
        for number in range(3):
            eventually(partial(_is_answered, http, rie.url, number), "a runtime that is free")
        rie.stop()
        output = rie.stdout() + rie.stderr()
    assert "account 123456789012\n" in output
    assert output.count("managed instances have no INVOKE event") == 1
    assert "never" not in output
    assert "end spindown\n" in output
    records = [line.split(maxsplit=2)[1:] for line in output.splitlines() if line[:7] == "record "]
    assert all(not rest.endswith("UnknownRecord") for _, rest in records)
    kinds = [kind for kind, _ in records]
    assert kinds[0] == "platform.initStart"
    assert set(kinds[1:5]) == {
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
    }
    lines = [rest for kind, rest in records if kind == "function"]
    assert lines == [f'"line {number}" FunctionLog' for number in range(3)]
    for kind in ("platform.start", "platform.report"):
        assert kinds.count(kind) == 3
