"""LocalLambda: a local Lambda for tests and scripts. Start here.

    with LocalLambda() as local:
        hello = local.create_function("hello", handler="app.handler", code="examples/hello")
        result = hello.invoke({"name": "Ada"})
        local.client("lambda").invoke(FunctionName="hello", Payload=b"{}")

Synchronous over an event loop in one thread of its own; nothing global, free ports.
"""

from __future__ import annotations

import asyncio
import json
import threading
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from lambda_runtime import contract
from rapid_mock.console import Console, Stream
from rapid_mock.errors import ServiceError, SetupError
from rapid_mock.functions import FunctionOptions
from rapid_mock.host.attach import variables_to_set
from rapid_mock.host.launch import Launch
from rapid_mock.host.service import LambdaService
from rapid_mock.results import InvocationResult
from rapid_mock.service.function_urls import BUFFERED, RESPONSE_STREAM
from rapid_mock.service.requests import InvokeAnswer, InvokeRequest
from rapid_mock.trace import Trace
from rapid_mock.tracing import new_trace_header
from rapid_mock.triggers.aws import AwsPlace

if TYPE_CHECKING:
    from rapid_mock.lifecycle.effects import Report


Destination = str | Callable[[Any], object]
"""Where records of asynchronous invocations go; see `Function.handle_events`."""
ATTACH_SECONDS = 30.0
"""How long the extensions of a function may take until a runtime can be attached to it."""


class Function:
    """A function of a LocalLambda.

    `variables` are what a runtime that you start yourself needs in its environment: of a function
    created with `attach=True`, and empty otherwise.
    """

    def __init__(
        self, local: LocalLambda, name: str, variables: Mapping[str, str] | None = None
    ) -> None:
        self._local = local
        self.name = name
        self.variables = dict(variables or {})

    def invoke(
        self,
        event: object = None,
        *,
        client_context: Mapping[str, object] | None = None,
        cognito_identity: Mapping[str, str] | None = None,
        tenant_id: str | None = None,
        qualifier: str | None = None,
    ) -> InvocationResult:
        """Invoke and wait for the REPORT; `event` is any JSON value, or bytes sent as they are.

        `cognito_identity` is that of an app's user, as the runtime is told of it:
        `{"cognitoIdentityId": ..., "cognitoIdentityPoolId": ...}` (AWS takes it from the caller's
        credentials). Raises ServiceError (TooManyRequests, ResourceNotFound ...) when the service
        refuses.
        """
        payload = (
            event
            if isinstance(event, bytes)
            else json.dumps({} if event is None else event).encode()
        )
        request = InvokeRequest(
            str(uuid.uuid4()),
            self.name,
            payload,
            qualifier=qualifier,
            trace_id=new_trace_header(),
            client_context=_json(client_context),
            cognito_identity=_json(cognito_identity),
            tenant_id=tenant_id,
            wait_for_report=True,
        )
        return self._local.invoke(request)

    def invoke_async(self, event: object = None) -> str:
        """Invoke with an event that is queued, tried up to three times; returns its request id.

        Raises ServiceError when the service refuses it.
        """
        payload = event if isinstance(event, bytes) else json.dumps(event or {}).encode()
        request = InvokeRequest(
            str(uuid.uuid4()),
            self.name,
            payload,
            invocation_type=contract.INVOCATION_EVENT,
            trace_id=new_trace_header(),
        )
        return self._local.accept(request)

    def handle_events(
        self,
        *,
        on_success: Destination | None = None,
        on_failure: Destination | None = None,
        retries: int = 2,
        max_age: int = 21600,
    ) -> None:
        """Say what becomes of asynchronous invocations; ages in seconds.

        A destination is the ARN of another function, `http://...`, `file:///...`, or a callable,
        which is called with the invocation record in a thread. Raises ServiceError.
        """
        body = {"MaximumRetryAttempts": retries, "MaximumEventAgeInSeconds": max_age}
        targets = {"OnSuccess": on_success, "OnFailure": on_failure}
        self._local.handle_events(self.name, body, targets)

    def create_url(self, *, stream: bool = False) -> str:
        """Serve the function on a Function URL, for anybody on this machine; returns the URL.

        With `stream` responses arrive as they are written (RESPONSE_STREAM). Raises ServiceError
        when the function has a URL already.
        """
        return self._local.create_url(self.name, stream=stream)


