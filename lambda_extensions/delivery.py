"""From the listener to a handler: a bounded backlog, and a thread that delivers it in order.

Records are accepted whole batches at a time, or refused whole, so that whoever sends them knows
what to send again. A handler that fails gets the same records again, is passed over, or ends the
extension; a handler that never returns holds up nobody but itself.
"""

from __future__ import annotations

import threading
import time

from lambda_extensions.failures import complain
from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from lambda_extensions.records import TelemetryRecord
    from lambda_extensions.telemetry import BatchHandler, TelemetryHandler

CAPACITY_BYTES = 4 * 1024 * 1024
ATTEMPTS = 20
BACKOFF_SECONDS = (0.05, 2.0)
"""(first, longest) pause before a delivery is tried again; it doubles in between."""

GRACE_SECONDS = 0.05
"""How much longer than its time a delivery may take to give up by itself."""

STUCK_SECONDS = 10.0
"""A handler that is at one list for so long no longer keeps records from the other handlers."""

BURIAL_SHARE = 0.25
"""How much of the last seconds is kept for the dead-letter, where there is one."""

_ALL_TYPES = frozenset(contract.TELEMETRY_TYPES)


class Delivery:
    """One handler, its backlog of at most `capacity` bytes, and its thread.

    `call` calls a handler, plain or coroutine function; `give_up` ends the extension.
    """

    def __init__(
        self,
        wish: TelemetryHandler,
        *,
        call: Callable[[BatchHandler, list[TelemetryRecord]], Any],
        give_up: Callable[[BaseException], Any],
        capacity: int = CAPACITY_BYTES,
    ) -> None:
        self.types = frozenset(wish.types)
        self.policy = wish.policy
        self.counters = wish.counters
        self._wish = wish
        self._call = call
        self._give_up = give_up
        self._capacity = capacity
        self._changed = threading.Condition()
        self._records: list[TelemetryRecord] = []
        self._size = 0
        self._oldest = 0.0
        self._at_work: list[TelemetryRecord] = []
        self._began = 0.0
        self._is_busy = self._is_wanted = False
        self._ends_at: float | None = None
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)
        self._burial: threading.Thread | None = None

    def start(self) -> None:
        self._thread.start()

    def has_room(self, size: int) -> bool:
        """Whether a batch of that many bytes fits; an empty backlog takes any batch."""
        with self._changed:
            return not self._size or self._size + size <= self._capacity

    def is_stuck(self) -> bool:
        """Whether the handler has been at one list for too long to wait for it."""
        with self._changed:
            return self._is_busy and time.monotonic() - self._began > STUCK_SECONDS

    def add(self, records: list[TelemetryRecord], size: int) -> None:
        """Take out of a batch of `size` bytes the records of our types, and those of none."""
        mine = self._mine(records)
        if not mine:
            return
        with self._changed:
            if not self._records:
                self._oldest = time.monotonic()
            self._records += mine
            self._size += size
            self.counters.received += len(mine)
            self._changed.notify_all()

    def pass_over(self, records: list[TelemetryRecord]) -> None:
        """Drop our part of a batch, because there is no room and the handler is stuck."""
        mine = self._mine(records)
        if mine:
            with self._changed:
                self.counters.received += len(mine)
                self.counters.dropped += len(mine)
            complain(f"{_telling(mine)} lost: the telemetry handler is stuck")
            self._bury_until(time.monotonic(), mine)

    def want(self) -> None:
        """Deliver what is there now, whatever the policy says."""
        with self._changed:
            self._is_wanted = True
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Deliver what is there now; returns whether that was done within `timeout` seconds."""
        self.want()
        with self._changed:
            return self._changed.wait_for(self._is_empty, timeout)

    def end(self, timeout: float) -> None:
        """Deliver everything from now on, at most `timeout` seconds long; the first call counts."""
        with self._changed:
            if self._ends_at is None:
                self._ends_at = time.monotonic() + self._without_burial(timeout)
            self._changed.notify_all()

    def close(self, timeout: float) -> None:
        """Deliver everything, at most `timeout` seconds long; what is left then is dropped,
        counted, named, and given to the dead-letter in the same time.
        """
        until = time.monotonic() + timeout
        self.end(timeout)
        if self._thread is not threading.current_thread():  # which gives up and ends all of them
            self._thread.join(self._without_burial(timeout) + GRACE_SECONDS)
        with self._changed:
            stuck, self._at_work = self._at_work, []
            left, self._records = self._records, []
            self.counters.dropped += len(stuck) + len(left)
        if stuck:
            complain(f"the telemetry handler did not return: {len(stuck)} records may be lost")
        if left:
            complain(f"{_telling(left)} lost: the execution environment ends")
        if stuck or left:
            self._bury_until(until, [*stuck, *left])

    def _without_burial(self, seconds: float) -> float:
        return seconds * (1 - BURIAL_SHARE) if self._wish.dead_letter is not None else seconds

    def _mine(self, records: list[TelemetryRecord]) -> list[TelemetryRecord]:
        others = _ALL_TYPES - self.types
        if not others:
            return records
        return [record for record in records if record.type.partition(".")[0] not in others]

    def _is_empty(self) -> bool:
        return not self._records and not self._is_busy

    # --- In the thread ----------------------------------------------------------------------

    def _work(self) -> None:
        while (records := self._take()) is not None:
            self._deliver(records)
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _take(self) -> list[TelemetryRecord] | None:
        """Wait until something is due; None when it is over."""
        with self._changed:
            while True:
                due = self._due_in()
                if due == 0.0:
                    break
                if self._ends_at is not None:
                    return None
                self._is_wanted = False
                self._changed.wait(due)
            taken, self._records = self._records, []
            self._size, self._at_work, self._is_busy = 0, taken, True
            self._began = time.monotonic()
            return taken

    def _due_in(self) -> float | None:
        if self._records and (self._is_wanted or self._ends_at is not None):
            return 0.0
        age = time.monotonic() - self._oldest
        return self.policy.due_in(len(self._records), self._size, age, self._capacity)

    def _deliver(self, records: list[TelemetryRecord]) -> None:
        pause, longest = BACKOFF_SECONDS
        attempt = 1
        while (error := self._attempt(records)) is not None:
            is_last = self._wish.on_failure != "retry" or attempt == ATTEMPTS
            if is_last or not self._may_wait(pause):
                self._drop(records, error)
                return
            if attempt == 1:
                again = f"{_telling(records, 'will be')} delivered again"
                complain(f"{again}: {type(error).__name__}: {error}")
            self.counters.retried += len(records)
            attempt, pause = attempt + 1, min(longest, pause * 2)
        with self._changed:  # `close` may have given them up in the meantime
            self.counters.delivered += len(self._at_work)
            self._at_work = []

    def _attempt(self, records: list[TelemetryRecord]) -> BaseException | None:
        try:
            self._call(self._wish.handler, list(records))  # what it does to it is its own
        except BaseException as error:  # noqa: BLE001  not even sys.exit() may end this thread
            return error
        return None

    def _may_wait(self, pause: float) -> bool:
        """Pause before the next attempt; False when there is no time for one."""
        with self._changed:
            if self._ends_at is None:
                self._changed.wait_for(lambda: self._ends_at is not None, pause)
            elif time.monotonic() + pause < self._ends_at:
                self._changed.wait_for(lambda: False, pause)
            return self._ends_at is None or time.monotonic() < self._ends_at

    def _drop(self, records: list[TelemetryRecord], error: BaseException) -> None:
        with self._changed:
            is_ours, self._at_work = bool(self._at_work), []
            self.counters.dropped += len(records) if is_ours else 0
        if is_ours:
            complain(f"{_telling(records)} lost: the telemetry handler failed", error)
            self._bury(records)
        if self._wish.on_failure == "exit":
            self._give_up(error)

    # --- What nobody takes ------------------------------------------------------------------

    def _bury(self, records: list[TelemetryRecord]) -> None:
        if self._wish.dead_letter is None:
            return
        try:
            self._call(self._wish.dead_letter, records)
        except BaseException as failure:  # noqa: BLE001  it was the last resort
            complain("the dead-letter handler failed too", failure)

    def _bury_until(self, until: float, records: list[TelemetryRecord]) -> None:
        """As `_bury`, for a thread that has no time to wait for a dead-letter that hangs; one that
        does gets no more.
        """
        if self._burial is not None and self._burial.is_alive():
            return
        self._burial = threading.Thread(target=self._bury, args=[records], daemon=True)
        self._burial.start()
        self._burial.join(max(0.0, until - time.monotonic()) + GRACE_SECONDS)


def _telling(records: list[TelemetryRecord], verb: str = "are") -> str:
    return f"{len(records)} telemetry records {verb}"
