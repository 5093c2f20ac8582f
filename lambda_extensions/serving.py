"""One run of an extension, on one screen: register -> initialise -> event -> handlers -> next."""

from __future__ import annotations

import os
import sys
import time
from _thread import start_new_thread

from lambda_extensions.calls import Calls
from lambda_extensions.errors import LambdaExtensionsError
from lambda_extensions.events import InvokeEvent, ShutdownEvent
from lambda_extensions.failures import complain
from lambda_extensions.thaw import Thaw
from lambda_extensions.turns import Turns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn, Self

    from lambda_extensions.client import ExtensionClient, Registration
    from lambda_extensions.events import UnknownEvent
    from lambda_extensions.extension import Extension
    from lambda_extensions.intake import Intake

EXIT_FAILED = 1

DEADLINE_SHARE = 0.9
"""How much of an invocation's remaining time its handlers may hold it at most."""


class Serving:
    """Serves what an Extension declares; a context that leaves no thread and no socket behind.

    Handlers of events run in the thread that calls `run`; another one waits for the events.
    """

    def __init__(self, extension: Extension, client: ExtensionClient) -> None:
        self._extension = extension
        self._client = client
        self._name = f'extension "{extension.name}"'
        self._intake: Intake | None = None
        self._calls = Calls()
        self._thaw = Thaw(extension._thaw_handlers)
        self._turns = Turns()
        self._error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._intake is not None:
            self._intake.abandon()
        self._calls.close()

    def run(self) -> None:
        """Serve until SHUTDOWN; raises LambdaExtensionsError, SystemExit after a reported error."""
        extension = self._extension
        registration = self._client.register(
            extension.name, extension.events, accept_account_id=extension._accepts_account_id
        )
        self._initialise(registration)
        _start(self._serve)
        self._turns.serve()
        if self._error is not None:
            raise self._error

    def _serve(self) -> None:
        """Handle events in this thread, then let `run` go on; without it if a handler hangs."""
        try:
            self._handle_events()
        except BaseException as error:  # noqa: BLE001  `run` raises it
            self._error = error
        if not self._turns.end():
            self._leave_handler_behind()

    def _handle_events(self) -> None:
        event, rest = self._next()
        while not isinstance(event, ShutdownEvent):
            if isinstance(event, InvokeEvent):
                self._handle(self._extension._invoke_handlers, event, self._patience(event))
                if self._intake is not None:
                    self._intake.hold(event, rest)
            event, rest = self._next()
        if self._intake is not None:
            self._intake.end(event)
        self._handle(self._extension._shutdown_handlers, event, None)

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
                self._calls.call(handler, registration)
            if extension._telemetry_handlers:
                self._begin_intake()
        except (Exception, SystemExit) as error:  # noqa: BLE001  whatever it is, Lambda is told
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

    def _patience(self, event: InvokeEvent) -> float | None:
        """Seconds for which its handlers may hold an invocation; None: however long they take."""
        most, left = self._extension._max_wait, event.remaining() * DEADLINE_SHARE
        if left <= 0:  # no sensible deadline
            return most
        return left if most is None else min(most, left)

    def _handle(
        self,
        handlers: Sequence[Callable[[Any], Any]],
        event: InvokeEvent | ShutdownEvent,
        patience: float | None,
    ) -> None:
        errors: list[BaseException] = []

        def handle() -> None:
            errors.extend(filter(None, (self._attempt(handler, event) for handler in handlers)))

        if not handlers:
            return
        if not self._turns.is_behind():
            if not self._turns.give(handle, patience):
                complain(
                    f"{self._name}: a handler of {event.event_type} has not returned for "
                    f"{patience:.1f} s; invocations go on without it"
                )
        elif isinstance(event, ShutdownEvent):
            handle()
        if errors and self._extension._exits_on_failure:
            self._give_up(self._client.exit_error, errors[0])

    def _attempt(
        self, handler: Callable[[Any], Any], event: InvokeEvent | ShutdownEvent
    ) -> BaseException | None:
        try:
            self._call(handler, event)
        except BaseException as error:  # noqa: BLE001  the function does not pay for it
            complain(f"{self._name} failed at {event.event_type}", error)
            return error
        return None

    def _call(self, handler: Callable[[Any], Any], argument: object) -> None:
        self._thaw.call(self._calls.call, handler, argument)

    def _give_up(self, report: Callable[[BaseException], None], error: BaseException) -> NoReturn:
        try:
            report(error)
        except LambdaExtensionsError as refusal:
            complain(f"{self._name}: {refusal}")
        raise SystemExit(EXIT_FAILED)

    def _leave(self, error: BaseException) -> NoReturn:
        """Give up in a thread of telemetry, while another one waits for the next event."""
        complain(f"{self._name} failed at telemetry", error)
        try:
            with self._client.another() as other:
                self._give_up(other.exit_error, error)
        finally:
            if self._intake is not None:
                self._intake.abandon()
            sys.stdout.flush()
            os._exit(EXIT_FAILED)

    def _leave_handler_behind(self) -> NoReturn:
        """End the process from here, as `run` cannot: a handler has its thread."""
        if self._intake is not None:
            self._intake.abandon()
        error = self._error
        if isinstance(error, LambdaExtensionsError):
            complain(f"{self._name}: {error}")
        sys.stdout.flush()
        os._exit(0 if error is None else EXIT_FAILED)


def _start(function: Callable[[], None]) -> None:
    """Run it in a thread, one with a name where `threading` is loaded anyway."""
    threading = sys.modules.get("threading")
    if threading is None:
        start_new_thread(function, ())
    else:
        threading.Thread(target=function, name="events", daemon=True).start()
