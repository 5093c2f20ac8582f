"""An AWS to try things on, in a process of its own: the embedded one, or moto as it comes."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config

from rapid_mock.triggers import embedded_aws

_EMBEDDED = (str(Path(embedded_aws.__file__).with_name("embedded_aws_child.py")),)
_MOTO = """
import logging, sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
application = DomainDispatcherApplication(create_backend_app)
server = make_server("127.0.0.1", 0, application, threaded=True)
print(server.server_port, flush=True)
server.serve_forever()
"""


class EmbeddedAws:
    """Listens at `url` until the block is left; `is_plain` is moto without our changes."""

    def __init__(self, *, is_plain: bool = False) -> None:
        self._program = ("-c", _MOTO) if is_plain else _EMBEDDED
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, *self._program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate(timeout=20)

    def client(self, service: str) -> closing[Any]:
        """A client that gives back its connections at the end of the block."""
        return closing(self.raw_client(service))

    def raw_client(self, service: str) -> Any:
        """A client that tries once; close it."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )
