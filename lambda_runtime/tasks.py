"""Several invocations at once, each a task on the one event loop; for coroutine handlers."""

from __future__ import annotations

import asyncio
import sys
from time import monotonic

from lambda_runtime import current, event_loop
from lambda_runtime.async_client import AsyncRuntimeClient
from lambda_runtime.errors import RuntimeApiError
from lambda_runtime.failures import log_note, pass_over, report_failure
from lambda_runtime.hooks import done
from lambda_runtime.loop import do_pending
from lambda_runtime.scopes import Scopes
from lambda_runtime.streaming import STREAMED, StreamedResponse, encoded, is_coroutine
from lambda_runtime.worker import LOST, POLL_DELAYS, go_on, say_again

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lambda_runtime.client import Invocation, RuntimeClient
    from lambda_runtime.handler import Handler
    from lambda_runtime.place import Place
    from lambda_runtime.serialization import Codec

STANDSTILL_SECONDS = 1.0
"""How long nothing may happen on the loop before we say so."""


def serve(place: Place, client: RuntimeClient, handler: Handler, codec: Codec) -> NoReturn:
    """Serve in as many tasks as there may be invocations, until one of them cannot go on."""
    event_loop.complete(Serving(place, client, handler, codec).run())


class Serving:
    """The tasks of one worker; `at_work` counts those that have an invocation."""

    def __init__(self, place: Place, client: RuntimeClient, handler: Handler, codec: Codec) -> None:
        self._place = place
        self._client = client
        self._handler = handler
        self._codec = codec
        self._scopes = current.scopes = Scopes()
        self.at_work = 0

    async def run(self) -> NoReturn:
        """Poll and answer for ever; raises what ended the first task that ended."""
        tasks = [asyncio.create_task(self._poll(slot)) for slot in range(self._place.count)]
        tasks.append(asyncio.create_task(self._watch()))
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        raise ended.pop().exception() or AssertionError("they go on for ever")

    async def _poll(self, slot: int) -> None:
        client = AsyncRuntimeClient(self._client.address, self._client.user_agent)
        while True:
            if current.pending:
                do_pending()
            invocation = await _next_event(client)
            self._place.hold(slot, invocation)
            self.at_work += 1
            try:
                await self._answer(client, invocation)
            except LOST as lost:
                client.never_again = invocation.request_id
                go_on(lost, invocation)
            self.at_work -= 1
            self._place.free(slot)
            for call in self._scopes.pending():
                await done(call)

    async def _answer(self, client: AsyncRuntimeClient, invocation: Invocation) -> None:
        """As `loop.answer`, on the event loop."""
        try:
            context = self._scopes.enter(invocation)
            event = self._codec.decode(invocation.reply.body, invocation.content_type)
            result = self._handler(event, context)
            if is_coroutine(result):
                result = await event_loop.limited(result)  # type: ignore[arg-type]
            if type(result) in STREAMED:
                await StreamedResponse(client, invocation, self._codec).sent(result)
                return
            body, content_type = encoded(result, self._codec)
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001  whatever a handler raises is its answer
            await self._fail(client, invocation, error)
            return
        try:
            await client.respond(invocation, body, content_type)
        except RuntimeApiError as refusal:
            await pass_over(client, invocation, refusal)

    async def _fail(
        self, client: AsyncRuntimeClient, invocation: Invocation, error: BaseException
    ) -> None:
        """An exit is one invocation's failure: the others go on."""
        if event_loop.is_ending():
            raise error
        await report_failure(client, invocation, error)

    async def _watch(self) -> None:
        """Say so when a handler has kept all the others from going on."""
        while True:
            before = monotonic()
            await asyncio.sleep(STANDSTILL_SECONDS)
            late = monotonic() - before - STANDSTILL_SECONDS
            if late > STANDSTILL_SECONDS:
                log_note(
                    f"a coroutine handler blocked the event loop for {late:.1f} s, and with it "
                    f"all {self.at_work} invocations: it must await, or use asyncio.to_thread"
                )


async def _next_event(client: AsyncRuntimeClient) -> Invocation:
    for delay in POLL_DELAYS:
        try:
            return await client.next()
        except LOST as lost:
            say_again(lost, delay)
        await asyncio.sleep(delay)
    return await client.next()
