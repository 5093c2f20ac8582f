"""Tells several invocations in one process apart: each task, or thread, works on one of them."""

from __future__ import annotations

from contextvars import ContextVar

from lambda_runtime.context import LambdaContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_runtime.client import Invocation

    Pending = list[Callable[[], object]]


class Scopes:
    """The context of the invocation that the caller works on, and what was put off in it.

    A task that a handler starts inherits them, and so does `asyncio.to_thread`.
    """

    def __init__(self) -> None:
        self._present: ContextVar[tuple[LambdaContext, Pending] | None] = ContextVar(
            "lambda_runtime.invocation", default=None
        )

    def enter(self, invocation: Invocation) -> LambdaContext:
        """Work on `invocation` from now on."""
        context = LambdaContext(invocation)
        self._present.set((context, []))
        return context

    def context(self) -> LambdaContext | None:
        """The context of the present invocation, if there is one."""
        present = self._present.get()
        return None if present is None else present[0]

    def pending(self) -> Pending:
        """What has to be done once the present invocation is answered."""
        present = self._present.get()
        return [] if present is None else present[1]
