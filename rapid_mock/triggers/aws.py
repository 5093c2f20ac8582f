"""The AWS beside the local Lambda: an embedded one, one at a URL, or AWS itself."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from lambda_runtime import contract
from rapid_mock.errors import CallFailed, SetupError
from rapid_mock.host.isolation import DUMMY_CREDENTIALS
from rapid_mock.host.watchdog import Watchdog
from rapid_mock.triggers.embedded_aws import EmbeddedAws

EMBEDDED = "embedded"
CALL_THREADS, POLL_THREADS = 8, 32
CONNECT_SECONDS, READ_SECONDS = 5, 30
_KEYS = {
    "aws_access_key_id": contract.ENV_ACCESS_KEY_ID,
    "aws_secret_access_key": contract.ENV_SECRET_ACCESS_KEY,
    "aws_session_token": contract.ENV_SESSION_TOKEN,
}


class AwsPlace(NamedTuple):
    """Where the other services are: `embedded`, a URL, or None for AWS itself.

    `credentials` by variable name; None: dummies, which no AWS takes. `state` is a directory that
    keeps checkpoints of streams; None: they are in memory.
    """

    where: str | None
    credentials: Mapping[str, str] | None = None
    state: Path | None = None


class Aws:
    """The other services of AWS; `url` is None where they are AWS's own."""

    def __init__(self, place: AwsPlace) -> None:
        if place.where is None and place.credentials is None:
            raise SetupError("AWS itself needs credentials")
        if place.where not in (None, EMBEDDED) and "://" not in str(place.where):
            raise SetupError(f"--aws is {EMBEDDED} or a URL, not {place.where}")
        self._place = place
        self._embedded: EmbeddedAws | None = None
        self._short = ThreadPoolExecutor(CALL_THREADS, "rapid-mock-call")
        self._long = ThreadPoolExecutor(POLL_THREADS, "rapid-mock-poll")
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        self.url = None if self.is_embedded else place.where

    @property
    def is_embedded(self) -> bool:
        """Whether it is our own child."""
        return self._place.where == EMBEDDED

    async def start(self, watchdog: Watchdog) -> list[str]:
        """Start the embedded one, if it is that; what it does not do as AWS. Raises SetupError."""
        if find_spec("boto3") is None:
            raise SetupError("an AWS needs boto3: pip install 'lambda-runtime-sdk[aws]'")
        if not self.is_embedded:
            return []
        self._embedded = await EmbeddedAws.start(watchdog)
        self.url = self._embedded.url
        return self._embedded.faults

    async def close(self, watchdog: Watchdog) -> None:
        """Wait for the calls that are under way, then end what was started."""
        await asyncio.to_thread(self._close_threads)
        if self._embedded is not None:
            self._embedded.kill(watchdog)
            self._embedded = None

    def calls(self, region: str) -> RegionalCalls:
        """Calls of the services in a region."""
        return RegionalCalls(self, region)

    async def run(
        self,
        region: str,
        service: str,
        operation: str,
        arguments: Mapping[str, Any],
        *,
        waits: bool,
    ) -> dict[str, Any]:
        """One call, in a thread."""
        threads = self._long if waits else self._short
        work = partial(self._run, region, service, operation, arguments)
        return await asyncio.get_running_loop().run_in_executor(threads, work)

    def _run(
        self, region: str, service: str, operation: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        with _telling():
            answer: dict[str, Any] = getattr(self._made(region, service), operation)(**arguments)
        return answer

    def _made(self, region: str, service: str) -> Any:
        """The one client; making it is not safe with threads, using it is."""
        with self._lock:
            client = self._clients.get((region, service))
            if client is None:
                client = self._clients[region, service] = self._client(region, service)
        return client

    def _client(self, region: str, service: str) -> Any:
        import boto3
        from botocore.config import Config

        credentials = self._place.credentials or DUMMY_CREDENTIALS
        keys = {name: credentials.get(variable) or None for name, variable in _KEYS.items()}
        config = Config(
            retries={"total_max_attempts": 1},
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=CALL_THREADS + POLL_THREADS,
        )
        session = boto3.Session(region_name=region, **keys)
        return session.client(service, endpoint_url=self.url, config=config)

    def _close_threads(self) -> None:
        self._long.shutdown(cancel_futures=True)
        self._short.shutdown()
        for client in self._clients.values():
            client.close()


@contextmanager
def _telling() -> Iterator[None]:
    """Raise CallFailed for whatever boto3 raises."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as refusal:
        said = refusal.response.get("Error", {})
        raise CallFailed(str(said.get("Code", "")), str(said.get("Message", ""))) from refusal
    except BotoCoreError as error:
        raise CallFailed(type(error).__name__, str(error)) from error


class RegionalCalls:
    """`Calls` of pollers, in one region."""

    def __init__(self, aws: Aws, region: str) -> None:
        self._aws = aws
        self._region = region

    async def call(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        return await self._aws.run(self._region, service, operation, arguments, waits=False)

    async def wait(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        return await self._aws.run(self._region, service, operation, arguments, waits=True)
