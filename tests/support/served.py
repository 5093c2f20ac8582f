"""`rapid-mock start` as RIE was started: the same command, the same variables, a test's puppets."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from pathlib import Path

from tests.support.command_line import COMMAND, ROOT
from tests.support.puppets import Stage
from tests.support.recorded import Scenario

HOST_VARIABLES = ("PATH", "HOME", "TMPDIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
RESERVED = (
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_METADATA_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
    "_X_AMZN_TRACE_ID",
    "AWS_LAMBDA_MAX_CONCURRENCY",
)
"""What RIE takes from its variables and no user of Lambda can set."""
OPTIONS = ("AWS_LAMBDA_FUNCTION_TIMEOUT", "AWS_LAMBDA_FUNCTION_HANDLER", "_HANDLER")
IMPATIENT = """
import sys
from lambda_runtime import contract
contract.INIT_TIMEOUT_SECONDS = contract.RESTORE_TIMEOUT_SECONDS = float(sys.argv.pop(1))
from rapid_mock.cli import main
sys.exit(main())
"""
"""`rapid-mock` with a shorter init phase and restore, so that a test need not wait for 10 s."""
RIE_TIMEOUT, RIE_MEMORY = "300", "3008"
"""What RIE assumes when it is told nothing."""


class Served:
    """One process; `address` once it listens, None when it ended instead."""

    def __init__(self) -> None:
        self.address: str | None = None
        self.log: list[str] = []
        self._said = asyncio.Condition()
        self._process: asyncio.subprocess.Process
        self._reading: asyncio.Task[None]
        self._listens: asyncio.Future[str | None]

    async def start(
        self, arguments: list[str], env: dict[str, str], init_limit: float | None
    ) -> None:
        self._listens = asyncio.get_running_loop().create_future()
        self._process = await asyncio.create_subprocess_exec(
            *(COMMAND if init_limit is None else (*COMMAND[:1], "-c", IMPATIENT, str(init_limit))),
            *("start", "--port", "0"),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd=ROOT,
            env={name: os.environ[name] for name in HOST_VARIABLES if name in os.environ} | env,
        )
        self._reading = asyncio.create_task(self._read())
        self.address = await self._listens
        if self.address is None:
            await self._process.wait()

    @property
    def exit_code(self) -> int | None:
        return self._process.returncode

    def signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def end(self) -> int:
        """Wait until it has ended; returns its exit code."""
        await self._reading
        return await self._process.wait()

    async def has_said(self, line: str) -> None:
        """Wait until this line is in the log."""
        async with self._said:
            await self._said.wait_for(lambda: line + "\n" in self.log)

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for line in self._process.stderr:
            async with self._said:
                self.log.append(line.decode(errors="replace"))
                self._said.notify_all()
            found = re.search(r"listening on http://(\S+)", self.log[-1])
            if found:
                self._listens.set_result(found[1])
        if not self._listens.done():
            self._listens.set_result(None)


async def serve(scenario: Scenario, stage: Stage, directory: Path) -> Served:
    """Start rapid-mock for a scenario whose processes are puppets."""
    served = Served()
    env = {name: value for name, value in scenario.env.items() if name in CREDENTIALS}
    arguments = _arguments(scenario, stage, directory, bool(env))
    await served.start(arguments, env, scenario.init_limit)
    return served


def _arguments(scenario: Scenario, stage: Stage, directory: Path, credentials: bool) -> list[str]:
    env = scenario.env
    handler = env.get("AWS_LAMBDA_FUNCTION_HANDLER", env.get("_HANDLER"))
    if handler is None and scenario.bootstrap_args:
        handler = scenario.bootstrap_args[-1]
    options = ["--code", str(directory), "--memory", RIE_MEMORY]
    options += ["--timeout", env.get("AWS_LAMBDA_FUNCTION_TIMEOUT", RIE_TIMEOUT)]
    options += ["--pass-credentials"] if credentials else []
    options += ["--snapstart"] if "--enable-init-caching" in scenario.rie_args else []
    if "AWS_LAMBDA_MAX_CONCURRENCY" in env:
        options += ["--max-concurrency", env["AWS_LAMBDA_MAX_CONCURRENCY"]]
    for name in scenario.external:
        options += ["--extension", str(stage.write_program(name, "extensions"))]
    for name in scenario.not_executable:
        place = stage.write_program(name, "extensions")
        place.chmod(0o644)
        options += ["--extension", str(place)]
    for name in scenario.layer_files:
        (directory / name).touch()
    for name, value in env.items():
        if name not in (*OPTIONS, *CREDENTIALS, *RESERVED):
            options += ["--env", f"{name}={value}"]
    bootstrap = stage.write_program("bootstrap")
    if scenario.name.endswith("/bootstrap_missing"):
        bootstrap.unlink()
    elif scenario.name.endswith("/bootstrap_not_executable"):
        bootstrap.chmod(0o644)
    return [
        *options,
        *([handler] if handler else []),
        "--",
        str(bootstrap),
        *scenario.bootstrap_args,
    ]
