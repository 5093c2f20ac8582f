"""An AWS to try things on: moto's server as a child process on loopback."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from rapid_mock.errors import SetupError
from rapid_mock.host.isolation import DUMMY_CREDENTIALS
from rapid_mock.host.watchdog import Watchdog

START_SECONDS = 30.0
STOP_SECONDS = 2.0
TAIL_BYTES = 2000
_PROGRAM = Path(__file__).with_name("embedded_aws_child.py")


class EmbeddedAws:
    """moto in a process group of its own, which the watchdog ends with us if need be.

    `faults`: sentences on what does not work as on AWS with a moto of another version.
    """

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._process = process
        self._output = output
        self.url = ""
        self.faults: list[str] = []

    @classmethod
    async def start(cls, watchdog: Watchdog) -> EmbeddedAws:
        """Start it and wait until it serves; raises SetupError."""
        if find_spec("moto") is None or find_spec("flask") is None:
            raise SetupError(
                "--aws embedded needs moto: pip install 'lambda-runtime-sdk[embedded]'"
            )
        started = cls(*_spawn())
        try:
            watchdog.add(started._process.pid)
            port, *started.faults = await asyncio.wait_for(
                asyncio.to_thread(started._first_line), START_SECONDS
            )
            started.url = f"http://127.0.0.1:{int(port)}"
        except (OSError, ValueError) as error:  # TimeoutError is an OSError
            tail = started.kill(watchdog)
            raise SetupError(f"the embedded AWS did not start: {tail or error}") from error
        return started

    def kill(self, watchdog: Watchdog) -> str:
        """End it at once: it holds nothing that is worth keeping. Returns the end of its output."""
        watchdog.remove(self._process.pid)
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._output.seek(0)
        tail = self._output.read()[-TAIL_BYTES:].decode("utf-8", "replace").strip()
        self._output.close()
        return tail

    def _first_line(self) -> list[str]:
        lines = self._process.stdout
        return lines.readline().decode().strip().split("\t") if lines is not None else [""]


def _spawn() -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    output = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the process
    process = subprocess.Popen(
        [sys.executable, "-P", str(_PROGRAM)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=output,
        env={**kept, **DUMMY_CREDENTIALS},
        process_group=0,
    )
    return process, output
