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
class Pipe:
    """Our end of a pipe; `reading` is -1 once it is closed."""

    reading: int

    def bytes_waiting(self) -> int:
        """How much has been written and not been read."""
        answer = fcntl.ioctl(self.reading, termios.FIONREAD, b"\0\0\0\0")
        return int.from_bytes(answer, sys.byteorder)

    def close(self) -> None:
        if self.reading >= 0:
            os.close(self.reading)
            self.reading = -1


@dataclass(slots=True)
class Child:
    """A running process under the caller's number `token`.

    `output` has its stdout and stderr, `frames` what it writes to a log descriptor, if it has one.
    """

    token: int
    process: subprocess.Popen[bytes]
    output: Pipe
    frames: Pipe | None = None
    tail: bytes = b""

    @property
    def pipes(self) -> list[Pipe]:
        return [self.output] if self.frames is None else [self.output, self.frames]

    def signal_group(self, number: int) -> None:
        """Signal the process group; allowed until the process is reaped."""
        # macOS refuses (EPERM) a group of which only the unreaped leader is left
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def discard(self) -> None:
        """Kill and reap a process nobody has heard of yet."""
        self.signal_group(signal.SIGKILL)
        self.process.wait()
        for pipe in self.pipes:
            pipe.close()


def start(
    token: int, argv: Sequence[str], *, env: Mapping[str, str], cwd: str, log_variable: str = ""
) -> Child:
    """Start `argv` in `cwd`: exactly `env`, nothing on stdin, stdout and stderr into one pipe.

    A bare name is sought on `env`'s PATH, a relative path in `cwd`. The variable `log_variable`,
    if given, has the number of a descriptor for log frames. Raises SpawnFailed.
    """
    ends: list[tuple[int, int]] = []
    try:
        ends += [os.pipe() for _ in range(2 if log_variable else 1)]
        for reading, _ in ends:
            os.set_blocking(reading, False)
        writing = [end for _, end in ends]
        with _lambda_descriptors(writing[-1]):
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=writing[0],
                stderr=writing[0],
                cwd=cwd,
                env={**env, log_variable: str(writing[1])} if log_variable else env,
                process_group=0,
                pass_fds=writing[1:],
            )
    except (OSError, ValueError) as error:
        for reading, _ in ends:
            os.close(reading)
        raise _failure(argv[0], cwd, error) from error
    finally:
        for _, end in ends:
            os.close(end)
    output, frames = ends[0][0], ends[1][0] if log_variable else None
    return Child(token, process, Pipe(output), None if frames is None else Pipe(frames))


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
