"""How a child process ended, in the words AWS prints, and how we learn of it.

Linux tells by a pidfd. Where there is none (macOS, or a sandbox that refuses the call) each child
is asked every 10 ms instead. Both leave the child unreaped, so that its process group can still be
named safely; Python before 3.13 has no `waitid` on macOS, and there asking reaps it.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    import subprocess
    from collections.abc import Callable

POLLING_SECONDS = 0.01
UNKNOWN_EXIT_CODE = 255
"""Told when somebody else reaped our child; asyncio reports the same number."""

_SIGNAL_WORDS = {
    "SIGHUP": "hangup",
    "SIGINT": "interrupt",
    "SIGQUIT": "quit",
    "SIGILL": "illegal instruction",
    "SIGTRAP": "trace/breakpoint trap",
    "SIGABRT": "aborted",
    "SIGBUS": "bus error",
    "SIGFPE": "floating point exception",
    "SIGKILL": "killed",
    "SIGUSR1": "user defined signal 1",
    "SIGSEGV": "segmentation fault",
    "SIGUSR2": "user defined signal 2",
    "SIGPIPE": "broken pipe",
    "SIGALRM": "alarm clock",
    "SIGTERM": "terminated",
    "SIGSTKFLT": "stack fault",
    "SIGXCPU": "CPU time limit exceeded",
    "SIGXFSZ": "file size limit exceeded",
    "SIGVTALRM": "virtual timer expired",
    "SIGPROF": "profiling timer expired",
    "SIGIO": "I/O possible",
    "SIGPWR": "power failure",
    "SIGSYS": "bad system call",
}


@dataclass(frozen=True, slots=True)
class ExitStatus:
    """Exactly one is set: the exit `code`, or the number of the `signal` that ended it."""

    code: int | None = None
    signal: int | None = None

    @property
    def signal_name(self) -> str | None:
        """The signal in the words of Go and so of RIE: `killed`, `terminated`, `aborted` ..."""
        if self.signal is None:
            return None
        try:
            name = signal.Signals(self.signal).name
        except ValueError:
            return f"signal {self.signal}"
        return _SIGNAL_WORDS.get(name, f"signal {self.signal}")

    def describe(self) -> str:
        """`exit status 3` or `signal: killed`, as RIE prints it."""
        if self.signal is None:
            return f"exit status {self.code}"
        return f"signal: {self.signal_name}"

    @classmethod
    def from_returncode(cls, returncode: int) -> ExitStatus:
        """Read `subprocess`'s convention: a negative number is a signal."""
        return cls(signal=-returncode) if returncode < 0 else cls(code=returncode)


def exit_status(process: subprocess.Popen[bytes]) -> ExitStatus | None:
    """Return how `process` ended, or None while it runs; it stays a zombie wherever that can be."""
    if not hasattr(os, "waitid"):
        returncode = process.poll()
        return None if returncode is None else ExitStatus.from_returncode(returncode)
    try:
        result = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return ExitStatus(code=UNKNOWN_EXIT_CODE)
    if result is None:
        return None
    if result.si_code == os.CLD_EXITED:
        return ExitStatus(code=result.si_status)
    return ExitStatus(signal=result.si_status)


def when_ended(
    loop: asyncio.AbstractEventLoop,
    process: subprocess.Popen[bytes],
    callback: Callable[[ExitStatus], None],
) -> None:
    """Call back once, from the loop, when `process` has ended."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        loop.call_later(POLLING_SECONDS, _ask, loop, process, callback)
        return

    def readable() -> None:
        status = exit_status(process)
        if status is not None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            callback(status)

    loop.add_reader(descriptor, readable)


def _ask(
    loop: asyncio.AbstractEventLoop,
    process: subprocess.Popen[bytes],
    callback: Callable[[ExitStatus], None],
) -> None:
    status = exit_status(process)
    if status is None:
        loop.call_later(POLLING_SECONDS, _ask, loop, process, callback)
    else:
        callback(status)
