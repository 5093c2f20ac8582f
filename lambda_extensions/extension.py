"""Extension: an external extension by decorators, or as a class. Start here.

    extension = Extension()

    @extension.on_invoke
    def invoked(event):
        print(event.request_id)

    extension.run()

`run` registers, initialises, subscribes to telemetry if somebody wants it, then handles one event
after the other until SHUTDOWN. Handlers may be coroutine functions. A handler that fails is told on
stderr and costs the function nothing, unless `on_failure="exit"`; one that never returns holds an
invocation no longer than it may.
"""

from __future__ import annotations

import os
import sys

from lambda_extensions.client import ExtensionClient
from lambda_extensions.errors import LambdaExtensionsError, RegistrationRefused
from lambda_extensions.failures import complain
from lambda_extensions.serving import EXIT_FAILED, Serving
from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar, Literal, TypeVar

    from lambda_extensions.client import Registration
    from lambda_extensions.events import InvokeEvent, ShutdownEvent
    from lambda_extensions.flush import FlushPolicy
    from lambda_extensions.telemetry import (
        BatchHandler,
        Buffering,
        Counters,
        OnFailure,
        TelemetryHandler,
    )

    InitHandler = TypeVar("InitHandler", bound=Callable[[Registration], Any])
    InvokeHandler = TypeVar("InvokeHandler", bound=Callable[[InvokeEvent], Any])
    ShutdownHandler = TypeVar("ShutdownHandler", bound=Callable[[ShutdownEvent], Any])
    ThawHandler = TypeVar("ThawHandler", bound=Callable[[float], Any])
    RecordsHandler = TypeVar("RecordsHandler", bound=BatchHandler)


