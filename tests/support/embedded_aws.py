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
from hashlib import md5
from moto.kinesis.models import KinesisBackend, Stream

def for_key(stream, key, explicit_hash):
    number = int(explicit_hash or md5(key.encode()).hexdigest(), 16 - 6 * bool(explicit_hash))
    return next(
        shard
        for shard in stream.shards.values()
        if shard.is_open and shard.starting_hash <= number <= shard.ending_hash
    )

def leaving_records(reshard):
    def resharded(stream, *names):
        shards = [stream.shards[name] for name in names if name in stream.shards]
        kept = [shard.records for shard in shards]
        for shard in shards:
            shard.records = {}
        reshard(stream, *names)
        for shard, records in zip(shards, kept):
            shard.records = records
    return resharded

def ending(get_records):
    def read(backend, stream_arn, shard_iterator, limit):
        following, records, behind = get_records(backend, stream_arn, shard_iterator, limit)
        stream, shard_id, last = decompose_shard_iterator(following)
        shard = backend.describe_stream(stream_arn, stream).shards[shard_id]
        is_over = not shard.is_open and int(last) >= shard.get_max_sequence_number()
        return (None if is_over else following), records, behind
    return read

from moto.kinesis.models import decompose_shard_iterator
Stream.get_shard_for_key = for_key
Stream.split_shard = leaving_records(Stream.split_shard)
Stream.merge_shards = leaving_records(Stream.merge_shards)
KinesisBackend.get_records = ending(KinesisBackend.get_records)
"""


class EmbeddedAws:
    """Listens at `url` until the block is left.

    With `closes_shards` a Kinesis shard that was split or merged takes no more records, keeps
    those it has, and a read at its end brings no iterator: as on AWS, unlike moto.
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
