from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from rapid_mock.triggers.checkpoints import CheckpointStore
from tests.support.embedded_aws import EmbeddedAws
from tests.support.kinesis_stream import Stream


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as embedded:
        yield embedded


@pytest.fixture(scope="session")
def plain_moto() -> Iterator[EmbeddedAws]:
    """moto as it comes, as `--aws URL` may find it."""
    with EmbeddedAws(is_plain=True) as moto:
        yield moto


@pytest.fixture
def stream(aws: EmbeddedAws) -> Iterator[Stream]:
    with aws.client("kinesis") as client:
        yield Stream(client)


@pytest.fixture
def store() -> Iterator[CheckpointStore]:
    with closing(CheckpointStore(print)) as made:
        made.open()
        yield made