class Extension:
    """An external extension.

    `name`: the file name of the executable, which Lambda demands; None takes it from
    `sys.argv[0]`, and only a program started by a launcher of another name has to give it.
    `on_failure`: what follows when an `on_invoke` or `on_shutdown` handler raises: `drop` (it is
    told on stderr, and that was that) or `exit` (`/exit/error`; the environment is reset).
    `max_wait`: seconds for which `on_invoke` handlers may hold an invocation (None: 90 % of the
    time it has left); one that takes longer goes on beside the invocations, without being called
    for them. `accept_account_id`: ask Lambda for the account's id. `protocol`: how telemetry comes;
    `strict`: fail to initialise where there is none, instead of one line on stderr. Raises
    ValueError for a negative `max_wait` and for what is none of the words above.

    A subclass may have the methods `init(registration)`, `invoke(event)`, `shutdown(event)`,
    `thaw(rest)` and `records(batch)`, the last with `dead_letter(batch)` and with the class
    attributes `types`, `buffering`, `flush`, `on_records_failure`, as `on_telemetry` takes them.
    """

    types: ClassVar[tuple[str, ...]] = ()
    buffering: ClassVar[Buffering | None] = None
    flush: ClassVar[FlushPolicy | None] = None
    on_records_failure: ClassVar[OnFailure] = "retry"

    def __init__(
        self,
        name: str | None = None,
        *,
        on_failure: Literal["drop", "exit"] = "drop",
        max_wait: float | None = None,
        accept_account_id: bool = False,
        protocol: Literal["HTTP", "TCP"] = "HTTP",
        strict: bool = False,
    ) -> None:
        if max_wait is not None and max_wait < 0:
            raise ValueError(f"max_wait must be at least 0, not {max_wait}")
        if on_failure not in ("drop", "exit"):
            raise ValueError(f"on_failure is drop or exit, not {on_failure}")
        if protocol not in (contract.DESTINATION_HTTP, contract.DESTINATION_TCP):
            raise ValueError(f"protocol is HTTP or TCP, not {protocol}")
        self.name = name or os.path.basename(sys.argv[0])  # noqa: PTH119  pathlib costs 10 ms
        self._exits_on_failure = on_failure == "exit"
        self._max_wait = max_wait
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
        self._thaw_handlers: list[Callable[[float], Any]] = []
        self._telemetry_handlers: list[TelemetryHandler] = []
        self._buffering: Buffering | None = None
        self._add_methods()

    def on_init(self, handler: InitHandler) -> InitHandler:
        """Call the handler with the Registration, before the init phase may end.

        Raising here fails the init phase: `/init/error`, and this process exits.
        """
        self._init_handlers.append(handler)
        return handler

    def on_invoke(self, handler: InvokeHandler) -> InvokeHandler:
        """Call the handler with each InvokeEvent; the invocation ends after it has returned."""
        self._invoke_handlers.append(handler)
        return handler

    def on_shutdown(self, handler: ShutdownHandler) -> ShutdownHandler:
        """Call the handler with the ShutdownEvent, at the end of the environment."""
        self._shutdown_handlers.append(handler)
        return handler

    def on_thaw(self, handler: ThawHandler) -> ThawHandler:
        """Call the handler with the seconds of rest, when they were more than 5, before others.

        The environment may have been frozen: the place to drop connections that were kept.
        """
        self._thaw_handlers.append(handler)
        return handler

    def on_telemetry(
        self,
        *types: str,
        buffering: Buffering | None = None,
        flush: FlushPolicy | None = None,
        on_failure: OnFailure = "retry",
        dead_letter: BatchHandler | None = None,
    ) -> Callable[[RecordsHandler], RecordsHandler]:
        """Call the handler with lists of records of these types, in a thread of its own.

        `types`: of `platform`, `function`, `extension`; `buffering`: Lambda's, one for all
        handlers; `flush`: when records are delivered (None: `FlushPolicy.adaptive()`);
        `on_failure`: `retry` (the same list again, with growing pauses, at most 20 times), `drop`
        or `exit`; `dead_letter` is called with what is dropped. Raises ValueError for other types,
        other words, and a second buffering.
        """
        from lambda_extensions.flush import FlushPolicy
        from lambda_extensions.telemetry import TelemetryHandler, check_types

        check_types(types)
        if buffering is not None and self._buffering is not None:
            raise ValueError("there is one subscription, and its buffering is given already")
        self._buffering = buffering or self._buffering
        policy = flush or FlushPolicy.adaptive()

        def decorate(handler: RecordsHandler) -> RecordsHandler:
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

    @property
    def counters(self) -> Counters:
        """Telemetry records so far, those of all handlers together."""
        from lambda_extensions.telemetry import Counters

        return sum((wish.counters for wish in self._telemetry_handlers), Counters())

    def run(self) -> None:
        """Register and handle events until SHUTDOWN; handlers run in the calling thread.

        Raises SystemExit with code 1, after one sentence on stderr, when the extension cannot
        register, cannot initialise, loses Lambda, or fails with `on_failure="exit"`.
        """
        try:
            with ExtensionClient() as client, Serving(self, client) as serving:
                serving.run()
        except RegistrationRefused as error:
            complain(f"{error}{_hint(error, self.name)}")
        except LambdaExtensionsError as error:
            complain(f'extension "{self.name}": {error}')
        else:
            return
        raise SystemExit(EXIT_FAILED)

    def _add_methods(self) -> None:
        decorators: tuple[tuple[str, Callable[[Any], Any]], ...] = (
            ("init", self.on_init),
            ("invoke", self.on_invoke),
            ("shutdown", self.on_shutdown),
            ("thaw", self.on_thaw),
        )
        for name, decorator in decorators:
            method = getattr(self, name, None)
            if method is not None:
                decorator(method)
        records = getattr(self, "records", None)
        if records is not None:
            self.on_telemetry(
                *self.types,
                buffering=self.buffering,
                flush=self.flush,
                on_failure=self.on_records_failure,
                dead_letter=getattr(self, "dead_letter", None),
            )(records)


def _hint(refusal: RegistrationRefused, name: str) -> str:
    """The most common mistake shows only in the refusal of SHUTDOWN."""
    if refusal.error_type != contract.ERROR_EXTENSION_INVALID_EVENT_TYPE:
        return ""
    started = os.path.basename(sys.argv[0])  # noqa: PTH119  as above
    return (
        "; Lambda takes every name for an internal extension that is not the file name of an "
        "executable in /opt/extensions"
        + ("" if started == name else f' (this program was started as "{started}")')
    )
