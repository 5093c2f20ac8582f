"""The file system of an isolated environment: where things lie, and what is warned of."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapid_mock.host import mounts
from rapid_mock.host.mounts import Mounts, layer_of, name_opt, script
from tests.support.command_line import write_executable


def test_layers_lie_over_each_other_in_opt(tmp_path: Path) -> None:
    """Each layer's entries are bound into /opt; of two with one place the later one wins."""
    for layer in ("one", "two"):
        write_executable(tmp_path / layer / "extensions" / layer, "#!/bin/sh\n")
        write_executable(tmp_path / layer / "lib" / "common", layer)
    extensions = (tmp_path / "one/extensions/one", tmp_path / "two/extensions/two")
    lines = script(Mounts(str(tmp_path), extensions), "/r", "/h").splitlines()
    binds = {line.split()[-1]: line.split()[-2] for line in lines if "--rbind" in line}
    assert binds["/r/opt/extensions/one"] == f"{tmp_path}/one/extensions/one"
    assert binds["/r/opt/extensions/two"] == f"{tmp_path}/two/extensions/two"
    assert binds["/r/opt/lib/common"] == f"{tmp_path}/two/lib/common"
    assert binds["/r/var/task"] == str(tmp_path)


def test_loose_extension_brings_nothing_else(tmp_path: Path) -> None:
    """An executable that lies in no layer is bound alone."""
    loose = write_executable(tmp_path / "bin" / "shipper", "#!/bin/sh\n")
    write_executable(tmp_path / "secret", "")
    assert layer_of(loose) is None
    text = script(Mounts("/code", (loose,)), "/r", "/h")
    assert f"mount --rbind {loose} /r/opt/extensions/shipper" in text
    assert "secret" not in text


def test_names_are_quoted() -> None:
    """No name of a directory becomes a command of the script."""
    text = script(Mounts("/it's; rm -rf", ()), "/r", "/h")
    assert "mount --rbind '/it'\"'\"'s; rm -rf' /r/var/task" in text


def test_only_hidden_paths_are_shown_again() -> None:
    """What lies below /tmp or /opt can be kept visible; elsewhere everything is anyway."""
    shown = ("/tmp/venv", "/opt/python", "/usr", "/tmp")
    text = script(Mounts("/code", shown=shown), "/r", "/h")
    assert "/r/tmp/venv" in text
    assert "/r/opt/python" in text
    assert " /tmp " not in text


def test_launchers_that_name_opt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts that name what is not in /opt are found; programs and other scripts are not."""
    opt = tmp_path / "opt"
    monkeypatch.setattr(mounts, "OPT", str(opt))
    write_executable(opt / "tool" / "there", "")
    naming = write_executable(tmp_path / "a", f"#!/bin/sh\nexec {opt}/tool/run\n")
    other = write_executable(tmp_path / "b", "#!/bin/sh\nexec ./run\n")
    program = write_executable(tmp_path / "c", f"\x7fELF {opt}/tool/run\n")
    satisfied = write_executable(tmp_path / "d", f'#!/bin/sh\nexec "{opt}/tool/there"\n')
    launchers = [naming, other, program, satisfied, tmp_path / "missing"]
    assert name_opt(launchers) == [naming]
