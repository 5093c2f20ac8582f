"""What telemetry subscribers get, when, and what they lose; no I/O.

    deliveries = telemetry.record(record, now)       # a platform record, or a line of output
    deliveries = telemetry.subscribe(name, subscription, now)
    telemetry.deadline                               # when handle_timeout() wants to be called
    deliveries = telemetry.delivered(name, failure, now)
    telemetry.take_losses()                          # what was given up, for the developer

It lives as long as its environment: with each init phase a new life begins, which the subscribers
of the one before do not see; if it is repeated inside an invocation, START is its first record.
Sources: "Lambda Telemetry API" and "Lambda Telemetry API reference", AWS Lambda Developer Guide;
what a new subscriber gets first: RIE.
"""

from __future__ import annotations

from lambda_runtime import contract
from rapid_mock.lifecycle.events import Now
from rapid_mock.lifecycle.subscriber import Delivery, Loss, Render, Subscriber
from rapid_mock.lifecycle.subscriptions import Record, Subscription


class Telemetry:
    """The telemetry of one environment; `render` spells records as subscribers get them."""

    def __init__(self, render: Render) -> None:
        self._render = render
        self._history: list[Record] | None = None
        self._losses: list[Loss] = []
        self.subscribers: dict[str, Subscriber] = {}

    @property
    def is_wanted(self) -> bool:
        """Whether records are kept: for subscribers, or for those who may come yet."""
        return self._history is not None or bool(self.subscribers)

    @property
    def is_idle(self) -> bool:
        """Whether every subscriber has what there is for it."""
        return all(subscriber.is_idle for subscriber in self.subscribers.values())

    @property
    def deadline(self) -> float | None:
        """Monotonic seconds; None while nothing waits to be sent."""
        moments = [s.deadline for s in self.subscribers.values() if s.deadline is not None]
        return min(moments, default=None)

    def begin(self) -> None:
        """A new life of the environment, which the subscribers of the last do not see."""
        self.end()
        self._history = []

    def end(self) -> None:
        """Nobody is left to listen: what is on its way is lost, and nothing is kept any more."""
        for subscriber in self.subscribers.values():
            subscriber.abandon()
        self.subscribers.clear()
        self._history = None

    def take_losses(self) -> list[Loss]:
        """What was given up since the last call."""
        losses = self._losses.copy()
        self._losses.clear()
        return losses

    def record(self, record: Record, now: Now) -> list[Delivery] | None:
        """Keep a record for whoever wants it; after `platform.initReport` nobody else will come.

        None is the usual case: nothing to send, and the deadline is what it was.
        """
        if self._history is not None:
            self._history.append(record)
            if record.type == contract.PLATFORM_INIT_REPORT:
                self._history = None
        has_moved = False
        for subscriber in self.subscribers.values():
            has_moved |= subscriber.add(record, now)
        return self._deliveries(now) if has_moved else None

    def subscribe(self, name: str, subscription: Subscription, now: Now) -> list[Delivery]:
        """Begin with what has happened in this life."""
        subscriber = Subscriber(name, subscription, self._render, self._losses)
        self.subscribers[name] = subscriber
        subscriber.add_history(self._history or (), now)
        return self._deliveries(now)

    def delivered(self, name: str, failure: str | None, now: Now) -> list[Delivery]:
        """A delivery arrived (`failure` None), or did not; those of a life before are no news."""
        subscriber = self.subscribers.get(name)
        if subscriber is not None:
            subscriber.delivered(failure, now)
        return self._deliveries(now)

    def handle_timeout(self, now: Now) -> list[Delivery]:
        """Let go what is due."""
        for subscriber in self.subscribers.values():
            subscriber.handle_timeout(now)
        return self._deliveries(now)

    def flush(self, now: Now) -> list[Delivery]:
        """Let everything go that has come so far."""
        for subscriber in self.subscribers.values():
            subscriber.close_batch(now)
        return self._deliveries(now)

    def _deliveries(self, now: Now) -> list[Delivery]:
        found = [subscriber.next_delivery(now) for subscriber in self.subscribers.values()]
        return [delivery for delivery in found if delivery is not None]
