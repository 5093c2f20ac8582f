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

FORBIDDEN = {
    *("asyncio", "http", "email", "ssl", "inspect", "dataclasses", "typing", "typing_extensions"),
    *("uuid", "urllib", "concurrent", "importlib.metadata", "requests", "logging", "traceback"),
    *("threading", "selectors", "socket", "lambda_extensions.intake"),
    *("lambda_extensions.records", "lambda_runtime.loop"),
}
BEFORE_REGISTRATION = {"json", "re", "enum", "traceback"}


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    with ScriptedApi(REGISTERED, INVOKE, SHUTDOWN) as api:
        done = subprocess.run(
            [
                sys.executable,
                "-I",
                "-S",
                "-c",
                f"import sys\nsys.path.append({str(ROOT)!r})\n" + PROGRAM,
            ],
            env={"AWS_LAMBDA_RUNTIME_API": api.address},
            capture_output=True,
            timeout=20,
            check=True,
        )
    answer: dict[str, list[str]] = json.loads(done.stdout)
    return answer


def test_registration_leaves_before_json_is_read(loaded: dict[str, list[str]]) -> None:
    """When the registration is sent, neither json nor anything heavier is imported."""
    assert not (FORBIDDEN | BEFORE_REGISTRATION) & set(loaded["register"])


def test_events_need_json_and_no_more(loaded: dict[str, list[str]]) -> None:
    """An extension without telemetry and coroutines never loads threads, sockets, asyncio."""
    assert "json" in loaded["invoke"]
    assert not FORBIDDEN & set(loaded["invoke"])
