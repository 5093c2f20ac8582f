from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.http_far_side import FarSide
from tests.support.raw_http import RawClient, ServerThread


@pytest.fixture
def far() -> FarSide:
    return FarSide()


@pytest.fixture
def server(far: FarSide) -> Iterator[ServerThread]:
    with ServerThread(far.router()) as server:
        yield server


@pytest.fixture
def client(server: ServerThread) -> Iterator[RawClient]:
    with RawClient(server.address) as client:
        yield client
