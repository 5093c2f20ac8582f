"""What a user may hang into the life of the runtime: its init, its end, around a handler.

    @on_init                          after the handler's module has loaded, before the first event
    @on_shutdown                      SIGTERM, SIGINT or a normal end; last registered first
    after_response(function, ...)     before the next event is asked for
    @middleware                       (call, event, context) around every invocation
    @on_error                         (error, context) -> the exception to report instead, or None

Signal handlers are set when the first `on_shutdown` hook is registered; without one SIGTERM ends
the process at once, as it does any Python.
"""

from __future__ import annotations

import sys
from _thread import start_new_thread
from os import environ

try:
    import _signal as signals  # type: ignore[import-not-found]  # `signal` would load `enum`
except ImportError:
    import signal as signals

from lambda_runtime import contract, current
from lambda_runtime.current import pending, put_off
from lambda_runtime.driven import arrived
from lambda_runtime.errors import LambdaRuntimeError, ShutdownRequested

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    from lambda_runtime.context import LambdaContext
    from lambda_runtime.handler import Handler
    from lambda_runtime.transport import Connection

    P = ParamSpec("P")
    Hook = TypeVar("Hook", bound=Callable[[], object])
    Middleware = Callable[[Handler, Any, LambdaContext], object]
    Around = TypeVar("Around", bound=Middleware)
    Mapper = Callable[[BaseException, LambdaContext | None], BaseException | None]
    Mapping = TypeVar("Mapping", bound=Mapper)

SIGTERM_EXTENSION = "lambda-runtime-sigterm"
SHUTDOWN_SECONDS = 0.5
"""What all shutdown hooks together may take: what Lambda leaves a runtime with an extension."""

_init_hooks: list[Callable[[], object]] = []
_shutdown_hooks: list[Callable[[], object]] = []
_middleware: list[Middleware] = []
_mappers: list[Mapper] = []


# --- Registering ------------------------------------------------------------------------------


def on_init(hook: Hook) -> Hook:
    """Run `hook` at the end of the init phase; usable as a decorator; `async def` too.

    In the order of registration; what one raises is an init error, like what a module raises.
    """
    _init_hooks.append(hook)
    return hook


def on_shutdown(hook: Hook) -> Hook:
    """Run `hook` when the environment shuts down; usable as a decorator; `async def` too."""
    if not _shutdown_hooks:
        for number in (signals.SIGTERM, signals.SIGINT):
            signals.signal(number, _request_shutdown)
    _shutdown_hooks.append(hook)
    return hook


