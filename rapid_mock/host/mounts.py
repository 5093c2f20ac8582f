"""The file system of an isolated execution environment, as one sh script of mounts.

A new root with everything of this machine in its place, but for what Lambda has there: the code in
/var/task, layers in /opt, a /tmp of its own, and `sandbox.localdomain` in the hosts file. Only /tmp
can be written to. Built from bind mounts, as neither /var/task nor /opt need exist here.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TASK_ROOT, OPT, TMP = "/var/task", "/opt", "/tmp"  # noqa: S108  Lambda's names
EXTENSIONS = f"{OPT}/extensions"
HOSTS_LINE = "127.0.0.1 sandbox.localdomain sandbox\n"
KEPT = ("/dev", "/proc", "/sys")
"""What is no file system that a function could fill."""
SCRIPT_BYTES = 64 * 1024
READY = "ready"
"""What the script prints when all is in place; what comes after keeps the mounts alive."""

Bind = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mounts:
    """What an environment has in place of this machine's directories.

    `code` is the directory for /var/task; `extensions` are executables for /opt/extensions, each
    with the layer it lies in, if it does (`LAYER/extensions/NAME`); `tmp_mb` is the size of /tmp;
    `shown` are paths that stay visible although they lie below one of those directories; `layers`
    are directories for /opt, the later ones on top.
    """

    code: str
    extensions: tuple[Path, ...] = ()
    tmp_mb: int = 512
    shown: tuple[str, ...] = ()
    layers: tuple[Path, ...] = ()


def script(mounts: Mounts, root: str, hosts: str) -> str:
    """Write the commands that build the file system at the directory `root`, and then stay in it.

    `hosts` is the file to be /etc/hosts. The script is for `sh`, in a mount namespace of its own.
    """
    lines = ["set -e", f"mount -t tmpfs -o mode=755 none {shlex.quote(root)}"]
    lines += _copied(root, "/", {"var", "opt", "tmp"})
    lines += [_mkdir(root + "/var"), *_copied(root, "/var", {"task"})]
    task = root + TASK_ROOT
    lines += [_mkdir(task), _command("mount", "--rbind", mounts.code, task)]
    lines += _tmpfs(root + OPT, "mode=755") + _tmpfs(root + TMP, f"mode=1777,size={mounts.tmp_mb}m")
    for path in mounts.shown:
        if any(path.startswith(f"{place}/") for place in (TASK_ROOT, OPT, TMP)):
            lines += _bind((path, root + path))
    for bind in _layered(mounts, root):
        lines += _bind(bind)
    if Path("/etc/hosts").exists():
        lines += [_command("mount", "--bind", hosts, f"{root}/etc/hosts")]
    lines += [_protected(root)]
    stay = f"echo {READY}; exec sleep 2147483647"
    return "\n".join([*lines, f"exec {_command('chroot', root, '/bin/sh', '-c', stay)}", ""])


def layer_of(extension: Path) -> Path | None:
    """The root of the layer that an extension lies in, known by its directory's name."""
    return extension.parent.parent if extension.parent.name == "extensions" else None


def name_opt(launchers: Iterable[Path]) -> list[Path]:
    """Which of these are scripts that name something in /opt, and it is not there."""
    return [path for path in launchers if _misses_something(path)]


def _misses_something(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            text = file.read(SCRIPT_BYTES)
    except OSError:
        return False  # it will not start, and that is said better then
    named = re.findall(re.escape(OPT.encode()) + rb"/[\w./-]*\w", text)
    return text.startswith(b"#!") and not all(map(os.path.exists, named))


def _layered(mounts: Mounts, root: str) -> Iterator[Bind]:
    """Layers lie over each other, the later ones on top, in depth as deep as `python/lib`."""
    binds: dict[str, str] = {}
    for layer in mounts.layers:
        binds |= _of_layer(layer)
    for extension in mounts.extensions:
        layer_root = layer_of(extension)
        if layer_root is not None:
            binds |= _of_layer(layer_root)
        binds[f"/extensions/{extension.name}"] = str(extension)
    return ((source, f"{root}{OPT}{place}") for place, source in binds.items())


def _of_layer(layer: Path) -> dict[str, str]:
    """What to bind where below /opt."""
    binds: dict[str, str] = {}
    for entry in sorted(layer.iterdir()):
        if entry.is_dir():
            binds |= {f"/{entry.name}/{child.name}": str(child) for child in entry.iterdir()}
        else:
            binds[f"/{entry.name}"] = str(entry)
    return binds


def _copied(root: str, directory: str, without: set[str]) -> Iterator[str]:
    """Have every entry of a directory in its place below `root`; sockets and pipes stay behind."""
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            place = root + entry.path
            if entry.name in without:
                continue
            if entry.is_symlink():
                yield _command("ln", "-s", str(Path(entry.path).readlink()), place)
            elif entry.is_dir() or entry.is_file():
                yield from _bind((entry.path, place))


def _bind(bind: Bind) -> list[str]:
    source, place = bind
    make = (
        [_mkdir(place)]
        if Path(source).is_dir()
        else [_mkdir(str(Path(place).parent)), _touch(place)]
    )
    return [*make, _command("mount", "--rbind", source, place)]


def _protected(root: str) -> str:
    """Nobody writes anywhere but to /tmp and devices, where the kernel allows us to say so.

    What is shown below /tmp is a mount of its own, and the machine's: a function that empties /tmp
    must not empty that.
    """
    quoted = shlex.quote(root)
    free = "|".join(
        [quoted + TMP, *(f"{quoted}{kept}{end}" for kept in KEPT for end in ("", "/*"))]
    )
    return f"""while read -r _ _ _ _ place _; do
case "$place" in
{free}) ;;
{quoted}|{quoted}/*) mount -o remount,bind,ro "$(printf %b "$place")" 2>/dev/null || : ;;
esac
done <<MOUNTS
$(cat /proc/self/mountinfo)
MOUNTS"""


def _tmpfs(place: str, options: str) -> list[str]:
    return [_mkdir(place), _command("mount", "-t", "tmpfs", "-o", options, "none", place)]


def _mkdir(place: str) -> str:
    return _command("mkdir", "-p", place)


def _touch(place: str) -> str:
    return f": >> {shlex.quote(place)}"


def _command(*words: str) -> str:
    return shlex.join(words)
