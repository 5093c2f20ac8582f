"""Which Python a script with `#!/usr/bin/env python3` gets."""

from __future__ import annotations

import pytest

from rapid_mock.host.isolation import with_interpreter_first


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/usr/bin:/bin", "/home/ada/.venv/bin:/usr/bin:/bin"),
        ("/usr/bin:/home/ada/.venv/bin:/bin", "/home/ada/.venv/bin:/usr/bin:/bin"),
        ("/home/ada/.venv/bin:/bin", "/home/ada/.venv/bin:/bin"),
        ("", "/home/ada/.venv/bin"),
    ],
)
def test_directory_of_the_interpreter_is_first(path: str, expected: str) -> None:
    """The directory of rapid-mock's own Python stands first on PATH, once."""
    host = {"PATH": path, "HOME": "/home/ada"}
    assert with_interpreter_first(host, "/home/ada/.venv/bin/python3") == {
        "PATH": expected,
        "HOME": "/home/ada",
    }


def test_unknown_interpreter_changes_nothing() -> None:
    """An embedded Python without an executable leaves PATH as it is."""
    assert with_interpreter_first({"PATH": "/bin"}, "") == {"PATH": "/bin"}
