"""Intake: the telemetry side of an extension; one subscription, one listener, its deliveries."""

from __future__ import annotations

import threading
import time

from lambda_extensions.errors import ExtensionsApiError, TelemetryUnsupported
from lambda_extensions.failures import complain
from lambda_extensions.listener import TelemetryListener
from lambda_extensions.records import PlatformReport, PlatformRuntimeDone
from lambda_extensions.telemetry import PROMPT, Buffering, subscription
from lambda_runtime import contract

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from lambda_extensions.client import ExtensionClient
    from lambda_extensions.delivery import Delivery
    from lambda_extensions.events import InvokeEvent, ShutdownEvent
    from lambda_extensions.records import TelemetryRecord

DEADLINE_SHARE = 0.9
"""How much of an invocation's remaining time it may be held at most."""

LONGEST_SECONDS = 900.0
"""Lambda's longest timeout, for servers that name a deadline of a far year."""

LAST_REPORT_SECONDS = 0.3
"""How long to wait at shutdown for the last invocation's report, which comes late."""

_ENDS = (PlatformRuntimeDone, PlatformReport)

SHUTDOWN_SHARE = 0.8
"""How much of the shutdown's time the deliveries get; the rest is for the shutdown handlers."""


class Intake:
    """Begins after registration, ends at SHUTDOWN.

    `strict`: raise where telemetry is not to be had, instead of one line on stderr.
    """

    def __init__(
        self,
        deliveries: Sequence[Delivery],
        *,
        buffering: Buffering | None = None,
        protocol: Literal["HTTP", "TCP"] = "HTTP",
        strict: bool = False,
    ) -> None:
        self._deliveries = deliveries
        self._buffering = buffering or (PROMPT if self._may_hold() else Buffering())
        self._strict = strict
        self._listener = TelemetryListener(self.accept, protocol)
        self._is_subscribed = self._has_ended = False
        self._ending = threading.Lock()
        self._changed = threading.Condition()
        self._done: dict[str, int] = {}  # how many attempts at an invocation, retries with its id
        self._attempt = 0
        self._reported: str | None = None
        self._latest: str | None = None
        self._overdue: list[Delivery] = []
        self._invocations = 0

    def begin(self, client: ExtensionClient) -> None:
        """Listen and subscribe; raises ExtensionsApiError or TelemetryUnsupported if strict."""
        for delivery in self._deliveries:
            delivery.start()
        self._listener.start()
        body = subscription(self._types(), self._listener.destination, self._buffering)
        try:
            client.subscribe(body)
            self._is_subscribed = True
        except (ExtensionsApiError, TelemetryUnsupported) as error:
            if self._strict:
                raise
            complain(f"running without telemetry: {error}")
        finally:
            if not self._is_subscribed:
                self._listener.close()

    def accept(self, records: list[TelemetryRecord], size: int) -> bool:
        """Take a batch of `size` bytes for all deliveries, or for none.

        A delivery without room whose handler is stuck does not count, as long as another has room.
        """
        full = [delivery for delivery in self._deliveries if not delivery.has_room(size)]
        if len(full) == len(self._deliveries) or not all(one.is_stuck() for one in full):
            return False
        for delivery in full:
            delivery.pass_over(records)
        self._add(records, size, [one for one in self._deliveries if one not in full])
        return True

    def hold(self, event: InvokeEvent, rest: float) -> None:
        """Hold an invocation as long as the policies want; `rest`: seconds without one before."""
        self._invocations += 1
        self._begin_invocation(event.request_id)
        if not self._is_subscribed:
            return
        most = min(event.remaining() * DEADLINE_SHARE, LONGEST_SECONDS)
        began = time.monotonic()
        ends = {
            delivery: began + min(wait, most)
            for delivery in self._deliveries
            if (wait := delivery.policy.hold(self._invocations, rest)) > 0
            and not delivery.is_stuck()
        }
        longest = max(ends.values(), default=0.0) - began
        if longest <= 0 or not self._is_done_within(longest, event.request_id, [*ends]):
            return
        for delivery in ends:
            delivery.want()
        for delivery, end in sorted(ends.items(), key=lambda one: one[1]):
            delivery.flush(max(0.0, end - time.monotonic()))

    def end(self, event: ShutdownEvent) -> None:
        """Accept what still comes, then nothing, and deliver all of it in the time there is."""
        with self._ending:
            self._has_ended = True
            until = time.monotonic() + event.time_left() * SHUTDOWN_SHARE
            if self._is_subscribed:
                self._await_last_report(until)
                self._hear_the_last()
            self._close(until)
        for delivery in self._deliveries:
            if delivery.counters.dropped:
                complain(f"telemetry records: {delivery.counters}")

    def abandon(self) -> None:
        """Stop without delivering anything, unless it has ended: the extension fails.

        Several threads may find that out; each returns when all that is lost has been named.
        """
        with self._ending:
            if self._has_ended:
                return
            self._has_ended = True
            if self._is_subscribed:
                self._hear_the_last()
            self._close(time.monotonic())

    def _await_last_report(self, until: float) -> None:
        if self._latest is None or contract.TELEMETRY_PLATFORM not in self._types():
            return
        seconds = max(0.0, min(LAST_REPORT_SECONDS, until - time.monotonic()))
        with self._changed:
            self._changed.wait_for(lambda: self._reported == self._latest, seconds)

    def _close(self, until: float) -> None:
        """All of them deliver at the same time: none waits for one that hangs."""
        for delivery in self._deliveries:
            delivery.end(max(0.0, until - time.monotonic()))
        for delivery in self._deliveries:
            delivery.close(max(0.0, until - time.monotonic()))

    def _hear_the_last(self) -> None:
        for records, size in self._listener.close():
            self._add(records, size, self._deliveries)

    def _add(
        self, records: list[TelemetryRecord], size: int, deliveries: Sequence[Delivery]
    ) -> None:
        for delivery in deliveries:
            delivery.add(records, size)
        for record in records:
            if isinstance(record, _ENDS):
                self._note(record)

    def _types(self) -> set[str]:
        wanted = {name for delivery in self._deliveries for name in delivery.types}
        return wanted | ({contract.TELEMETRY_PLATFORM} if self._may_hold() else set())

    def _may_hold(self) -> bool:
        return any(delivery.policy.may_hold for delivery in self._deliveries)

    def _note(self, record: PlatformRuntimeDone | PlatformReport) -> None:
        with self._changed:
            if isinstance(record, PlatformReport):
                self._reported = record.request_id
            else:
                self._done[record.request_id] = self._done.get(record.request_id, 0) + 1
            overdue = self._overdue if record.request_id == self._latest else []
            self._changed.notify_all()
        for delivery in overdue:
            delivery.want()

    def _begin_invocation(self, request_id: str) -> None:
        with self._changed:
            self._attempt = self._attempt + 1 if request_id == self._latest else 1
            self._latest, self._overdue = request_id, []
            self._done = {request_id: self._done.get(request_id, 0)}

    def _is_done_within(self, seconds: float, request_id: str, deliveries: list[Delivery]) -> bool:
        """Wait for the runtime's end; what comes later than that is delivered when it comes."""
        with self._changed:
            is_done = self._changed.wait_for(
                lambda: self._done[request_id] >= self._attempt, seconds
            )
            self._overdue = [] if is_done else deliveries
            return is_done
