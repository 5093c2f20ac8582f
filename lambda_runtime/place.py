"""What a worker knows of its parent: two pipes, and the record of what it has at hand."""

from __future__ import annotations

import os
import signal
import sys
from _thread import start_new_thread
from time import sleep

from lambda_runtime.quiet_threads import start_quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lambda_runtime.client import Invocation
    from lambda_runtime.in_flight import InFlight

ONE_AT_A_TIME, ALL_AT_ONCE, INIT_FAILED = b"1", b"*", b"!"
"""What a worker says when it has found the handler, or has not."""
GO = b"g"
"""What it hears then: begin to poll, or report the failure."""
ORPHAN_SECONDS = 1.0
"""What the shutdown hooks of a worker may take when its parent has died."""


class Place:
    """The place of one worker among `count`; `is_first`: the environment's init is not over."""

    def __init__(
        self,
        *,
        number: int,
        count: int,
        control: int,
        report: int,
        in_flight: InFlight,
        is_first: bool,
    ) -> None:
        self.number = number
        self.count = count
        self.is_first = is_first
        self._control = control
        self._report = report
        self._in_flight = in_flight

    def is_ready(self, *, takes_all: bool) -> None:
        """The handler is found; returns when polling may begin. Leaves with a dead parent."""
        self._ask(ALL_AT_ONCE if takes_all else ONE_AT_A_TIME)
        os.close(self._report)
        start_quietly(lambda: start_new_thread(_follow_parent, (self._control,)))

    def may_report(self) -> bool:
        """Whether a failed init is this worker's to report: only during that of the environment."""
        if self.is_first:
            self._ask(INIT_FAILED)
        return self.is_first

    def hold(self, slot: int, invocation: Invocation) -> None:
        """An invocation is at hand; `slot` is the poller, from 0."""
        self._in_flight.hold(self.number + slot, invocation)

    def free(self, slot: int) -> None:
        """It has been answered."""
        self._in_flight.free(self.number + slot)

    def _ask(self, what: bytes) -> None:
        try:
            os.write(self._report, what)
        except BrokenPipeError:
            sys.exit(1)
        if not os.read(self._control, 1):
            sys.exit(1)


def _follow_parent(control: int) -> None:
    """Nobody writes any more: the end of the pipe is the end of the parent."""
    os.read(control, 1)
    os.kill(os.getpid(), signal.SIGTERM)
    sleep(ORPHAN_SECONDS)
    os._exit(1)
