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

_ALL_TYPES = frozenset(contract.TELEMETRY_TYPES)


class Counters:
    """Records: `received` (accepted), `delivered`, `retried` (given again), `dropped`."""

    __slots__ = ("delivered", "dropped", "received", "retried")

    def __init__(self) -> None:
        self.received = self.delivered = self.retried = self.dropped = 0

    def __repr__(self) -> str:
        return (
            f"received {self.received}, delivered {self.delivered}, "
            f"retried {self.retried}, dropped {self.dropped}"
        )


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
        self.counters = Counters()
        self._wish = wish
        self._call = call
        self._give_up = give_up
        self._capacity = capacity
        self._changed = threading.Condition()
        self._records: list[TelemetryRecord] = []
        self._size = 0
        self._oldest = 0.0
        self._in_work = 0
        self._is_wanted = False
        self._ends_at: float | None = None
        self._thread = threading.Thread(target=self._work, name="telemetry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def has_room(self, size: int) -> bool:
        """Whether a batch of that many bytes fits; an empty backlog takes any batch."""
        with self._changed:
            return not self._size or self._size + size <= self._capacity

    def add(self, records: list[TelemetryRecord], size: int) -> None:
        """Take out of a batch of `size` bytes the records of our types, and those of none."""
        others = _ALL_TYPES - self.types
        mine = [record for record in records if record.type.partition(".")[0] not in others]
        if not mine:
            return
        with self._changed:
            if not self._records:
                self._oldest = time.monotonic()
            self._records += mine
            self._size += size
            self.counters.received += len(mine)
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Deliver what is there now; returns whether that was done within `timeout` seconds."""
        with self._changed:
            self._is_wanted = True
            self._changed.notify_all()
            return self._changed.wait_for(self._is_empty, timeout)

    def close(self, timeout: float) -> None:
        """Deliver everything, at most `timeout` seconds long; the rest is dropped and counted."""
        with self._changed:
            self._ends_at = time.monotonic() + timeout
            self._changed.notify_all()
        self._thread.join(timeout + GRACE_SECONDS)
        with self._changed:
            left, self._records = self._records, []
            stuck, self._in_work = self._in_work, 0
        if stuck:
            self.counters.dropped += stuck
            complain(f"the telemetry handler did not return: {stuck} records may be lost")
        if left:
            self._drop(left, "the execution environment ends")

    def _is_empty(self) -> bool:
        return not self._records and not self._in_work

    def _work(self) -> None:
        while (records := self._take()) is not None:
            self._deliver(records)
            with self._changed:
                self._in_work = 0
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
            self._size, self._in_work = 0, len(taken)
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
            if self._wish.on_failure == "exit":
                self._give_up(error)
            is_last = self._wish.on_failure == "drop" or attempt == ATTEMPTS
            if is_last or not self._may_wait(pause):
                self._drop(records, "the telemetry handler failed", error)
                return
            if attempt == 1:
                what = f"{len(records)} telemetry records will be delivered again"
                complain(f"{what}: {type(error).__name__}: {error}")
            self.counters.retried += len(records)
            attempt, pause = attempt + 1, min(longest, pause * 2)
        self.counters.delivered += len(records)

    def _attempt(self, records: list[TelemetryRecord]) -> BaseException | None:
        try:
            self._call(self._wish.handler, records)
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

    def _drop(
        self, records: list[TelemetryRecord], reason: str, error: BaseException | None = None
    ) -> None:
        self.counters.dropped += len(records)
        complain(f"{len(records)} telemetry records are lost: {reason}", error)
        if self._wish.dead_letter is not None:
            try:
                self._call(self._wish.dead_letter, records)
            except Exception as failure:  # noqa: BLE001  it was the last resort
                complain("the dead-letter handler failed too", failure)
