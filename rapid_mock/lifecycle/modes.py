"""What differs between the kinds of execution environment, as one table."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_runtime import contract


@dataclass(frozen=True, slots=True)
class Mode:
    """The rules of one kind of environment.

    `concurrency`: invocations open at once; `redelivers`: a second `next` of a busy runtime gets
    the same event again; `external_events`/`internal_events`: what extensions may register for.
    """

    concurrency: int
    redelivers: bool
    external_events: tuple[str, ...]
    internal_events: tuple[str, ...]


CLASSIC = Mode(
    concurrency=1,
    redelivers=True,
    external_events=(contract.EVENT_INVOKE, contract.EVENT_SHUTDOWN),
    internal_events=(contract.EVENT_INVOKE,),
)
