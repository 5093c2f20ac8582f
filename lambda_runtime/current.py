"""What the loop and its helpers share: the present invocation, and what the user has asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_runtime.context import LambdaContext
    from lambda_runtime.serialization import Codec

context: LambdaContext | None = None
"""Of the present invocation; between two of them, of the last one."""

pending: list[Callable[[], object]] = []
"""What has to be done before the next event is asked for."""

codec: Codec | None = None
"""What reads events and spells results; None: JSON as AWS's client has it."""

pipelining = False
"""Whether the next poll is sent together with the response."""

cancel_margin: float | None = None
"""Seconds before the deadline at which a coroutine handler is cancelled; None: never."""


def current_context() -> LambdaContext:
    """The context of the present invocation. Raises LookupError before the first."""
    if context is None:
        raise LookupError("no invocation has been handled yet")
    return context


def use_codec(chosen: Codec) -> None:
    """Read events and spell results with `chosen` from now on."""
    global codec  # noqa: PLW0603  a process has one
    codec = chosen


def use_pipelining() -> None:
    """Send each response and the next poll in one write; call it while the module loads.

    Lambda's emulator takes it, AWS does not promise it: try it on your function first.
    """
    global pipelining  # noqa: PLW0603  a process has one
    pipelining = True


def cancel_before_deadline(seconds: float = 0.2) -> None:
    """Cancel a coroutine handler that many seconds before its deadline, and await its cleanup.

    The invocation then fails with `DeadlineReached` instead of the environment being reset.
    """
    global cancel_margin  # noqa: PLW0603  a process has one
    cancel_margin = seconds
