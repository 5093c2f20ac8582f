"""SNS, S3 and EventBridge as sources of events: all of it, wired. Start here.

sources = PushSources(calls, clock, place, accept=..., exists=..., explain=...)
sources.start()                      # what an earlier service began on the same engine
gateway = Gateway(upstream, sources.interceptions)
await sources.close()
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

from rapid_mock.errors import CallFailed
from rapid_mock.events.received import bus_event, s3_event, sns_event
from rapid_mock.host.clock import Clock
from rapid_mock.http.gateway import Interception
from rapid_mock.service.event_source import backoff
from rapid_mock.service.names import Place
from rapid_mock.service.push_triggers import RULE, S3, SNS, PushTrigger
from rapid_mock.service.rule_input import reserved_variables, target_input
from rapid_mock.service.rules import Firing
from rapid_mock.triggers.buckets import BucketCalls
from rapid_mock.triggers.hidden_queues import QueueCalls
from rapid_mock.triggers.poller import Calls
from rapid_mock.triggers.push import PushTriggers
from rapid_mock.triggers.rule_calls import RuleCalls
from rapid_mock.triggers.rules import Rules
from rapid_mock.triggers.schedules import FiringDelivery, stamp
from rapid_mock.triggers.silent_services import SilentServices
from rapid_mock.triggers.targets import Accept, Targets
from rapid_mock.triggers.topics import TopicCalls


class PushSources:
    """What pushes events at functions; make it inside the running loop.

    `accept` takes an event for a function by its ARN, asynchronously; `exists` says whether there
    is such a function. `clock` says how fast schedules pass.
    """

    def __init__(
        self,
        calls: Calls,
        clock: Clock,
        place: Place,
        *,
        accept: Accept,
        exists: Callable[[str], bool],
        explain: Callable[[str], None],
    ) -> None:
        self._account = place.account
        self._explain = explain
        self._restoring: asyncio.Task[None] | None = None
        self._clock = clock
        deliver = Targets(calls, accept).deliver
        self._triggers = PushTriggers(calls, deliver=deliver, render=self._events, explain=explain)
        self._rules = Rules(calls, clock, on_firing=self._fire, explain=explain)
        self._delivery = FiringDelivery(self._triggers, place, deliver=deliver, explain=explain)
        self._firings: set[asyncio.Task[None]] = set()
        self.interceptions: list[Interception] = [
            TopicCalls(self._triggers),
            BucketCalls(self._triggers, exists=exists, explain=explain),
            RuleCalls(self._triggers, self._rules, place),
            QueueCalls(),
            SilentServices(explain),
        ]

    def start(self) -> None:
        """Go on with what an earlier service began on the same engine, as soon as it answers."""
        self._restoring = asyncio.get_running_loop().create_task(self._restore())

    async def close(self) -> None:
        """Take no more events; returns when nothing is under way."""
        if self._restoring is not None:
            self._restoring.cancel()
            await asyncio.gather(self._restoring, return_exceptions=True)
        self._rules.close()
        await self._triggers.close()
        await asyncio.gather(*self._firings)

    async def _restore(self) -> None:
        failures = 0
        while True:
            try:
                await self._rules.restore()
                await self._triggers.restore()
            except CallFailed as failure:
                failures += 1
                if failures == 1:
                    self._explain(f"what pushes events cannot be asked for yet: {failure}")
                await asyncio.sleep(backoff(failures))
            else:
                return

    def _fire(self, firing: Firing) -> None:
        task = asyncio.get_running_loop().create_task(self._delivery.deliver(firing))
        self._firings.add(task)
        task.add_done_callback(self._firings.discard)

    def _events(self, trigger: PushTrigger, message: Any) -> Iterator[str]:
        """What a message of a trigger's queue stands for; a test of S3's is for queues only."""
        if trigger.kind == SNS:
            subscription = trigger.members.get("SubscriptionArn", trigger.source_arn)
            yield json.dumps(sns_event(message, subscription))
        elif trigger.kind == S3 and "Records" in message and not _is_put_of_parts(message):
            yield json.dumps(s3_event(message))
        elif trigger.kind == RULE:
            yield from self._rule_events(trigger, message)

    def _rule_events(self, trigger: PushTrigger, message: Any) -> Iterator[str]:
        event = bus_event(message, self._account)
        if self._rules.takes(trigger.source_arn, event):
            ingested = stamp(self._clock.now().wall)
            variables = reserved_variables(trigger.source_arn, ingested)
            yield target_input(trigger.members, event, variables)


def _is_put_of_parts(message: Any) -> bool:
    """Whether the engine tells the end of a multipart upload as a Put too, before the right event.

    Only an object made of parts has a dash in its eTag.
    """
    record = message["Records"][0]
    is_put: bool = record["eventName"] == "ObjectCreated:Put"
    return is_put and "-" in record["s3"]["object"].get("eTag", "")
