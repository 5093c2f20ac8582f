"""Extension: an external extension by decorators. Start here.

    extension = Extension()

    @extension.on_invoke
    def invoked(event):
        print(event.request_id)

    extension.run()

`run` registers, initialises, then handles one event after the other until SHUTDOWN. A handler
that fails is reported on stderr and costs the function nothing, unless `on_failure="exit"`.
"""

from __future__ import annotations

import os
import sys

from lambda_extensions.client import ExtensionClient
from lambda_extensions.errors import LambdaExtensionsError, RegistrationRefused
from lambda_extensions.events import InvokeEvent, ShutdownEvent
from lambda_extensions.failures import complain
from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, NoReturn, TypeVar

    from lambda_extensions.client import Registration
    from lambda_extensions.events import UnknownEvent

    Handler = TypeVar("Handler", bound=Callable[[Any], Any])

EXIT_FAILED = 1


class Extension:
    """An external extension.

    `name`: the file name of the executable, which Lambda demands; None takes it from
    `sys.argv[0]`, and only a program started by a launcher of another name has to give it.
    `on_failure`: what follows when an `on_invoke` or `on_shutdown` handler raises: `drop` (it is
    told on stderr, and that was that) or `exit` (`/exit/error`; the environment is reset).
    `accept_account_id`: ask Lambda for the account's id.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        on_failure: Literal["drop", "exit"] = "drop",
        accept_account_id: bool = False,
    ) -> None:
        self.name = name or os.path.basename(sys.argv[0])  # noqa: PTH119  pathlib costs 10 ms
        self._exits_on_failure = on_failure == "exit"
        self._accepts_account_id = accept_account_id
        self._init_handlers: list[Callable[[Registration], Any]] = []
        self._invoke_handlers: list[Callable[[InvokeEvent], Any]] = []
        self._shutdown_handlers: list[Callable[[ShutdownEvent], Any]] = []

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

    @property
    def events(self) -> list[str]:
        """What is registered: INVOKE when somebody handles it, and always SHUTDOWN.

        Without SHUTDOWN the process would be killed where it stands; and Lambda refuses it to a
        misspelled name, which it takes for an internal extension.
        """
        invoke = [contract.EVENT_INVOKE] if self._invoke_handlers else []
        return [*invoke, contract.EVENT_SHUTDOWN]

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
        raise SystemExit(EXIT_FAILED)

    def _serve(self, client: ExtensionClient) -> None:
        registration = client.register(
            self.name, self.events, accept_account_id=self._accepts_account_id
        )
        self._initialise(client, registration)
        event = self._next(client)
        while not isinstance(event, ShutdownEvent):
            if isinstance(event, InvokeEvent):
                self._call(client, self._invoke_handlers, event)
            event = self._next(client)
        self._call(client, self._shutdown_handlers, event)

    def _next(self, client: ExtensionClient) -> InvokeEvent | ShutdownEvent | UnknownEvent:
        sys.stdout.flush()  # what a handler printed belongs to this invocation's logs
        return client.next()

    def _initialise(self, client: ExtensionClient, registration: Registration) -> None:
        try:
            for handler in self._init_handlers:
                handler(registration)
        except Exception as error:  # noqa: BLE001  whatever it is, Lambda is told
            complain(f'extension "{self.name}" cannot initialise', error)
            self._give_up(client.init_error, error)

    def _call(
        self,
        client: ExtensionClient,
        handlers: Sequence[Callable[[Any], Any]],
        event: InvokeEvent | ShutdownEvent,
    ) -> None:
        for handler in handlers:
            try:
                handler(event)
            except Exception as error:  # noqa: BLE001  the function does not pay for it
                complain(f'extension "{self.name}" failed at {event.event_type}', error)
                if self._exits_on_failure:
                    self._give_up(client.exit_error, error)

    def _give_up(self, report: Callable[[Exception], None], error: Exception) -> NoReturn:
        try:
            report(error)
        except LambdaExtensionsError as refusal:
            complain(f'extension "{self.name}": {refusal}')
        raise SystemExit(EXIT_FAILED)


def _hint(refusal: RegistrationRefused) -> str:
    """The most common mistake shows only in the refusal of SHUTDOWN."""
    if refusal.error_type != contract.ERROR_EXTENSION_INVALID_EVENT_TYPE:
        return ""
    return (
        "; Lambda takes every name for an internal extension that is not the file name of an "
        "executable in /opt/extensions"
    )
