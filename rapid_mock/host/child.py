"""One child process: its start in a process group of its own, its output pipe, its signals."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys
import termios
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rapid_mock.errors import RapidMockError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

FailureKind = Literal["missing", "permission", "directory", "other"]


DESCRIPTORS = 1024
"""What a process of a function may have open at once (Lambda quotas, "File descriptors")."""
DESCRIPTORS_TO_START = 16


class SpawnFailed(RapidMockError):
    """Raised when a process could not be started.

    `kind` says what was wrong: the executable (`missing`, `permission`), the working `directory` or
    something `other`; `sentence` (also `str()`) is as in RIE: `fork/exec /x: permission denied`.
    """

    def __init__(self, kind: FailureKind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence


@dataclass(slots=True)
class Child:
    """A running process under the caller's number `token`; `pipe` is -1 once it is closed."""

    token: int
    process: subprocess.Popen[bytes]
    pipe: int
    tail: bytes = b""

    def signal_group(self, number: int) -> None:
        """Signal the process group; allowed until the process is reaped."""
        # macOS refuses (EPERM) a group of which only the unreaped leader is left
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def bytes_waiting(self) -> int:
        """How much has been written and not been read."""
        answer = fcntl.ioctl(self.pipe, termios.FIONREAD, b"\0\0\0\0")
        return int.from_bytes(answer, sys.byteorder)

    def discard(self) -> None:
        """Kill and reap a process nobody has heard of yet."""
        self.signal_group(signal.SIGKILL)
        self.process.wait()
        os.close(self.pipe)
        self.pipe = -1


def start(token: int, argv: Sequence[str], *, env: Mapping[str, str], cwd: str) -> Child:
    """Start `argv` in `cwd`: exactly `env`, nothing on stdin, stdout and stderr into one pipe.

    A bare name is sought on `env`'s PATH, a relative path in `cwd`. Raises SpawnFailed.
    """
    try:
        reading, writing = os.pipe()
    except OSError as error:
        raise SpawnFailed("other", f"fork/exec {argv[0]}: {words(error)}") from error
    try:
        os.set_blocking(reading, False)
        with _lambda_descriptors(writing):
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                cwd=cwd,
                env=env,
                process_group=0,
            )
    except (OSError, ValueError) as error:
        os.close(reading)
        raise _failure(argv[0], cwd, error) from error
    finally:
        os.close(writing)
    return Child(token, process, reading)


@contextmanager
def _lambda_descriptors(newest: int) -> Iterator[None]:
    """Have what starts in here inherit Lambda's soft limit on descriptors.

    Ours is changed for that moment, as a program may read it first thing. With so many open that
    starting a process would fail meanwhile (`newest` tells), the child gets our own limit.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft == wanted or newest > wanted - DESCRIPTORS_TO_START:
        yield
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _failure(executable: str, cwd: str, error: OSError | ValueError) -> SpawnFailed:
    if not (Path(cwd).is_dir() and os.access(cwd, os.X_OK)):
        return SpawnFailed("directory", f"chdir {cwd}: {words(error)}")
    sentence = f"fork/exec {executable}: {words(error)}"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return SpawnFailed("missing", sentence)
    if isinstance(error, PermissionError):
        return SpawnFailed("permission", sentence)
    return SpawnFailed("other", sentence)


def words(error: OSError | ValueError) -> str:
    """The operating system's words for an error as Go spells them: `permission denied`.

    A ValueError is `subprocess` refusing a NUL byte or `=` in a name; its own text is not used, as
    environment values belong into no message.
    """
    number = (error.errno if isinstance(error, OSError) else None) or errno.EINVAL
    return os.strerror(number).lower()
