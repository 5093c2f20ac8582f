"""Opens one execution environment: its listener, its driver, and how its processes start."""

from __future__ import annotations

import os
import secrets
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from lambda_runtime import contract
from rapid_mock.console import Console, LogConfig
from rapid_mock.host.attach import AttachedDriver
from rapid_mock.host.clock import Clock
from rapid_mock.host.driver import EnvironmentDriver, Observer
from rapid_mock.host.freeze import FreezingDriver
from rapid_mock.host.isolation import (
    DUMMY_CREDENTIALS,
    FunctionSettings,
    child_environment,
    with_interpreter_first,
)
from rapid_mock.host.launch import Launch
from rapid_mock.host.mounts import EXTENSIONS, Mounts
from rapid_mock.host.namespace import Namespace, open_namespace
from rapid_mock.host.watchdog import Watchdog
from rapid_mock.http.absent_apis import add_absent_apis
from rapid_mock.http.credentials_api import add_credentials_api
from rapid_mock.http.extensions_api import add_extensions_api
from rapid_mock.http.metadata_api import add_metadata_api
from rapid_mock.http.router import Router
from rapid_mock.http.runtime_api import add_runtime_api
from rapid_mock.http.server import HttpServer
from rapid_mock.http.telemetry_api import add_telemetry_api
from rapid_mock.lifecycle.effects import ProcessKind, Spawn
from rapid_mock.lifecycle.modes import CLASSIC, SNAP_START, Mode, managed_instances
from rapid_mock.lifecycle.state import Settings
from rapid_mock.trace import Trace


class Access(NamedTuple):
    """What the processes of one environment are told of it; `runtime_api` is `host:port`."""

    runtime_api: str
    log_stream: str
    metadata_token: str
    credentials_token: str

    def to_credentials(self) -> dict[str, str]:
        """The variables by which AWS's SDKs find credentials that are in no variable."""
        return {
            contract.ENV_CONTAINER_CREDENTIALS_URI: (
                f"http://{self.runtime_api}{contract.CREDENTIALS.path}"
            ),
            contract.ENV_CONTAINER_AUTHORIZATION_TOKEN: self.credentials_token,
        }


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """One function as the local Lambda runs it.

    `runtime` says how its runtime starts (variables aside); `extensions` are executables; without
    `has_extensions_api` there are none, internal ones neither;
    `environment` the user's variables; `credentials` by variable name, None for dummies;
    `concurrency` the most environments at once, None for no limit of its own;
    `init_timeout_seconds` bounds the init phase, `restore_timeout_seconds` a restore; `mounts`: its
    processes have a file system of their own; `is_frozen_when_idle`: they stand still between
    invocations.
    With `on_attach` the user starts the runtime, and it is told how; `runtime_api_port` is a fixed
    port for that, 0 a free one. `layers`: directories in the place of /opt, the last layer first.
    `code_places`: what is kept as long as it may run.
    """

    settings: FunctionSettings
    runtime: Launch
    extensions: tuple[Path, ...] = ()
    has_extensions_api: bool = True
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    credentials: Mapping[str, str] | None = field(default=None, repr=False)
    concurrency: int | None = 10
    account: str = contract.DEFAULT_ACCOUNT_ID
    init_timeout_seconds: float = contract.INIT_TIMEOUT_SECONDS
    restore_timeout_seconds: float = contract.RESTORE_TIMEOUT_SECONDS
    mounts: Mounts | None = None
    is_frozen_when_idle: bool = False
    on_attach: Callable[[Launch], None] | None = None
    runtime_api_port: int = 0
    layers: tuple[str, ...] = ()
    code_places: tuple[str, ...] = ()

    def launch(self, spawn: Spawn, access: Access) -> Launch:
        """How to start the runtime, or the extension of this name."""
        variables = child_environment(
            self.settings,
            kind=spawn.kind,
            runtime_api=access.runtime_api,
            log_stream=access.log_stream,
            host=self._host_variables(),
            extra=self.environment,
            credentials=access.to_credentials() if self.is_restored else self.credentials,
            metadata=(access.runtime_api, access.metadata_token),
        )
        if spawn.kind is ProcessKind.RUNTIME:
            env = {**variables, **self.runtime.env}
            return Launch(self.runtime.argv, self.runtime.cwd, env, self.runtime.log_variable)
        executable = next(path for path in self.extensions if path.name == spawn.name)
        if self.mounts is not None:
            executable = Path(EXTENSIONS, spawn.name)
        return Launch((str(executable),), self.settings.code_directory, variables)

    @property
    def is_restored(self) -> bool:
        """Whether its environments begin from a snapshot (SnapStart)."""
        return self.settings.initialization_type == contract.INITIALIZATION_SNAP_START

    def launchers(self) -> list[Path]:
        """The files that are started: the extensions, and the runtime's unless it is found on PATH.

        A wrapper (AWS_LAMBDA_EXEC_WRAPPER) is started like the runtime itself.
        """
        words = [*self.runtime.argv[:1], self.environment.get(contract.ENV_EXEC_WRAPPER, "")]
        return [*self.extensions, *(Path(self.runtime.cwd, word) for word in words if "/" in word)]

    def _host_variables(self) -> dict[str, str]:
        variables = with_interpreter_first(os.environ, sys.executable)
        if self.mounts is not None:  # where this machine has its /tmp is nothing to those in there
            variables.pop("TMPDIR", None)
        tools = [f"{layer}/bin" for layer in self.layers if Path(layer, "bin").is_dir()]
        return {**variables, "PATH": os.pathsep.join([variables["PATH"], *tools])}


