"""Two hundred environments of one function."""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.command_line import Serving
from tests.support.lambda_api import client_of, create, invoke, publish
from tests.support.peers import wait_until

COUNT = 200
PYTHON = f"python3.{sys.version_info[1]}"
SOURCE = "def handler(event, context):\n    return event\n"


@contextmanager
def few_descriptors() -> Iterator[None]:
    """What is started inside may have 1,024 files open, unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def config_of(client: Any) -> Any:
    got = client.get_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
    assert got["Status"] != "FAILED"
    return got["AvailableProvisionedConcurrentExecutions"]


@pytest.mark.timeout(240)
def test_two_hundred_environments_start_serve_and_stop() -> None:
    """All of them are initialised, the function serves, and Ctrl-C ends them without an error."""
    with few_descriptors():
        serving = Serving()
    with serving, client_of(serving.url) as client:
        create(client, "f", SOURCE, Runtime=PYTHON)
        publish(client, "f")
        client.put_provisioned_concurrency_config(
            FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=COUNT
        )
        wait_until(
            lambda: config_of(client) == COUNT, seconds=200, what=f"the start of {COUNT} of them"
        )
        assert [invoke(client, "f", n, Qualifier="1") for n in range(20)] == list(range(20))
        assert serving.stop() == 0
    assert "Traceback" not in serving.log
