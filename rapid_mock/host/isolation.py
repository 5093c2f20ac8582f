"""The environment variables of a child process: AWS's names, and nothing of ours.

Source: "Defined runtime environment variables" and "Lambda Extensions API" (AWS Lambda Developer
Guide). Values never appear in an error or a log.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_runtime import contract
from rapid_mock.lifecycle.effects import ProcessKind
from rapid_mock.system_log_levels import INFO

if TYPE_CHECKING:
    from collections.abc import Mapping

AWS_PATH = ("/var/lang/bin", "/usr/local/bin", "/usr/bin/", "/bin", "/opt/bin")
RUNTIME_DIRECTORY = "/var/runtime"
XRAY_DAEMON_HOST, XRAY_DAEMON_PORT = "169.254.79.129", "2000"

FROM_HOST = ("HOME", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Beside PATH, what a child sees of the machine it runs on."""

DUMMY_CREDENTIALS = {
    contract.ENV_ACCESS_KEY_ID: "RAPIDMOCKDUMMYKEY",
    contract.ENV_SECRET_ACCESS_KEY: "rapid-mock-dummy-secret",
    contract.ENV_SESSION_TOKEN: "rapid-mock-dummy-token",
}
"""Well-formed and worthless, so that an SDK signs its calls and no call reaches a real account."""


@dataclass(frozen=True, slots=True)
class FunctionSettings:
    """What the processes of a function need to know of it.

    `handler` is empty when there is none (an own runtime command); `memory_mb` in MB;
    `log_format` is `Text` or `JSON`; `system_log_level` counts for platform records in JSON;
    `execution_env` is the value of `AWS_EXECUTION_ENV`, which only managed runtimes have.
    """

    name: str
    code_directory: str
    handler: str = ""
    version: str = "$LATEST"
    memory_mb: int = contract.DEFAULT_MEMORY_MB
    timeout_seconds: float = contract.DEFAULT_TIMEOUT_SECONDS
    region: str = "us-east-1"
    log_format: str = contract.LOG_FORMAT_TEXT
    log_level: str | None = None
    system_log_level: str = INFO
    log_group: str | None = None
    initialization_type: str = contract.INITIALIZATION_ON_DEMAND
    max_concurrency: int | None = None
    execution_env: str | None = None


def check_names(extra: Mapping[str, str]) -> None:
    """Raise ValueError, naming the key, when a key of `extra` is reserved by AWS or is no key."""
    for name in extra:
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} cannot be the name of an environment variable")
        if name in contract.ENV_RESERVED:
            raise ValueError(f"the environment variable {name} is reserved by AWS Lambda")


def host_credentials(host: Mapping[str, str]) -> dict[str, str]:
    """Pick the credentials out of our own environment: what `--pass-credentials` hands on."""
    return {name: host[name] for name in DUMMY_CREDENTIALS if name in host}


def with_interpreter_first(host: Mapping[str, str], python: str) -> dict[str, str]:
    """Put the directory of `python` first on the host's PATH, as Lambda has `/var/lang/bin`.

    A script with `#!/usr/bin/env python3` then finds what is installed beside rapid-mock, also
    when it was started as `.venv/bin/rapid-mock`.
    """
    directory = os.path.dirname(python)  # noqa: PTH120  a venv's bin is a name, not a place
    entries = [directory, *host.get("PATH", "").split(os.pathsep)]
    return {**host, "PATH": os.pathsep.join(dict.fromkeys(filter(None, entries)))}


def child_environment(
    function: FunctionSettings,
    *,
    kind: ProcessKind,
    runtime_api: str,
    log_stream: str,
    host: Mapping[str, str],
    extra: Mapping[str, str],
    credentials: Mapping[str, str] | None = None,
    metadata: tuple[str, str] | None = None,
) -> dict[str, str]:
    """All variables of a runtime or an external extension.

    `runtime_api` is `host:port`; `host` our own environment, of which a few variables are handed
    on; `extra` the user's, which win over everything that is not reserved; `credentials` by
    variable name (None: dummies); `metadata` the metadata endpoint's `host:port` and token.
    Raises ValueError, naming the key, when `extra` sets a reserved name.
    """
    check_names(extra)
    names = (contract.ENV_METADATA_API, contract.ENV_METADATA_TOKEN)
    variables = {
        **_from_host(host),
        **_defaults(function),
        **extra,
        **_of_function(function),
        contract.ENV_RUNTIME_API: runtime_api,
        contract.ENV_LOG_STREAM_NAME: log_stream,
        **dict(zip(names, metadata or (), strict=False)),
        **(DUMMY_CREDENTIALS if credentials is None else credentials),
    }
    if kind is ProcessKind.RUNTIME:
        return variables
    return {name: value for name, value in variables.items() if not _is_withheld(name)}


def _from_host(host: Mapping[str, str]) -> dict[str, str]:
    variables = {name: host[name] for name in FROM_HOST if name in host}
    directories = [entry for entry in host.get("PATH", "").split(os.pathsep) if entry]
    directories += [entry for entry in AWS_PATH if entry not in directories]
    variables["PATH"] = os.pathsep.join(directories)
    return variables


def _defaults(function: FunctionSettings) -> dict[str, str]:
    variables = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        contract.ENV_LOG_FORMAT: function.log_format,
        contract.ENV_XRAY_CONTEXT_MISSING: "LOG_ERROR",
        contract.ENV_XRAY_DAEMON_ADDRESS: f"{XRAY_DAEMON_HOST}:{XRAY_DAEMON_PORT}",
        contract.ENV_PRIVATE_XRAY_DAEMON_ADDRESS: XRAY_DAEMON_HOST,
        contract.ENV_PRIVATE_XRAY_DAEMON_PORT: XRAY_DAEMON_PORT,
    }
    if function.log_level is not None:
        variables[contract.ENV_LOG_LEVEL] = function.log_level
    return variables


def _of_function(function: FunctionSettings) -> dict[str, str]:
    variables = {
        contract.ENV_TASK_ROOT: function.code_directory,
        contract.ENV_RUNTIME_DIR: RUNTIME_DIRECTORY,
        contract.ENV_FUNCTION_NAME: function.name,
        contract.ENV_FUNCTION_VERSION: function.version,
        contract.ENV_FUNCTION_MEMORY_SIZE: str(function.memory_mb),
        contract.ENV_LOG_GROUP_NAME: function.log_group or f"/aws/lambda/{function.name}",
        contract.ENV_INITIALIZATION_TYPE: function.initialization_type,
        contract.ENV_REGION: function.region,
        contract.ENV_DEFAULT_REGION: function.region,
    }
    if function.handler:
        variables[contract.ENV_HANDLER] = function.handler
    if function.max_concurrency is not None:
        variables[contract.ENV_MAX_CONCURRENCY] = str(function.max_concurrency)
    if function.execution_env is not None:
        variables[contract.ENV_EXECUTION_ENV] = function.execution_env
    return variables


def _is_withheld(name: str) -> bool:
    return name in contract.ENV_WITHHELD_FROM_EXTENSIONS or name.startswith("_")
