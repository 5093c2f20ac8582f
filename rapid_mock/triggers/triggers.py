"""What makes functions run by themselves: mappings that poll an AWS, and sources that push."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lambda_runtime import contract
from rapid_mock.console import Console
from rapid_mock.errors import ServiceError, SetupError
from rapid_mock.host.clock import Clock
from rapid_mock.host.functions import Functions
from rapid_mock.host.watchdog import Watchdog
from rapid_mock.http.gateway import Gateway
from rapid_mock.http.router import Router
from rapid_mock.http.upstream import Upstream
from rapid_mock.service.event_source import Answered, Outcome, Refused, SourceKind
from rapid_mock.service.mappings import EventSourceMapping, EventSourceMappings
from rapid_mock.service.names import LOCAL_PLACE
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest, OnAnswer
from rapid_mock.tracing import new_trace_header
from rapid_mock.triggers.aws import Aws, AwsPlace
from rapid_mock.triggers.checkpoints import Checkpoints, CheckpointStore
from rapid_mock.triggers.destinations import tell
from rapid_mock.triggers.mappings import MappingOperations
from rapid_mock.triggers.poller import Source, Surroundings
from rapid_mock.triggers.push_sources import PushSources
from rapid_mock.triggers.queue_source import AWS_WAIT, LOCAL_WAIT, QueueSource
from rapid_mock.triggers.streams import StreamSource

STOP_SECONDS = 4.0


class Triggers:
    """The triggers of one local Lambda; without a `place` there is nothing to poll.

    `pace` says how fast schedules pass. Only an AWS that is reached through the gateway pushes:
    what is asked of it there is how we learn of topics, buckets and rules.
    """

    def __init__(
        self,
        place: AwsPlace | None,
        functions: Functions,
        invoke: Callable[[InvokeRequest, OnAnswer], None],
        send: Callable[[str, Any], Awaitable[None]],
        clock: Clock,
        pace: Clock,
        console: Console,
    ) -> None:
        self._functions = functions
        self._invoke = invoke
        self._send = send
        self._clock = clock
        self._pace = pace
        self._console = console
        self._gateway: Gateway | None = None
        self._is_over = False
        self._store = CheckpointStore(console.explain, None if place is None else place.state)
        self.aws = None if place is None else Aws(place)
        self._push: PushSources | None = None
        self._client: Aws | None = None
        self.mappings = MappingOperations(
            EventSourceMappings(functions.registry),
            {} if self.aws is None else _sources(self.aws),
            self._surround,
            self._store,
            lambda: clock.now().wall,
        )

    async def start(self, watchdog: Watchdog) -> None:
        """Open what was kept, start an AWS if there is to be one, and hear of what it pushes.

        Raises SetupError when one of them cannot be had.
        """
        self._store.open()
        if self.aws is None:
            return
        for fault in await self.aws.start(watchdog):
            self._console.explain(f"the embedded AWS: {fault}")
        if self.aws.url is not None:
            self._push = self._push_sources(self.aws)
            self._push.start()

    def router(self) -> Router:
        """An empty one for the Lambda API, which passes on what is for other services."""
        if self.aws is None or self.aws.url is None:
            return Router()
        interceptions = [] if self._push is None else self._push.interceptions
        self._gateway = Gateway(Upstream(self.aws.url), interceptions)
        return self._gateway

    @property
    def is_gateway(self) -> bool:
        """Whether all of AWS is served at our own URL."""
        return self._gateway is not None

    async def stop(self) -> None:
        """Stop every poller: batches at the functions are finished, unless that takes too long."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.gather(self.mappings.stop(), self._stop_push())
        except TimeoutError:
            self._is_over = True
            self._console.explain(
                "batches were still at their functions: what is in them comes again"
            )

    async def close(self, watchdog: Watchdog) -> None:
        """After the pollers have stopped: end the gateway and the embedded AWS."""
        if self._client is not None:
            await self._client.close(watchdog)
        self._store.close()
        if self._gateway is not None:
            await self._gateway.close()
        if self.aws is not None:
            await self.aws.close(watchdog)

    async def call(
        self, service: str, operation: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A call of another service, in our own region; raises CallFailed or SetupError."""
        if self.aws is None:
            raise SetupError(f"there is no {service} here")
        return await self.aws.calls(LOCAL_PLACE.region).call(service, operation, **arguments)

    async def call_gateway(
        self, url: str, service: str, operation: str, arguments: Mapping[str, Any]
    ) -> None:
        """A call at our own URL, as a user's program makes it; raises CallFailed."""
        if self._client is None:
            self._client = Aws(AwsPlace(url))
        await self._client.calls(LOCAL_PLACE.region).call(service, operation, **arguments)

    async def tell(self, arn: str, record: Any) -> None:
        """Tell another service of a record; raises CallFailed, or SetupError without one."""
        if self.aws is None:
            raise SetupError("there is no such service here")
        await tell(self.aws.calls(arn.split(":")[3]), arn, record)

    def _push_sources(self, aws: Aws) -> PushSources:
        place = self._functions.registry.place
        return PushSources(
            aws.calls(place.region),
            self._pace,
            place,
            accept=self._accept,
            exists=self._exists,
            explain=self._console.explain,
        )

    async def _stop_push(self) -> None:
        if self._push is not None:
            await self._push.close()

    def _accept(self, function_arn: str, payload: bytes) -> None:
        """Take an event for a function; raises ServiceError."""
        request = InvokeRequest(
            str(uuid.uuid4()),
            function_arn,
            payload,
            invocation_type=contract.INVOCATION_EVENT,
            trace_id=new_trace_header(),
        )
        self._invoke(request, _refuse)

    def _exists(self, function_arn: str) -> bool:
        try:
            self._functions.registry.version(*self._functions.registry.parse(function_arn))
        except ServiceError:
            return False
        return True

    def _surround(self, mapping: EventSourceMapping, checkpoints: Checkpoints) -> Surroundings:
        registry = self._functions.registry
        version = registry.version(mapping.function.name, mapping.function.qualifier)
        if self.aws is None:
            raise RuntimeError("there is no AWS to poll")
        return Surroundings(
            calls=self.aws.calls(mapping.source_arn.split(":")[3]),
            clock=self._clock,
            invoke=lambda payload: self._outcome(mapping, payload),
            processed=lambda result: self.mappings.processed(mapping.mapping_id, result),
            send=self._send,
            explain=self._console.explain,
            checkpoints=checkpoints,
            function_timeout=float(version.settings["Timeout"]),
            role_arn=version.settings["Role"],
        )

    async def _outcome(self, mapping: EventSourceMapping, payload: bytes) -> Outcome:
        """Invoke a mapping's function; that we end it is no failure of its batch."""
        answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def take(answer: InvokeAnswer | ServiceError) -> None:
            if not answered.done():
                outcome = _outcome(answer)
                is_ended = self._is_over and _has_failed(outcome)
                answered.set_result(Refused() if is_ended else outcome)

        request = InvokeRequest(
            str(uuid.uuid4()), mapping.function_arn, payload, trace_id=new_trace_header()
        )
        self._invoke(request, take)
        return await answered


def _refuse(answer: InvokeAnswer | ServiceError) -> None:
    if isinstance(answer, ServiceError):
        raise answer


def _sources(aws: Aws) -> dict[SourceKind, Source]:
    """A further kind of source is added here."""
    wait = AWS_WAIT if aws.url is None and not aws.is_embedded else LOCAL_WAIT
    return {
        SourceKind.SQS: QueueSource(wait=wait, keeps_order=not aws.is_embedded),
        SourceKind.KINESIS: StreamSource(),
        SourceKind.DYNAMODB: StreamSource(),
    }


def _outcome(answer: InvokeAnswer | ServiceError) -> Outcome:
    if isinstance(answer, ServiceError):
        return Refused()
    return Answered(
        answer.payload, answer.function_error, answer.request_id, answer.executed_version
    )


def _has_failed(outcome: Outcome) -> bool:
    return isinstance(outcome, Answered) and outcome.function_error is not None
