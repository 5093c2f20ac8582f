"""What the poller of an SQS queue is set to, what it knows of messages, and what it orders.

Source: "Using Lambda with Amazon SQS", AWS Lambda Developer Guide.
"""

from __future__ import annotations

from dataclasses import dataclass

from rapid_mock.service.event_source import Batching

MOST_POLLERS = 1250

_EXTRA_VISIBILITY = 30.0


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """One mapping's settings and its queue's; times in seconds.

    `concurrency`: the mapping's MaximumConcurrency, or how many batches the host carries at once.
    """

    batching: Batching
    visibility_timeout: float
    function_timeout: float
    concurrency: int = MOST_POLLERS

    @property
    def visibility_override(self) -> float | None:
        """What to receive with, where the queue's own visibility ends before the function does."""
        needed = self.batching.window + self.function_timeout
        if self.batching.window > 0 and needed > self.visibility_timeout:
            return needed + _EXTRA_VISIBILITY
        return None

    @property
    def visibility(self) -> float:
        """How long a received message stays hidden."""
        override = self.visibility_override
        return self.visibility_timeout if override is None else override


@dataclass(frozen=True, slots=True)
class Message:
    """A received message: `group` is its message group if it is FIFO, `size` its JSON's bytes.

    `record` is what the function gets.
    """

    message_id: str
    receipt_handle: str
    size: int
    record: object
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Receive:
    """Long-poll the queue; `visibility_timeout` is only given where the queue's is too short."""

    receive: int
    most: int
    visibility_timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Invoke:
    """Invoke the function synchronously; an order for a batch that was refused comes again."""

    batch: int
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete messages from the queue."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Make messages visible again at once."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """Nothing is under way any more; the last order."""


Order = Receive | Invoke | Delete | GiveBack | Stopped
