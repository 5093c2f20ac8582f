"""From what a user says of a function to its definition; every refusal is one sentence."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lambda_runtime import contract
from rapid_mock.errors import SetupError
from rapid_mock.host.environments import FunctionDefinition
from rapid_mock.host.isolation import FunctionSettings, check_names
from rapid_mock.host.launch import (
    Launch,
    RuntimePackage,
    are_extensions_off,
    find_extensions,
    runtime_launch,
)
from rapid_mock.host.mounts import OPT, TASK_ROOT, Mounts, layer_of
from rapid_mock.host.namespace import unshare_options

UNLIMITED_SECONDS = 30 * 24 * 3600.0
"""What `timeout=None` means: nothing runs out while someone sits in a debugger."""

LOG_FORMATS = {"text": contract.LOG_FORMAT_TEXT, "json": contract.LOG_FORMAT_JSON}

ISOLATION_NONE, ISOLATION_NAMESPACE = ISOLATIONS = ("none", "namespace")


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionOptions:
    """What a user may say of a function; meanings as in `LocalLambda.create_function`.

    With `on_attach` the user starts the runtime: it is told how, and nothing times out;
    `runtime_api_port` is then the port of the Runtime API, 0 a free one. `layers` are directories
    for /opt where the function is isolated, the later ones on top. `opt` is a directory that is
    /opt already: an image's.
    """

    handler: str = ""
    code: str | Path = "."
    timeout: float | None = contract.DEFAULT_TIMEOUT_SECONDS
    memory: int = contract.DEFAULT_MEMORY_MB
    extensions: Sequence[str | Path] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    runtime: Sequence[str] | None = None
    python: str | Path | None = None
    log_format: str | None = None
    concurrency: int | None = 10
    max_concurrency: int | None = None
    credentials: Mapping[str, str] | None = field(default=None, repr=False)
    snapstart: bool = False
    isolation: str = ISOLATION_NONE
    ephemeral_storage: int = contract.DEFAULT_EPHEMERAL_STORAGE_MB
    freeze: bool = False
    log_frames: bool = False
    on_attach: Callable[[Launch], None] | None = None
    runtime_api_port: int = 0
    layers: Sequence[str | Path] = ()
    opt: Path | None = None


def define_function(
    name: str, options: FunctionOptions, package: RuntimePackage
) -> FunctionDefinition:
    """Check and resolve; raises SetupError, one sentence that names what is wrong."""
    _check(options)
    if options.on_attach is not None:
        options = replace(options, timeout=None, concurrency=1)
    code = str(Path(options.code).resolve())
    is_isolated = options.isolation == ISOLATION_NAMESPACE
    directory = TASK_ROOT if is_isolated else code
    runtime = _runtime(options, directory, package)
    extensions, has_extensions_api = _extensions(options)
    settings = FunctionSettings(
        name,
        directory,
        handler=options.handler,
        memory_mb=options.memory,
        timeout_seconds=_timeout_seconds(options),
        log_format=LOG_FORMATS[_log_format(options)],
        initialization_type=_initialization_type(options),
        max_concurrency=options.max_concurrency,
    )
    return FunctionDefinition(
        settings,
        runtime,
        extensions=extensions,
        has_extensions_api=has_extensions_api,
        environment=dict(options.environment),
        credentials=options.credentials,
        concurrency=options.concurrency,
        mounts=_mounts(options, code, extensions, runtime) if is_isolated else None,
        is_frozen_when_idle=options.freeze,
        on_attach=options.on_attach,
        runtime_api_port=options.runtime_api_port,
        layers=() if is_isolated else tuple(map(str, reversed(options.layers))),
        init_timeout_seconds=_init_timeout_seconds(options),
        restore_timeout_seconds=_restore_timeout_seconds(options),
    )


def _extensions(options: FunctionOptions) -> tuple[tuple[Path, ...], bool]:
    """The executables, and whether there are extensions at all."""
    found = find_extensions(options.extensions)
    roots = {Path(layer) for layer in options.layers} | set(map(layer_of, found)) | {options.opt}
    if are_extensions_off(root for root in roots if root is not None):
        return (), False
    return tuple(found), True


def _runtime(options: FunctionOptions, directory: str, package: RuntimePackage) -> Launch:
    """How the runtime starts; a developer who starts it need not say how."""
    env = _python_path(options.environment)
    if not options.handler and options.runtime is None:
        return Launch((), directory, env)
    launch = runtime_launch(
        options.handler,
        code_directory=directory,
        env=env,
        package=package,
        python=_interpreter(options.python),
        command=options.runtime,
        wrapper=_wrapper(options, directory),
    )
    variable = contract.ENV_TELEMETRY_LOG_FD if options.log_frames else ""
    return replace(launch, log_variable=variable)


def _wrapper(options: FunctionOptions, directory: str) -> str | None:
    """AWS_LAMBDA_EXEC_WRAPPER; without isolation what is in /var/task or /opt is elsewhere."""
    said = options.environment.get(contract.ENV_EXEC_WRAPPER)
    if said is None or options.isolation != ISOLATION_NONE:
        return said
    layers = [str(layer) for layer in reversed(options.layers)]
    for root, homes in ((TASK_ROOT, [directory]), (OPT, layers)):
        inside = said.removeprefix(f"{root}/")
        for home in homes:
            if inside != said and Path(home, inside).is_file():
                return str(Path(home, inside))
    return said


def _mounts(
    options: FunctionOptions, code: str, extensions: tuple[Path, ...], runtime: Launch
) -> Mounts:
    """The file system of an isolated function; raises SetupError where there can be none."""
    unshare_options()
    pythons = {sys.executable, _interpreter(options.python)}
    homes = {sys.prefix, sys.base_prefix}
    homes |= {
        str(Path(where).parents[1]) for path in pythons for where in (path, os.path.realpath(path))
    }
    paths = runtime.env.get("PYTHONPATH", "").split(os.pathsep)
    shown = [*homes, *paths, str(Path(contract.__file__).resolve().parent)]
    return Mounts(
        code,
        extensions,
        options.ephemeral_storage,
        tuple(filter(os.path.exists, shown)),
        tuple(map(Path, options.layers)),
    )


def _timeout_seconds(options: FunctionOptions) -> float:
    return UNLIMITED_SECONDS if options.timeout is None else options.timeout


def _init_timeout_seconds(options: FunctionOptions) -> float:
    """Managed instances and snapshots have the function timeout, or 130 s where that is longer."""
    if options.timeout is None:
        return UNLIMITED_SECONDS
    if options.max_concurrency is None and not options.snapstart:
        return contract.INIT_TIMEOUT_SECONDS
    return max(contract.MANAGED_INIT_TIMEOUT_SECONDS, options.timeout)


def _restore_timeout_seconds(options: FunctionOptions) -> float:
    return UNLIMITED_SECONDS if options.timeout is None else contract.RESTORE_TIMEOUT_SECONDS


def _initialization_type(options: FunctionOptions) -> str:
    if options.snapstart:
        return contract.INITIALIZATION_SNAP_START
    if options.max_concurrency is None:
        return contract.INITIALIZATION_ON_DEMAND
    return contract.INITIALIZATION_MANAGED_INSTANCES


def _log_format(options: FunctionOptions) -> str:
    """Text unless asked for; managed instances have only JSON to begin with."""
    return options.log_format or ("text" if options.max_concurrency is None else "json")


def _check(options: FunctionOptions) -> None:
    if not Path(options.code).is_dir():
        raise SetupError(f"the code directory {options.code} does not exist")
    if not options.handler and options.runtime is None and options.on_attach is None:
        raise SetupError("a handler (module.function) or a runtime command is needed")
    if options.isolation not in ISOLATIONS:
        raise SetupError(f"the isolation is none or namespace, not {options.isolation}")
    if _log_format(options) not in LOG_FORMATS:
        raise SetupError(f"the log format is text or json, not {options.log_format}")
    _check_numbers(options)
    _check_combinations(options)
    try:
        check_names(options.environment)
    except ValueError as error:
        raise SetupError(str(error)) from error


def _check_numbers(options: FunctionOptions) -> None:
    if options.timeout is not None and not options.timeout > 0:
        raise SetupError("the timeout must be more than 0 seconds")
    if options.concurrency is not None and options.concurrency < 1:
        raise SetupError("the concurrency must be at least 1")
    if options.max_concurrency is not None and options.max_concurrency < 1:
        raise SetupError("the maximum concurrency of an environment must be at least 1")
    if options.memory < 1:
        raise SetupError("the memory size must be at least 1 MB")
    if options.ephemeral_storage < 1:
        raise SetupError("the ephemeral storage must be at least 1 MB")


def _check_combinations(options: FunctionOptions) -> None:
    if options.max_concurrency is not None and options.on_attach is not None:
        raise SetupError("a runtime cannot be attached to managed instances")
    if options.snapstart and options.max_concurrency is not None:
        raise SetupError("managed instances are not restored from snapshots")
    if options.isolation != ISOLATION_NONE and options.on_attach is not None:
        raise SetupError("a runtime that you start yourself cannot be isolated")
    if options.freeze and options.on_attach is not None:
        raise SetupError("a runtime that you start yourself cannot be frozen")
    if options.freeze and options.max_concurrency is not None:
        raise SetupError("managed instances are never frozen")


def _python_path(environment: Mapping[str, str]) -> dict[str, str]:
    own = environment.get("PYTHONPATH")
    return {} if own is None else {"PYTHONPATH": own}


def _interpreter(python: str | Path | None) -> str:
    if python is None:
        return sys.executable
    found = shutil.which(str(python))
    if found is None:
        raise SetupError(f"there is no Python at {python}")
    return os.path.abspath(found)  # noqa: PTH100  a venv's python is a link that must stay one
