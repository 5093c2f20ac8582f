"""How much memory an execution environment has used: REPORT's `Max Memory Used`.

Linux tells each process's own peak in /proc. Where /proc is hidden (macOS) `ps` tells what is in
use now, and the peak is as good as the sampling.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PROC = Path("/proc")
PS_SECONDS = 2.0


def peak_memory_mb(pids: Iterable[int]) -> int | None:
    """Return the peaks of these processes and all their descendants added up, MB, rounded up.

    Processes that have gone count nothing; None when no source tells anything. From /proc this
    takes about 0.1 ms per process; the fallback starts `ps`, some 10 ms: sample it less often.
    """
    roots = list(pids)
    kilobytes = _from_proc(roots) if (PROC / "self" / "stat").exists() else _from_ps(roots)
    return None if kilobytes is None else -(-kilobytes // 1024)


def _from_proc(roots: list[int]) -> int | None:
    total = 0
    waiting, seen = roots, set[int]()
    while waiting:
        pid = waiting.pop()
        if pid not in seen:
            seen.add(pid)
            with suppress(OSError):
                total += _peak_kilobytes(pid)
                waiting += _children(pid)
    return total or None


def _peak_kilobytes(pid: int) -> int:
    status = (PROC / str(pid) / "status").read_bytes()
    for name in (b"VmHWM:", b"VmRSS:"):
        _, found, rest = status.partition(name)
        if found:
            return int(rest.split(None, 1)[0])
    return 0  # a zombie has no memory left


def _children(pid: int) -> list[int]:
    """The children of every thread; none where the kernel was built without the list."""
    found: list[int] = []
    for thread in (PROC / str(pid) / "task").iterdir():
        with suppress(OSError):
            found += map(int, (thread / "children").read_bytes().split())
    return found


def _from_ps(roots: list[int]) -> int | None:
    try:
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,rss="],
            capture_output=True,
            timeout=PS_SECONDS,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    table = [tuple(map(int, line.split())) for line in listing.splitlines()]
    wanted = set(roots)
    family = -1
    while family != len(wanted):
        family = len(wanted)
        wanted |= {pid for pid, parent, _ in table if parent in wanted}
    return sum(kilobytes for pid, _, kilobytes in table if pid in wanted) or None
