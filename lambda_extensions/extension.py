"""Extension: an external extension by decorators, or as a class. Start here.

    extension = Extension()

    @extension.on_invoke
    def invoked(event):
        print(event.request_id)

    extension.run()

`run` registers, initialises, subscribes to telemetry if somebody wants it, then handles one event
after the other until SHUTDOWN. Handlers may be coroutine functions. A handler that fails is told on
stderr and costs the function nothing, unless `on_failure="exit"`.
"""

from __future__ import annotations

import os
import sys
import time
from _thread import allocate_lock  # threading is not needed by most

from lambda_extensions.client import ExtensionClient
from lambda_extensions.errors import LambdaExtensionsError, RegistrationRefused
from lambda_extensions.events import InvokeEvent, ShutdownEvent
from lambda_extensions.failures import complain
from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, ClassVar, Literal, NoReturn, TypeVar

    from lambda_extensions.calls import Calls
    from lambda_extensions.client import Registration
    from lambda_extensions.events import UnknownEvent
    from lambda_extensions.flush import FlushPolicy
    from lambda_extensions.intake import Intake
    from lambda_extensions.telemetry import BatchHandler, Buffering, OnFailure, TelemetryHandler

    Handler = TypeVar("Handler", bound=Callable[[Any], Any])

EXIT_FAILED = 1


