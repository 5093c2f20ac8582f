"""A private mount namespace for the processes of one execution environment.

One process that does nothing holds it open; the others enter it with `nsenter`. Without root it is
a user namespace's, where this machine allows those.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rapid_mock.errors import SetupError
from rapid_mock.host.child import SpawnFailed
from rapid_mock.host.launch import Launch
from rapid_mock.host.mounts import HOSTS_LINE, READY, Mounts, script

if TYPE_CHECKING:
    from rapid_mock.host.watchdog import Watchdog

PROBE_SECONDS = 10.0
SETUP_SECONDS = 10.0
OWN_MOUNTS = ("--mount",)
OWN_MOUNTS_AND_USER = ("--user", "--map-root-user", "--mount")
TOOLS = ("unshare", "nsenter", "mount", "chroot")


class Namespace:
    """One mount namespace, from `open_namespace` to `close`."""

    def __init__(
        self, holder: subprocess.Popen[bytes], directory: Path, watchdog: Watchdog
    ) -> None:
        self._holder = holder
        self._directory = directory
        self._watchdog = watchdog

    def enter(self, launch: Launch) -> Launch:
        """The same process in here; raises SpawnFailed when there is no such executable."""
        executable = launch.argv[0]
        if "/" in executable:
            self._check(executable, os.path.join(launch.cwd, executable))  # noqa: PTH118  as execve
        join = [_tool("nsenter"), f"--target={self._holder.pid}", "--mount", "--root", "--wd"]
        if unshare_options() == OWN_MOUNTS_AND_USER:
            join += ["--user", "--preserve-credentials"]
        change = ["--", "/bin/sh", "-c", 'cd "$0" && exec "$@"', launch.cwd]
        return Launch((*join, *change, *launch.argv), "/", launch.env, launch.log_variable)

    def close(self) -> None:
        """Let it go; it ends with the last process in it."""
        with suppress(ProcessLookupError):
            os.killpg(self._holder.pid, signal.SIGKILL)
        self._watchdog.remove(self._holder.pid)
        self._holder.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _check(self, executable: str, path: str) -> None:
        inside = Path(f"/proc/{self._holder.pid}/root{path}")
        if not os.path.lexists(inside):
            raise SpawnFailed("missing", f"fork/exec {executable}: no such file or directory")
        if inside.is_file() and not os.access(inside, os.X_OK):
            raise SpawnFailed("permission", f"fork/exec {executable}: permission denied")


async def open_namespace(mounts: Mounts, watchdog: Watchdog) -> Namespace:
    """Set everything up; raises OSError, one sentence that says what could not be mounted."""
    directory = Path(tempfile.mkdtemp(prefix="rapid-mock-"))
    holder = _start_holder(mounts, directory)
    namespace = Namespace(holder, directory, watchdog)
    try:
        watchdog.add(holder.pid)
        await asyncio.wait_for(_ready(holder), SETUP_SECONDS)
    except BaseException:
        namespace.close()
        raise
    return namespace


def _start_holder(mounts: Mounts, directory: Path) -> subprocess.Popen[bytes]:
    root, hosts = directory / "root", directory / "hosts"
    root.mkdir()
    hosts.write_text(_hosts())
    commands = script(mounts, str(root), str(hosts))
    return subprocess.Popen(
        [_tool("unshare"), *unshare_options(), "/bin/sh", "-c", commands],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        process_group=0,
    )


@cache
def unshare_options() -> tuple[str, ...]:
    """How a mount namespace is made here; raises SetupError, one sentence, where it cannot be."""
    if not all(map(shutil.which, TOOLS)):
        raise SetupError("--isolation namespace needs Linux with util-linux: unshare and nsenter")
    refusal = ""
    for options in (OWN_MOUNTS, OWN_MOUNTS_AND_USER):
        probe = subprocess.run(
            [_tool("unshare"), *options, "true"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
        if probe.returncode == 0:
            return options
        refusal = probe.stderr.decode(errors="replace").strip()
    raise SetupError(f"--isolation namespace needs root, or user namespaces; here: {refusal}")


async def _ready(process: subprocess.Popen[bytes]) -> None:
    """Wait for the first line a process prints; raises OSError with it when it is another one."""
    assert process.stdout is not None  # noqa: S101  it was made with a pipe
    pipe, loop, said = process.stdout, asyncio.get_running_loop(), bytearray()
    os.set_blocking(pipe.fileno(), False)
    done = asyncio.Event()

    def readable() -> None:
        data = os.read(pipe.fileno(), 4096)
        said.extend(data)
        if not data or b"\n" in data:
            done.set()

    loop.add_reader(pipe.fileno(), readable)
    try:
        await done.wait()
    finally:
        loop.remove_reader(pipe.fileno())
        pipe.close()
    line = said.decode(errors="replace").partition("\n")[0]
    if line != READY:
        raise OSError(f"the environment's file system could not be set up: {line}")


def _hosts() -> str:
    try:
        return (
            Path("/etc/hosts").read_text(errors="surrogateescape").rstrip("\n") + "\n" + HOSTS_LINE
        )
    except OSError:
        return HOSTS_LINE


def _tool(name: str) -> str:
    return shutil.which(name) or name
