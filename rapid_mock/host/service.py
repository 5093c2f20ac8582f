"""The local Lambda service: functions by name, each with its fleet, behind one Invoke API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lambda_runtime import contract
from rapid_mock.console import Console
from rapid_mock.errors import InvalidParameterValue, ResourceNotFound, ServiceError, SetupError
from rapid_mock.host.clock import Clock, SystemClock
from rapid_mock.host.environments import FunctionDefinition, LocalEnvironment, open_environment
from rapid_mock.host.fleet import Fleet, Pending
from rapid_mock.host.mounts import name_opt
from rapid_mock.host.throttle import ThrottledTaker
from rapid_mock.host.watchdog import Watchdog
from rapid_mock.http.invoke_api import add_invoke_api
from rapid_mock.http.router import Router
from rapid_mock.http.server import HttpServer
from rapid_mock.lifecycle.effects import Report
from rapid_mock.lifecycle.events import Invocation
from rapid_mock.service.names import LATEST, function_arn, parse_function_name
from rapid_mock.service.requests import ChunkTaker, InvokeRequest, OnAnswer


class LambdaService:
    """Every function of one local Lambda; make it inside the running event loop.

    `throttle_streams` gives streamed responses the bandwidth that Lambda gives them.
    """

    def __init__(
        self, console: Console, clock: Clock | None = None, *, throttle_streams: bool = False
    ) -> None:
        _prime_allocator()
        self._console = console
        self._throttles_streams = throttle_streams
        self._clock = clock or SystemClock()
        self._watchdog = Watchdog()
        self._functions: dict[str, tuple[FunctionDefinition, Fleet]] = {}
        self._server: HttpServer | None = None

    def create_function(self, definition: FunctionDefinition) -> None:
        """Make a function invocable; raises SetupError when its name is taken."""
        name = definition.settings.name
        if name in self._functions:
            raise SetupError(f"function {name} exists already")
        if definition.mounts is None:
            for launcher in name_opt(definition.launchers()):
                self._console.explain(
                    f"{launcher.name} names /opt, which is this machine's own: "
                    "its layer lies there with --isolation namespace"
                )

        async def open_one(fleet: Fleet) -> LocalEnvironment:
            return await open_environment(
                definition,
                observer=fleet,
                clock=self._clock,
                console=self._console,
                watchdog=self._watchdog,
            )

        fleet = Fleet(
            version=definition.settings.version,
            limit=definition.concurrency,
            clock=self._clock,
            open_environment=open_one,
            room=definition.settings.max_concurrency or 1,
        )
        self._functions[name] = (definition, fleet)
        is_managed = definition.settings.max_concurrency is not None
        if is_managed or definition.is_restored or definition.on_attach is not None:
            fleet.prepare()  # these are there before any invocation

    async def listen(
        self, host: str, port: int, *, allowed_hosts: frozenset[str] = frozenset()
    ) -> str:
        """Serve the Invoke API; returns its URL. Raises SetupError when the port is in use."""
        router = Router()
        add_invoke_api(router, self)
        self._server = HttpServer(router, allowed_hosts=allowed_hosts)
        try:
            await self._server.start(host, port)
        except OSError as error:
            raise SetupError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        bound_host, bound_port = self._server.address
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        return f"http://{shown}:{bound_port}"

    def invoke(
        self,
        request: InvokeRequest,
        on_answer: OnAnswer,
        on_report: Callable[[Report], None] | None = None,
    ) -> None:
        """Invoke a function; `on_answer` gets the answer or a ServiceError, at once or later."""
        try:
            fleet, arn = self._resolve(request)
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
            tenant_id=request.tenant_id,
        )
        pending = Pending(
            invocation, on_answer, request.wait_for_report, on_report, self._opener(request)
        )
        fleet.invoke(pending)

    def _opener(self, request: InvokeRequest) -> Callable[[str], ChunkTaker] | None:
        open_stream = request.open_stream
        if open_stream is None or not self._throttles_streams:
            return open_stream
        return lambda version: ThrottledTaker(open_stream(version), self._clock)

    async def shut_down(self) -> None:
        """Run the shutdown phase of every environment, then stop listening."""
        await asyncio.gather(*(fleet.shut_down() for _, fleet in self._functions.values()))
        await self._close()

    async def kill(self) -> None:
        """End everything now, without a shutdown phase."""
        await asyncio.gather(*(fleet.kill() for _, fleet in self._functions.values()))
        await self._close()

    async def _close(self) -> None:
        if self._server is not None:
            await self._server.close()
        self._watchdog.close()

    def _resolve(self, request: InvokeRequest) -> tuple[Fleet, str]:
        if request.invocation_type != contract.INVOCATION_REQUEST_RESPONSE:
            raise InvalidParameterValue(
                f"InvocationType {request.invocation_type} is not available yet"
            )
        region = self._region()
        name, qualifier = parse_function_name(
            request.function_name, request.qualifier, region=region
        )
        found = self._functions.get(name)
        if found is None or qualifier not in (None, LATEST):
            account = found[0].account if found else contract.DEFAULT_ACCOUNT_ID
            arn = function_arn(name, qualifier or LATEST, region=region, account=account)
            raise ResourceNotFound(f"Function not found: {arn}")
        definition, fleet = found
        arn = function_arn(name, qualifier, region=region, account=definition.account)
        return fleet, arn

    def _region(self) -> str:
        for definition, _ in self._functions.values():
            return definition.settings.region
        return contract.DEFAULT_REGION


def _prime_allocator() -> None:
    """Have glibc reuse the memory of large payloads instead of mapping fresh pages each time.

    Freeing one untouched block of nearly 32 MiB raises its mmap threshold to that size; a 6 MB
    invocation then costs the server 20 ms of CPU in place of 55. Other C libraries do not mind.
    """
    bytes((32 << 20) - 65536)
