"""How processes start, and how starting fails."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rapid_mock.host.supervisor import ExitStatus, SpawnFailed
from tests.support.processes import (
    DEADLINE_SECONDS,
    Household,
    open_descriptors,
    play,
)


@contextmanager
def standard_input(data: bytes) -> Iterator[None]:
    """Have something to read on our own standard input."""
    kept = os.dup(0)
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    os.dup2(reading, 0)
    os.close(reading)
    try:
        yield
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_child_sees_its_variables_directory_and_an_empty_stdin(tmp_path: Path) -> None:
    """A child has exactly the variables given, the directory given, and nothing to read."""

    async def story(home: Household) -> None:
        program = "import os, sys; print(dict(os.environ), os.getcwd(), sys.stdin.buffer.read())"
        environment = {"A": "1", "LC_CTYPE": "C.UTF-8"}
        with standard_input(b"for us alone"):
            home.spawn(1, [sys.executable, "-I", "-c", program], env=environment, cwd=str(tmp_path))
        assert await home.witness.exit_of(1) == ExitStatus(code=0)
        assert home.witness.output[1].decode() == f"{environment} {tmp_path} b''\n"

    play(story)


def test_child_inherits_no_descriptor() -> None:
    """A child gets its three standard descriptors and none of ours, nor a sibling's pipe."""

    async def story(home: Household) -> None:
        home.sh(1, "exec sleep 60")
        home.sh(2, "ls /proc/self/fd | wc -l")
        await home.witness.exit_of(2)
        assert home.witness.output[2].strip() == b"4"  # the fourth is the listing itself

    play(story)


def test_bare_name_is_sought_on_the_path_of_the_child(tmp_path: Path) -> None:
    """A bare name is found by the child's PATH, and a relative path in its directory."""
    tool = tmp_path / "only-here"
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)

    async def story(home: Household) -> None:
        home.spawn(1, ["only-here"], env={"PATH": str(tmp_path)}, cwd="/")
        home.spawn(2, ["./only-here"], env={}, cwd=str(tmp_path))
        for token in (1, 2):
            assert await home.witness.exit_of(token) == ExitStatus(code=0)
            assert home.witness.output[token] == b"found\n"

    play(story)


def _start_fails(argv: list[str], env: dict[str, str], cwd: str) -> SpawnFailed:
    failures: list[SpawnFailed] = []

    async def story(home: Household) -> None:
        with pytest.raises(SpawnFailed) as caught:
            home.spawn(1, argv, env=env, cwd=cwd)
        failures.append(caught.value)
        assert home.pids() == []
        await asyncio.sleep(0)
        assert home.witness.told == []
        home.sh(1, "exit 0")  # the number is free again
        await home.witness.exit_of(1)

    play(story)
    return failures[0]


def test_missing_executable_is_named() -> None:
    """An executable that does not exist is refused in RIE's words."""
    failure = _start_fails(["/opt/extensions/nothing"], {}, "/")
    assert failure.kind == "missing"
    assert failure.sentence == "fork/exec /opt/extensions/nothing: no such file or directory"
    assert str(failure) == failure.sentence


def test_file_that_is_not_executable_is_named(tmp_path: Path) -> None:
    """A file without the permission to execute is refused in RIE's words; so is a directory."""
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    failure = _start_fails([str(plain)], {}, "/")
    assert (failure.kind, failure.sentence) == (
        "permission",
        f"fork/exec {plain}: permission denied",
    )
    failure = _start_fails([str(tmp_path)], {}, str(tmp_path))
    assert failure.kind == "permission"


def test_missing_interpreter_of_a_script_is_a_missing_executable(tmp_path: Path) -> None:
    """A script whose interpreter does not exist is refused as a missing executable."""
    script = tmp_path / "script"
    script.write_text("#!/nowhere/sh\n")
    script.chmod(0o755)
    failure = _start_fails([str(script)], {}, "/")
    assert failure.kind == "missing"


def test_file_of_no_known_format_is_named(tmp_path: Path) -> None:
    """An executable file that is neither a program nor a script is refused in RIE's words."""
    junk = tmp_path / "junk"
    junk.write_bytes(b"\x00\x01\x02\x03")
    junk.chmod(0o755)
    failure = _start_fails([str(junk)], {}, "/")
    assert (failure.kind, failure.sentence) == ("other", f"fork/exec {junk}: exec format error")


def test_missing_directory_is_named(tmp_path: Path) -> None:
    """A working directory that does not exist, or is a file, is told apart from the executable."""
    failure = _start_fails(["true"], {"PATH": "/bin:/usr/bin"}, "/nowhere")
    assert failure.kind == "directory"
    assert failure.sentence == "chdir /nowhere: no such file or directory"
    (tmp_path / "file").touch()
    failure = _start_fails(["true"], {"PATH": "/bin:/usr/bin"}, str(tmp_path / "file"))
    assert (failure.kind, failure.sentence) == (
        "directory",
        f"chdir {tmp_path / 'file'}: not a directory",
    )


@pytest.mark.parametrize("env", [{"A": "secret\0value"}, {"A": "secret\ud800"}, {"A=B": "secret"}])
def test_impossible_variable_is_refused_without_its_value(env: dict[str, str]) -> None:
    """A variable the system cannot carry refuses the start, and its value is in no message."""
    failure = _start_fails(["/bin/true"], env, "/")
    assert failure.kind == "other"
    assert failure.sentence == "fork/exec /bin/true: invalid argument"
    assert "secret" not in repr(failure)


def test_number_of_a_running_process_is_not_given_twice() -> None:
    """Starting a second process under the number of a running one is a mistake of the caller."""

    async def story(home: Household) -> None:
        home.sh(1, "exec sleep 60")
        with pytest.raises(ValueError, match=r"^process 1 is running already$"):
            home.sh(1, "exit 0")

    play(story)


def test_process_does_not_start_without_a_watchdog(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the watchdog cannot be started, the process it should watch is ended again."""

    async def story(home: Household) -> None:
        before = open_descriptors()
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(SpawnFailed, match=r"^the watchdog did not start: no such file"):
            home.sh(1, "exec sleep 60")
        assert home.pids() == []
        assert open_descriptors() == before
        monkeypatch.undo()
        home.sh(1, "exit 0")
        await home.witness.exit_of(1)

    play(story)


def test_start_without_descriptors_left_is_refused() -> None:
    """With no descriptor to spare a start is refused, and works again when there is one."""
    program = """
import asyncio, os, resource
from rapid_mock.host.supervisor import SpawnFailed, Supervisor

async def main():
    done = asyncio.Event()
    supervisor = Supervisor(on_output=print, on_exit=lambda token, status: done.set())
    held = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for spare in range(12):
        try:
            supervisor.spawn(1, ["/bin/sh", "-c", "exit 0"], env={}, cwd="/")
        except SpawnFailed as failure:
            print(failure.kind, failure)
        else:
            break
        os.close(held.pop())
    await done.wait()
    await supervisor.close()
    print("started")

asyncio.run(main())
"""
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    lines = answer.stdout.splitlines()
    assert lines[-1] == "started", answer
    assert lines[0] == "other fork/exec /bin/sh: too many open files"
    assert {line.rpartition(": ")[2] for line in lines[:-1]} == {"too many open files"}
    assert answer.stderr == ""
