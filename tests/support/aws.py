"""boto3's clients of one endpoint for all of AWS, as an ordinary program makes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

ACCOUNT = "123456789012"
DEADLINE_SECONDS = 20.0


class Clients:
    """Clients by service, `clients("sqs")`; each is made once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = boto3.client(
                service,
                endpoint_url=self._url,
                region_name="us-east-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
            )
        return self._made[service]

    def close(self) -> None:
        for client in self._made.values():
            client.close()


@contextmanager
def clients_of(url: str) -> Iterator[Clients]:
    clients = Clients(url)
    try:
        yield clients
    finally:
        clients.close()


def eventually(
    condition: Callable[[], Any],
    what: str = "what was waited for",
    seconds: float = DEADLINE_SECONDS,
) -> Any:
    """The condition's first true value, asking every 10 ms."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)
    return found