@dataclass(frozen=True, slots=True)
class LocalEnvironment:
    """An environment at work, with the listener of its Runtime and Extensions APIs."""

    driver: EnvironmentDriver
    server: HttpServer
    namespace: Namespace | None = None

    async def close(self) -> None:
        """Kill what is left of its processes and stop listening."""
        await self.driver.close()
        if self.namespace is not None:
            self.namespace.close()
        await self.server.close()


async def open_environment(
    definition: FunctionDefinition,
    *,
    observer: Observer,
    clock: Clock,
    console: Console,
    watchdog: Watchdog,
    trace: Trace | None = None,
) -> LocalEnvironment:
    """Listen on a loopback port; the environment is cold until it gets an invocation."""
    server = HttpServer(router := Router())
    await server.start("127.0.0.1", definition.runtime_api_port)
    host, port = server.address
    namespace = await _open_namespace(definition, server, watchdog)
    log_stream = _log_stream(definition.settings.version)
    access = Access(f"{host}:{port}", log_stream, _new_uuid(), _new_uuid())
    settings = _lifecycle_settings(definition, log_stream)

    def launch(spawn: Spawn) -> Launch:
        plain = definition.launch(spawn, access)
        return plain if namespace is None else namespace.enter(plain)

    driver = _driver_kind(definition)(
        settings,
        launch=launch,
        clock=clock,
        console=console,
        observer=observer,
        watchdog=watchdog,
        log=LogConfig(definition.settings.log_format, definition.settings.system_log_level),
        trace=trace,
    )
    has_extensions = definition.has_extensions_api
    add_apis(router, driver, settings.mode, access.metadata_token, has_extensions=has_extensions)
    if settings.mode.is_restored:
        keys = DUMMY_CREDENTIALS if definition.credentials is None else definition.credentials
        add_credentials_api(router, access.credentials_token, keys, lambda: clock.now().wall)
    return LocalEnvironment(driver, server, namespace)


def add_apis(
    router: Router,
    driver: EnvironmentDriver,
    mode: Mode,
    token: str,
    *,
    has_extensions: bool = True,
) -> None:
    """Everything that the processes of an environment may call; `token` opens the metadata."""
    new_id = _new_uuid if mode.has_invocation_ids else None
    add_runtime_api(router, driver, new_id, is_restored=mode.is_restored)
    if has_extensions:
        add_extensions_api(router, driver)
        add_telemetry_api(router, driver, mode)
    else:
        add_absent_apis(router)
    add_metadata_api(router, token)


async def _open_namespace(
    definition: FunctionDefinition, server: HttpServer, watchdog: Watchdog
) -> Namespace | None:
    if definition.mounts is None:
        return None
    try:
        return await open_namespace(definition.mounts, watchdog)
    except BaseException:
        await server.close()
        raise


def _driver_kind(definition: FunctionDefinition) -> Callable[..., EnvironmentDriver]:
    if definition.on_attach is not None:
        return partial(AttachedDriver, on_wanted=definition.on_attach)
    return FreezingDriver if definition.is_frozen_when_idle else EnvironmentDriver


def _lifecycle_settings(definition: FunctionDefinition, log_stream: str) -> Settings:
    function = definition.settings
    return Settings(
        function_name=function.name,
        handler=function.handler,
        version=function.version,
        timeout=function.timeout_seconds,
        memory_mb=function.memory_mb,
        extensions=tuple(path.name for path in definition.extensions),
        init_timeout=definition.init_timeout_seconds,
        restore_timeout=definition.restore_timeout_seconds,
        account_id=definition.account,
        initialization_type=function.initialization_type,
        log_stream=log_stream,
        mode=_mode(function),
    )


def _mode(function: FunctionSettings) -> Mode:
    if function.initialization_type == contract.INITIALIZATION_SNAP_START:
        return SNAP_START
    concurrency = function.max_concurrency
    return CLASSIC if concurrency is None else managed_instances(concurrency)


def _new_uuid() -> str:
    return str(uuid.uuid4())


def _log_stream(version: str) -> str:
    """AWS's form: `2026/01/31/[$LATEST]<32 hex digits>`."""
    return f"{datetime.now(UTC):%Y/%m/%d}/[{version}]{secrets.token_hex(16)}"
