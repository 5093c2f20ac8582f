"""One run of an extension, on one screen: register -> initialise -> event -> handlers -> next."""

from __future__ import annotations

import os
import sys
import time
from _thread import allocate_lock  # threading is not needed by most

from lambda_extensions.errors import LambdaExtensionsError
from lambda_extensions.events import InvokeEvent, ShutdownEvent
from lambda_extensions.failures import complain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn, Self

    from lambda_extensions.calls import Calls
    from lambda_extensions.client import ExtensionClient, Registration
    from lambda_extensions.events import UnknownEvent
    from lambda_extensions.extension import Extension
    from lambda_extensions.intake import Intake

EXIT_FAILED = 1


class Serving:
    """Serves what an Extension declares; a context that leaves no thread and no socket behind."""

    def __init__(self, extension: Extension, client: ExtensionClient) -> None:
        self._extension = extension
        self._client = client
        self._name = f'extension "{extension.name}"'
        self._intake: Intake | None = None
        self._calls: Calls | None = None
        self._lock = allocate_lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._intake is not None:
            self._intake.abandon()
        if self._calls is not None:
            self._calls.close()

    def run(self) -> None:
        """Serve until SHUTDOWN; raises LambdaExtensionsError, SystemExit after a reported error."""
        extension = self._extension
        registration = self._client.register(
            extension.name, extension.events, accept_account_id=extension._accepts_account_id
        )
        self._initialise(registration)
        event, rest = self._next()
        while not isinstance(event, ShutdownEvent):
            if isinstance(event, InvokeEvent):
                self._handle(extension._invoke_handlers, event)
                if self._intake is not None:
                    self._intake.hold(event, rest)
            event, rest = self._next()
        if self._intake is not None:
            self._intake.end(event)
        self._handle(extension._shutdown_handlers, event)

    def _next(self) -> tuple[InvokeEvent | ShutdownEvent | UnknownEvent, float]:
        """The next event, and the seconds without one before it."""
        sys.stdout.flush()  # what a handler printed belongs to this invocation's logs
        asked = time.time()
        event = self._client.next()
        return event, time.time() - asked

    def _initialise(self, registration: Registration) -> None:
        extension = self._extension
        if extension._is_managed and extension._invoke_handlers:
            complain("managed instances have no INVOKE event: on_invoke handlers are not called")
        try:
            for handler in extension._init_handlers:
                self._call(handler, registration)
            if extension._telemetry_handlers:
                self._begin_intake()
        except Exception as error:  # noqa: BLE001  whatever it is, Lambda is told
            complain(f"{self._name} cannot initialise", error)
            self._give_up(self._client.init_error, error)

    def _begin_intake(self) -> None:
        from lambda_extensions.delivery import Delivery
        from lambda_extensions.intake import Intake

        extension = self._extension
        if extension._is_managed:
            for wish in extension._telemetry_handlers:
                wish.policy = wish.policy.without_invoke()
        self._intake = Intake(
            [
                Delivery(wish, call=self._call, give_up=self._leave)
                for wish in extension._telemetry_handlers
            ],
            buffering=extension._buffering,
            protocol=extension._protocol,
            strict=extension._is_strict,
        )
        self._intake.begin(self._client)

    def _handle(
        self, handlers: Sequence[Callable[[Any], Any]], event: InvokeEvent | ShutdownEvent
    ) -> None:
        for handler in handlers:
            try:
                self._call(handler, event)
            except Exception as error:  # noqa: BLE001  the function does not pay for it
                complain(f"{self._name} failed at {event.event_type}", error)
                if self._extension._exits_on_failure:
                    self._give_up(self._client.exit_error, error)

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
            complain(f"{self._name}: {refusal}")
        raise SystemExit(EXIT_FAILED)

    def _leave(self, error: BaseException) -> NoReturn:
        """Give up in another thread than `run`'s, which waits for the next event."""
        complain(f"{self._name} failed at telemetry", error)
        try:
            with self._client.another() as other:
                self._give_up(other.exit_error, error)
        finally:
            sys.stdout.flush()
            os._exit(EXIT_FAILED)
