"""What surrounds a function: the metadata endpoint, and a wrapper around its runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rapid_mock import LocalLambda
from tests.support.command_line import write_code, write_executable

if TYPE_CHECKING:
    from pathlib import Path

METADATA = """
import json, os, urllib.request

def handler(event, context):
    request = urllib.request.Request(
        f"http://{os.environ['AWS_LAMBDA_METADATA_API']}/2026-01-15/metadata/execution-environment",
        headers={"Authorization": f"Bearer {os.environ['AWS_LAMBDA_METADATA_TOKEN']}"},
    )
    return json.load(urllib.request.urlopen(request))
"""
WRAPPED = "import os\ndef handler(event, context): return os.environ.get('WRAPPED')\n"
WRAPPER = '#!/bin/sh\nexport WRAPPED="$#"\nexec "$@"\n'


def test_a_function_asks_for_its_zone(tmp_path: Path) -> None:
    """The address and the token of its own environment are in its variables."""
    code = write_code(tmp_path / "code", METADATA)
    with LocalLambda() as local:
        function = local.create_function("zone", handler="app.handler", code=code)
        assert function.invoke().payload == {"AvailabilityZoneID": "use1-az1"}


@pytest.mark.parametrize("place", ["/var/task/wrapper", "WHERE IT IS"])
def test_a_wrapper_starts_the_runtime(tmp_path: Path, place: str) -> None:
    """AWS_LAMBDA_EXEC_WRAPPER is given the runtime's command line, as on managed runtimes.

    Without isolation /var/task stands for the code directory.
    """
    code = write_code(tmp_path / "code", WRAPPED)
    wrapper = write_executable(tmp_path / "code" / "wrapper", WRAPPER)
    with LocalLambda() as local:
        function = local.create_function(
            "wrapped",
            handler="app.handler",
            code=code,
            environment={"AWS_LAMBDA_EXEC_WRAPPER": place.replace("WHERE IT IS", str(wrapper))},
        )
        assert function.invoke().payload == "4"
