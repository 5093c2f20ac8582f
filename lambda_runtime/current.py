"""What the loop and its helpers share: the present invocation, and what the user has asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_runtime.context import LambdaContext
    from lambda_runtime.scopes import Scopes
    from lambda_runtime.serialization import Codec

context: LambdaContext | None = None
"""Of the present invocation; between two of them, of the last one."""

pending: list[Callable[[], object]] = []
"""What has to be done before the next event is asked for."""

codec: Codec | None = None
"""What reads events and spells results; None: JSON as AWS's client has it."""

scopes: Scopes | None = None
"""Tells the invocations apart where several are at work in this process; None: one at a time."""

concurrency: str | None = None
"""How several invocations at once are handled; None: as LAMBDA_RUNTIME_CONCURRENCY says."""

may_register = True
"""Whether this process may register extensions: of several workers only the first does."""

pipelining = False
"""Whether the next poll is sent together with the response."""

cancel_margin: float | None = None
"""Seconds before the deadline at which a coroutine handler is cancelled; None: never."""


def current_context() -> LambdaContext:
    """The context of the present invocation, task or thread. Raises LookupError before the first.

    Where several invocations are at work, a thread that a handler starts has none of its own.
    """
    found = present()
    if found is None:
        raise LookupError("no invocation has been handled yet")
    return found


def present() -> LambdaContext | None:
    """The context of the invocation that the caller works on, if there is one."""
    return context if scopes is None else scopes.context()


def put_off(call: Callable[[], object]) -> None:
    """Have `call` done once the present invocation is answered."""
    (pending if scopes is None else scopes.pending()).append(call)


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
