"""A handler under debugpy: a breakpoint holds an invocation beyond the function timeout."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rapid_mock import LocalLambda
from tests.support.command_line import ROOT, write_code
from tests.support.processes import eventually

HELD_SECONDS = float(os.environ.get("HELD_SECONDS", "0.5"))
TIMEOUT_SECONDS = 0.1
SOURCE = "def handler(event, context):\n    answer = event['n'] + 1\n    return answer\n"


class Debugger:
    """A client of the Debug Adapter Protocol, just enough of it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 20)
        self._stream = self._socket.makefile("rb")
        self._sent = 0

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def send(self, command: str, **arguments: Any) -> None:
        self._sent += 1
        message = {"seq": self._sent, "type": "request", "command": command}
        body = json.dumps(message | {"arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def wait_for(self, name: str) -> dict[str, Any]:
        """The next event, or the answer to a command, of this name."""
        while True:
            length = 0
            while (line := self._stream.readline()) != b"\r\n":
                length = int(line.partition(b":")[2])
            message: dict[str, Any] = json.loads(self._stream.read(length))
            if name in (message.get("event"), message.get("command")):
                return message


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def connected(port: int) -> Debugger:
    """A client, once debugpy listens: a connection that only looks would end its session."""
    found: list[Debugger] = []

    def has_connected() -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            found.append(Debugger(port))
        return bool(found)

    eventually(has_connected, "debugpy listening")
    return found[0]


def test_a_breakpoint_holds_an_invocation(tmp_path: Path) -> None:
    """An attached runtime stops at a breakpoint for as long as its developer likes, and answers."""
    code = write_code(tmp_path / "code", SOURCE)
    port = free_port()
    with LocalLambda(log_stream=io.BytesIO()) as local, ThreadPoolExecutor(1) as pool:
        function = local.create_function(
            "f", handler="app.handler", code=code, timeout=TIMEOUT_SECONDS, attach=True
        )
        runtime = subprocess.Popen(
            [
                *(sys.executable, "-Xfrozen_modules=off", "-m", "debugpy"),
                *("--listen", f"127.0.0.1:{port}", "--wait-for-client"),
                *("-m", "lambda_runtime", "app.handler"),
            ],
            cwd=code,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(ROOT),
                "PYDEVD_DISABLE_FILE_VALIDATION": "1",
                **function.variables,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            debugger = connected(port)
            debugger.send("initialize", adapterID="debugpy")
            debugger.send("attach", justMyCode=False)
            debugger.wait_for("initialized")
            source = {"path": str(code / "app.py")}
            debugger.send("setBreakpoints", source=source, breakpoints=[{"line": 2}])
            debugger.send("configurationDone")
            began = time.monotonic()
            invocation = pool.submit(function.invoke, {"n": 41})
            stopped = debugger.wait_for("stopped")
            assert stopped["body"]["reason"] == "breakpoint"
            threading.Event().wait(HELD_SECONDS)
            assert not invocation.done()
            debugger.send("continue", threadId=stopped["body"]["threadId"])
            result = invocation.result(20)
            assert (result.payload, result.function_error) == (42, None)
            assert time.monotonic() - began > HELD_SECONDS
            debugger.close()
        finally:
            runtime.kill()
            runtime.wait()
