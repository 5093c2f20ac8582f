"""The fenced snippets of a Markdown page, run as a reader would run them.

A section (the text under one heading) is run from top to bottom in one directory that holds a
copy of `examples/`, with the commands of this interpreter's venv on PATH and under `.venv/bin`:

- `sh`: one bash script; `console`: the lines after `$ `, and what they print must be the lines
  below them, where `...` stands for any text;
- `python`: a script; when its first line is `# some/name.py`, a file of that name; when it stands
  word for word in a file under `examples/`, shown: the example is run where it is named;
- a line that starts with `rapid-mock start` is left running until the section's end, and the next
  line waits for it to listen;
- the part of a line that creates `.venv` is left out, and a line that runs `pytest` in it: those
  two are what `.ci/run` runs, verbatim, in a fresh venv;
- `json`, `text`, `toml` and `dockerfile` are shown, not run. Any other language is an error.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.peers import REPOSITORY, STOP_SECONDS, kill_all, wait_until
from tests.support.processes import is_running

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOWN_ONLY = frozenset({"json", "text", "toml", "dockerfile"})
SNIPPET_SECONDS = 50
CREATES_VENV = re.compile(r"^python3 -m venv \.venv && \.venv/bin/pip install [^&]* && ")
RUNS_PYTEST = re.compile(r"^\.venv/bin/pytest\b")
STARTS_SERVER = re.compile(r"^(?:\.venv/bin/)?rapid-mock start\b")
FILE_NAME = re.compile(r"# ([\w./-]+\.py)$")

PRELUDE = """\
set -euo pipefail
set -m  # else bash lets background jobs ignore Ctrl-C
start_server() {
    local log; log=$(mktemp "$SERVERS/XXXXXX.log")
    "$@" >"$log" 2>&1 </dev/null &
    echo $! >>"$SERVERS/pids"
    for _ in $(seq 200); do
        if grep -q 'listening on' "$log"; then return; fi
        if ! kill -0 $! 2>/dev/null; then break; fi
        sleep 0.05
    done
    cat "$log" >&2
    return 1
}
"""


@dataclass(frozen=True)
class Snippet:
    language: str
    text: str


@dataclass(frozen=True)
class Section:
    title: str
    snippets: tuple[Snippet, ...]


def sections(page: str) -> list[Section]:
    """The sections of a Markdown page that have snippets."""
    found: list[tuple[str, list[Snippet]]] = [("", [])]
    fence = re.compile(r"^```([^\n]*)\n(.*?)^```$|^#+ ([^\n]*)$", re.MULTILINE | re.DOTALL)
    for match in fence.finditer(page):
        language, text, title = match.groups()
        if title is None:
            found[-1][1].append(Snippet(language.strip(), text))
        else:
            found.append((title, []))
    return [Section(title, tuple(snippets)) for title, snippets in found if snippets]


def run_section(section: Section, directory: Path) -> None:
    """Run every snippet; raises `AssertionError` with the output of the first that fails."""
    prepare(directory)
    with servers(directory) as env:
        for snippet in section.snippets:
            run_snippet(snippet, directory, env)


def prepare(directory: Path) -> None:
    shutil.copytree(REPOSITORY / "examples", directory / "examples")
    (directory / ".venv").symlink_to(sys.prefix, target_is_directory=True)


@contextlib.contextmanager
def servers(directory: Path) -> Iterator[dict[str, str]]:
    """The environment of the snippets; at the end Ctrl-C ends what `start_server` started."""
    logs = directory / ".servers"
    logs.mkdir()
    path = f"{directory}/.venv/bin:{os.environ['PATH']}"
    try:
        yield {"PATH": path, "HOME": str(directory), "SERVERS": str(logs)}
    finally:
        with contextlib.suppress(FileNotFoundError):
            end([int(pid) for pid in (logs / "pids").read_text().split()])


def end(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    try:
        wait_until(lambda: not any(map(is_running, pids)), seconds=STOP_SECONDS, what="Ctrl-C")
    finally:
        kill_all(pids)


def run_snippet(snippet: Snippet, directory: Path, env: dict[str, str]) -> None:
    if snippet.language == "python":
        run_python(snippet.text, directory, env)
    elif snippet.language == "sh":
        run_script(snippet.text.splitlines(), directory, env)
    elif snippet.language == "console":
        run_session(snippet.text, directory, env)
    else:
        assert snippet.language in SHOWN_ONLY, f"nobody runs ```{snippet.language}"


def run_python(text: str, directory: Path, env: dict[str, str]) -> None:
    first = FILE_NAME.match(text.partition("\n")[0])
    if first:
        target = directory / first[1]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    elif not stands_in_an_example(text):
        execute([sys.executable, "-c", text], directory, env)


def stands_in_an_example(text: str) -> bool:
    files = (path for path in (REPOSITORY / "examples").rglob("*") if path.is_file())
    return any(text.strip().encode() in path.read_bytes() for path in files)


def run_session(text: str, directory: Path, env: dict[str, str]) -> None:
    """Each `$ ` line of a session, and what it must print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        printed = run_script([command], directory, env)
        pattern = ".*".join(map(re.escape, expected.strip().split("...")))
        assert re.fullmatch(pattern, printed.strip(), re.DOTALL), (
            f"$ {command}\nprinted\n{printed}\nand not\n{expected}"
        )


def run_script(lines: list[str], directory: Path, env: dict[str, str]) -> str:
    """One bash script; returns what it printed on stdout and stderr."""
    wanted = [CREATES_VENV.sub("", line) for line in lines]
    wanted = [line for line in wanted if not RUNS_PYTEST.match(line)]
    wanted = [
        "start_server " + line.removesuffix("&") if STARTS_SERVER.match(line) else line
        for line in wanted
    ]
    return execute(["bash", "-c", PRELUDE + "\n".join(wanted)], directory, env)


def execute(command: list[str], directory: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SNIPPET_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command[-1]}\nexited {done.returncode}\n{done.stdout}"
    return done.stdout
