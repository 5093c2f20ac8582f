"""Makes versions of functions invocable: their code unpacked, their runtime found, their pool."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lambda_runtime import contract
from rapid_mock.errors import InvalidParameterValue, SetupError
from rapid_mock.functions import (
    ISOLATION_NAMESPACE,
    LOG_FORMATS,
    UNLIMITED_SECONDS,
    FunctionOptions,
    define_function,
)
from rapid_mock.host.code_store import CodeStore
from rapid_mock.host.environments import FunctionDefinition
from rapid_mock.host.fleet import Fleet
from rapid_mock.host.launch import RuntimePackage
from rapid_mock.host.mounts import OPT, TASK_ROOT
from rapid_mock.service.concurrency import Share
from rapid_mock.service.pools import Pool
from rapid_mock.service.provisioned import ProvisionedConfig
from rapid_mock.service.settings import complete_settings
from rapid_mock.service.versions import Code, Failure, Version
from rapid_mock.system_log_levels import INFO

LOCAL_ROLE = f"arn:aws:iam::{contract.DEFAULT_ACCOUNT_ID}:role/local"
OWN_RUNTIME, COMMAND_RUNTIME = f"python3.{sys.version_info[1]}", "provided.al2023"
OLDEST_PYTHON = 11
MANAGED_CONCURRENCY = 16
"""Invocations at once in an environment on managed instances, per virtual CPU, for Python."""
PROBE_SECONDS = 10.0


@dataclass(slots=True)
class Deployed:
    """A function as it runs: its environments, its share, the pool of each version.

    `options` are what the API cannot say: interpreter, runtime command, credentials. `tenants` are
    the pools of versions that keep tenants apart, by version and tenant. `provisioned` has the
    configuration of each qualifier, `promised` what was made of them, by pool.
    """

    fleet: Fleet
    share: Share
    options: FunctionOptions
    pools: dict[str, Pool] = field(default_factory=dict)
    tenants: dict[tuple[str, str], Pool] = field(default_factory=dict)
    provisioned: dict[str, ProvisionedConfig] = field(default_factory=dict)
    promised: dict[Pool, int] = field(default_factory=dict)

    def pool_of(self, version: str, tenant_id: str) -> Pool:
        """The environments of one tenant, whom nobody else shares."""
        pool = self.tenants.get((version, tenant_id))
        if pool is None:
            definition = self.fleet.definition(self.pools[version])
            pool = self.tenants[version, tenant_id] = self.fleet.deploy(definition)
        return pool

    def retire(self, version: str) -> None:
        """Give the pools of a version no more invocations."""
        keys = [key for key in self.tenants if key[0] == version]
        old = [self.pools.pop(version, None), *(self.tenants.pop(key) for key in keys)]
        for pool in old:
            if pool is not None:
                self.fleet.retire(pool)


def settings_of(name: str, options: FunctionOptions) -> dict[str, Any]:
    """The API's settings of a function that was created from local options."""
    given: dict[str, Any] = {
        "Role": LOCAL_ROLE,
        "Runtime": OWN_RUNTIME if options.runtime is None else COMMAND_RUNTIME,
        "Handler": options.handler,
        "Timeout": UNLIMITED_SECONDS if options.timeout is None else options.timeout,
        "MemorySize": options.memory,
        "EphemeralStorage": {"Size": options.ephemeral_storage},
    }
    if options.environment:
        given["Environment"] = {"Variables": dict(options.environment)}
    if options.log_format is not None:
        given["LoggingConfig"] = {"LogFormat": LOG_FORMATS[options.log_format]}
    return complete_settings(given, name)


def options_of(version: Version, directory: str, own: FunctionOptions) -> FunctionOptions:
    """What to run for a version; `own` are the options of its function, or of the service.

    Raises InvalidParameterValue for a runtime that does not run here.
    """
    settings = version.settings
    is_isolated = own.isolation == ISOLATION_NAMESPACE
    python, command = runtime_of(settings["Runtime"], TASK_ROOT if is_isolated else directory, own)
    timeout = settings["Timeout"]
    return replace(
        own,
        handler=settings.get("Handler", ""),
        code=directory,
        timeout=None if timeout >= UNLIMITED_SECONDS else timeout,
        memory=settings["MemorySize"],
        environment=settings.get("Environment", {}).get("Variables") or {},
        runtime=command,
        python=python,
        log_format=_log_format(settings, own),
        max_concurrency=_max_concurrency(settings, own),
        ephemeral_storage=settings["EphemeralStorage"]["Size"],
    )


def runtime_of(
    runtime: str, directory: str, own: FunctionOptions
) -> tuple[str | None, list[str] | None]:
    """The interpreter and the command for one of the API's runtimes; one of them is None.

    Raises InvalidParameterValue for one that does not run here.
    """
    if own.runtime is not None and not runtime.startswith("python"):
        return None, list(own.runtime)
    if runtime.startswith("provided"):
        return None, [f"{directory}/bootstrap"]
    if not runtime.startswith("python"):
        raise InvalidParameterValue(
            f"The runtime {runtime} does not run here; give its command with --runtime."
        )
    if own.python is not None or runtime == OWN_RUNTIME:
        return str(own.python or sys.executable), None
    if int(runtime.partition(".")[2]) < OLDEST_PYTHON:
        raise InvalidParameterValue(f"The runtime {runtime} does not run here; python3.11 does.")
    found = shutil.which(runtime)
    if found is None:
        raise InvalidParameterValue(f"The runtime {runtime} does not run here: it is not on PATH.")
    return found, None


