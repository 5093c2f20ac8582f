"""A mapping's stream poller between an embedded AWS and a function played by the test."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from rapid_mock.errors import CallFailed, InvalidParameterValue
from rapid_mock.host.clock import SystemClock
from rapid_mock.lifecycle.events import Now
from rapid_mock.service.event_source import Answered, Outcome, SourceKind
from rapid_mock.service.mapping_settings import members_to_create
from rapid_mock.service.mappings import EventSourceMapping
from rapid_mock.service.names import FunctionName
from rapid_mock.triggers.checkpoints import Checkpoints, CheckpointStore
from rapid_mock.triggers.poller import Surroundings
from rapid_mock.triggers.streams import StreamSource
from tests.support.embedded_aws import EmbeddedAws

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:project"
ROLE = "arn:aws:iam::123456789012:role/lambda-role"
DEADLINE = 30.0
OK = Answered(b"null", request_id="r-ok")
FAILED = Answered(b'{"errorMessage": "boom"}', "Unhandled", "r-failed")

Record = dict[str, Any]


class WorldCalls:
    """boto3's calls in threads; `refuse` answers those of an operation, as many as are asked for.

    A refusal by the code `Nonsense` is an answer that means nothing. `made` are the operations
    that were answered.
    """

    def __init__(self, aws: EmbeddedAws, happened: Callable[[], Awaitable[None]]) -> None:
        self._aws = aws
        self._happened = happened
        self._clients: dict[str, Any] = {}
        self._refusals: list[tuple[str, str]] = []
        self.made: list[str] = []

    def refuse(self, operation: str, code: str, times: int = 1) -> None:
        self._refusals += [(operation, code)] * times

    async def call(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        for refusal in self._refusals:
            if refusal[0] == operation:
                self._refusals.remove(refusal)
                if refusal[1] == "Nonsense":
                    return {}
                raise CallFailed(refusal[1], "as the test wishes")
        if service not in self._clients:
            self._clients[service] = self._aws.raw_client(service)
        client = self._clients[service]
        try:
            answer: dict[str, Any] = await asyncio.to_thread(
                getattr(client, operation), **arguments
            )
        except ClientError as error:
            raise CallFailed(error.response["Error"]["Code"], str(error)) from error
        except BotoCoreError as error:
            raise CallFailed(type(error).__name__, str(error)) from error
        self.made.append(operation)
        await self._happened()
        return answer

    async def wait(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        return await self.call(service, operation, **arguments)

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


class LateClock(SystemClock):
    """The system's clock, so many seconds later by the wall."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def now(self) -> Now:
        monotonic, wall = super().now()
        return Now(monotonic, wall + self._seconds)


class StreamWorld:
    """What the function got, was told and said; `answer` is the function, a record list in."""

    function_arn = FUNCTION

    def __init__(
        self,
        aws: EmbeddedAws,
        answer: Callable[[list[Record]], Outcome],
        checkpoints: Checkpoints,
    ) -> None:
        self.calls = WorldCalls(aws, self._notify)
        self.checkpoints = checkpoints
        self.answer = answer
        self.batches: list[list[Record]] = []
        self.done: list[Record] = []
        self.said: list[str] = []
        self.results: list[str] = []
        self.sent: list[tuple[str, Record]] = []
        self.holds_destinations = asyncio.Event()
        self.holds_destinations.set()
        self._happened = asyncio.Condition()

    @property
    def data(self) -> list[str]:
        """The data of the Kinesis records that succeeded, in their order."""
        return [data_of(record) for record in self.done]

    def passed(self) -> list[str | None]:
        """The checkpoint of each shard."""
        return [shard.passed for shard in self.checkpoints.known().values()]

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so; it is looked at whenever the poller did something."""
        async with asyncio.timeout(DEADLINE), self._happened:
            await self._happened.wait_for(is_so)

    async def invoke(self, payload: bytes) -> Outcome:
        records = json.loads(payload)["Records"]
        self.batches.append(records)
        outcome = self.answer(records)
        if outcome == OK:
            self.done += records
        await self._notify()
        return outcome

    def explain(self, sentence: str) -> None:
        self.said.append(sentence)
        self._tasks = asyncio.ensure_future(self._notify())

    async def send(self, destination: str, record: Record) -> None:
        self.sent.append((destination, record))
        await self._notify()
        await self.holds_destinations.wait()

    async def _notify(self) -> None:
        async with self._happened:
            self._happened.notify_all()


def succeeding(_records: list[Record]) -> Outcome:
    return OK


@asynccontextmanager
async def polling(
    aws: EmbeddedAws,
    store: CheckpointStore,
    arn: str,
    *,
    answer: Callable[[list[Record]], Outcome] = succeeding,
    later: float = 0.0,
    refusing: tuple[tuple[str, str], ...] = (),
    **request: Any,
) -> AsyncIterator[StreamWorld]:
    """Poll a stream, with the members of a CreateEventSourceMapping request."""
    mapping = mapping_of(arn, **request)
    world = StreamWorld(aws, answer, store.of(mapping.source_arn, mapping.function_arn))
    for operation, code in refusing:
        world.calls.refuse(operation, code)
    surroundings = surroundings_of(world, later)
    source = StreamSource()
    try:
        await source.check(mapping, surroundings)
    except InvalidParameterValue:
        world.calls.close()
        raise
    poller = source.open(mapping, surroundings)
    await poller.start()
    try:
        yield world
    finally:
        await poller.stop()
        world.calls.close()


def mapping_of(arn: str, **request: Any) -> EventSourceMapping:
    kind = SourceKind(arn.split(":")[2])
    members = members_to_create({"StartingPosition": "TRIM_HORIZON", **request}, kind)
    name = FunctionName("project", None)
    return EventSourceMapping("uuid", kind, arn, name, FUNCTION, members, True, "Creating", 0.0)


def data_of(record: Record) -> str:
    return base64.b64decode(record["kinesis"]["data"]).decode()


def surroundings_of(world: StreamWorld, later: float) -> Surroundings:
    return Surroundings(
        calls=world.calls,
        clock=LateClock(later),
        invoke=world.invoke,
        processed=world.results.append,
        send=world.send,
        explain=world.explain,
        checkpoints=world.checkpoints,
        function_timeout=3,
        role_arn=ROLE,
    )