class LocalLambda:
    """A local Lambda service on loopback: real processes, the Invoke API, boto3 clients.

    `port` 0 takes a free one; `log_stream`, of bytes or text, gets platform lines and function
    output (default: stderr); `time_scale` makes the minutes between the attempts at an event so
    many times shorter; `trace` is told every step of every environment. `aws` makes this one
    endpoint serve all of AWS: `embedded` (needs moto, which ends with us) or the URL of another
    one; event source mappings poll there, and `client("sqs")` and the functions' own clients reach
    it. `state` is a directory that keeps the checkpoints of streams. Use it as a context manager:
    leaving runs the real shutdown phase.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        log_stream: Stream | TextIO | None = None,
        trace: Trace | None = None,
        time_scale: float = 1,
        aws: str | None = None,
        state: str | Path | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._time_scale = time_scale
        kept = None if state is None else Path(state)
        self._aws = None if aws is None else AwsPlace(aws, state=kept)
        self._trace = trace
        self._console = Console(log_stream)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rapid-mock")
        self._service: LambdaService | None = None
        self.endpoint_url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.endpoint_url = self._call(self._start())
        except BaseException:
            self._stop_loop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._call(self._running.shut_down())
        finally:
            self._stop_loop()

    def create_function(  # noqa: PLR0913  a function has that many settings
        self,
        name: str,
        *,
        handler: str = "",
        code: str | Path = ".",
        timeout: float | None = contract.DEFAULT_TIMEOUT_SECONDS,
        memory: int = contract.DEFAULT_MEMORY_MB,
        extensions: Sequence[str | Path] = (),
        environment: Mapping[str, str] | None = None,
        runtime: Sequence[str] | None = None,
        python: str | Path | None = None,
        log_format: str | None = None,
        concurrency: int = 10,
        max_concurrency: int | None = None,
        credentials: Mapping[str, str] | None = None,
        snapstart: bool = False,
        isolation: str = "none",
        ephemeral_storage: int = contract.DEFAULT_EPHEMERAL_STORAGE_MB,
        freeze: bool = False,
        log_frames: bool = False,
        attach: bool = False,
    ) -> Function:
        """Create a function from a local directory.

        `timeout` in seconds (None: unlimited, for debuggers), `memory` in MB; `runtime` is a
        command to start instead of `PYTHON -m lambda_runtime HANDLER`, in the code directory;
        `extensions` are executables or directories of them; `log_format` is `text` or `json`;
        `concurrency` the most environments at once; `max_concurrency` makes them environments of
        Lambda Managed Instances, with that many invocations at once in each (and `json` logs
        unless said otherwise); `credentials` by variable name (None: dummies).

        `snapstart`: init ends at a snapshot, from which the first invocation restores.
        `isolation`: with `namespace` (Linux) the processes have Lambda's /var/task, /opt (the
        layers that extensions lie in) and a /tmp of `ephemeral_storage` MB. `freeze`: all
        processes are stopped between invocations, as in Lambda. `log_frames`: the runtime has a
        descriptor for framed log messages, as AWS's own runtimes have. `attach`: you start the
        runtime, with `Function.variables` in its environment, and nothing times out.
        Raises SetupError for what cannot be, such as a missing directory or a taken name.
        """
        launches: Future[Launch] = Future()

        def wanted(launch: Launch) -> None:
            if not launches.done():
                launches.set_result(launch)

        options = FunctionOptions(
            handler=handler,
            code=code,
            timeout=timeout,
            memory=memory,
            extensions=extensions,
            environment=environment or {},
            runtime=runtime,
            python=python,
            log_format=log_format,
            concurrency=concurrency,
            max_concurrency=max_concurrency,
            credentials=credentials,
            snapstart=snapstart,
            isolation=isolation,
            ephemeral_storage=ephemeral_storage,
            freeze=freeze,
            log_frames=log_frames,
            on_attach=wanted if attach else None,
        )
        service = self._running

        async def create() -> None:
            service.create_function(name, options)

        self._call(create())
        return Function(self, name, _variables(launches) if attach else None)

    def client(self, service_name: str = "lambda", **options: Any) -> Any:
        """Make a boto3 client of this endpoint, with dummy credentials; needs boto3."""
        try:
            import boto3
        except ImportError as error:
            raise SetupError("boto3 is missing: pip install 'lambda-runtime-sdk[aws]'") from error
        given = {
            "region_name": contract.DEFAULT_REGION,
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
            "endpoint_url": self.endpoint_url,
        }
        return boto3.client(service_name, **(given | options))

    def invoke(self, request: InvokeRequest) -> InvocationResult:
        """Invoke by request and wait; `Function.invoke` is the comfortable form."""
        outcome: Future[InvokeAnswer] = Future()
        reports: list[Report] = []

        def answered(answer: InvokeAnswer | ServiceError) -> None:
            if isinstance(answer, ServiceError):
                outcome.set_exception(answer)
            else:
                outcome.set_result(answer)

        service = self._running
        self._loop.call_soon_threadsafe(service.invoke, request, answered, reports.append)
        return _result(outcome.result(), reports[0])

    def accept(self, request: InvokeRequest) -> str:
        """Accept an event; `Function.invoke_async` is the comfortable form."""
        accepted: Future[InvokeAnswer] = Future()

        def answered(answer: InvokeAnswer | ServiceError) -> None:
            if isinstance(answer, ServiceError):
                accepted.set_exception(answer)
            else:
                accepted.set_result(answer)

        self._loop.call_soon_threadsafe(self._running.invoke, request, answered)
        return accepted.result().request_id

    def handle_events(
        self, name: str, body: Mapping[str, int], targets: Mapping[str, Destination | None]
    ) -> None:
        """Configure events by name; `Function.handle_events` is the comfortable form."""
        service = self._running
        named = {m: {"Destination": t} for m, t in targets.items() if isinstance(t, str)}
        callables = {m: t for m, t in targets.items() if t is not None and not isinstance(t, str)}

        async def configure() -> None:
            service.handle_events(name, {**body, "DestinationConfig": named}, callables)

        self._call(configure())

    def create_url(self, name: str, *, stream: bool = False) -> str:
        """Serve a function by name; `Function.create_url` is the comfortable form."""
        service, mode = self._running, RESPONSE_STREAM if stream else BUFFERED

        async def create() -> str:
            return service.create_url(name, mode=mode)

        url: str = self._call(create())
        return url

    def reset(self) -> None:
        """Delete every function, and wait until its environments have shut down."""
        self._call(self._running.reset())

    @property
    def _running(self) -> LambdaService:
        if self._service is None:
            raise SetupError("LocalLambda is not running: use it in a with statement")
        return self._service

    async def _start(self) -> str:
        self._service = LambdaService(
            self._console, trace=self._trace, time_scale=self._time_scale, aws=self._aws
        )
        try:
            return await self._service.listen(self._host, self._port)
        except SetupError:
            await self._service.kill()
            raise

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._service = None


def _json(value: Mapping[str, object] | None) -> str | None:
    return None if value is None else json.dumps(value)


def _variables(launches: Future[Launch]) -> dict[str, str]:
    try:
        return variables_to_set(launches.result(ATTACH_SECONDS))
    except TimeoutError as error:
        raise SetupError(f"the extensions did not register within {ATTACH_SECONDS} s") from error


def _result(answer: InvokeAnswer, report: Report) -> InvocationResult:
    return InvocationResult.of(
        answer.payload,
        function_error=answer.function_error,
        log=answer.log,
        report=report,
        executed_version=answer.executed_version,
        request_id=answer.request_id,
    )
