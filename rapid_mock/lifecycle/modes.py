"""What differs between the kinds of execution environment, as one table."""

from __future__ import annotations

from dataclasses import dataclass

from lambda_runtime import contract


@dataclass(frozen=True, slots=True)
class Mode:
    """The rules of one kind of environment.

    `concurrency`: invocations open at once; `external_events` and `internal_events`: what
    extensions may register for.
    """

    concurrency: int
    external_events: tuple[str, ...]
    internal_events: tuple[str, ...]


CLASSIC = Mode(
    concurrency=1,
    external_events=(contract.EVENT_INVOKE, contract.EVENT_SHUTDOWN),
    internal_events=(contract.EVENT_INVOKE,),
)
