from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from rapid_mock.triggers.checkpoints import CheckpointStore
from tests.support.embedded_aws import EmbeddedAws


@pytest.fixture(scope="session")
def aws() -> Iterator[EmbeddedAws]:
    with EmbeddedAws() as embedded:
        yield embedded


@pytest.fixture(scope="session")
def closing_aws() -> Iterator[EmbeddedAws]:
    """Its Kinesis closes shards as AWS does."""
    with EmbeddedAws(closes_shards=True) as embedded:
        yield embedded


@pytest.fixture
def store() -> Iterator[CheckpointStore]:
    with closing(CheckpointStore(print)) as made:
        made.open()
        yield made
