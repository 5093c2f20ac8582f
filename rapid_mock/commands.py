"""The commands of `rapid-mock`, behind its command line."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_runtime import contract
from rapid_mock.console import Console
from rapid_mock.errors import ServiceError, SetupError
from rapid_mock.functions import FunctionOptions
from rapid_mock.host.attach import variables_to_set
from rapid_mock.host.descriptors import raise_descriptor_limit
from rapid_mock.host.isolation import host_credentials
from rapid_mock.host.launch import Launch, image_extensions
from rapid_mock.host.mounts import OPT
from rapid_mock.host.service import LambdaService
from rapid_mock.project import URL_MODES, Made, make_functions, push
from rapid_mock.service.requests import Flow, InvokeAnswer, InvokeRequest
from rapid_mock.tracing import new_request_id, new_trace_header

if TYPE_CHECKING:
    from rapid_mock.triggers.aws import AwsPlace

EXIT_OK, EXIT_FUNCTION_ERROR, EXIT_SETUP = 0, 1, 2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def invoke(arguments: argparse.Namespace) -> int:
    """`rapid-mock invoke`: one invocation; the response on stdout, everything else on stderr."""
    payload = read_event(arguments.event)
    return asyncio.run(_invoke_once(arguments, _options(arguments), payload))


def start(arguments: argparse.Namespace) -> int:
    """`rapid-mock start`: serve until Ctrl-C or SIGTERM, then run the shutdown phase."""
    options = _options(arguments, _Wanted().tell if arguments.attach else None)
    return asyncio.run(_serve(arguments, options))


def event(arguments: argparse.Namespace) -> int:
    """`rapid-mock event`: print a realistic event."""
    from rapid_mock.event_command import print_event

    return print_event(arguments)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "invoke": invoke,
    "start": start,
    "event": event,
}


def read_event(text: str) -> bytes:
    """`-` (stdin), `@FILE`, an existing FILE, or JSON text, tried in that order."""
    if text == "-":
        return sys.stdin.buffer.read()
    is_file = text.startswith("@")
    path = Path(text.removeprefix("@"))
    try:
        if is_file or path.is_file():
            return path.read_bytes()
    except OSError as error:
        if is_file:
            raise SetupError(f"cannot read the event {path}: {error.strerror}") from error
    try:
        json.loads(text)
    except ValueError as error:
        raise SetupError(f"the event is neither a file nor JSON: {text[:80]}") from error
    return text.encode()


async def _invoke_once(
    arguments: argparse.Namespace, options: FunctionOptions, payload: bytes
) -> int:
    console = Console(_Discarded() if arguments.tail else None)
    service = LambdaService(console)
    try:
        service.create_function(arguments.name, options)
    except SetupError:
        await service.kill()
        raise
    stream = _Printed()
    request = InvokeRequest(
        new_request_id(),
        arguments.name,
        payload,
        trace_id=new_trace_header(),
        client_context=_client_context(arguments.client_context),
        tenant_id=arguments.tenant_id,
        wait_for_report=True,
        open_stream=(lambda _version: stream) if arguments.stream else None,
    )
    stop = asyncio.Event()
    answers: asyncio.Queue[InvokeAnswer | ServiceError] = asyncio.Queue()
    _stop_on_signals(stop)
    service.invoke(request, answers.put_nowait)
    answer = await _first(answers, stop)
    await _end(service, stop)
    if answer is None:
        return 128 + signal.SIGINT
    if isinstance(answer, ServiceError):
        raise answer
    if arguments.tail:
        Console().write(answer.log[-contract.MAX_LOG_TAIL_BYTES :])
    stream.write(answer.payload + b"\n")
    return EXIT_FUNCTION_ERROR if answer.function_error else EXIT_OK


async def _serve(arguments: argparse.Namespace, options: FunctionOptions) -> int:
    """Without a handler, a command or an attached runtime the service has no function yet."""
    raise_descriptor_limit()
    console = Console()
    service = LambdaService(
        console,
        options=options,
        throttle_streams=arguments.throttle_streams,
        idle_seconds=arguments.idle_timeout,
        time_scale=arguments.time_scale,
        aws=_aws(arguments.aws, options.credentials, arguments.state),
    )
    stop = asyncio.Event()
    _stop_on_signals(stop)
    try:
        url = await service.bind(
            arguments.host, arguments.port, allowed_hosts=frozenset(arguments.allow_host)
        )
        made = await _make(arguments, options, service, console)
        await service.serve()
        await push(service, made.pushes, str(arguments.config))
        console.explain(f"listening on {url}")
        if arguments.watch:
            from rapid_mock.host.reload import Reload, watched_changes

            reload = Reload(made.places, redeploy=service.redeploy, console=console)
            await reload.run(stop, watched_changes)
        await stop.wait()
    except SetupError:
        await service.kill()
        raise
    await _end(service, stop)
    return EXIT_OK


async def _make(
    arguments: argparse.Namespace,
    options: FunctionOptions,
    service: LambdaService,
    console: Console,
) -> Made:
    """The function of the command line, and those of a configuration."""
    made = Made({}, [])
    if arguments.config is not None:
        made = await make_functions(service, Path(arguments.config), console)
    if options.handler or options.runtime is not None or options.on_attach is not None:
        service.create_function(arguments.name, options)
        made.places[arguments.name] = [Path(options.code), *map(Path, options.extensions)]
        if arguments.url:
            url = service.create_url(arguments.name, mode=URL_MODES[arguments.url])
            console.explain(f"function URL {url}")
    return made


async def _first(
    answers: asyncio.Queue[InvokeAnswer | ServiceError], stop: asyncio.Event
) -> InvokeAnswer | ServiceError | None:
    """The answer, or None when a signal came first."""
    answer = asyncio.ensure_future(answers.get())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((answer, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if answer.done():
        return answer.result()
    answer.cancel()
    return None


async def _end(service: LambdaService, stop: asyncio.Event) -> None:
    """Run the shutdown phase; a (second) signal meanwhile kills at once."""
    stop.clear()
    shutdown = asyncio.ensure_future(service.shut_down())
    stopped = asyncio.ensure_future(stop.wait())
    await asyncio.wait((shutdown, stopped), return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not shutdown.done():
        shutdown.cancel()
        await service.kill()
    await asyncio.gather(shutdown, stopped, return_exceptions=True)


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in STOP_SIGNALS:
        loop.add_signal_handler(number, stop.set)


def _options(
    arguments: argparse.Namespace, on_attach: Callable[[Launch], None] | None = None
) -> FunctionOptions:
    return FunctionOptions(
        handler=arguments.handler,
        code=arguments.code,
        timeout=None if arguments.no_timeout else arguments.timeout,
        memory=arguments.memory,
        extensions=arguments.extension or (image_extensions() if arguments.as_image else ()),
        environment=_environment(arguments.env),
        runtime=None if arguments.runtime is None else shlex.split(arguments.runtime),
        python=arguments.python,
        log_format=arguments.log_format,
        concurrency=arguments.concurrency,
        max_concurrency=arguments.max_concurrency,
        credentials=_credentials(arguments),
        snapstart=arguments.snapstart,
        isolation=arguments.isolation,
        ephemeral_storage=arguments.ephemeral_storage,
        log_frames=arguments.log_frames,
        freeze=arguments.command == "start" and arguments.freeze,
        on_attach=on_attach,
        runtime_api_port=arguments.port + 1 if on_attach and arguments.port else 0,
        opt=Path(OPT) if arguments.as_image else None,
    )


def _aws(
    where: str | None, credentials: Mapping[str, str] | None, state: str | None
) -> AwsPlace | None:
    """Real credentials alone say that event sources are AWS's own."""
    if where is None and credentials is None:
        return None
    from rapid_mock.triggers.aws import AwsPlace

    return AwsPlace(where, credentials, None if state is None else Path(state))


