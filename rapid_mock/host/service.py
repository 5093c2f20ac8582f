"""The local Lambda service: functions by name, each with its fleet, behind one Invoke API."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from lambda_runtime import contract
from rapid_mock.console import Console
from rapid_mock.errors import InvalidParameterValue, RequestTooLarge, ServiceError, SetupError
from rapid_mock.functions import FunctionOptions
from rapid_mock.host.allocator import prime_allocator
from rapid_mock.host.async_events import EventDelivery, Handling
from rapid_mock.host.clock import Cancellable, Clock, ScaledClock, SystemClock
from rapid_mock.host.deployment import provisioned
from rapid_mock.host.destinations import Destinations
from rapid_mock.host.environments import FunctionDefinition, LocalEnvironment, open_environment
from rapid_mock.host.fleet import Fleet, Pending
from rapid_mock.host.function_urls import FunctionUrls
from rapid_mock.host.functions import Functions
from rapid_mock.host.opt_advice import OptAdvice
from rapid_mock.host.throttle import ThrottledTaker
from rapid_mock.host.watchdog import Watchdog
from rapid_mock.http.invoke_api import add_invoke_api
from rapid_mock.http.router import Router
from rapid_mock.http.server import HttpServer
from rapid_mock.lifecycle.effects import Report
from rapid_mock.lifecycle.events import Invocation
from rapid_mock.service.calls import Body, Call
from rapid_mock.service.event_invoke import EventInvokeConfigs
from rapid_mock.service.function_urls import AUTH_NONE
from rapid_mock.service.names import LATEST, LOCAL_PLACE
from rapid_mock.service.policies import Policies
from rapid_mock.service.requests import ChunkTaker, InvokeAnswer, InvokeRequest, OnAnswer
from rapid_mock.trace import Trace

if TYPE_CHECKING:
    from rapid_mock.host.lambda_api import LambdaApi
    from rapid_mock.triggers.aws import AwsPlace
    from rapid_mock.triggers.triggers import Triggers

IDLE_SECONDS = 600.0
"""AWS does not say how long it keeps an idle environment; minutes are observed."""


class LambdaService:
    """Every function of one local Lambda; make it inside the running event loop.

    `options` are those of functions made through the API, as far as the API cannot say them: the
    interpreter, the command of foreign runtimes, extensions, credentials, freezing.
    `throttle_streams` gives streamed responses the bandwidth that Lambda gives them.
    `idle_seconds`: how long an environment may be unused; it ends within twice that time.
    `time_scale`: how much faster than life pass schedules, and the waits between the attempts at
    an event.
    `trace` is told every step of every environment. `aws` is where event sources are polled, and
    where what is not for Lambda is passed on to. Raises SetupError for one that cannot be.
    """

    def __init__(
        self,
        console: Console,
        clock: Clock | None = None,
        *,
        options: FunctionOptions | None = None,
        throttle_streams: bool = False,
        idle_seconds: float = IDLE_SECONDS,
        time_scale: float = 1,
        trace: Trace | None = None,
        aws: AwsPlace | None = None,
    ) -> None:
        prime_allocator()
        self._console = console
        self._trace = trace
        self._throttles_streams = throttle_streams
        self._clock = clock or SystemClock()
        self._pace = self._clock if time_scale == 1 else ScaledClock(self._clock, time_scale)
        self._watchdog = Watchdog()
        self._functions = Functions(
            LOCAL_PLACE,
            options or FunctionOptions(),
            self._clock,
            self._open,
            on_deployed=OptAdvice(console).tell,
        )
        self._event_configs = EventInvokeConfigs()
        self._policies = Policies()
        self._destinations = Destinations(self.invoke, self._tell, console)
        self._events = EventDelivery(
            self.invoke, self._handling, self._destinations.send, self._pace, console
        )
        self._aws = aws
        self._own_url = ""
        self._urls = FunctionUrls(self._functions, self, self._wall, console.explain)
        self._functions.on_deleted = self._forget
        if aws is not None:
            self._triggers  # noqa: B018  an AWS that cannot be is refused now
        self._server: HttpServer | None = None
        self._idle_seconds = idle_seconds
        self._reaper = self._reap_later()

    @cached_property
    def _triggers(self) -> Triggers:
        """Made when somebody asks for them: most services have none, and start faster without."""
        from rapid_mock.triggers.triggers import Triggers

        return Triggers(
            self._aws,
            self._functions,
            self.invoke,
            self._destinations.deliver,
            self._clock,
            self._pace,
            self._console,
        )

    @property
    def _has_triggers(self) -> bool:
        return "_triggers" in vars(self)

    @cached_property
    def _api(self) -> LambdaApi:
        from rapid_mock.host.lambda_api import LambdaApi

        return LambdaApi(
            self._functions,
            urls=self._urls,
            configs=self._event_configs,
            policies=self._policies,
            mappings=self._triggers.mappings,
            wall=self._wall,
            call_aws=None if self._aws is None else self._triggers.call,
        )

    def create_function(self, name: str, options: FunctionOptions) -> None:
        """Make a function invocable; raises SetupError when it cannot be, or its name is taken."""
        self._functions.create_local(name, options)

    def check_runtime(self, runtime: str) -> None:
        """Raise InvalidParameterValue for one, by the API's name, that does not run here."""
        self._functions.check_runtime(runtime)

    async def redeploy(self, name: str) -> None:
        """Have the code of a function that was made from a directory run as it is now.

        Raises SetupError when it cannot.
        """
        await self._functions.redeploy(name)

    def handle_events(
        self, name: str, body: Mapping[str, Any], callables: Mapping[str, Callable[[Any], object]]
    ) -> None:
        """Configure the asynchronous invocations of a function; raises ServiceError.

        `body` is that of PutFunctionEventInvokeConfig; `callables` are destinations by member.
        """
        named = {
            member: {"Destination": self._destinations.name_of(function)}
            for member, function in callables.items()
        }
        targets = {**body.get("DestinationConfig", {}), **named}
        self._api.answer(
            "PutFunctionEventInvokeConfig",
            Call(params={"function_name": name}, body={**body, "DestinationConfig": targets}),
        )

    async def call(
        self,
        operation: str,
        params: Mapping[str, str],
        body: Mapping[str, Any],
        query: Mapping[str, str],
    ) -> Body:
        """One operation of the Lambda API by name, done to its end.

        Raises ServiceError for a refusal, and for a function that cannot be deployed.
        """
        answer = self._api.answer(operation, Call(params=params, query=query, body=body))
        if inspect.isawaitable(answer):
            answer = await answer
        await self._functions.settled()
        if operation == "CreateFunction":
            latest = self._functions.registry.find(body["FunctionName"]).latest
            if latest.condition.reason:
                raise InvalidParameterValue(latest.condition.reason)
        return answer

    @property
    def aws_url(self) -> str | None:
        """Our own URL, when all of AWS is served there; once the service is bound."""
        return self._own_url if self._is_gateway else None

    @property
    def _is_gateway(self) -> bool:
        return self._has_triggers and self._triggers.is_gateway

    async def call_aws(
        self, service: str, operation: str, arguments: Mapping[str, Any]
    ) -> dict[str, Any]:
        """One call of another service, by its names in boto3; raises CallFailed or SetupError."""
        return await self._triggers.call(service, operation, arguments)

    async def call_gateway(
        self, service: str, operation: str, arguments: Mapping[str, Any]
    ) -> None:
        """The same at our own endpoint, once it is served: what pushes at functions is known there.

        Raises CallFailed.
        """
        await self._triggers.call_gateway(self._own_url, service, operation, arguments)

    def __contains__(self, name: str) -> bool:
        """Whether there is a function of this name."""
        return name in self._functions.registry.functions

    def create_url(self, name: str, *, mode: str) -> str:
        """Serve a function on a URL of its own, for anybody; returns the URL.

        `mode` is BUFFERED or RESPONSE_STREAM. Raises ServiceError.
        """
        body = {"AuthType": AUTH_NONE, "InvokeMode": mode}
        made = self._urls.create_url(Call(params={"function_name": name}, body=body))
        return str((made or {})["FunctionUrl"])

    async def listen(
        self, host: str, port: int, *, allowed_hosts: frozenset[str] = frozenset()
    ) -> str:
        """Serve the Lambda API; returns its URL. Raises SetupError as `bind` does."""
        url = await self.bind(host, port, allowed_hosts=allowed_hosts)
        await self.serve()
        return url

    async def bind(
        self, host: str, port: int, *, allowed_hosts: frozenset[str] = frozenset()
    ) -> str:
        """Take the address on which `serve` answers, so that functions know it; returns the URL.

        Raises SetupError when the port is in use, or the AWS cannot be had.
        """
        router = Router()
        if self._aws is not None:
            await self._triggers.start(self._watchdog)
            router = self._triggers.router()
        add_invoke_api(router, self)
        router.add_late(lambda: self._api.add_to(router))
        self._server = HttpServer(router, allowed_hosts=allowed_hosts)
        try:
            await self._server.bind(host, port)
        except OSError as error:
            raise SetupError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        self._own_url = self._server.own_url
        return self._server.url

    async def serve(self) -> None:
        """Answer. Raises SetupError when another program listens on the port meanwhile."""
        if self._server is None:
            raise SetupError("the service has no address yet")
        try:
            await self._server.listen()
        except OSError as error:
            raise SetupError(f"cannot listen on {self._own_url}: {error.strerror}") from error

    def invoke(
        self,
        request: InvokeRequest,
        on_answer: OnAnswer,
        on_report: Callable[[Report], None] | None = None,
    ) -> None:
        """Invoke a function; `on_answer` gets the answer or a ServiceError, at once or later."""
        try:
            fleet, pool, arn = self._functions.resolve(
                request.function_name, request.qualifier, request.tenant_id
            )
            if request.invocation_type != contract.INVOCATION_REQUEST_RESPONSE:
                on_answer(self._accept(request))
                return
        except ServiceError as refusal:
            on_answer(refusal)
            return
        invocation = Invocation(
            request.request_id,
            arn,
            request.payload,
            content_type=request.content_type,
            trace_id=request.trace_id,
            client_context=request.client_context,
            cognito_identity=request.cognito_identity,
            tenant_id=request.tenant_id,
        )
        pending = Pending(
            invocation, pool, on_answer, request.wait_for_report, on_report, self._opener(request)
        )
        fleet.invoke(pending)

    def _accept(self, request: InvokeRequest) -> InvokeAnswer:
        """Take an event, or find nothing to refuse in a dry run; raises RequestTooLarge."""
        if request.invocation_type == contract.INVOCATION_DRY_RUN:
            return InvokeAnswer(request.request_id, b"", status=204)
        if len(request.payload) > contract.MAX_ASYNC_REQUEST_BYTES:
            raise RequestTooLarge(
                f"Request must be smaller than {contract.MAX_ASYNC_REQUEST_BYTES} bytes for the "
                "InvokeFunction operation"
            )
        self._events.accept(request)
        return InvokeAnswer(request.request_id, b"", status=202)

    def _handling(self, request: InvokeRequest) -> Handling:
        """How the events of a function are handled, by the qualifier that was asked for."""
        registry = self._functions.registry
        name, qualifier = registry.parse(request.function_name, request.qualifier)
        settings = registry.version(name, qualifier).settings
        key = (name, None if qualifier == LATEST else qualifier)
        return Handling(
            self._event_configs.get(key),
            registry.arn(name, qualifier or LATEST),
            (settings.get("DeadLetterConfig") or {}).get("TargetArn"),
            self._functions.deployed(name).share.reserved == 0,
        )

    async def _tell(self, arn: str, record: Any) -> None:
        await self._triggers.tell(arn, record)

    def _wall(self) -> float:
        return self._clock.now().wall

    def _forget(self, name: str) -> None:
        self._urls.forget(name)
        self._event_configs.forget(name)
        self._policies.forget(name)
        if self._has_triggers:
            self._triggers.mappings.function_deleted(name)

    def _opener(self, request: InvokeRequest) -> Callable[[str], ChunkTaker] | None:
        open_stream = request.open_stream
        if open_stream is None or not self._throttles_streams:
            return open_stream
        return lambda version: ThrottledTaker(open_stream(version), self._clock)

    async def reset(self) -> None:
        """Delete every function, and wait for the end of its environments."""
        await self._functions.reset()

    async def shut_down(self) -> None:
        """Stop polling, run the shutdown phase of every environment, then stop listening."""
        if self._has_triggers:
            await self._triggers.stop()
        self._events.close()
        await self._functions.shut_down()
        await self._destinations.close()
        await self._close()

    async def kill(self) -> None:
        """End everything now, without a shutdown phase."""
        if self._has_triggers:
            self._triggers.mappings.abandon()
        await self._functions.kill()
        await self._close()

    async def _close(self) -> None:
        self._reaper.cancel()
        if self._server is not None:
            await self._server.close()
        await self._urls.close()
        if self._has_triggers:
            await self._triggers.close(self._watchdog)
        await self._functions.close()
        self._watchdog.close()

    def _reap_later(self) -> Cancellable:
        due = self._clock.now().monotonic + self._idle_seconds
        return self._clock.call_at(due, self._reap)

    def _reap(self) -> None:
        self._functions.reap()
        self._reaper = self._reap_later()

    def _subject(self, name: str) -> str:
        """Whom a sentence is about; where there is one function, nobody asks."""
        return f"{name}: " if len(self._functions.registry.functions) > 1 else ""

    async def _open(
        self, fleet: Fleet, definition: FunctionDefinition, is_provisioned: bool
    ) -> LocalEnvironment:
        if self._is_gateway:
            own = {contract.ENV_ENDPOINT_URL: self._own_url}
            definition = replace(definition, environment={**own, **definition.environment})
        return await open_environment(
            provisioned(definition) if is_provisioned else definition,
            observer=fleet,
            clock=self._clock,
            console=self._console.about(partial(self._subject, definition.settings.name)),
            watchdog=self._watchdog,
            trace=self._trace,
        )