def after_response(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call `function` once the present invocation is answered, before the next one.

    The caller has its response by then, but the invocation's time still runs.
    """
    put_off(lambda: function(*args, **kwargs))


def middleware(around: Around) -> Around:
    """Put `around(call, event, context)` around the handler; the first registered is outermost."""
    _middleware.append(around)
    return around


def on_error(mapper: Mapping) -> Mapping:
    """Let `mapper(error, context)` return another exception to be reported, or None."""
    _mappers.append(mapper)
    return mapper


def request_sigterm() -> None:
    """Make Lambda send SIGTERM before it ends the environment; call it while the module loads.

    Without an extension Lambda kills a runtime unannounced. This registers an internal extension
    that wants no events and costs nothing per invocation ("Lambda Extensions API"). Where there is
    no Extensions API, it says so on standard error.
    """
    if not current.may_register:
        return
    from lambda_runtime.quiet_threads import start_quietly
    from lambda_runtime.transport import Connection

    connection = Connection(environ.get(contract.ENV_RUNTIME_API, ""))
    operation = contract.EXTENSION_REGISTER
    headers = [(contract.HEADER_EXTENSION_NAME, SIGTERM_EXTENSION)]
    try:
        reply = connection.request(operation.method, operation.path, headers, b'{"events":[]}')
    except LambdaRuntimeError as error:
        _complain(f"SIGTERM will not be sent: {error}")
        return
    identifier = reply.header(contract.HEADER_EXTENSION_IDENTIFIER)
    if reply.status != operation.success or identifier is None:
        _complain(f"SIGTERM will not be sent: registration was answered with {reply.status}")
        return
    start_quietly(lambda: start_new_thread(_park, (connection, identifier)))


def _park(connection: Connection, identifier: str) -> None:
    """Lambda waits with the first event until every extension asks for its own."""
    operation = contract.EXTENSION_NEXT
    headers = [(contract.HEADER_EXTENSION_IDENTIFIER, identifier)]
    try:
        connection.request(operation.method, operation.path, headers)
    except LambdaRuntimeError:
        connection.close()  # the environment is ending


# --- Used by the loop -------------------------------------------------------------------------


def run_init() -> None:
    """Run the init hooks, each once. Raises what they raise."""
    while _init_hooks:
        _call(_init_hooks.pop(0))


def run_all(calls: list[Callable[[], object]]) -> None:
    """Do what was put off until after the response; its errors are logged."""
    while calls:
        _run(calls.pop(0))


async def done(call: Callable[[], object]) -> None:
    """The same for one such call, on a running event loop."""
    try:
        await arrived(call())
    except Exception as error:  # noqa: BLE001  as in `_run`
        from lambda_runtime.failures import log_error

        log_error(error)


def forget_shutdown() -> None:
    """Leave the shutdown hooks to other processes, which have them too."""
    _shutdown_hooks.clear()


def mapped(error: BaseException, context: LambdaContext | None) -> BaseException:
    """The exception to report; a mapper that fails is reported itself."""
    for mapper in _mappers:
        try:
            error = mapper(error, context) or error
        except Exception as broken:  # noqa: BLE001  what a mapper raises is what is reported
            return broken
    return error


def wrapped(handler: Handler) -> Handler:
    """The handler inside its middleware."""
    for around in reversed(_middleware):
        handler = _around(around, handler)
    return handler


def _around(around: Middleware, call: Handler) -> Handler:
    return lambda event, context: around(call, event, context)


def shut_down(seconds: float = SHUTDOWN_SECONDS) -> None:
    """Run the shutdown hooks, last registered first, all of them within `seconds`."""
    hooks = _shutdown_hooks[::-1]
    _shutdown_hooks.clear()
    if not hooks:
        return
    for number in (signals.SIGTERM, signals.SIGINT):
        signals.signal(number, signals.SIG_IGN)  # it is being done already
    _limit(seconds)
    try:
        for hook in hooks:
            _run(hook)
    except _OutOfTime:
        _complain(f"the shutdown hooks took more than {seconds:g} s")
    finally:
        _limit(0)


class _OutOfTime(BaseException):
    """Raised inside a shutdown hook when the time for all of them is over."""


def _run(hook: Callable[[], object]) -> None:
    try:
        _call(hook)
    except Exception as error:  # noqa: BLE001  one hook's error must not keep the others from running
        from lambda_runtime.failures import log_error

        log_error(error)


def _call(hook: Callable[[], object]) -> None:
    result = hook()
    if hasattr(result, "__await__"):
        from lambda_runtime.event_loop import run

        run(result)  # type: ignore[arg-type]


def _request_shutdown(_number: int, _frame: object) -> None:
    """Unwind from wherever the process is; what swallows that ends before the next event."""
    pending.insert(0, _raise_shutdown)
    _raise_shutdown()


def _raise_shutdown() -> None:
    raise ShutdownRequested


def _limit(seconds: float) -> None:
    def expire(_number: int, _frame: object) -> None:
        raise _OutOfTime

    if hasattr(signals, "setitimer"):
        signals.signal(signals.SIGALRM, expire if seconds else signals.SIG_DFL)
        signals.setitimer(signals.ITIMER_REAL, seconds)


def _complain(sentence: str) -> None:
    sys.stderr.write(f"lambda_runtime: {sentence}\n")
