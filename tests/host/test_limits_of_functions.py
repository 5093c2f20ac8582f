"""Which limits of time a function has, by what its user says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rapid_mock.functions import FunctionOptions, define_function
from rapid_mock.host.launch import RuntimePackage

MONTH = 30 * 24 * 3600.0


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({}, (3.0, 10.0, 10.0)),
        ({"timeout": 20.0}, (20.0, 10.0, 10.0)),
        ({"snapstart": True}, (3.0, 130.0, 10.0)),
        ({"snapstart": True, "timeout": 200.0}, (200.0, 200.0, 10.0)),
        ({"max_concurrency": 2}, (3.0, 130.0, 10.0)),
        ({"timeout": None}, (MONTH, MONTH, MONTH)),
        ({"timeout": None, "snapstart": True}, (MONTH, MONTH, MONTH)),
        ({"timeout": 3.0, "on_attach": print}, (MONTH, MONTH, MONTH)),
    ],
    ids=str,
)
def test_limits(
    tmp_path: Path, options: dict[str, Any], limits: tuple[float, float, float]
) -> None:
    """Of the function, its init and its restore, in seconds; a month is as good as none."""
    package = RuntimePackage()
    try:
        given = FunctionOptions(handler="app.handler", code=tmp_path, **options)
        definition = define_function("f", given, package)
    finally:
        package.close()
    found = (
        definition.settings.timeout_seconds,
        definition.init_timeout_seconds,
        definition.restore_timeout_seconds,
    )
    assert found == limits
