"""From a process to a runtime: its handler's name, its streams, its connection."""

from __future__ import annotations

import sys
from os import environ

from lambda_runtime import __version__, contract, current
from lambda_runtime.errors import InvalidAddress, LambdaRuntimeError, ShutdownRequested
from lambda_runtime.logging_hook import install_when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from lambda_runtime.client import RuntimeClient
    from lambda_runtime.handler import Handler
    from lambda_runtime.hooks import Middleware
    from lambda_runtime.serialization import Codec


def main(argv: list[str]) -> int:
    """Run the handler named on the command line, else by `_HANDLER`; returns only a failure."""
    name = argv[1] if len(argv) > 1 else environ.get(contract.ENV_HANDLER)
    if name is None:
        return _complain(
            "no handler: name it as in `python -m lambda_runtime app.handler`, or set _HANDLER"
        )
    try:
        start(name)
    except LambdaRuntimeError as error:
        return _complain(str(error))


class Runtime:
    """A runtime for one handler: a function, or the name "module.function" of one.

    `codec` reads events and spells results; JSON as AWS's client has it when None. `middleware`
    are functions `(call, event, context)`, the first outermost. A coroutine handler is cancelled
    `cancel_margin` seconds before its deadline; None: never. `pipelining`: see `use_pipelining`.
    `concurrency`, where Lambda hands out several invocations at once: "process", "preload",
    "thread", "async" or "auto"; None: as LAMBDA_RUNTIME_CONCURRENCY says.
    """

    def __init__(
        self,
        handler: Handler | str,
        *,
        codec: Codec | None = None,
        middleware: Iterable[Middleware] = (),
        cancel_margin: float | None = None,
        pipelining: bool = False,
        concurrency: str | None = None,
    ) -> None:
        self.handler = handler
        self.codec = codec
        self.middleware = tuple(middleware)
        self.cancel_margin = cancel_margin
        self.pipelining = pipelining
        self.concurrency = concurrency

    def run(self) -> NoReturn:
        """Handle invocations until the environment ends; never returns.

        Leaves the process with status 1, and one sentence on standard error, when there is no
        Runtime API.
        """
        if self.codec is not None:
            current.use_codec(self.codec)
        if self.cancel_margin is not None:
            current.cancel_before_deadline(self.cancel_margin)
        current.concurrency = self.concurrency
        if self.pipelining:
            current.use_pipelining()
        for around in self.middleware:
            from lambda_runtime.hooks import middleware

            middleware(around)
        try:
            start(self.handler)
        except LambdaRuntimeError as error:
            sys.exit(_complain(str(error)))


def run(handler: Handler | str) -> NoReturn:
    """Run `handler` with everything as AWS has it; see `Runtime`."""
    Runtime(handler).run()


def start(handler: Handler | str) -> NoReturn:
    """Run `handler`, a function or "module.function"; raises LambdaRuntimeError."""
    client = connect()
    prepare_streams()
    if contract.ENV_TELEMETRY_LOG_FD in environ:
        from lambda_runtime.sink import open_sink

        open_sink()
    install_when_imported()
    task_root = environ.get(contract.ENV_TASK_ROOT)
    if task_root and task_root not in sys.path:
        sys.path.insert(0, task_root)
    prime_allocator()
    if contract.ENV_MAX_CONCURRENCY in environ:
        from lambda_runtime.concurrency import run as serve
    else:
        from lambda_runtime.loop import run as serve
    try:
        serve(client, handler)
    except ShutdownRequested:
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(128 + 2)
    finally:
        _end()


def _end() -> None:
    """Run the shutdown hooks, if there are any, and end the event loop, if there is one."""
    hooks = sys.modules.get("lambda_runtime.hooks")
    if hooks is not None:
        hooks.shut_down()
    event_loop = sys.modules.get("lambda_runtime.event_loop")
    if event_loop is not None:
        event_loop.close()


def connect() -> RuntimeClient:
    """A client of the API that AWS_LAMBDA_RUNTIME_API names; raises InvalidAddress."""
    address = environ.get(contract.ENV_RUNTIME_API)
    if not address:
        raise InvalidAddress(
            "AWS_LAMBDA_RUNTIME_API is not set: this process expects to be started by Lambda; "
            "on your machine try `rapid-mock invoke app.handler`"
        )
    from lambda_runtime.client import RuntimeClient

    version = ".".join(map(str, sys.version_info[:3]))
    return RuntimeClient(address, f"aws-lambda-python/{version}-{__version__}")


def prepare_streams() -> None:
    """UTF-8 whatever the locale, nothing that cannot be written, and every line at once."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def prime_allocator() -> None:
    """Raise glibc's mmap threshold by one untouched allocation.

    A 1 MB string then takes 0 page faults instead of 944: 1 MB events in 0.81 of the time. Costs
    two system calls and no memory; elsewhere it does nothing.
    """
    bytes((32 << 20) - 65536)


def _complain(sentence: str) -> int:
    sys.stderr.write(f"lambda_runtime: {sentence}\n")
    return 1