def deploy(
    version: Version,
    own: FunctionOptions,
    layers: Sequence[Code],
    store: CodeStore,
    package: RuntimePackage,
) -> FunctionDefinition | Failure:
    """Unpack and define a version; slow, for a thread."""
    try:
        directory = store.unpack(version.code)
        layered = [store.unpack(layer) for layer in layers]
    except (OSError, ValueError) as error:
        return Failure(f"The code could not be unpacked: {error}", "InvalidZipFileException")
    try:
        options = with_layers(
            options_of(version, directory, own), layered, version.settings["Runtime"]
        )
        if options.python is not None and options.python != sys.executable:
            _check_interpreter(str(options.python))
        definition = define_function(version.name, options, package)
    except (InvalidParameterValue, SetupError) as error:
        return Failure(str(error), "InvalidRuntime")
    return of_version(definition, version, layers)


def with_layers(options: FunctionOptions, layers: Sequence[str], runtime: str) -> FunctionOptions:
    """The options with what layers bring: /opt where it is isolated, extensions, search paths."""
    if not layers:
        return options
    is_isolated = options.isolation == ISOLATION_NAMESPACE
    roots = [OPT] if is_isolated else list(reversed(layers))
    paths = [f"{root}/{inner}" for root in roots for inner in _python_directories(runtime)]
    user = options.environment.get("PYTHONPATH")
    environment = {
        **_library_path(layers, is_isolated=is_isolated),
        **options.environment,
        "PYTHONPATH": os.pathsep.join([*([user] if user else []), *paths]),
    }
    extensions = [f"{layer}/extensions" for layer in layers if Path(layer, "extensions").is_dir()]
    return replace(
        options,
        extensions=[*options.extensions, *extensions],
        environment=environment,
        layers=layers,
    )


def _library_path(layers: Sequence[str], *, is_isolated: bool) -> dict[str, str]:
    """Where layers have shared libraries: in `lib`, if they have that."""
    found = [f"{layer}/lib" for layer in reversed(layers) if Path(layer, "lib").is_dir()]
    paths = [f"{OPT}/lib"] if found and is_isolated else found
    return {"LD_LIBRARY_PATH": os.pathsep.join(paths)} if paths else {}


def _python_directories(runtime: str) -> tuple[str, ...]:
    """Where a layer has modules, by "Packaging your layer content"."""
    return (f"python/lib/{runtime}/site-packages", "python")


def of_version(
    definition: FunctionDefinition, version: Version, layers: Sequence[Code] = ()
) -> FunctionDefinition:
    """The definition with what only the API says of a version."""
    logging = version.settings["LoggingConfig"]
    settings = replace(
        definition.settings,
        version=version.number,
        log_group=logging["LogGroup"],
        log_level=logging.get("ApplicationLogLevel"),
        system_log_level=logging.get("SystemLogLevel") or INFO,
    )
    places = tuple(code.place for code in (version.code, *layers))
    return replace(definition, settings=settings, code_places=places)


def provisioned(definition: FunctionDefinition) -> FunctionDefinition:
    """The definition for environments that are initialised ahead of invocations."""
    settings = replace(definition.settings, initialization_type=contract.INITIALIZATION_PROVISIONED)
    limit = max(contract.MANAGED_INIT_TIMEOUT_SECONDS, definition.settings.timeout_seconds)
    return replace(definition, settings=settings, init_timeout_seconds=limit)


def architecture() -> str:
    """The one of this machine, in the API's words."""
    return "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x86_64"


async def in_thread(lock: asyncio.Lock, *arguments: Any) -> FunctionDefinition | Failure:
    """`deploy` in a thread, one after the other: they share the code store."""
    async with lock:
        return await asyncio.to_thread(deploy, *arguments)


def _log_format(settings: Mapping[str, Any], own: FunctionOptions) -> str | None:
    """Managed instances only have JSON, unless their own options say otherwise."""
    if own.max_concurrency is not None:
        return own.log_format
    if "CapacityProviderConfig" in settings:
        return "json"
    return "json" if settings["LoggingConfig"]["LogFormat"] == contract.LOG_FORMAT_JSON else "text"


def _max_concurrency(settings: Mapping[str, Any], own: FunctionOptions) -> int | None:
    provider = settings.get("CapacityProviderConfig")
    if provider is None:
        return own.max_concurrency
    instances = provider["LambdaManagedInstancesCapacityProviderConfig"]
    return int(instances.get("PerExecutionEnvironmentMaxConcurrency") or MANAGED_CONCURRENCY)


def _check_interpreter(python: str) -> None:
    """Raise SetupError when it does not start: a version manager's stand-in may lead nowhere."""
    try:
        subprocess.run(
            [python, "-c", "pass"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PROBE_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SetupError(f"{python} does not start") from error
