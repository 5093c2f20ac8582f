"""An AWS to try things on: moto's server, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

REGION, ACCOUNT = "us-east-1", "123456789012"

_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(*server.get_host_and_port(), sep=":", flush=True)
sys.stdin.read()
server.stop()
"""
_CLOSING_SHARDS = """
from rapid_mock.triggers.embedded_shards import close_shards
close_shards()
"""


class EmbeddedAws:
    """Listens at `url` until the block is left.

    With `closes_shards` Kinesis shards that are split or merged take no more records, as on AWS.
    """

    def __init__(self, *, closes_shards: bool = False) -> None:
        self._program = _CLOSING_SHARDS * closes_shards + _SERVER
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", self._program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self.url = f"http://{self._process.stdout.readline().decode().strip()}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=20)

    def client(self, service: str) -> closing[Any]:
        """A client that gives back its connections at the end of the block."""
        return closing(self.raw_client(service))

    def raw_client(self, service: str) -> Any:
        """A client that tries once; close it."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )
