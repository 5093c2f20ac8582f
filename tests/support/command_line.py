"""`rapid-mock` as its users run it: a process with arguments, stdout, stderr and an exit code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "rapid_mock")


def run(*arguments: str, cwd: Path = ROOT, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    """Run one command to its end, at most 30 s."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=30,
        cwd=cwd,
        env=_environment(),
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


class Serving:
    """`rapid-mock start` with `--port 0`; `url` once it listens, `stop` for Ctrl-C."""

    def __init__(
        self, *arguments: str, cwd: Path = ROOT, stdout: IO[bytes] | int = subprocess.DEVNULL
    ) -> None:
        self._process = subprocess.Popen(
            [*COMMAND, "start", "--port", "0", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=_environment(),
        )
        self._lines: list[str] = []
        self._reader: threading.Thread | None = None
        self.url = ""

    def __enter__(self) -> Self:
        try:
            found = re.search(r"listening on (http://\S+)", self.wait_for("listening on"))
            assert found is not None
            self.url = found[1]
        except BaseException:
            self._process.kill()
            self._finish()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.returncode is None:
            self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        """Every line read so far; all of them after `stop`."""
        return "".join(self._lines)

    def wait_for(self, text: str) -> str:
        """Read stderr up to the line that holds `text`; the test's timeout is the deadline."""
        stream = self._stderr()
        for raw in stream:
            line = raw.decode()
            self._lines.append(line)
            if text in line:
                return line
        raise AssertionError(f"ended without {text!r}: {self.log}")

    def keep_reading(self) -> Self:
        """Read stderr in a thread from now on: a full pipe would stop a service that says much."""
        self._reader = threading.Thread(target=self._read_rest)
        self._reader.start()
        return self

    def invoke(self, payload: bytes) -> int:
        """POST to the URL that RIE has too; returns the status."""
        url = f"{self.url}/2015-03-31/functions/function/invocations"
        with urllib.request.urlopen(url, payload, timeout=20) as answer:
            answer.read()
            return int(answer.status)

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal and wait for the end; returns the exit code."""
        self._process.send_signal(number)
        self._finish()
        return self._process.returncode

    def _finish(self) -> None:
        """Wait for the end; one that does not come is killed, and its test fails."""
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
        finally:
            if self._reader is None:
                self._read_rest()
            else:
                self._reader.join()
            self._stderr().close()

    def _read_rest(self) -> None:
        for line in self._stderr():
            self._lines.append(line.decode())

    def _stderr(self) -> IO[bytes]:
        assert self._process.stderr is not None
        return self._process.stderr


def write_code(directory: Path, source: str, name: str = "app.py") -> Path:
    """A code directory with one module."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).write_text(source)
    return directory


def write_executable(path: Path, source: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    path.chmod(0o755)
    return path


def last_line(text: str) -> str:
    return text.rstrip("\n").rsplit("\n", 1)[-1]


def options(arguments: Sequence[str]) -> list[str]:
    return [str(argument) for argument in arguments]


def _environment() -> dict[str, str]:
    kept = {"PATH", "HOME", "TMPDIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"}
    return {name: value for name, value in os.environ.items() if name in kept}
