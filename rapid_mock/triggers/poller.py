"""What polls an event source mapping, and what it is given. Start here to write a poller.

A `Source` stands for one kind of event source. It looks for the source of a mapping that is about
to be created, and opens a `Poller` for each mapping that is enabled. The driver of the mappings
(`mappings.py`) does the rest: it starts and stops pollers as mappings are created, changed and
deleted, and settles the mappings' states.

The life of a poller: `open`, `start`, then whatever it does, then `stop`. A change of the mapping
stops its poller and opens a new one; so do disabling and enabling. All of it runs in the event
loop's thread; boto3's calls are made by `Surroundings.calls`, in threads, and awaited. Decisions
belong into the pure core (`rapid_mock.service`), a poller carries out what it orders.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from rapid_mock.host.clock import Clock
from rapid_mock.service.event_source import Outcome
from rapid_mock.service.mappings import EventSourceMapping
from rapid_mock.triggers.checkpoints import Checkpoints


class Calls(Protocol):
    """Calls of AWS by boto3, each in one of a few threads; both kinds return boto3's answer.

    `service` and `operation` are boto3's (`"sqs"`, `"receive_message"`), `arguments` the
    operation's. Nothing is retried. Both raise CallFailed for a refusal, and where the service
    cannot be reached.
    """

    async def call(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        """A call that is answered at once."""

    async def wait(self, service: str, operation: str, /, **arguments: Any) -> dict[str, Any]:
        """A call that may take seconds by itself (a long poll), and must not hold up others."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a poller is given beside its mapping.

    `invoke(payload)` invokes the mapping's function synchronously, with a JSON event, and raises
    nothing: a throttle or any other refusal of the service is `Refused`. `processed(result)` is
    what the API shows as LastProcessingResult (`OK`, `PROBLEM: Function call failed`).
    `send(destination, record)` tells a destination, by its ARN, and raises nothing.
    `checkpoints` is kept as long as the mapping exists, whatever becomes of its pollers: how far
    each shard has been processed. `function_timeout` in seconds, `role_arn` the function's role.
    """

    calls: Calls
    clock: Clock
    invoke: Callable[[bytes], Awaitable[Outcome]]
    processed: Callable[[str], None]
    send: Callable[[str, Any], Awaitable[None]]
    explain: Callable[[str], None]
    checkpoints: Checkpoints
    function_timeout: float
    role_arn: str


class Poller(Protocol):
    """Polls the source of one mapping, with the members that the mapping had when it was opened."""

    async def start(self) -> None:
        """Begin to poll; returns when it does: what comes to the source from now on is taken.

        Raises nothing: what fails is tried again later.
        """

    async def stop(self) -> None:
        """Poll no more; returns when nothing is under way any more.

        Batches at the function are finished, and what becomes of them is carried out (deleted,
        checkpointed); what was received and not handed over is given back.
        """


class Source(Protocol):
    """One kind of event source."""

    async def check(self, mapping: EventSourceMapping, surroundings: Surroundings) -> None:
        """Look for the source of a mapping that is about to be created.

        Raises ServiceError with AWS's text when it is not there, or does not fit the function.
        """

    def open(self, mapping: EventSourceMapping, surroundings: Surroundings) -> Poller:
        """A poller for an enabled mapping, not started; what it needs to ask it asks later."""
