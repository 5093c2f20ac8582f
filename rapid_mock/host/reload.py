"""Hot reload: when a function's code changes, its next invocation gets a new environment.

Environments that work finish their invocation first; a Python file that does not compile is told at
once, and environments that were there go on with what they have loaded.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from rapid_mock.console import Console
from rapid_mock.errors import SetupError

SHOWN_FILES = 3
_UNTIL_MENDED = "what runs goes on with the code from before, what starts fails until it is mended"


class Changes(Protocol):
    """Waits for changes below directories; each item is the paths of one burst of them."""

    def __call__(
        self, directories: Iterable[Path], stop: asyncio.Event
    ) -> AsyncIterator[set[Path]]: ...


class Reload:
    """Watches the directories of functions; `redeploy(name)` makes new environments of one.

    What `described_by`, a template or a project file, says is read at the start only.
    """

    def __init__(
        self,
        functions: Mapping[str, Sequence[Path]],
        *,
        redeploy: Callable[[str], Awaitable[None]],
        console: Console,
        described_by: Path | None = None,
    ) -> None:
        self._functions = {
            name: [path.resolve() for path in paths] for name, paths in functions.items()
        }
        self._redeploy = redeploy
        self._console = console
        self._described_by = None if described_by is None else described_by.resolve()

    async def run(self, stop: asyncio.Event, changes: Changes) -> None:
        """Until `stop` is set."""
        watched = {path for paths in self._functions.values() for path in paths}
        if self._described_by is not None:
            watched.add(self._described_by)
        async for changed in changes(sorted(watched), stop):
            await self.changed(changed)

    async def changed(self, paths: Iterable[Path]) -> None:
        """Some files have changed: reload whose they are, unless one of them cannot be code."""
        began, files = time.monotonic(), sorted(paths)
        if self._described_by in files:
            self._console.explain(
                f"{self._described_by.name} changed: it is read again at the next start"
            )
            files.remove(self._described_by)
        concerned = [
            name
            for name, homes in self._functions.items()
            if any(_is_below(path, home) for path in files for home in homes)
        ]
        faults = [fault for fault in map(fault_of, files) if fault is not None]
        for fault in faults:
            self._console.explain(f"{fault}; {_UNTIL_MENDED}")
        if faults:
            return
        for path in files:
            _forget_compiled(path)
        for name in concerned:
            await self._reload(name, files, began)

    async def _reload(self, name: str, files: Sequence[Path], began: float) -> None:
        what = ", ".join(path.name for path in files[:SHOWN_FILES])
        if len(files) > SHOWN_FILES:
            what += f" and {len(files) - SHOWN_FILES} more"
        try:
            await self._redeploy(name)
        except SetupError as error:
            self._console.explain(
                f"{what} changed, but function {name} cannot be reloaded: {error}"
            )
            return
        took = (time.monotonic() - began) * 1000
        self._console.explain(
            f"{what} changed: the next invocation of {name} runs it (ready after {took:.0f} ms)"
        )


def watched_changes(directories: Iterable[Path], stop: asyncio.Event) -> AsyncIterator[set[Path]]:
    """Changes as `watchfiles` sees them; without caches, virtual environments and the like.

    Raises SetupError when it is not installed.
    """
    try:
        from watchfiles import awatch
    except ImportError as error:
        text = "watchfiles is missing: pip install 'lambda-runtime-sdk[reload]'"
        raise SetupError(text) from error

    async def changes() -> AsyncIterator[set[Path]]:
        async for found in awatch(*directories, stop_event=stop):
            yield lasting(found)

    return changes()


def lasting(burst: Iterable[tuple[int, str]]) -> set[Path]:
    """The paths of a burst of changes, without the files that editors save by and take away."""
    from watchfiles import Change

    found = {(kind, Path(path)) for kind, path in burst}
    paths = {path for _, path in found}
    passing = {
        path
        for path in paths
        if {(Change.added, path), (Change.deleted, path)} <= found and not path.exists()
    }
    return paths - passing or paths  # never silent: something did change


def fault_of(path: Path) -> str | None:
    """Why a Python file cannot be code, in one line; None when it can, or is none."""
    if path.suffix != ".py":
        return None
    try:
        compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        return f"{path.name}{line}: {reason}"
    except OSError:
        return None  # it is gone, or not ours to read: an invocation will tell
    return None


def _forget_compiled(path: Path) -> None:
    """Python takes two versions of one size within a second for the same."""
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        with suppress(OSError):
            compiled.unlink()


def _is_below(path: Path, home: Path) -> bool:
    return path == home or home in path.parents