class Extension:
    """An external extension.

    `name`: the file name of the executable, which Lambda demands; None takes it from
    `sys.argv[0]`, and only a program started by a launcher of another name has to give it.
    `on_failure`: what follows when an `on_invoke` or `on_shutdown` handler raises: `drop` (it is
    told on stderr, and that was that) or `exit` (`/exit/error`; the environment is reset).
    `accept_account_id`: ask Lambda for the account's id. `protocol`: how telemetry comes;
    `strict`: fail to initialise where there is none, instead of one line on stderr.

    A subclass may have the methods `init(registration)`, `invoke(event)`, `shutdown(event)` and
    `records(batch)`, the last with the class attributes `types`, `buffering`, `flush`.
    """

    types: ClassVar[tuple[str, ...]] = ()
    buffering: ClassVar[Buffering | None] = None
    flush: ClassVar[FlushPolicy | None] = None

    def __init__(
        self,
        name: str | None = None,
        *,
        on_failure: Literal["drop", "exit"] = "drop",
        accept_account_id: bool = False,
        protocol: Literal["HTTP", "TCP"] = "HTTP",
        strict: bool = False,
    ) -> None:
        self.name = name or os.path.basename(sys.argv[0])  # noqa: PTH119  pathlib costs 10 ms
        self._exits_on_failure = on_failure == "exit"
        self._accepts_account_id = accept_account_id
        self._protocol = protocol
        self._is_strict = strict
        self._is_managed = (
            os.environ.get(contract.ENV_INITIALIZATION_TYPE)
            == contract.INITIALIZATION_MANAGED_INSTANCES
        )
        self._init_handlers: list[Callable[[Registration], Any]] = []
        self._invoke_handlers: list[Callable[[InvokeEvent], Any]] = []
        self._shutdown_handlers: list[Callable[[ShutdownEvent], Any]] = []
        self._telemetry_handlers: list[TelemetryHandler] = []
        self._buffering: Buffering | None = None
        self._intake: Intake | None = None
        self._calls: Calls | None = None
        self._lock = allocate_lock()
        self._add_methods()

    def on_init(self, handler: Handler) -> Handler:
        """Call the handler with the Registration, before the init phase may end.

        Raising here fails the init phase: `/init/error`, and this process exits.
        """
        self._init_handlers.append(handler)
        return handler

    def on_invoke(self, handler: Handler) -> Handler:
        """Call the handler with each InvokeEvent; the invocation ends after it has returned."""
        self._invoke_handlers.append(handler)
        return handler

    def on_shutdown(self, handler: Handler) -> Handler:
        """Call the handler with the ShutdownEvent, at the end of the environment."""
        self._shutdown_handlers.append(handler)
        return handler

    def on_telemetry(
        self,
        *types: str,
        buffering: Buffering | None = None,
        flush: FlushPolicy | None = None,
        on_failure: OnFailure = "retry",
        dead_letter: BatchHandler | None = None,
    ) -> Callable[[Handler], Handler]:
        """Call the handler with lists of records of these types, in a thread of its own.

        `types`: of `platform`, `function`, `extension`; `buffering`: Lambda's, one for all
        handlers; `flush`: when records are delivered (None: `FlushPolicy.adaptive()`);
        `on_failure`: `retry` (the same list again, with growing pauses, at most 20 times), `drop`
        or `exit`; `dead_letter` is called with what is dropped. Raises ValueError for other types
        and for a second buffering.
        """
        from lambda_extensions.flush import FlushPolicy
        from lambda_extensions.telemetry import TelemetryHandler, check_types

        check_types(types)
        if buffering is not None and self._buffering is not None:
            raise ValueError("there is one subscription, and its buffering is given already")
        self._buffering = buffering or self._buffering
        policy = flush or FlushPolicy.adaptive()

        def decorate(handler: Handler) -> Handler:
            wish = TelemetryHandler(handler, types, policy, on_failure, dead_letter)
            self._telemetry_handlers.append(wish)
            return handler

        return decorate

    @property
    def events(self) -> list[str]:
        """What is registered: INVOKE when somebody needs it, and always SHUTDOWN.

        Without SHUTDOWN the process would be killed where it stands; and Lambda refuses it to a
        misspelled name, which it takes for an internal extension. Managed instances have no INVOKE.
        """
        holds = any(wish.policy.may_hold for wish in self._telemetry_handlers)
        wanted = (self._invoke_handlers or holds) and not self._is_managed
        return [*([contract.EVENT_INVOKE] if wanted else []), contract.EVENT_SHUTDOWN]

    def run(self) -> None:
        """Register and handle events until SHUTDOWN.

        Raises SystemExit with code 1, after one sentence on stderr, when the extension cannot
        register, cannot initialise, loses Lambda, or fails with `on_failure="exit"`.
        """
        try:
            with ExtensionClient() as client:
                self._serve(client)
        except RegistrationRefused as error:
            complain(f"{error}{_hint(error)}")
        except LambdaExtensionsError as error:
            complain(f'extension "{self.name}": {error}')
        else:
            return
        finally:
            self._close()
        raise SystemExit(EXIT_FAILED)

    def _serve(self, client: ExtensionClient) -> None:
        registration = client.register(
            self.name, self.events, accept_account_id=self._accepts_account_id
        )
        self._initialise(client, registration)
        event, rest = self._next(client)
        while not isinstance(event, ShutdownEvent):
            if isinstance(event, InvokeEvent):
                self._handle(client, self._invoke_handlers, event)
                if self._intake is not None:
                    self._intake.hold(event, rest)
            event, rest = self._next(client)
        if self._intake is not None:
            self._intake.end(event)
        self._handle(client, self._shutdown_handlers, event)

    def _next(
        self, client: ExtensionClient
    ) -> tuple[InvokeEvent | ShutdownEvent | UnknownEvent, float]:
        """The next event, and the seconds without one before it."""
        sys.stdout.flush()  # what a handler printed belongs to this invocation's logs
        asked = time.time()
        event = client.next()
        return event, time.time() - asked

    def _initialise(self, client: ExtensionClient, registration: Registration) -> None:
        if self._is_managed and self._invoke_handlers:
            complain("managed instances have no INVOKE event: on_invoke handlers are not called")
        try:
            for handler in self._init_handlers:
                self._call(handler, registration)
            if self._telemetry_handlers:
                self._begin_intake(client)
        except Exception as error:  # noqa: BLE001  whatever it is, Lambda is told
            complain(f'extension "{self.name}" cannot initialise', error)
            self._give_up(client.init_error, error)

    def _begin_intake(self, client: ExtensionClient) -> None:
        from lambda_extensions.delivery import Delivery
        from lambda_extensions.intake import Intake

        def leave(error: BaseException) -> None:
            self._leave(client, error)

        if self._is_managed:
            for wish in self._telemetry_handlers:
                wish.policy = wish.policy.without_invoke()
        deliveries = [
            Delivery(wish, call=self._call, give_up=leave) for wish in self._telemetry_handlers
        ]
        self._intake = Intake(
            deliveries,
            buffering=self._buffering,
            protocol=self._protocol,
            strict=self._is_strict,
        )
        self._intake.begin(client)

    def _handle(
        self,
        client: ExtensionClient,
        handlers: Sequence[Callable[[Any], Any]],
        event: InvokeEvent | ShutdownEvent,
    ) -> None:
        for handler in handlers:
            try:
                self._call(handler, event)
            except Exception as error:  # noqa: BLE001  the function does not pay for it
                complain(f'extension "{self.name}" failed at {event.event_type}', error)
                if self._exits_on_failure:
                    self._give_up(client.exit_error, error)

    def _call(self, handler: Callable[[Any], Any], argument: object) -> None:
        result = handler(argument)
        if not hasattr(result, "__await__"):
            return
        with self._lock:
            if self._calls is None:
                from lambda_extensions.calls import Calls

                self._calls = Calls()
        self._calls.wait(result)

    def _give_up(self, report: Callable[[BaseException], None], error: BaseException) -> NoReturn:
        try:
            report(error)
        except LambdaExtensionsError as refusal:
            complain(f'extension "{self.name}": {refusal}')
        raise SystemExit(EXIT_FAILED)

    def _leave(self, client: ExtensionClient, error: BaseException) -> NoReturn:
        """Give up in another thread than `run`'s, which waits for the next event."""
        complain(f'extension "{self.name}" failed at telemetry', error)
        try:
            with client.another() as other:
                self._give_up(other.exit_error, error)
        finally:
            sys.stdout.flush()
            os._exit(EXIT_FAILED)

    def _close(self) -> None:
        if self._intake is not None:
            self._intake.abandon()
        if self._calls is not None:
            self._calls.close()

    def _add_methods(self) -> None:
        for name, decorator in (
            ("init", self.on_init),
            ("invoke", self.on_invoke),
            ("shutdown", self.on_shutdown),
        ):
            method = getattr(self, name, None)
            if method is not None:
                decorator(method)
        records = getattr(self, "records", None)
        if records is not None:
            self.on_telemetry(*self.types, buffering=self.buffering, flush=self.flush)(records)


def _hint(refusal: RegistrationRefused) -> str:
    """The most common mistake shows only in the refusal of SHUTDOWN."""
    if refusal.error_type != contract.ERROR_EXTENSION_INVALID_EVENT_TYPE:
        return ""
    return (
        "; Lambda takes every name for an internal extension that is not the file name of an "
        "executable in /opt/extensions"
    )
