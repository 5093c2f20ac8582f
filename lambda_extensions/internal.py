"""Extensions inside the runtime's process: work after the response, and a word before the end.

    internal = InternalExtension("flush")     # at import time: later Lambda refuses it

    @internal.after_response
    def flush(event):
        metrics.flush()

`lambda_runtime` tells by itself when a response is out; AWS's own client does not, and there
the function's handler is decorated with `@internal.watch`.

Source: "Lambda Extensions API", internal extensions (AWS Lambda Developer Guide). They get INVOKE
and never SHUTDOWN; that one exists makes Lambda send SIGTERM before it kills the runtime.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading

from lambda_extensions.calls import Calls
from lambda_extensions.client import ExtensionClient
from lambda_extensions.errors import LambdaExtensionsError
from lambda_extensions.events import InvokeEvent
from lambda_extensions.failures import complain
from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Handler = TypeVar("Handler", bound=Callable[..., Any])

SIGTERM_NAME = "sigterm"


class InternalExtension:
    """Registers when it is made, then gets each INVOKE in a thread of its own.

    An invocation, and with it the environment, is finished when the `after_response` handlers have
    returned; the caller has its answer before. Where Lambda refuses the registration (too late, or
    a name twice) one line on stderr says so, and `is_registered` is False: the function works on.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._handlers: list[Callable[[InvokeEvent], Any]] = []
        self._calls = Calls()
        self._changed = threading.Condition()
        self._is_watching = False
        self._finished: str | None = None
        self.is_registered = _start(name, [contract.EVENT_INVOKE], self._handle)
        if self.is_registered:
            sys.modules["lambda_runtime"].middleware(self._around)

    def after_response(self, handler: Handler) -> Handler:
        """Call the handler, maybe a coroutine function, with the InvokeEvent once the response
        is out.

        Under another client than `lambda_runtime` that is when a watched handler has returned;
        without one nobody knows, and it is called at the beginning of each invocation, to send
        what the one before has left.
        """
        self._handlers.append(handler)
        return handler

    def watch(self, handler: Handler) -> Handler:
        """Tell this extension when the function's handler has returned or raised.

        Needed under AWS's own client alone, and does nothing under `lambda_runtime`.
        """
        if _will_run_lambda_runtime():
            return handler

        def watched(event: Any, context: Any) -> Any:
            try:
                return handler(event, context)
            finally:
                if not _runs_lambda_runtime():
                    self._finish(context.aws_request_id)

        self._is_watching = True
        watched.__name__, watched.__doc__ = handler.__name__, handler.__doc__
        return watched  # type: ignore[return-value]  # called the same way

    def _around(self, call: Callable[[Any, Any], Any], event: Any, context: Any) -> Any:
        """Middleware of `lambda_runtime`, whose streams and coroutines are over then as well."""
        sys.modules["lambda_runtime"].after_response(self._finish, context.aws_request_id)
        return call(event, context)

    def _finish(self, request_id: str) -> None:
        with self._changed:
            self._finished = request_id
            self._changed.notify_all()

    def _handle(self, event: InvokeEvent) -> None:
        if self._is_watching or _runs_lambda_runtime():
            with self._changed:
                self._changed.wait_for(
                    lambda: self._finished == event.request_id, event.remaining()
                )
                self._finished = None  # a retry has the same id
        for handler in self._handlers:
            try:
                self._calls.call(handler, event)
            except BaseException as error:  # noqa: BLE001  the function does not pay for it
                complain(f'internal extension "{self.name}" failed', error)


def _runs_lambda_runtime() -> bool:
    """Whether this process is a runtime of ours; others import parts of that package at most."""
    return "lambda_runtime.loop" in sys.modules


def _will_run_lambda_runtime() -> bool:
    """The same before a program has called `lambda_runtime.run`."""
    is_loaded = "lambda_runtime.start" in sys.modules and "awslambdaric" not in sys.modules
    return is_loaded or _runs_lambda_runtime()


def on_sigterm(handler: Callable[[], Any], name: str = SIGTERM_NAME) -> None:
    """Call the handler when Lambda ends the environment, then exit with 0; from the main thread.

    Registers an internal extension without events, which costs nothing per invocation: an
    environment with an extension gets SIGTERM and 500 ms, one without gets SIGKILL alone. The
    handler is one of the `on_shutdown` hooks of `lambda_runtime`. Under another client it runs in
    a thread of its own, so that it also runs while that one sits in native code that never looks
    for signals (awslambdaric), and takes `signal.set_wakeup_fd` for itself. What is given later is
    called after it, under the registration that there is.
    """
    _sigterm_handlers.append(handler)
    is_first = len(_sigterm_handlers) == 1
    if _will_run_lambda_runtime():
        sys.modules["lambda_runtime"].on_shutdown(handler)
    elif is_first:
        _await_in_thread()
    if is_first:
        _start(name, [], lambda _: None)


_sigterm_handlers: list[Callable[[], Any]] = []


def _await_in_thread() -> None:
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.signal(signal.SIGTERM, _leave_it_to_the_thread)
    signal.set_wakeup_fd(writer.detach())
    thread = threading.Thread(target=_await_sigterm, args=[reader], name="sigterm", daemon=True)
    thread.start()


def _leave_it_to_the_thread(_number: int, _frame: object) -> None:
    """Its being here keeps SIGTERM from killing the process."""


def _await_sigterm(reader: socket.socket) -> None:
    while signal.SIGTERM not in reader.recv(64):
        pass
    calls = Calls()
    for handler in _sigterm_handlers:
        try:
            calls.call(_without_argument(handler), None)
        except BaseException as error:  # noqa: BLE001  the process ends anyway
            complain("the SIGTERM handler failed", error)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def _without_argument(handler: Callable[[], Any]) -> Callable[[object], Any]:
    return lambda _: handler()


def _start(name: str, events: list[str], handle: Callable[[InvokeEvent], None]) -> bool:
    """Register, and serve events in a daemon thread; False when that is refused."""
    initialization = os.environ.get(contract.ENV_INITIALIZATION_TYPE)
    if events and initialization == contract.INITIALIZATION_MANAGED_INSTANCES:
        complain(f'internal extension "{name}": managed instances have no INVOKE event')
        events = []
    try:
        client = _registered(name, events)
    except LambdaExtensionsError as error:
        complain(f'internal extension "{name}": {error}')
        return False
    threading.Thread(target=_serve, args=[client, name, handle], name=name, daemon=True).start()
    return True


def _registered(name: str, events: list[str]) -> ExtensionClient:
    client = ExtensionClient()
    try:
        client.register(name, events)
    except LambdaExtensionsError:
        client.close()
        raise
    return client


def _serve(client: ExtensionClient, name: str, handle: Callable[[InvokeEvent], None]) -> None:
    with client:
        try:
            while True:
                event = client.next()
                if isinstance(event, InvokeEvent):
                    handle(event)
        except LambdaExtensionsError as error:
            complain(f'internal extension "{name}": {error}')
