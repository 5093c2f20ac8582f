"""What an extension has loaded when it registers, and when it handles its first event."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripted_api import ScriptedApi, reply

ROOT = Path(__file__).resolve().parents[2]
REGISTERED = reply("200 OK", "Lambda-Extension-Identifier: x", body="{}")
INVOKE = reply("200 OK", body='{"eventType":"INVOKE","deadlineMs":1,"requestId":"a"}')
SHUTDOWN = reply("200 OK", body='{"eventType":"SHUTDOWN","deadlineMs":1}')

PROGRAM = """
import sys
from lambda_extensions import Extension
loaded = {}
extension = Extension("hello")
def names():
    return sorted({name.partition(".")[0] for name in sys.modules} | set(sys.modules))
import lambda_extensions.client
register = lambda_extensions.client.ExtensionClient._request
def witness(self, *arguments):
    loaded.setdefault("register", names())
    return register(self, *arguments)
lambda_extensions.client.ExtensionClient._request = witness
extension.on_invoke(lambda event: loaded.setdefault("invoke", names()))
extension.run()
import json
print(json.dumps(loaded))
"""

WITH_TELEMETRY = """
from lambda_extensions import Extension
from lambda_extensions.records import FunctionLog
class Shipper(Extension):
    types = ("function",)
    async def records(self, batch):
        print([record for record in batch if isinstance(record, FunctionLog)])
import sys
import lambda_extensions.client
def witness(self, *arguments):
    names = {name.partition(".")[0] for name in sys.modules} | set(sys.modules)
    sys.stdout.write(" ".join(sorted(names)))
    sys.stdout.flush()
    sys.exit()
lambda_extensions.client.ExtensionClient._request = witness
Shipper("shipper").run()
"""

FORBIDDEN = {
    *("asyncio", "http", "email", "ssl", "inspect", "dataclasses", "typing", "typing_extensions"),
    *("uuid", "urllib", "concurrent", "importlib.metadata", "requests", "logging", "traceback"),
    *("threading", "selectors", "socket", "lambda_extensions.intake"),
    *("lambda_extensions.records", "lambda_runtime.loop"),
}
BEFORE_REGISTRATION = {"json", "re", "enum", "traceback"}


def run(program: str, address: str) -> bytes:
    """What the program prints in a Python that has loaded nothing by itself."""
    text = f"import sys\nsys.path.append({str(ROOT)!r})\n{program}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", text],
        env={"AWS_LAMBDA_RUNTIME_API": address},
        capture_output=True,
        timeout=20,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    with ScriptedApi(REGISTERED, INVOKE, SHUTDOWN) as api:
        answer: dict[str, list[str]] = json.loads(run(PROGRAM, api.address))
    return answer


def test_registration_leaves_before_json_is_read(loaded: dict[str, list[str]]) -> None:
    """When the registration is sent, neither json nor anything heavier is imported."""
    assert not (FORBIDDEN | BEFORE_REGISTRATION) & set(loaded["register"])


def test_events_need_json_and_no_more(loaded: dict[str, list[str]]) -> None:
    """An extension without telemetry and coroutines never loads threads, sockets, asyncio."""
    assert "json" in loaded["invoke"]
    assert not FORBIDDEN & set(loaded["invoke"])


def test_telemetry_and_coroutines_cost_a_registration_nothing() -> None:
    """An extension with a coroutine for records registers before any of what that needs is read."""
    names = set(run(WITH_TELEMETRY, "127.0.0.1:1").decode().split())
    heavy = (FORBIDDEN | BEFORE_REGISTRATION) - {"lambda_extensions.records"}
    assert "lambda_extensions.records" in names
    assert not heavy & names