def _environment(pairs: list[str]) -> dict[str, str]:
    variables = {}
    for pair in pairs:
        name, found, value = pair.partition("=")
        if not found:
            raise SetupError(f"--env takes NAME=VALUE, not {name}")
        variables[name] = value
    return variables


def _credentials(arguments: argparse.Namespace) -> Mapping[str, str] | None:
    if arguments.pass_credentials:
        return host_credentials(os.environ)
    if arguments.profile is None:
        return None
    try:
        import boto3
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise SetupError("--profile needs boto3: pip install 'lambda-runtime-sdk[aws]'") from error
    try:
        found = boto3.Session(profile_name=arguments.profile).get_credentials()
    except BotoCoreError as error:
        raise SetupError(str(error)) from error
    if found is None:
        raise SetupError(f"the profile {arguments.profile} has no credentials")
    keys = found.get_frozen_credentials()
    return {
        contract.ENV_ACCESS_KEY_ID: keys.access_key,
        contract.ENV_SECRET_ACCESS_KEY: keys.secret_key,
        contract.ENV_SESSION_TOKEN: keys.token or "",
    }


def _client_context(text: str | None) -> str | None:
    if text is not None:
        try:
            json.loads(text)
        except ValueError as error:
            raise SetupError(f"--client-context is not JSON: {error}") from error
    return text


class _Wanted:
    """Tells the developer how to start the runtime: variables on stdout, the rest on stderr."""

    def __init__(self) -> None:
        self._variables: dict[str, str] = {}

    def tell(self, launch: Launch) -> None:
        variables = variables_to_set(launch)
        if variables != self._variables:
            self._variables = variables
            lines = [f"{name}={shlex.quote(value)}\n" for name, value in variables.items()]
            sys.stdout.write("".join(lines))
            sys.stdout.flush()
        example = f", for example `{shlex.join(launch.argv)}`" if launch.argv else ""
        Console().explain(
            f"waiting for the runtime: start it in {launch.cwd} with the variables printed{example}"
        )


class _Printed:
    """Takes a streamed response to standard output, chunk by chunk."""

    def begin(self, _content_type: str | None, _flow: Flow) -> None:
        """Whatever its type."""

    def write(self, data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


class _Discarded:
    def write(self, _data: bytes, /) -> None:
        return

    def flush(self) -> None:
        return
