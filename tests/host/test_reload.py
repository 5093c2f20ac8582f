"""Hot reload: what a change of files means."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from watchfiles import Change

from rapid_mock.console import Console
from rapid_mock.errors import SetupError
from rapid_mock.host.reload import Reload, fault_of, lasting


class Reloading:
    def __init__(self, directory: Path) -> None:
        self.log = io.BytesIO()
        self.reloaded: list[str] = []
        self.one, self.two = directory / "one", directory / "two"
        self.reload = Reload(
            {"a": [self.one], "b": [self.two, self.one / "shared"]},
            redeploy=self.redeploy,
            console=Console(self.log),
            described_by=directory / "template.yaml",
        )

    async def redeploy(self, name: str) -> None:
        if (self.one / "gone").exists():
            raise SetupError("there is no directory two")
        self.reloaded.append(name)

    def change(self, home: Path, name: str, source: str = "") -> Path:
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        asyncio.run(self.reload.changed({path}))
        return path

    @property
    def told(self) -> str:
        return self.log.getvalue().decode()


@pytest.fixture
def reloading(tmp_path: Path) -> Reloading:
    return Reloading(tmp_path)


def test_the_functions_of_a_file_are_reloaded(reloading: Reloading) -> None:
    """Those in whose directories it lies, and no other."""
    reloading.change(reloading.one, "app.py")
    assert reloading.reloaded == ["a"]
    assert "rapid-mock: app.py changed: the next invocation of a runs it (ready after " in (
        reloading.told
    )
    reloading.change(reloading.one / "shared", "x.json")
    assert reloading.reloaded == ["a", "a", "b"]


def test_a_syntax_error_is_told_at_once(reloading: Reloading) -> None:
    """File, line and reason; nothing is reloaded."""
    reloading.change(reloading.one, "app.py", "def handler(:\n")
    assert reloading.reloaded == []
    assert "rapid-mock: app.py, line 1: " in reloading.told
    assert reloading.told.endswith(
        "; what runs goes on with the code from before, what starts fails until it is mended\n"
    )


def test_a_function_that_cannot_be_reloaded_says_why(reloading: Reloading) -> None:
    """One sentence, and the others are not concerned."""
    reloading.change(reloading.one, "gone")
    assert reloading.told == (
        "rapid-mock: gone changed, but function a cannot be reloaded: there is no directory two\n"
    )


def test_what_describes_the_functions_is_read_at_the_start(reloading: Reloading) -> None:
    """An edit of the template is told, and no function is reloaded for it."""
    reloading.change(reloading.one.parent, "template.yaml")
    assert reloading.told == (
        "rapid-mock: template.yaml changed: it is read again at the next start\n"
    )
    assert reloading.reloaded == []


def test_many_files_are_counted(reloading: Reloading) -> None:
    """Three names, and how many more."""
    asyncio.run(reloading.reload.changed({reloading.two / f"{n}.txt" for n in range(5)}))
    assert "0.txt, 1.txt, 2.txt and 2 more changed: the next invocation of b" in reloading.told


def test_a_file_that_an_editor_saves_by_is_not_told(tmp_path: Path) -> None:
    """It came and went; what was replaced, removed or edited is told, and such a file alone too."""
    app, removed, passing = tmp_path / "app.py", tmp_path / "old.py", tmp_path / "sedHmxfm2"
    app.write_text("")
    came_and_went = {(Change.added, str(passing)), (Change.deleted, str(passing))}
    replaced = {(Change.added, str(app)), (Change.deleted, str(app))}
    gone = {(Change.modified, str(removed)), (Change.deleted, str(removed))}
    assert lasting(came_and_went | replaced | gone) == {app, removed}
    assert lasting(came_and_went) == {passing}


@pytest.mark.parametrize("source", [b"x = 1\n", "é = 'é'\n".encode()])
def test_code_that_compiles_has_no_fault(tmp_path: Path, source: bytes) -> None:
    """Nor has a file that is not Python, or is gone."""
    path = tmp_path / "a.py"
    path.write_bytes(source)
    assert fault_of(path) is None
    assert fault_of(tmp_path / "gone.py") is None
    assert fault_of(tmp_path / "a.txt") is None


def test_null_bytes_are_a_fault(tmp_path: Path) -> None:
    """What `compile` refuses in any way."""
    path = tmp_path / "a.py"
    path.write_bytes(b"x = 1\0\n")
    assert fault_of(path) is not None


def test_what_was_compiled_before_is_forgotten(reloading: Reloading) -> None:
    """Else an edit within the same second, of the same size, would not be seen."""
    compiled = reloading.one / "__pycache__" / "app.cpython-311.pyc"
    compiled.parent.mkdir(parents=True)
    compiled.touch()
    reloading.change(reloading.one, "app.py")
    assert not compiled.exists()
