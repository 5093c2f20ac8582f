"""What README.md shows is what happens: every fenced snippet runs.

The two commands that create `.venv` are run verbatim by `.ci/run`, in a fresh venv; here only
what they do after installing is run, and the test suite does not run itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.peers import REPOSITORY
from tests.support.snippets import Section, run_section, sections

if TYPE_CHECKING:
    from pathlib import Path

README = (REPOSITORY / "README.md").read_text()
FIRST_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -q '.[mock]' && "
    ".venv/bin/rapid-mock invoke app.handler --code examples/hello -e examples/hello/event.json\n"
)
SECOND_COMMAND = (
    "python3 -m venv .venv && .venv/bin/pip install -q -e '.[embedded,reload,sam,dev]' && "
    ".venv/bin/pytest\n"
)


@pytest.mark.parametrize("section", sections(README), ids=lambda section: section.title)
def test_the_snippets_of_a_section_run(section: Section, tmp_path: Path) -> None:
    """A reader who copies the section's snippets in order gets what the page says."""
    run_section(section, tmp_path)


@pytest.mark.parametrize("command", [FIRST_COMMAND, SECOND_COMMAND], ids=["use", "test"])
def test_the_two_commands_stand_in_the_readme(command: str) -> None:
    """The commands that `.ci/run` extracts are there, each on one line."""
    assert command in README


@pytest.mark.parametrize(
    "page",
    [
        "```sh\nfalse\n```\n",
        "```sh\nfalse | true\n```\n",
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ echo one two three\none ... four\n```\n",
        "```python\nraise SystemExit(1)\n```\n",
        "```sh\nrapid-mock start no.such --code /nonexistent --port x &\n```\n",
        "```\nno language\n```\n",
    ],
)
def test_a_snippet_that_is_wrong_is_found(page: str, tmp_path: Path) -> None:
    """A snippet that fails, prints something else or has no language fails its test."""
    (section,) = sections(page)
    with pytest.raises(AssertionError):
        run_section(section, tmp_path)


def test_the_snippets_of_one_section_build_on_each_other(tmp_path: Path) -> None:
    """Files that a snippet names are there for the next; sections start afresh."""
    page = (
        "# A\n```python\n# made.py\nanswer = 42\n```\ntext\n"
        "```console\n$ python -c 'import made; print(made.answer, id(made))'\n42 ...\n```\n"
        "```sh\ntest -f examples/hello/app.py\n```\n## B\nno snippet\n"
    )
    (section,) = sections(page)
    assert section.title == "A"
    run_section(section, tmp_path)
