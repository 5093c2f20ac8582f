"""How much memory an execution environment uses: for REPORT's `Max Memory Used`, and its limit.

Linux tells each process's own peak in /proc. Where /proc is hidden (macOS) `ps` tells what is in
use now, and the peak is as good as the sampling.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

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
    kilobytes = _from_proc(roots) if _has_proc() else _from_ps(roots)
    return None if kilobytes is None else -(-kilobytes // 1024)


def outgrown(pids: Iterable[int], limit_mb: int) -> int | None:
    """Return the largest of these processes when they and their descendants exceed `limit_mb`.

    None while they do not, or when no source tells. Memory that processes share counts once where
    the kernel tells shares; a single process whose peak was over the limit counts even when it
    gave the memory back before we looked.
    """
    limit = limit_mb * 1024
    families = {pid: _in_use(pid) for pid in pids} if _has_proc() else _in_use_by_ps(pids)
    for pid, family in families.items():
        if any(process.peak > limit for process in family):
            return pid
    if sum(process.resident for family in families.values() for process in family) <= limit:
        return None
    shares = {pid: sum(map(_share, family)) for pid, family in families.items()}
    return max(shares, key=shares.__getitem__) if sum(shares.values()) > limit else None


def seconds_between_looks() -> float:
    """How often the memory in use may be asked for without slowing down whoever is watched."""
    return 0.05 if _has_proc() else 1.0


class _Process(NamedTuple):
    """One process: its number, its peak and what it has now, kilobytes."""

    pid: int
    peak: int
    resident: int


def _has_proc() -> bool:
    return (PROC / "self" / "stat").exists()


def _from_proc(roots: list[int]) -> int | None:
    processes = {process.pid: process for root in roots for process in _in_use(root)}
    return sum(process.peak for process in processes.values()) or None


def _in_use(root: int) -> list[_Process]:
    """A process and all its descendants."""
    found: list[_Process] = []
    waiting, seen = [root], set[int]()
    while waiting:
        pid = waiting.pop()
        if pid not in seen:
            seen.add(pid)
            with suppress(OSError):
                status = (PROC / str(pid) / "status").read_bytes()
                resident = _kilobytes(status, b"VmRSS:")
                found.append(_Process(pid, _kilobytes(status, b"VmHWM:") or resident, resident))
                waiting += _children(pid)
    return found


def _share(process: _Process) -> int:
    """Kilobytes of a process, each page that others have too in equal parts (Linux >= 4.14)."""
    try:
        rollup = (PROC / str(process.pid) / "smaps_rollup").read_bytes()
    except OSError:
        return process.resident
    return _kilobytes(rollup, b"Pss:")


def _kilobytes(text: bytes, name: bytes) -> int:
    """A figure by its name; a zombie has none."""
    _, found, rest = text.partition(name)
    return int(rest.split(None, 1)[0]) if found else 0


def _children(pid: int) -> list[int]:
    """The children of every thread; none where the kernel was built without the list."""
    found: list[int] = []
    for thread in (PROC / str(pid) / "task").iterdir():
        with suppress(OSError):
            found += map(int, (thread / "children").read_bytes().split())
    return found


def _from_ps(roots: list[int]) -> int | None:
    families = _in_use_by_ps(roots)
    processes = {process.pid: process for family in families.values() for process in family}
    return sum(process.resident for process in processes.values()) or None


def _in_use_by_ps(pids: Iterable[int]) -> dict[int, list[_Process]]:
    """Families as `ps` tells them, which knows no peaks; nothing when it does not answer."""
    try:
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,rss="],
            capture_output=True,
            timeout=PS_SECONDS,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    table = [tuple(map(int, line.split())) for line in listing.splitlines()]
    families: dict[int, list[_Process]] = {}
    for root in pids:
        wanted, size = {root}, 0
        while size != len(wanted):
            size = len(wanted)
            wanted |= {pid for pid, parent, _ in table if parent in wanted}
        families[root] = [_Process(pid, 0, rss) for pid, _, rss in table if pid in wanted]
    return families
